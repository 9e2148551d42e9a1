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
    // begin synced demoted promoted failed withdrawn reprotect want drill seen
    let table = [
        ("settled", "y-----yyyy"),
        ("syncing", "-y--yy---y"),
        ("demoting", "--y-yy---y"),
        ("promoting", "---yyy---y"),
        ("forcing", "---yyy---y"),
        ("stranded demoting", "y---yy---y"),
        ("stranded promoting", "y---yy---y"),
        ("stranded forcing", "y---yy---y"),
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
        ] {
            assert!(relation.step(event, Timestamp(1)).is_err(), "{name}");
        }
    }
}
