//! The database is replaced by an older state of itself: nothing is changed on arrays before what they say was adopted, then
//! the newest promotion serves and everything goes on.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng as _;
use rand::rngs::StdRng;
use springform_control::replication::{self, Ask, ReplicationEnv as _, Request, Scope, Who};
use springform_model::operation::{Operation, OperationState};
use springform_model::replication::relation::{Event, Phase};

use crate::memory::Rows;
use crate::nouns::BACKEND;
use crate::seeds::{Sim, Summary};
use crate::world::World;

/// Of a hundred seeds, those in which it is replaced.
const RESTORED: f64 = 0.25;

/// What serves a volume in truth, and what it held when the database was replaced.
struct Serves {
    generation: u64,
    target: String,
    content: u64,
}

/// The older database.
#[derive(Default)]
pub(crate) struct Older {
    /// Steps before which the database is copied, and replaced by that copy.
    steps: Option<(usize, usize)>,
    kept: Option<Rows>,
    /// Whether the records are older than the arrays, as far as anybody knows.
    pub(crate) stale: bool,
    truth: BTreeMap<String, Serves>,
    /// Drills of which no record knows any more.
    pub(crate) forgotten: BTreeSet<String>,
}

impl Older {
    /// Whether the database was replaced.
    pub(crate) fn was_restored(&self) -> bool {
        self.steps.is_some() && self.kept.is_none()
    }

    pub(crate) fn draw(rng: &mut StdRng, steps: usize) -> Self {
        let copied = rng.random_range(0..steps - 10);
        let replaced = copied + rng.random_range(1..10);
        Self {
            steps: rng.random_bool(RESTORED).then_some((copied, replaced)),
            ..Self::default()
        }
    }
}

/// The copy of a volume that was promoted last.
fn newest(world: &World, id: &str) -> Option<Serves> {
    let copies = world.arrays.iter();
    let copies = copies.filter_map(|(name, array)| Some((name, array.copies.get(id)?)));
    let serves = copies.map(|(name, copy)| Serves {
        generation: copy.mark.as_ref().map_or(0, |mark| mark.generation),
        target: name.clone(),
        content: copy.content,
    });
    // Where nobody wrote anything it is the first array, which comes first.
    serves.rev().max_by_key(|serves| serves.generation)
}

impl Sim {
    pub(crate) async fn keep_or_restore(&mut self, step: usize, summary: &mut Summary) {
        let Some((copied, replaced)) = self.older.steps else {
            return;
        };
        if step == copied {
            self.older.kept = Some(self.env.rows().clone());
        }
        if step == replaced {
            summary.restores += 1;
            self.restore().await;
        }
    }

    async fn restore(&mut self) {
        let Some(mut kept) = self.older.kept.take() else {
            return;
        };
        self.halt().await;
        self.env.resumed.lock().unwrap().clear();
        let now = self.env.now();
        if let Some((service, revision)) = &mut kept.service {
            service.look_only_since = Some(now);
            *revision += 1;
        }
        {
            let mut rows = self.env.rows();
            let world = self.env.world();
            let copies = world.arrays.values().flat_map(|array| &array.tests);
            let unknown = copies.filter(|(drill, _)| !kept.drills.contains_key(drill));
            self.older.forgotten = unknown.map(|(drill, _)| drill.clone()).collect();
            let ids = kept.volumes.keys();
            let truth = ids.filter_map(|id| Some((id.clone(), newest(&world, id)?)));
            self.older.truth = truth.collect();
            *rows = kept;
        }
        self.older.stale = true;
        self.env.tell("the database is replaced by an older one");
        self.before = self.relations();
    }

    /// Whether the operator adopts what the arrays say now; also where nothing was restored, which changes nothing.
    pub(crate) fn adopts(&mut self) -> bool {
        let due = self.env.rows().look_only();
        self.rng.random_bool(if due { 0.5 } else { 0.05 })
    }

    pub(crate) async fn begin_adoption(&mut self) -> Option<Operation> {
        let mut ask = Ask::about(Scope::Backend(BACKEND.into()));
        ask.adopt = true;
        let request = Request::Reconcile(ask);
        let begun = replication::begin(self.env.as_ref(), BACKEND, request, Who::default()).await;
        match begun {
            Ok(operation) => {
                self.env.tell(format!("{} adopts", operation.id));
                self.spawn(operation.clone());
                Some(operation)
            }
            Err(problem) => {
                self.env.tell(format!("adoption refused: {problem}"));
                None
            }
        }
    }

    /// Lets go on what waited for an adoption, and looks at whether that did what it says.
    pub(crate) fn follow(&mut self) -> Result<(), String> {
        if self.older.stale && !self.env.rows().look_only() {
            self.newest_serves()?;
            self.older.truth.clear();
            self.look();
            let all = self.env.world().arrays.values().all(|array| array.up);
            self.older.stale = !all;
            self.before = self.relations();
        }
        let resumed = std::mem::take(&mut *self.env.resumed.lock().unwrap());
        for id in resumed {
            let operation = self.env.rows().operations[&id].clone();
            if operation.state.is_terminal() {
                continue;
            }
            self.env.tell(format!("{id} goes on"));
            self.spawn(operation);
        }
        Ok(())
    }

    fn newest_serves(&self) -> Result<(), String> {
        let rows = self.env.rows();
        let world = self.env.world();
        for (id, truth) in &self.older.truth {
            let Some((relation, _)) = rows.relations.get(id) else {
                return Err(format!("{id} was not adopted"));
            };
            if relation.phase != Phase::Settled {
                continue;
            }
            let serving = relation.serving.as_ref();
            let content = world.arrays[&truth.target].copies[id].content;
            if serving != Some(&truth.target) || content < truth.content {
                return Err(format!(
                    "{id}: {} was promoted as generation {} and held {}; {serving:?} was adopted, and it holds {content}",
                    truth.target, truth.generation, truth.content
                ));
            }
        }
        Ok(())
    }

    /// The observer looks at all volumes.
    pub(crate) fn look(&mut self) {
        let now = self.env.now();
        let mut rows = self.env.rows();
        let world = self.env.world();
        let members = rows.volumes.values();
        let members: Vec<_> = members.map(|(v, r)| rows.member(v, *r)).collect();
        for member in members.into_iter().filter(|m| m.replicated()) {
            let seen = world.observe(&member.spec);
            let (relation, _) = member.relation.step(Event::Seen(seen), now).unwrap();
            let revision = member.relation_revision.map_or(1, |r| r + 1);
            rows.relations
                .insert(member.volume.id.clone(), (relation, revision));
        }
    }

    /// Replication goes on while the records are wrong about it.
    pub(crate) fn replicate_as_the_arrays_have_it(&mut self) {
        let ids: Vec<String> = self.env.rows().volumes.keys().cloned().collect();
        let mut world = self.env.world();
        for id in ids {
            if let Some(serves) = newest(&world, &id) {
                world.replicate(&id, &serves.target);
            }
        }
    }

    /// What the arrays say is adopted now that all of them answer.
    pub(crate) async fn adopt_at_last(&mut self) -> Result<(), String> {
        self.halt().await;
        if !self.env.rows().look_only() {
            return Ok(());
        }
        let begun = self.begin_adoption().await;
        let begun = begun.ok_or("nothing can be adopted although every array answers")?;
        for (_, task) in self.running.drain(..) {
            let _ = task.await;
        }
        let ended = self.env.rows().operations[&begun.id].clone();
        match ended.state {
            OperationState::Succeeded => self.follow(),
            _ => Err(format!(
                "not adopted although every array answers: {ended:?}"
            )),
        }
    }
}
