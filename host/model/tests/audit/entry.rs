//! One entry as text.

use springform_model::audit::{Action, Entry, Kind, Outcome, Subject, Who};
use springform_model::time::Timestamp;

fn full() -> Entry {
    let who = Who {
        address: Some("192.0.2.1".into()),
        project: Some("ops".into()),
        request: Some("req-1".into()),
        user: Some("änn \u{1}\"\\/".into()),
        ..Who::of(Kind::User)
    };
    let on = Subject {
        backend: Some("pure1".into()),
        digest: Some("ab".into()),
        driver: Some("d".into()),
        generation: Some(3),
        operation: Some("o".into()),
        scope: Some("volume v".into()),
        signers: vec!["vendor".into()],
    };
    Entry::new(
        Timestamp(1_700_000_000_123_456),
        who,
        Action::Failover,
        Outcome::Begun,
    )
    .on(on)
    .because("why")
    .with("to", "sec2")
    .with("adopt", "true")
    .by_host("h")
}

#[test]
fn the_text_of_an_entry_is_that_of_a_program_which_sorts_its_keys() {
    let text = full().text().unwrap();
    // A map of serde_json is sorted.
    let sorted: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sorted = {
        fn keys(value: &serde_json::Value) -> String {
            match value {
                serde_json::Value::Object(map) => {
                    let mut members: Vec<_> = map.iter().collect();
                    members.sort_by_key(|(key, _)| key.to_owned());
                    let members = members.into_iter().map(|(key, value)| {
                        format!("{}:{}", serde_json::Value::from(key.as_str()), keys(value))
                    });
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }
                other => other.to_string(),
            }
        }
        keys(&sorted)
    };
    assert_eq!(text, sorted);
    assert!(
        text.contains(r#""at":"2023-11-14T22:13:20.123Z""#),
        "{text}"
    );
}

#[test]
fn an_entry_is_read_back_as_it_was_written() {
    let entry = full();
    let read: Entry = serde_json::from_str(&entry.text().unwrap()).unwrap();
    assert_eq!(read, entry);
    let bare = Entry::new(
        Timestamp(-1),
        Who::of(Kind::Host),
        Action::HostStarted,
        Outcome::Succeeded,
    );
    let read: Entry = serde_json::from_str(&bare.text().unwrap()).unwrap();
    assert_eq!(read, bare);
}

#[test]
fn no_text_in_an_entry_is_longer_than_its_bound() {
    let entry = full().because("ä".repeat(5000)).with("k", "x".repeat(5000));
    assert!(entry.reason.unwrap().len() <= 1024);
    assert!(entry.details.values().all(|value| value.len() <= 1024));
}

#[test]
fn every_action_and_outcome_has_one_word() {
    let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    let mut sorted = words.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(words.len(), sorted.len());
    for action in Action::ALL {
        let word = serde_json::to_value(action).unwrap();
        assert_eq!(word, action.as_str());
    }
}
