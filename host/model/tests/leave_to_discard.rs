//! Nothing is copied from an older generation, and nothing that one array alone holds is overwritten, without an
//! acknowledgement that names the array, its role and the generation: checked against arrays that hold writes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use springform_model::contract::{FailoverMode, Role};
use springform_model::replication::relation::{
    Acknowledge, DebtState, Effect, Event, MoveStep, Phase, Relation,
};
use springform_model::time::Timestamp;

const TARGETS: [&str; 3] = ["a", "b", "c"];

/// What an array holds of the volume, and whether hosts can add to it.
#[derive(Debug, Clone, Default)]
struct Side {
    writable: bool,
    generation: u64,
    writes: BTreeSet<u32>,
    /// Those this array answers for: made here, or taken over with the role. The others are copies of somebody else's.
    own: BTreeSet<u32>,
}

/// An acknowledgement as an operator may have typed it.
#[derive(Debug, Clone, Copy)]
struct Said {
    target: usize,
    primary: bool,
    /// Of the relation's generation.
    offset: i64,
}

#[derive(Debug, Clone)]
enum Action {
    Write(usize),
    Begin {
        to: usize,
        planned: bool,
        said: Option<Said>,
    },
    Work {
        ok: bool,
        told: bool,
    },
    Withdraw,
    Reprotect {
        from: Option<usize>,
        to: usize,
        said: Option<Said>,
    },
    Fence(usize),
}

fn said() -> impl Strategy<Value = Option<Said>> {
    let one = (0..3usize, any::<bool>(), -1..=1i64).prop_map(|(target, primary, offset)| Said {
        target,
        primary,
        offset,
    });
    prop::option::weighted(0.7, one)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..3usize).prop_map(Action::Write),
        3 => (0..3usize, any::<bool>(), said())
            .prop_map(|(to, planned, said)| Action::Begin { to, planned, said }),
        6 => (prop::bool::weighted(0.8), prop::bool::weighted(0.8))
            .prop_map(|(ok, told)| Action::Work { ok, told }),
        1 => Just(Action::Withdraw),
        3 => (prop::option::weighted(0.3, 0..3usize), 0..3usize, said())
            .prop_map(|(from, to, said)| Action::Reprotect { from, to, said }),
        1 => (0..3usize).prop_map(Action::Fence),
    ]
}

struct World {
    relation: Relation,
    sides: BTreeMap<&'static str, Side>,
    /// Whether the move under way has reached an array.
    touched: bool,
    writes: u32,
}

fn named(name: &str) -> &'static str {
    TARGETS.into_iter().find(|t| *t == name).unwrap()
}

impl World {
    fn new() -> Self {
        let mut sides: BTreeMap<_, _> = TARGETS.map(|t| (t, Side::default())).into();
        let first = sides.get_mut("a").unwrap();
        (first.writable, first.generation) = (true, 1);
        Self {
            relation: Relation::new("v", "pure1", "a", 1, true),
            sides,
            touched: false,
            writes: 0,
        }
    }

    fn typed(&self, said: Option<Said>) -> Option<Acknowledge> {
        said.map(|s| Acknowledge {
            target: TARGETS[s.target].into(),
            role: if s.primary {
                Role::Primary
            } else {
                Role::Secondary
            },
            generation: self.relation.generation.saturating_add_signed(s.offset),
        })
    }

    /// Whether the words name what stands here, as an operator saw it.
    fn is_leave(&self, given: Option<&Acknowledge>, target: &str) -> bool {
        let writable = self.relation.debt(target).map(|d| d.state) != Some(DebtState::Fenced);
        given.is_some_and(|g| {
            g.target == target
                && g.generation == self.relation.generation
                && (g.role == Role::Primary || !writable)
        })
    }

    /// Writes that `target` answers for, that are still there, and that the serving side does not have.
    fn alone(&self, target: &str) -> BTreeSet<u32> {
        let side = &self.sides[target];
        let serving = self.relation.serving.as_deref();
        let has = |write: &u32| serving.is_some_and(|s| self.sides[s].writes.contains(write));
        let held = side.own.intersection(&side.writes).copied();
        held.filter(|write| !has(write)).collect()
    }

    /// Whoever serves answers for everything it holds.
    fn take_over(&mut self) {
        let Some(serving) = self.relation.serving.clone() else {
            return;
        };
        let held = self.sides[serving.as_str()].writes.clone();
        for (name, side) in &mut self.sides {
            if *name == serving {
                side.own.clone_from(&held);
            } else {
                side.own.retain(|write| !held.contains(write));
            }
        }
    }

    fn copy(&mut self, from: &str, to: &str) {
        let writes = self.sides[from].writes.clone();
        self.sides.get_mut(to).unwrap().writes = writes;
    }

    /// What the step of the move under way does to the arrays, and what is heard of it.
    fn work(&mut self, ok: bool, told: bool) -> Option<Event> {
        let Phase::Moving(m) = self.relation.phase.clone() else {
            return None;
        };
        self.touched |= ok;
        if ok {
            match (m.step, m.from.as_deref()) {
                (MoveStep::Demoting, Some(from)) => {
                    self.sides.get_mut(from).unwrap().writable = false;
                    self.copy(from, &m.to);
                }
                (MoveStep::Promoting, _) => {
                    if let Some(silenced) = &m.silenced {
                        self.copy(silenced, &m.to);
                    }
                    let side = self.sides.get_mut(m.to.as_str()).unwrap();
                    side.writable = true;
                    side.generation = self.relation.generation;
                }
                _ => {}
            }
        }
        Some(match (ok && told, m.step) {
            (false, _) => Event::Failed(m.operation),
            (true, MoveStep::Syncing) => Event::Synced(m.operation),
            (true, MoveStep::Demoting) => Event::Demoted(m.operation),
            (true, MoveStep::Promoting) => Event::Promoted(m.operation),
        })
    }

    fn act(&mut self, n: usize, action: Action) -> Result<(), TestCaseError> {
        let now = Timestamp(n as i64 + 1);
        let event = match action {
            Action::Write(target) => {
                let side = self.sides.get_mut(TARGETS[target]).unwrap();
                if side.writable {
                    self.writes += 1;
                    side.writes.insert(self.writes);
                    side.own.insert(self.writes);
                }
                return Ok(());
            }
            Action::Fence(target) => {
                let target = TARGETS[target];
                if self.relation.debt(target).is_none() {
                    return Ok(());
                }
                self.sides.get_mut(target).unwrap().writable = false;
                Event::Fenced {
                    target: target.into(),
                }
            }
            Action::Begin { to, planned, said } => Event::Begin {
                operation: format!("op{n}"),
                to: TARGETS[to].into(),
                mode: if planned {
                    FailoverMode::Planned
                } else {
                    FailoverMode::Unplanned
                },
                expected: None,
                acknowledge: self.typed(said),
                drill: None,
            },
            Action::Work { ok, told } => match self.work(ok, told) {
                Some(event) => event,
                None => return Ok(()),
            },
            Action::Withdraw => match &self.relation.phase {
                Phase::Moving(m) if !self.touched => Event::Withdrawn(m.operation.clone()),
                _ => return Ok(()),
            },
            Action::Reprotect { from, to, said } => Event::Reprotect {
                from: from.map(|f| TARGETS[f].to_owned()),
                to: TARGETS[to].into(),
                acknowledge: self.typed(said),
            },
        };
        let Ok((next, effects)) = self.relation.step(event.clone(), now) else {
            return Ok(());
        };
        match &event {
            Event::Begin {
                to, acknowledge, ..
            } => {
                self.touched = false;
                prop_assert!(
                    self.relation.debt(to).is_none() || self.is_leave(acknowledge.as_ref(), to),
                    "{to} was left behind and is to serve without leave: {:?}",
                    self.relation
                );
            }
            Event::Reprotect {
                from,
                to,
                acknowledge,
            } => {
                let serving = self.relation.serving.clone().unwrap();
                prop_assert!(from.as_ref().is_none_or(|f| *f == serving));
                // An array may have been promoted without our hearing of it: then it is known as left behind.
                let source = self.sides[serving.as_str()].generation;
                let unknown = self.sides.iter().find(|(name, side)| {
                    side.writable && side.generation > source && self.relation.debt(name).is_none()
                });
                prop_assert!(
                    unknown.is_none() && self.relation.debt(&serving).is_none(),
                    "{serving} is older than {unknown:?} and is copied from: {:?}",
                    self.relation
                );
                prop_assert!(
                    self.alone(to).is_empty() || self.is_leave(acknowledge.as_ref(), to),
                    "{to} alone holds {:?}, overwritten without leave: {event:?} {:?}",
                    self.alone(to),
                    self.relation
                );
            }
            _ => {}
        }
        self.relation = next;
        for effect in effects {
            match effect {
                Effect::Fence { target, .. } if matches!(event, Event::Reprotect { .. }) => {
                    self.sides.get_mut(named(&target)).unwrap().writable = false;
                    let fenced = Event::Fenced { target };
                    self.relation = self.relation.step(fenced, now).unwrap().0;
                }
                Effect::Copy { to, .. } => {
                    let serving = self.relation.serving.clone().unwrap();
                    self.copy(&serving, &to);
                    let copied = Event::Resynced { target: to };
                    self.relation = self.relation.step(copied, now).unwrap().0;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_copied_from_an_older_generation_and_nothing_discarded_without_leave(
        actions in prop::collection::vec(action(), 1..60)
    ) {
        let mut world = World::new();
        for (n, action) in actions.into_iter().enumerate() {
            world.act(n, action)?;
            world.take_over();
        }
    }
}
