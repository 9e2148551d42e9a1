//! The chain: each entry carries a digest over itself, its number and the digest before it. A person who changes, removes or
//! reorders entries has to write every later digest anew, and an anchor that is kept elsewhere shows that.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The digest before the first entry of a chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digest of an entry: SHA-256 in hexadecimal digits over the digest before it, a line feed, its number, a line feed, and
/// the text of the entry. `printf '%s\n%s\n%s' PREVIOUS SEQ ENTRY | sha256sum` says the same.
#[must_use]
pub fn digest(previous: &str, seq: u64, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update("\n");
    hasher.update(seq.to_string());
    hasher.update("\n");
    hasher.update(entry);
    let digest = hasher.finalize();
    digest
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// An entry in its place in the chain of its host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// The entry, byte for byte as it was written.
    pub entry: Box<RawValue>,
    /// Its digest.
    pub hash: String,
    /// Whose chain this is.
    pub host: String,
    /// The digest of the entry before it, or [`GENESIS`].
    pub previous: String,
    /// Its number, counted from 1 in each chain.
    pub seq: u64,
}

impl Link {
    /// The next entry of a chain.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn new(
        host: &str,
        seq: u64,
        previous: &str,
        entry: String,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            hash: digest(previous, seq, &entry),
            entry: RawValue::from_string(entry)?,
            host: host.to_owned(),
            previous: previous.to_owned(),
            seq,
        })
    }

    /// The one text of it: a line of an export, and what is kept.
    ///
    /// # Errors
    /// None in practice: every field can be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// An entry by its number and digest, without its content: `17:ab…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number.
    pub seq: u64,
    /// Digest.
    pub hash: String,
}

impl Checkpoint {
    /// Reads `SEQ:HASH`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.split_once(':')?;
        let digits = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then_some(Self {
            seq: seq.parse().ok()?,
            hash: hash.to_ascii_lowercase(),
        })
    }
}

impl std::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}
