//! Query strings as a FlashArray reads them: elements percent-encoded, lists joined by a literal comma.

/// Most names in one request.
const NAMES: usize = 128;
/// Most bytes of names in one request, as they are sent: with its path and keys it stays below the 8,000 that every server
/// and proxy is to take (RFC 9110, section 4.1).
const BYTES: usize = 7000;

/// Cuts names into lists, each of which fits into one request.
pub fn chunks<S: AsRef<str>>(mut names: &[S]) -> impl Iterator<Item = &[S]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = names.iter().take(NAMES).take_while(|name| {
            bytes += 1 + encoded(name.as_ref());
            bytes <= BYTES
        });
        // A name that is too long for any request goes alone, and the array refuses it.
        let (chunk, rest) = names.split_at_checked(fits.count().max(1))?;
        names = rest;
        Some(chunk)
    })
}

/// A query under construction.
#[derive(Debug, Clone, Default)]
pub struct Query(String);

impl Query {
    /// An empty query.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `key=a,b,c`.
    #[must_use]
    pub fn list<S: AsRef<str>>(mut self, key: &str, values: &[S]) -> Self {
        self.key(key);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            encode(value.as_ref(), &mut self.0);
        }
        self
    }

    /// `key=value`.
    #[must_use]
    pub fn one(self, key: &str, value: &str) -> Self {
        self.list(key, &[value])
    }

    /// `names=…`.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.one("names", name)
    }

    /// `key=true`.
    #[must_use]
    pub fn on(self, key: &str) -> Self {
        self.one(key, "true")
    }

    /// `filter=…`.
    #[must_use]
    pub fn filter(self, filter: &str) -> Self {
        self.one("filter", filter)
    }

    /// Behind a path.
    #[must_use]
    pub fn behind(&self, path: &str) -> String {
        if self.0.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", self.0)
        }
    }

    fn key(&mut self, key: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(key);
        self.0.push('=');
    }
}

/// Whether a byte stands for itself.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/')
}

/// Bytes of a text as it is sent.
fn encoded(text: &str) -> usize {
    text.bytes().map(|b| if is_plain(b) { 1 } else { 3 }).sum()
}

fn encode(text: &str, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if is_plain(byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            for nibble in [byte >> 4, byte & 15] {
                into.push(
                    HEX.get(usize::from(nibble))
                        .copied()
                        .map_or('0', char::from),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
