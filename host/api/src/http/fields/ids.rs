//! Ids in a body.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Fields, missing, shown, wrong};
use crate::http::ApiError;

impl Fields {
    /// An id that may be missing or null; one that is no UUID is refused before anybody looks for it.
    ///
    /// # Errors
    /// 400 for what is no UUID.
    pub fn uuid(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name, 0..=255)? else {
            return Ok(None);
        };
        if is_like_an_id(&text) {
            return Ok(Some(text));
        }
        let value = Value::String(text);
        let why = format!("'{}' is not a 'uuid'", shown(&value));
        Err(wrong(name, &value, &why))
    }

    /// An id that may be missing, but not null.
    ///
    /// # Errors
    /// 400 for what is no UUID, null among it.
    pub fn id(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.contains(name) {
            true => self.required_uuid(name).map(Some),
            false => Ok(None),
        }
    }

    /// Ids that must be UUIDs: one text, or a list of them, each once; none where it is missing.
    ///
    /// # Errors
    /// 400 for what is no UUID, and for one that is there twice.
    pub fn uuids(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let one = |value: Value| {
            let mut member = Self::over(Map::from_iter([(name.to_owned(), value)]));
            member.required_uuid(name)
        };
        match self.members.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                let many = values.len();
                let ids: Vec<String> = values.into_iter().map(one).collect::<Result<_, _>>()?;
                match ids.iter().collect::<BTreeSet<_>>().len() == many {
                    true => Ok(ids),
                    false => Err(wrong(name, &Value::Null, "It has non-unique elements")),
                }
            }
            Some(value) => one(value).map(|id| vec![id]),
        }
    }

    /// An id that must be there and be a UUID.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required_uuid(&mut self, name: &str) -> Result<String, ApiError> {
        if !self.members.contains_key(name) {
            return Err(missing(name));
        }
        let why = "None is not of type 'string'";
        self.uuid(name)?
            .ok_or_else(|| wrong(name, &Value::Null, why))
    }
}

/// What Cinder takes for a UUID: 32 hexadecimal digits, however they are divided and wrapped.
fn is_like_an_id(text: &str) -> bool {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let bare = bare.trim_matches(['{', '}']).replace('-', "");
    bare.len() == 32 && bare.bytes().all(|b| b.is_ascii_hexdigit())
}
