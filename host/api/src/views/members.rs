//! Objects to which a driver adds members of its own, or replaces one.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A typed object after a driver's members have been put into it. The document shows the type it was made from.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct Members(Map<String, Value>);

impl fmt::Debug for Members {
    /// Hides what is in it: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Members").finish_non_exhaustive()
    }
}

impl Members {
    /// An object, and what replaces or follows its own members.
    pub fn new<'a>(
        object: &impl Serialize,
        more: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Self {
        let Ok(Value::Object(mut members)) = serde_json::to_value(object) else {
            return Self::default();
        };
        members.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        Self(members)
    }
}
