//! The laws of replication, checked against a world of arrays that does what the machine's effects say, or fails to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use springform_model::contract::{FailoverMode, Observation, Protection, Role};
use springform_model::replication::relation::{
    Acknowledge, DebtState, DrillRef, Effect, Event, MoveStep, Phase, Relation,
};
use springform_model::replication::{Refusal, check};
use springform_model::time::Timestamp;

const TARGETS: [&str; 3] = ["a", "b", "c"];

fn fresh() -> Relation {
    Relation::new("v", "pure1", "a", 1, true)
}

fn begin(operation: &str, to: &str, mode: FailoverMode) -> Event {
    Event::Begin {
        operation: operation.into(),
        to: to.into(),
        mode,
        expected: None,
        acknowledge: None,
        drill: None,
    }
}

fn run(relation: &Relation, events: Vec<Event>) -> Relation {
    events
        .into_iter()
        .fold(relation.clone(), |r, e| r.step(e, Timestamp(7)).unwrap().0)
}

fn forced_to_b() -> Relation {
    run(
        &fresh(),
        vec![
            begin("op", "b", FailoverMode::Unplanned),
            Event::Promoted("op".into()),
        ],
    )
}

fn seen(serving: &str, stale: &[&str]) -> Event {
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

#[test]
fn a_forced_failover_bumps_the_generation_and_owes_the_old_side_a_fence() {
    let (moving, effects) = fresh()
        .step(begin("op", "b", FailoverMode::Unplanned), Timestamp(1))
        .unwrap();
    assert_eq!(
        effects,
        [Effect::Promote {
            target: "b".into(),
            generation: 2
        }]
    );
    let (moved, effects) = moving
        .step(Event::Promoted("op".into()), Timestamp(2))
        .unwrap();
    assert_eq!(moved.serving.as_deref(), Some("b"));
    assert_eq!(moved.debt("a").unwrap().state, DebtState::Owed);
    assert!(effects.contains(&Effect::Fence {
        target: "a".into(),
        generation: 1
    }));
}

#[test]
fn a_planned_failover_demotes_first_and_owes_nothing() {
    let r = run(
        &fresh(),
        vec![
            begin("op", "b", FailoverMode::Planned),
            Event::Synced("op".into()),
        ],
    );
    let (r, effects) = r.step(Event::Demoted("op".into()), Timestamp(2)).unwrap();
    assert_eq!(r.serving, None);
    assert_eq!(
        effects,
        [Effect::Promote {
            target: "b".into(),
            generation: 2
        }]
    );
    let r = run(&r, vec![Event::Promoted("op".into())]);
    assert!(r.debts.is_empty());
}

#[test]
fn a_planned_failover_whose_final_sync_fails_switches_nothing() {
    let r = run(
        &fresh(),
        vec![
            begin("op", "b", FailoverMode::Planned),
            Event::Failed("op".into()),
        ],
    );
    assert_eq!(
        (r.phase, r.serving.as_deref(), r.desired.as_str()),
        (Phase::Settled, Some("a"), "a")
    );
}

#[test]
fn a_source_that_may_have_been_demoted_is_not_believed_to_serve_again_because_the_next_attempt_failed_early()
 {
    // The demotion's answer was lost; the next move fails before it gets that far.
    let doubtful = run(
        &fresh(),
        vec![
            begin("first", "b", FailoverMode::Planned),
            Event::Synced("first".into()),
            Event::Failed("first".into()),
            begin("second", "c", FailoverMode::Planned),
            Event::Failed("second".into()),
        ],
    );
    assert!(matches!(doubtful.phase, Phase::Stranded(_)), "{doubtful:?}");
    let back = run(
        &doubtful,
        vec![
            begin("third", "a", FailoverMode::Planned),
            Event::Promoted("third".into()),
        ],
    );
    assert_eq!(back.serving.as_deref(), Some("a"));
    assert_eq!((back.phase, back.debts), (Phase::Settled, Vec::new()));
}

#[test]
fn last_writes_on_a_demoted_source_are_not_forgotten_when_the_volume_moves_elsewhere_without_them()
{
    let stranded = run(
        &fresh(),
        vec![
            begin("first", "c", FailoverMode::Planned),
            Event::Synced("first".into()),
            Event::Demoted("first".into()),
            Event::Failed("first".into()),
        ],
    );
    let elsewhere = |mode| {
        run(
            &stranded,
            vec![begin("second", "b", mode), Event::Promoted("second".into())],
        )
    };
    let reprotect = Event::Reprotect {
        from: None,
        to: "a".into(),
        acknowledge: None,
    };
    let forced = elsewhere(FailoverMode::Unplanned);
    assert!(matches!(
        forced.step(reprotect.clone(), Timestamp(9)),
        Err(Refusal::WouldDiscard { .. })
    ));
    // A planned one has fetched them first.
    let planned = elsewhere(FailoverMode::Planned);
    assert!(planned.step(reprotect, Timestamp(9)).is_ok());
}

#[test]
fn an_unplanned_move_is_withdrawn_before_an_array_was_asked_and_only_then() {
    let moving = run(&fresh(), vec![begin("op", "b", FailoverMode::Unplanned)]);
    let back = run(&moving, vec![Event::Withdrawn("op".into())]);
    assert_eq!(
        (back.phase, back.serving.as_deref(), back.desired.as_str()),
        (Phase::Settled, Some("a"), "a")
    );
    // An earlier attempt may have promoted the target already.
    let doubtful = run(
        &moving,
        vec![
            Event::Failed("op".into()),
            begin("again", "b", FailoverMode::Unplanned),
            Event::Withdrawn("again".into()),
        ],
    );
    assert!(matches!(doubtful.phase, Phase::Stranded(_)), "{doubtful:?}");
}

#[test]
fn the_same_operation_id_has_the_same_outcome() {
    let moved = forced_to_b();
    let (again, effects) = moved
        .step(begin("op", "b", FailoverMode::Unplanned), Timestamp(9))
        .unwrap();
    assert_eq!(again, moved);
    assert!(effects.is_empty());
    let (again, _) = moved
        .step(Event::Promoted("op".into()), Timestamp(9))
        .unwrap();
    assert_eq!(again, moved);
}

#[test]
fn an_operation_that_was_interrupted_is_told_what_is_due_when_it_begins_again() {
    let (moving, due) = fresh()
        .step(begin("op", "b", FailoverMode::Planned), Timestamp(1))
        .unwrap();
    let (same, again) = moving
        .step(begin("op", "b", FailoverMode::Planned), Timestamp(2))
        .unwrap();
    assert_eq!((same, again), (moving, due));
}

#[test]
fn no_copy_over_an_array_with_writes_of_its_own_without_the_expected_role_and_generation() {
    let moved = forced_to_b();
    let reprotect = |acknowledge| Event::Reprotect {
        from: Some("b".into()),
        to: "a".into(),
        acknowledge,
    };
    let refused = moved.step(reprotect(None), Timestamp(3)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::WouldDiscard {
            target: "a".into(),
            held: 1,
            current: 2
        }
    );
    for (role, generation) in [(Role::Secondary, 2), (Role::Primary, 1)] {
        let wrong = Acknowledge {
            target: "a".into(),
            role,
            generation,
        };
        assert!(matches!(
            moved.step(reprotect(Some(wrong)), Timestamp(3)),
            Err(Refusal::Acknowledgement { .. })
        ));
    }
    let right = Acknowledge {
        target: "a".into(),
        role: Role::Primary,
        generation: 2,
    };
    let (_, effects) = moved.step(reprotect(Some(right)), Timestamp(3)).unwrap();
    // Fenced before it is overwritten.
    assert_eq!(
        effects,
        [
            Effect::Fence {
                target: "a".into(),
                generation: 1
            },
            Effect::Copy {
                to: "a".into(),
                discard: true
            },
        ]
    );
}

#[test]
fn copying_from_the_wrong_side_is_refused_before_any_array_is_asked() {
    let event = Event::Reprotect {
        from: Some("a".into()),
        to: "c".into(),
        acknowledge: None,
    };
    let refused = forced_to_b().step(event, Timestamp(3)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::WrongSide {
            named: "a".into(),
            serving: Some("b".into())
        }
    );
}

#[test]
fn a_stale_array_does_not_serve_again_before_it_was_overwritten() {
    let moved = forced_to_b();
    let back = begin("back", "a", FailoverMode::Unplanned);
    assert!(matches!(
        moved.step(back.clone(), Timestamp(3)),
        Err(Refusal::StaleTarget { .. })
    ));
    let fenced = run(&moved, vec![Event::Fenced { target: "a".into() }]);
    assert!(matches!(
        fenced.step(back.clone(), Timestamp(3)),
        Err(Refusal::StaleTarget { .. })
    ));
    let copied = run(
        &fenced,
        vec![
            Event::Resynced { target: "a".into() },
            back,
            Event::Promoted("back".into()),
        ],
    );
    assert_eq!(copied.serving.as_deref(), Some("a"));
}

#[test]
fn the_old_primarys_return_is_noticed_and_it_is_fenced_each_time_it_is_writable() {
    let (r, effects) = forced_to_b().step(seen("b", &["a"]), Timestamp(3)).unwrap();
    assert_eq!(
        effects,
        [Effect::Fence {
            target: "a".into(),
            generation: 1
        }]
    );
    let r = run(&r, vec![Event::Fenced { target: "a".into() }]);
    let (r, effects) = r.step(seen("b", &[]), Timestamp(4)).unwrap();
    assert!(effects.is_empty());
    let (_, effects) = r.step(seen("b", &["a"]), Timestamp(5)).unwrap();
    assert_eq!(effects.len(), 1);
}

#[test]
fn a_drill_ends_before_replication_is_switched_off_and_only_one_is_open() {
    let drill = |id: &str| {
        Event::DrillStarted(DrillRef {
            id: id.into(),
            target: "b".into(),
        })
    };
    let r = run(&fresh(), vec![drill("d")]);
    assert_eq!(
        r.step(Event::Want(false), Timestamp(1)),
        Err(Refusal::DrillOpen { drill: "d".into() })
    );
    assert_eq!(
        r.step(drill("e"), Timestamp(1)),
        Err(Refusal::DrillOpen { drill: "d".into() })
    );
    assert!(r.step(drill("d"), Timestamp(1)).is_ok());
    run(
        &r,
        vec![Event::DrillStopped("d".into()), Event::Want(false)],
    );
}

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

/// An array of the world: whether hosts can write there, and under which generation it was made writable.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    writable: bool,
    generation: u64,
}

#[derive(Debug, Clone)]
enum Action {
    Begin {
        to: usize,
        planned: bool,
        acknowledge: bool,
    },
    /// Carries out what is due; `ok` whether the array did it, `told` whether we heard of it.
    Work {
        ok: bool,
        told: bool,
    },
    Look,
    Reprotect {
        to: usize,
        acknowledge: bool,
    },
    Fence {
        target: usize,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..3usize, any::<bool>(), any::<bool>())
            .prop_map(|(to, planned, acknowledge)| Action::Begin { to, planned, acknowledge }),
        8 => (prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(|(ok, told)| Action::Work { ok, told }),
        2 => Just(Action::Look),
        1 => (0..3usize, any::<bool>()).prop_map(|(to, acknowledge)| Action::Reprotect { to, acknowledge }),
        1 => (0..3usize).prop_map(|target| Action::Fence { target }),
    ]
}

fn acknowledge(relation: &Relation, target: &str) -> Option<Acknowledge> {
    relation.debt(target).map(|d| Acknowledge {
        target: target.into(),
        role: if d.state == DebtState::Owed {
            Role::Primary
        } else {
            Role::Secondary
        },
        generation: relation.generation,
    })
}

/// No two arrays are writable under one generation, and every writable array but the serving one is known as a debt or
/// belongs to the move under way.
fn world_holds(relation: &Relation, world: &BTreeMap<&str, Side>) -> Result<(), TestCaseError> {
    let writable: Vec<_> = world.iter().filter(|(_, s)| s.writable).collect();
    for (i, (name, side)) in writable.iter().enumerate() {
        prop_assert!(
            writable
                .iter()
                .skip(i + 1)
                .all(|(_, other)| other.generation != side.generation),
            "two primaries in one generation: {world:?}"
        );
        let mut expected = relation.serving.as_deref() == Some(**name)
            || relation
                .debt(name)
                .is_some_and(|d| d.state == DebtState::Owed);
        if let Phase::Moving(m) | Phase::Stranded(m) = &relation.phase {
            expected |= m.to == **name || m.from.as_deref() == Some(**name);
        }
        prop_assert!(
            expected,
            "{name} is writable and nobody knows: {relation:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_laws_hold(actions in prop::collection::vec(action(), 1..60)) {
        let mut relation = fresh();
        let mut world: BTreeMap<&str, Side> = TARGETS.iter().map(|t| (*t, Side::default())).collect();
        world.insert("a", Side { writable: true, generation: 1 });
        let mut clock = 0;
        for (n, action) in actions.into_iter().enumerate() {
            clock += 1_000_000;
            let now = Timestamp(clock);
            let events: Vec<Event> = match action {
                Action::Begin { to, planned, acknowledge: ack } => vec![Event::Begin {
                    operation: format!("op{n}"),
                    to: TARGETS[to].into(),
                    mode: if planned { FailoverMode::Planned } else { FailoverMode::Unplanned },
                    expected: None,
                    acknowledge: ack.then(|| acknowledge(&relation, TARGETS[to])).flatten(),
                    drill: None,
                }],
                Action::Work { ok, told } => match relation.phase.clone() {
                    Phase::Moving(m) => {
                        let side = TARGETS.iter().find(|t| **t == m.to).unwrap();
                        match m.step {
                            MoveStep::Syncing => {}
                            MoveStep::Demoting if ok => {
                                let from = TARGETS.iter().find(|t| Some(**t) == m.from.as_deref()).unwrap();
                                world.get_mut(from).unwrap().writable = false;
                            }
                            MoveStep::Promoting if ok => {
                                world.insert(side, Side { writable: true, generation: relation.generation });
                            }
                            _ => {}
                        }
                        vec![match (ok && told, m.step) {
                            (false, _) => Event::Failed(m.operation),
                            (true, MoveStep::Syncing) => Event::Synced(m.operation),
                            (true, MoveStep::Demoting) => Event::Demoted(m.operation),
                            (true, MoveStep::Promoting) => Event::Promoted(m.operation),
                        }]
                    }
                    _ => Vec::new(),
                },
                Action::Look => {
                    let stale: Vec<&str> = world
                        .iter()
                        .filter(|(name, s)| s.writable && relation.serving.as_deref() != Some(**name))
                        .map(|(name, _)| *name)
                        .collect();
                    vec![seen(relation.serving.as_deref().unwrap_or("a"), &stale)]
                }
                Action::Reprotect { to, acknowledge: ack } => vec![Event::Reprotect {
                    from: None,
                    to: TARGETS[to].into(),
                    acknowledge: ack.then(|| acknowledge(&relation, TARGETS[to])).flatten(),
                }],
                Action::Fence { target } => match relation.debt(TARGETS[target]) {
                    Some(_) => {
                        world.get_mut(TARGETS[target]).unwrap().writable = false;
                        vec![Event::Fenced { target: TARGETS[target].into() }]
                    }
                    None => Vec::new(),
                },
            };
            for event in events {
                let before = relation.clone();
                let Ok((next, effects)) = relation.step(event, now) else { continue };
                relation = next;
                check(Some(&before), &relation).map_err(|v| TestCaseError::fail(v.to_string()))?;
                for effect in effects {
                    match effect {
                        Effect::Fence { target, .. } => {
                            let name = TARGETS.iter().find(|t| **t == target).unwrap();
                            world.get_mut(name).unwrap().writable = false;
                            relation = relation.step(Event::Fenced { target }, now).unwrap().0;
                        }
                        Effect::Copy { to, .. } => {
                            relation = relation.step(Event::Resynced { target: to }, now).unwrap().0;
                        }
                        _ => {}
                    }
                }
            }
            world_holds(&relation, &world)?;
        }
    }
}
