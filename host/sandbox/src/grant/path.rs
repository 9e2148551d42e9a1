//! Paths that mean to an array what they say.

/// Longest path of a request, bytes.
const LONGEST: usize = 2048;

/// Whether a path has one reading: absolute, no empty or dot segments, no backslash, no parameters, no control characters, and
/// nothing encoded that another server would decode to one of these. A server that reads a path differently than the host would be
/// asked for something that was not granted.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    let Some(inside) = path.strip_prefix('/') else {
        return false;
    };
    let named = inside.strip_suffix('/').unwrap_or(inside);
    path.len() <= LONGEST
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b';' | b'?' | b'#'))
        && encoded(path).all(|byte| {
            byte.is_some_and(|byte| {
                byte.is_ascii_graphic() && !is_special(byte) || byte == b' ' || byte >= 0x80
            })
        })
        && (inside.is_empty()
            || named
                .split('/')
                .all(|segment| !matches!(segment, "" | "." | "..")))
}

/// Whether an encoded byte would change what the path means once it is decoded, perhaps twice.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\' | b'.' | b'%' | b';' | b'?' | b'#')
}

/// The bytes that are percent-encoded; none where two hexadecimal digits are missing.
fn encoded(path: &str) -> impl Iterator<Item = Option<u8>> {
    let pieces = path.split('%').skip(1);
    pieces.map(|piece| u8::from_str_radix(piece.get(..2)?, 16).ok())
}
