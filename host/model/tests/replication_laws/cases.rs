//! One law, one case.

use springform_model::contract::{FailoverMode, Role};
use springform_model::replication::Refusal;
use springform_model::replication::relation::{
    Acknowledge, DebtState, DrillRef, Effect, Event, Phase,
};
use springform_model::time::Timestamp;

use crate::relations::{begin, forced_to_b, fresh, run, seen};

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
