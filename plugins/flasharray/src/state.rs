//! What set-up learns and later calls are handed back: the arrays' own names, by target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct State {
    names: BTreeMap<String, String>,
}

fn read(state: &[u8]) -> State {
    serde_json::from_slice(state).unwrap_or_default()
}

/// The array's own name behind a target, if it was ever reached.
#[must_use]
pub fn name_of(state: &[u8], target: &str) -> Option<String> {
    read(state).names.remove(target)
}

/// The state with what was learned now; a target that could not be asked keeps what was known of it.
#[must_use]
pub fn learned(state: &[u8], names: impl IntoIterator<Item = (String, String)>) -> Vec<u8> {
    let mut state = read(state);
    state.names.extend(names);
    serde_json::to_vec(&state).unwrap_or_default()
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
