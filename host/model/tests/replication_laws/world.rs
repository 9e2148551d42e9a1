//! Random sequences against a world of arrays.

use std::collections::BTreeMap;

use proptest::prelude::*;
use springform_model::contract::{FailoverMode, Link, LinkState, ReplicationKind, Role};
use springform_model::replication::check;
use springform_model::replication::evidence::{self, Evidence};
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
    /// What its promotion wrote beside the volume.
    mark: Option<(u64, usize)>,
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

/// The arrays, the record, and what was done so far.
struct Story {
    relation: Relation,
    world: BTreeMap<&'static str, Side>,
    clock: i64,
    steps: usize,
}

impl Story {
    fn new() -> Self {
        let sides = TARGETS.iter().map(|t| (*t, Side::default()));
        let mut world: BTreeMap<&str, Side> = sides.collect();
        let first = Side {
            writable: true,
            generation: 1,
            mark: None,
        };
        world.insert("a", first);
        Self {
            relation: fresh(),
            world,
            clock: 0,
            steps: 0,
        }
    }

    /// What a look at all arrays finds, with the evidence they carry.
    fn look(&self) -> Event {
        let serving = self.relation.serving.as_deref();
        let stale = self
            .world
            .iter()
            .filter(|(name, s)| s.writable && serving != Some(**name));
        let stale: Vec<&str> = stale.map(|(name, _)| *name).collect();
        let Event::Seen(mut what) = seen(serving.unwrap_or("a"), &stale) else {
            unreachable!()
        };
        let marked = self
            .world
            .iter()
            .filter_map(|(name, s)| Some((*name, s.mark?)));
        what.links.extend(marked.map(|(name, (generation, step))| Link {
            target: name.to_owned(),
            kind: ReplicationKind::Other(evidence::LINK.to_owned()),
            state: LinkState::Healthy,
            last_point: None,
            interval_seconds: None,
            lag_bytes: None,
            percent: None,
            detail: Some(format!(
                r#"{{"mark":{{"generation":{generation},"host":"h","operation":"op{step}","target":"{name}"}}}}"#
            )),
        }));
        Event::Seen(what)
    }

    fn events(&mut self, action: Action) -> Vec<Event> {
        match action {
            Action::Begin {
                to,
                planned,
                acknowledge: ack,
            } => vec![Event::Begin {
                operation: format!("op{}", self.steps),
                to: TARGETS[to].into(),
                mode: if planned {
                    FailoverMode::Planned
                } else {
                    FailoverMode::Unplanned
                },
                expected: None,
                acknowledge: ack
                    .then(|| acknowledge(&self.relation, TARGETS[to]))
                    .flatten(),
                drill: None,
            }],
            Action::Work { ok, told } => match self.relation.phase.clone() {
                Phase::Moving(m) => {
                    let side = TARGETS.iter().find(|t| **t == m.to).unwrap();
                    match m.step {
                        MoveStep::Syncing => {}
                        MoveStep::Demoting if ok => {
                            let from = TARGETS
                                .iter()
                                .find(|t| Some(**t) == m.from.as_deref())
                                .unwrap();
                            self.world.get_mut(from).unwrap().writable = false;
                        }
                        MoveStep::Promoting if ok => {
                            let generation = self.relation.generation;
                            let step = m.operation.trim_start_matches("op").parse().unwrap();
                            let mark = Some((generation, step));
                            self.world.insert(
                                side,
                                Side {
                                    writable: true,
                                    generation,
                                    mark,
                                },
                            );
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
            Action::Look => vec![self.look()],
            Action::Reprotect {
                to,
                acknowledge: ack,
            } => vec![Event::Reprotect {
                from: None,
                to: TARGETS[to].into(),
                acknowledge: ack
                    .then(|| acknowledge(&self.relation, TARGETS[to]))
                    .flatten(),
            }],
            Action::Fence { target } => match self.relation.debt(TARGETS[target]) {
                Some(_) => {
                    self.world.get_mut(TARGETS[target]).unwrap().writable = false;
                    vec![Event::Fenced {
                        target: TARGETS[target].into(),
                    }]
                }
                None => Vec::new(),
            },
        }
    }

    /// Takes one event; gives what it made necessary, nothing where it was refused.
    fn take(&mut self, event: Event) -> Result<Vec<Effect>, TestCaseError> {
        let now = Timestamp(self.clock);
        let Ok((next, effects)) = self.relation.step(event, now) else {
            return Ok(Vec::new());
        };
        check(Some(&self.relation), &next).map_err(|v| TestCaseError::fail(v.to_string()))?;
        self.relation = next;
        Ok(effects)
    }

    fn act(&mut self, action: Action) -> Result<(), TestCaseError> {
        self.clock += 1_000_000;
        self.steps += 1;
        for event in self.events(action) {
            for effect in self.take(event)? {
                match effect {
                    Effect::Fence { target, .. } => {
                        let name = TARGETS.iter().find(|t| **t == target).unwrap();
                        self.world.get_mut(name).unwrap().writable = false;
                        self.take(Event::Fenced { target })?;
                    }
                    Effect::Copy { to, .. } => {
                        self.take(Event::Resynced { target: to })?;
                    }
                    _ => {}
                }
            }
        }
        world_holds(&self.relation, &self.world)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_laws_hold(actions in prop::collection::vec(action(), 1..60)) {
        let mut story = Story::new();
        for action in actions {
            story.act(action)?;
            // Nobody but this record moved anything, so no array knows more.
            prop_assert!(story.relation.overtaken().is_none(), "{:?}", story.relation);
        }
    }

    #[test]
    fn a_record_older_than_the_arrays_acts_on_nothing_until_it_has_adopted_what_they_say(
        before in prop::collection::vec(action(), 0..20),
        between in prop::collection::vec(action(), 1..30),
        after in prop::collection::vec(action(), 1..20),
    ) {
        let mut story = Story::new();
        for action in before {
            story.act(action)?;
        }
        let backup = story.relation.clone();
        for action in between {
            story.act(action)?;
        }
        story.relation = backup.clone();
        let look = story.look();
        let done = story.take(look)?;
        if story.relation.overtaken().is_none() {
            return Ok(());
        }
        prop_assert!(done.is_empty(), "{done:?}");
        let world = format!("{:?}", story.world);
        for action in after {
            story.clock += 1_000_000;
            story.steps += 1;
            // What was moving when the backup was made is told apart by the driver, which finds its own operation there.
            if matches!(action, Action::Work { .. } | Action::Fence { .. }) {
                continue;
            }
            for event in story.events(action) {
                let done = story.take(event)?;
                prop_assert!(done.is_empty(), "{done:?}");
            }
        }
        prop_assert_eq!(&world, &format!("{:?}", story.world));
        prop_assert_eq!(&backup.serving, &story.relation.serving);
        let newest: Evidence = story.relation.overtaken().unwrap().clone();
        story.take(Event::Adopt(Box::new(newest.clone())))?;
        prop_assert!(story.relation.overtaken().is_none(), "{:?}", story.relation);
        let latest = story.world.values().filter_map(|s| s.mark).max().unwrap();
        prop_assert_eq!(latest.0, story.relation.generation);
        prop_assert_eq!(Some(&newest.target), story.relation.serving.as_ref());
    }
}
