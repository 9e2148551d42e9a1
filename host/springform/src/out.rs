//! What commands print. `println!` panics when its reader has gone away, as in `springform status | head -1`.

use std::io::{self, Write};

/// Prints text to standard output. A reader that has gone away has seen what it wanted, so nothing is reported then: a command
/// that follows an operation still ends with the operation's status.
///
/// # Errors
/// Standard output cannot be written for any other reason: a full disk, for one.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("standard output cannot be written: {error}"),
        )),
        Ok(()) => Ok(()),
    }
}

/// As [`print`], with the end of the line.
///
/// # Errors
/// As [`print`].
pub fn line(text: impl std::fmt::Display) -> io::Result<()> {
    print(&format!("{text}\n"))
}

/// A line on standard error. Nobody can be told that it could not be written.
pub fn note(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
