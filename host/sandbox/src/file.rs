//! The file of a component, read once: what is verified is what is compiled.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::LoadError;

/// A file that shall be a driver. Nothing of it was parsed yet.
pub struct ComponentFile {
    path: PathBuf,
    bytes: Vec<u8>,
    digest: String,
}

impl std::fmt::Debug for ComponentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentFile")
            .field("path", &self.path)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl ComponentFile {
    /// Reads a file of at most so many bytes.
    ///
    /// # Errors
    /// It cannot be read, or is larger.
    pub fn read(path: &Path, limit: u64) -> Result<Self, LoadError> {
        let read = |source| LoadError::Read {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(read)?.len();
        if size > limit {
            return Err(LoadError::TooLarge { size, limit });
        }
        let bytes = std::fs::read(path).map_err(read)?;
        Ok(Self {
            path: path.to_owned(),
            digest: hex::encode(Sha256::digest(&bytes)),
            bytes,
        })
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes, in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
