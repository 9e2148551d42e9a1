//! What set-up learns and later calls are handed back: the arrays' own names, by target, and the names that the protection
//! groups of the backend have had.

use serde_json::{Map, Value, json};

use crate::array::text;

/// Names by target.
fn read(state: &[u8]) -> Map<String, Value> {
    let state = crate::json::value(state);
    match state.and_then(|mut state| Some(state.get_mut("names")?.take())) {
        Some(Value::Object(names)) => names,
        _ => Map::new(),
    }
}

/// The array's own name behind a target, if it was ever reached.
#[must_use]
pub fn name_of(state: &[u8], target: &str) -> Option<String> {
    read(state)
        .get(target)
        .and_then(|name| text(name, ""))
        .map(str::to_owned)
}

/// The state with what was learned now; a target that could not be asked keeps what was known of it.
#[must_use]
pub fn learned(state: &[u8], names: impl IntoIterator<Item = (String, String)>) -> Vec<u8> {
    let mut known = read(state);
    for (target, name) in names {
        known.insert(target, Value::String(name));
    }
    crate::json::bytes(&json!({ "names": known, "groups": groups(state) }))
}

/// Protection groups that the configuration has named so far.
#[must_use]
pub fn groups(state: &[u8]) -> Vec<String> {
    let state = crate::json::value(state).unwrap_or_default();
    let known = state.get("groups").and_then(Value::as_array);
    let mut groups = Vec::new();
    let names = known
        .into_iter()
        .flatten()
        .filter_map(|name| text(name, ""));
    groups.extend(names.map(str::to_owned));
    groups
}

/// The state in which these groups are known, too.
#[must_use]
pub fn with_groups(state: &[u8], named: [String; 2]) -> Vec<u8> {
    let mut known = groups(state);
    for name in named {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    crate::json::bytes(&json!({ "names": read(state), "groups": known }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_that_could_not_be_asked_keeps_the_name_it_had() {
        let pair = |target: &str, name: &str| (target.to_owned(), name.to_owned());
        let first = learned(&[], [pair("pure1", "a"), pair("pure2", "b")]);
        let second = learned(&first, [pair("pure2", "renamed")]);
        assert_eq!(name_of(&second, "pure1").as_deref(), Some("a"));
        assert_eq!(name_of(&second, "pure2").as_deref(), Some("renamed"));
        assert_eq!(name_of(b"not ours", "pure1"), None);
    }
}
