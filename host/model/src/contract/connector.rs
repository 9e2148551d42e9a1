//! A connector as Nova and os-brick write it in JSON.

use serde_json::{Map, Value};

use super::Connector;

/// Keys of a connector that are kept at most, besides those with a name here.
const FURTHER: usize = 32;
/// Bytes of a text at most.
const LONGEST: usize = 1024;

impl Connector {
    /// Reads what drivers know by name, and the rest as it came. `None` for what is no connector: not an object, a member
    /// of another kind, or nothing by which a machine could be known.
    #[must_use]
    pub fn from_cinder(value: Value) -> Option<Self> {
        let Value::Object(mut members) = value else {
            return None;
        };
        let mut read = Self {
            host: text(&mut members, "host")?.unwrap_or_default(),
            ip: text(&mut members, "ip")?,
            initiator: text(&mut members, "initiator")?,
            wwpns: list(&mut members, "wwpns")?,
            wwnns: list(&mut members, "wwnns")?,
            nqn: text(&mut members, "nqn")?,
            system_uuid: text(&mut members, "system uuid")?,
            multipath: matches!(members.remove("multipath"), Some(Value::Bool(true))),
            chap: None,
            extensions: Vec::new(),
        };
        let known = !read.host.is_empty()
            || read.initiator.is_some()
            || !read.wwpns.is_empty()
            || read.nqn.is_some();
        if !known {
            return None;
        }
        for (key, value) in members.into_iter().take(FURTHER) {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            read.extensions.push((key, text));
        }
        Some(read)
    }
}

/// A text, or none where it is null or not there; `None` where it is something else.
fn text(members: &mut Map<String, Value>, name: &str) -> Option<Option<String>> {
    match members.remove(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) if text.len() <= LONGEST => Some(Some(text)),
        Some(_) => None,
    }
}

/// A list of texts; one text is a list of it.
fn list(members: &mut Map<String, Value>, name: &str) -> Option<Vec<String>> {
    match members.remove(name) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one]),
        Some(list) => serde_json::from_value(list).ok(),
    }
}
