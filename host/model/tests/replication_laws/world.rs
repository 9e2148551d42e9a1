//! Random sequences against a world of arrays.

use std::collections::BTreeMap;

use proptest::prelude::*;
use springform_model::contract::{FailoverMode, Role};
use springform_model::replication::check;
use springform_model::replication::relation::{
    Acknowledge, DebtState, Effect, Event, MoveStep, Phase, Relation,
};
use springform_model::time::Timestamp;

use crate::relations::{fresh, seen};

const TARGETS: [&str; 3] = ["a", "b", "c"];

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
