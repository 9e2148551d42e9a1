//! Static tokens from a file, for installations without an identity service.
//!
//! ```toml
//! [[token]]
//! sha256 = "<64 hexadecimal digits>"   # or: token = "the token itself"
//! user = "ann"
//! project = "3f2a…"
//! roles = ["member"]
//! ```

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Identity;
use crate::http::ApiError;
use crate::secret_file::{SecretFileError, read_secret_file};

/// Tokens, kept as digests only.
#[derive(Debug)]
pub struct Tokens {
    known: HashMap<[u8; 32], Identity>,
}

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read, or others can read it.
    #[error("takes tokens from `tokens_file` {path}, which {source}")]
    Unreadable {
        /// File.
        path: String,
        /// Cause.
        source: SecretFileError,
    },
    /// It is no such file.
    #[error("takes tokens from `tokens_file` {path}, which is not valid: {reason}")]
    Malformed {
        /// File.
        path: String,
        /// Cause, without the token.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    token: Option<Zeroizing<String>>,
    sha256: Option<String>,
    user: String,
    project: String,
    roles: Vec<String>,
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// With the file's name and what is wrong in it; never with a token.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let name = path.display().to_string();
        let bytes = read_secret_file(path).map_err(|source| TokenFileError::Unreadable {
            path: name.clone(),
            source,
        })?;
        std::str::from_utf8(&bytes)
            .map_err(|_| "it is not UTF-8 text".to_owned())
            .and_then(Self::parse)
            .map_err(|reason| TokenFileError::Malformed { path: name, reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut known = HashMap::new();
        for (at, entry) in file.token.into_iter().enumerate() {
            let nth = at + 1;
            let digest = match (entry.token, entry.sha256) {
                (Some(token), None) if token.len() >= 16 => Sha256::digest(token.as_bytes()).into(),
                (Some(_), None) => {
                    return Err(format!("token {nth} is shorter than 16 characters"));
                }
                (None, Some(digest)) => {
                    let bytes = hex::decode(&digest)
                        .ok()
                        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                    bytes.ok_or_else(|| {
                        format!("`sha256` of token {nth} is not 64 hexadecimal digits")
                    })?
                }
                _ => {
                    return Err(format!(
                        "token {nth} needs exactly one of `token` and `sha256`"
                    ));
                }
            };
            if entry.project.is_empty()
                || !entry
                    .project
                    .bytes()
                    .all(|b| b.is_ascii_hexdigit() || b == b'-')
            {
                return Err(format!(
                    "`project` of token {nth} may consist of hexadecimal digits and `-` only"
                ));
            }
            let roles = entry
                .roles
                .iter()
                .map(|role| role.to_ascii_lowercase())
                .collect();
            known.insert(
                digest,
                Identity {
                    user: entry.user,
                    project: entry.project,
                    roles,
                },
            );
        }
        Ok(Self { known })
    }

    /// Whose a token is. Looked up by digest, so that the time it takes says nothing about the token.
    ///
    /// # Errors
    /// 401 for none and for one that is not in the file.
    pub fn identify(&self, token: Option<&str>) -> Result<Identity, ApiError> {
        let digest: [u8; 32] = Sha256::digest(token.unwrap_or_default().as_bytes()).into();
        match token.and_then(|_| self.known.get(&digest)) {
            Some(identity) => Ok(identity.clone()),
            None => Err(ApiError::unauthenticated("Token realm=\"springform\"")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_itself_or_by_its_digest() {
        let digest = hex::encode(Sha256::digest(b"second-token-of-the-file"));
        let text = format!(
            "[[token]]\ntoken = \"first-token-of-the-file\"\nuser = \"ann\"\nproject = \"ab\"\nroles = [\"Member\"]\n\
             [[token]]\nsha256 = \"{digest}\"\nuser = \"bob\"\nproject = \"cd\"\nroles = [\"reader\"]\n"
        );
        let tokens = Tokens::parse(&text).unwrap();
        assert_eq!(
            tokens
                .identify(Some("first-token-of-the-file"))
                .unwrap()
                .roles,
            ["member"]
        );
        assert_eq!(
            tokens
                .identify(Some("second-token-of-the-file"))
                .unwrap()
                .user,
            "bob"
        );
        assert_eq!(
            tokens.identify(Some("third")).unwrap_err().status.as_u16(),
            401
        );
        assert_eq!(tokens.identify(None).unwrap_err().status.as_u16(), 401);
    }

    #[test]
    fn what_is_wrong_in_the_file_is_said_without_the_token() {
        let reason = Tokens::parse(
            "[[token]]\ntoken = \"short\"\nuser = \"a\"\nproject = \"ab\"\nroles = []\n",
        )
        .unwrap_err();
        assert_eq!(reason, "token 1 is shorter than 16 characters");
        assert!(
            Tokens::parse("[[token]]\ncolour = \"red\"")
                .unwrap_err()
                .contains("colour")
        );
    }
}
