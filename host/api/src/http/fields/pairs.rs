//! Members of a body whose names the client chooses: metadata and specs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Fields, shown, wrong};
use crate::http::ApiError;

/// Which keys there may be, and how long a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Letters, digits, blanks and `-_:./`: metadata of volumes, specs of QoS and of types at their creation.
    Words,
    /// The same with values of up to 65,535 bytes: what an image says.
    Image,
    /// The same without a slash: metadata of snapshots.
    Plain,
    /// Neither blanks nor slashes: specs of types.
    Names,
    /// Whatever can be kept: where Cinder's schema says nothing.
    Any,
}

impl Keys {
    fn allow(self, key: &str) -> bool {
        let length = key.chars().count();
        let usual = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
        let each = |c: char| match self {
            Self::Words | Self::Image => usual(c) || c == ' ' || c == '/',
            Self::Plain => usual(c) || c == ' ',
            Self::Names => usual(c),
            Self::Any => c != '\0',
        };
        (1..=255).contains(&length) && key.chars().all(each)
    }

    fn fits(self, text: &str) -> bool {
        match self {
            Self::Image => text.len() <= 65_535,
            _ => text.chars().count() <= 255,
        }
    }
}

impl Fields {
    /// Pairs of text; missing is none.
    ///
    /// # Errors
    /// 400 for null, for what is no object, for a key or a value that may not be.
    pub fn pairs(
        &mut self,
        name: &str,
        keys: Keys,
    ) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        match self.contains(name) {
            true => self.object(name)?.into_pairs(name, keys).map(Some),
            false => Ok(None),
        }
    }

    /// Pairs of text that may be null.
    ///
    /// # Errors
    /// As [`Fields::pairs`].
    pub fn pairs_or_null(
        &mut self,
        name: &str,
        keys: Keys,
    ) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        match self.has(name) {
            true => self.pairs(name, keys),
            false => {
                self.take(name);
                Ok(None)
            }
        }
    }

    /// All members as pairs of text.
    ///
    /// # Errors
    /// As [`Fields::pairs`].
    pub fn into_pairs(self, name: &str, keys: Keys) -> Result<BTreeMap<String, String>, ApiError> {
        let mut pairs = BTreeMap::new();
        for (key, value) in self.members {
            if !keys.allow(&key) {
                let why = format!(
                    "Additional properties are not allowed ('{}' was unexpected)",
                    shown(&Value::String(key.clone()))
                );
                return Err(wrong(name, &Value::String(key), &why));
            }
            let Value::String(text) = &value else {
                let why = format!("{} is not of type 'string'", shown(&value));
                return Err(wrong(&key, &value, &why));
            };
            if !keys.fits(text) {
                let why = format!("'{}' is too long", shown(&value));
                return Err(wrong(&key, &value, &why));
            }
            if text.contains('\0') {
                return Err(wrong(&key, &Value::Null, "It contains a NUL character"));
            }
            pairs.insert(key, text.clone());
        }
        Ok(pairs)
    }

    /// The one pair that a request is about.
    ///
    /// # Errors
    /// 400 where there is none, more than one, or another one than `key`.
    pub fn into_pair(
        self,
        name: &str,
        key: &str,
        keys: Keys,
    ) -> Result<(String, String), ApiError> {
        let count = self.members.len();
        let members = Value::Object(self.members.clone());
        let mut pairs = self.into_pairs(name, keys)?.into_iter();
        match (pairs.next(), count) {
            (None, _) => Err(wrong(name, &members, "It does not have enough properties")),
            (Some(pair), 1) if pair.0 == key => Ok(pair),
            (Some(_), 1) => Err(ApiError::invalid("Request body and URI mismatch")),
            (Some(_), _) => Err(wrong(name, &members, "It has too many properties")),
        }
    }
}
