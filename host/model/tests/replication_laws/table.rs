//! Every event in every phase.

use springform_model::contract::FailoverMode;
use springform_model::replication::relation::{DrillRef, Event, Phase, Relation};
use springform_model::time::Timestamp;

use crate::relations::{begin, fresh, run, seen};

/// Every phase a relation can be in, by name, with the move it is in.
fn phases() -> Vec<(&'static str, Relation)> {
    let planned = run(&fresh(), vec![begin("op", "b", FailoverMode::Planned)]);
    let demoting = run(&planned, vec![Event::Synced("op".into())]);
    let promoting = run(&demoting, vec![Event::Demoted("op".into())]);
    let forced = run(&fresh(), vec![begin("op", "b", FailoverMode::Unplanned)]);
    let fail = || vec![Event::Failed("op".into())];
    vec![
        ("settled", fresh()),
        ("syncing", planned),
        ("demoting", demoting.clone()),
        ("promoting", promoting.clone()),
        ("forcing", forced.clone()),
        ("stranded demoting", run(&demoting, fail())),
        ("stranded promoting", run(&promoting, fail())),
        ("stranded forcing", run(&forced, fail())),
    ]
}

fn returned(operation: &str) -> Event {
    Event::Returned {
        operation: operation.into(),
        target: "a".into(),
    }
}

#[test]
fn the_table_of_events_and_phases_is_as_written_here() {
    let op = || "op".to_owned();
    let events: Vec<(&str, Event)> = vec![
        ("begin", begin("new", "b", FailoverMode::Planned)),
        ("synced", Event::Synced(op())),
        ("demoted", Event::Demoted(op())),
        ("promoted", Event::Promoted(op())),
        ("failed", Event::Failed(op())),
        ("withdrawn", Event::Withdrawn(op())),
        ("returned", returned("op")),
        ("returning", Event::Returning(op())),
        (
            "reprotect",
            Event::Reprotect {
                from: None,
                to: "b".into(),
                acknowledge: None,
            },
        ),
        ("want", Event::Want(true)),
        (
            "drill",
            Event::DrillStarted(DrillRef {
                id: "d".into(),
                target: "b".into(),
            }),
        ),
        ("seen", seen("a", &[])),
    ];
    // begin synced demoted promoted failed withdrawn returned returning reprotect want drill seen
    let table = [
        ("settled", "y-------yyyy"),
        ("syncing", "-y--yyyy---y"),
        ("demoting", "--y-yyyy---y"),
        ("promoting", "---yyyyy---y"),
        ("forcing", "---yyy-y---y"),
        ("stranded demoting", "y---yy-----y"),
        ("stranded promoting", "y---yy-----y"),
        ("stranded forcing", "y---yy-----y"),
    ];
    for ((name, relation), (row_name, row)) in phases().into_iter().zip(table) {
        assert_eq!(name, row_name);
        for ((event_name, event), expected) in events.iter().zip(row.chars()) {
            let taken = relation.step(event.clone(), Timestamp(1));
            assert_eq!(
                taken.is_ok(),
                expected == 'y',
                "{name} + {event_name}: {taken:?}"
            );
        }
    }
}

#[test]
fn an_event_of_another_operation_is_never_taken_while_one_holds_the_relation() {
    for (name, relation) in phases()
        .into_iter()
        .filter(|(_, r)| matches!(r.phase, Phase::Moving(_)))
    {
        for event in [
            Event::Synced("x".into()),
            Event::Demoted("x".into()),
            Event::Promoted("x".into()),
            Event::Failed("x".into()),
            Event::Withdrawn("x".into()),
            returned("x"),
        ] {
            assert!(relation.step(event, Timestamp(1)).is_err(), "{name}");
        }
    }
}

#[test]
fn a_role_that_was_given_back_is_served_again_and_only_by_who_gave_it_up() {
    let (_, promoting) = phases().swap_remove(3);
    assert_eq!(promoting.serving, None);
    let back = run(&promoting, vec![returned("op")]);
    assert_eq!(back.phase, Phase::Settled);
    assert_eq!(
        (back.serving.as_deref(), back.desired.as_str()),
        (Some("a"), "a")
    );
    assert_eq!(back.generation, promoting.generation, "never lowered");
    let other = Event::Returned {
        operation: "op".into(),
        target: "c".into(),
    };
    assert!(promoting.step(other, Timestamp(1)).is_err());
    // The goal of an earlier attempt may serve: two primaries are worse than a volume that waits.
    let stranded = run(&promoting, vec![Event::Failed("op".into())]);
    let again = run(&stranded, vec![begin("op", "b", FailoverMode::Planned)]);
    assert!(again.step(returned("op"), Timestamp(1)).is_err());
}

#[test]
fn an_array_that_was_asked_to_take_its_role_back_and_did_not_answer_is_owed_a_fence() {
    let (_, promoting) = phases().swap_remove(3);
    let owed = |relation: &Relation| relation.owed().any(|debt| debt.target == "a");
    for (asked, expected) in [(false, false), (true, true)] {
        let mut events = vec![Event::Failed("op".into())];
        if asked {
            events.insert(0, Event::Returning("op".into()));
        }
        let stranded = run(&promoting, events);
        // Also where an attempt in between fetched the last writes and failed as well.
        for first in [None, Some(FailoverMode::Planned)] {
            let stranded = match first {
                None => stranded.clone(),
                Some(mode) => {
                    let failed = Event::Failed("between".into());
                    run(&stranded, vec![begin("between", "b", mode), failed])
                }
            };
            let on = vec![begin("on", "b", FailoverMode::Unplanned)];
            let on = run(&stranded, on);
            assert_eq!(owed(&on), expected, "{on:?}");
            let there = run(&on, vec![Event::Promoted("on".into())]);
            assert_eq!(owed(&there), expected, "{there:?}");
        }
    }
}
