//! Files that hold secrets: one way to read all of them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// Bytes of a file of secrets read at most.
const MOST: u64 = 4 << 20;

/// Why a file of secrets is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Others than its owner and its group may use it. A group that may is usual: Debian has `ssl-cert`.
    #[error("every user of this machine can read (mode {mode:04o}); run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// It is no file of secrets.
    #[error("is larger than {} KiB, which no secret is", MOST / 1024)]
    TooLarge,
}

/// Reads a file that holds a secret; what is read is wiped from memory when it is dropped. The mode is that of the file which is
/// read, whatever has its name meanwhile.
///
/// # Errors
/// [`SecretFileError`]; each continues a sentence that named the file: "…, which ".
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let file = File::open(path)?;
    let data = file.metadata()?;
    let mode = data.permissions().mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(SecretFileError::Exposed {
            path: path.display().to_string(),
            mode,
        });
    }
    // Room for all of it, so that nothing is copied while it grows; a pipe does not say how much that is.
    let room = usize::try_from(data.len().min(MOST)).unwrap_or(0).max(4096);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => Err(SecretFileError::TooLarge),
        false => Ok(bytes),
    }
}
