//! Relations and events that the tests begin with.

use springform_model::contract::{FailoverMode, Observation, Protection, Role};
use springform_model::replication::relation::{Event, Relation};
use springform_model::time::Timestamp;

pub fn fresh() -> Relation {
    Relation::new("v", "pure1", "a", 1, true)
}

pub fn begin(operation: &str, to: &str, mode: FailoverMode) -> Event {
    Event::Begin {
        operation: operation.into(),
        to: to.into(),
        mode,
        expected: None,
        acknowledge: None,
        drill: None,
    }
}

pub fn run(relation: &Relation, events: Vec<Event>) -> Relation {
    events
        .into_iter()
        .fold(relation.clone(), |r, e| r.step(e, Timestamp(7)).unwrap().0)
}

pub fn forced_to_b() -> Relation {
    run(
        &fresh(),
        vec![
            begin("op", "b", FailoverMode::Unplanned),
            Event::Promoted("op".into()),
        ],
    )
}

pub fn seen(serving: &str, stale: &[&str]) -> Event {
    Event::Seen(Observation {
        volume_id: "v".into(),
        target: Some(serving.into()),
        role: Role::Primary,
        protection: Protection::Unknown,
        links: Vec::new(),
        stale_writable: stale.iter().map(|s| (*s).to_owned()).collect(),
        tests: Vec::new(),
        problems: Vec::new(),
    })
}
