//! The keys that secrets are sealed with, as the operator keeps them: one a line.

use chacha20poly1305::aead::Generate as _;
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a key.
const BYTES: usize = 32;

/// A key of 256 bits. It never shows itself, and is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; BYTES]>);

impl SealingKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`] when the system gives none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Key::try_generate().map_err(|_| KeyError::NoRandom)?;
        let bytes = Zeroizing::new(key.into());
        key.zeroize();
        Ok(Self(bytes))
    }

    /// What it is called in messages and in the database. Says nothing of the key itself.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::new()
            .chain_update("springform sealing key id")
            .chain_update(self.0.as_slice())
            .finalize();
        hex::encode(digest.get(..4).unwrap_or_default())
    }

    /// The line of a key file: 64 hexadecimal digits.
    #[must_use]
    pub fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", self.id())
    }
}

/// The keys a host has: the first one seals, the others are those of before, which only open.
#[derive(Debug, Clone)]
pub struct Keyring {
    first: SealingKey,
    older: Vec<SealingKey>,
}

impl Keyring {
    /// One key.
    #[must_use]
    pub fn new(key: SealingKey) -> Self {
        Self {
            first: key,
            older: Vec::new(),
        }
    }

    /// Reads the text of a key file: one key a line, each 64 hexadecimal digits; empty lines and those that begin with `#` are
    /// left out.
    ///
    /// # Errors
    /// [`KeyError`], with the line; never with what stands in it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (line, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let mut bytes = Zeroizing::new([0; BYTES]);
            hex::decode_to_slice(text, bytes.as_mut_slice())
                .map_err(|_| KeyError::Damaged { line: line + 1 })?;
            keys.push(SealingKey(bytes));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self {
            first,
            older: keys.collect(),
        })
    }

    /// With this key as the one that seals.
    #[must_use]
    pub fn led_by(&self, key: SealingKey) -> Self {
        Self {
            first: key,
            older: self.all().cloned().collect(),
        }
    }

    /// The key that seals.
    #[must_use]
    pub fn first(&self) -> &SealingKey {
        &self.first
    }

    /// All keys, the one that seals first.
    pub fn all(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.first).chain(&self.older)
    }

    /// The text of a key file.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        // Room for all of it, so that nothing is copied while it grows.
        let mut text = Zeroizing::new(String::with_capacity((1 + self.older.len()) * 65));
        for key in self.all() {
            text.push_str(&key.line());
            text.push('\n');
        }
        text
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing in it.
    #[error("there is no key in it; put back the one that was there, it is 64 hexadecimal digits")]
    Empty,
    /// A line is not a key.
    #[error("line {line} is not a key of 64 hexadecimal digits; put back the key as it was")]
    Damaged {
        /// The line, from 1.
        line: usize,
    },
    /// The system has no random numbers.
    #[error("no key can be made: the system gives no random numbers")]
    NoRandom,
}
