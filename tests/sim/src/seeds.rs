//! One seed: an operator, arrays that fail, hosts that write, restarts and driver swaps, on paused time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use springform_control::replication::{self, ReplicationEnv as _};
use springform_model::operation::Operation;
use springform_model::replication::relation::{Phase, Relation};
use tokio::task::JoinHandle;

use crate::laws;
use crate::machines::Attached;
use crate::memory::{Faults, Memory};
use crate::nouns;
use crate::older::Older;
use crate::world::ARRAYS;

pub(crate) const REPLICATED: usize = 5;
const STEPS: usize = 40;

pub(crate) struct Sim {
    pub(crate) env: Arc<Memory>,
    pub(crate) rng: StdRng,
    pub(crate) running: Vec<(String, JoinHandle<()>)>,
    pub(crate) before: BTreeMap<String, Relation>,
    pub(crate) older: Older,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Operations that were journalled.
    pub operations: usize,
    /// Of these, succeeded in full.
    pub succeeded: usize,
    /// Restarts in the midst of something.
    pub restarts: usize,
    /// Generations of all volumes, summed: how often something moved.
    pub moves: u64,
    /// Databases that were replaced by an older state of themselves.
    pub restores: usize,
}

/// Runs one seed on a runtime of its own with paused time.
///
/// # Errors
/// The broken law and everything that was done until then.
pub fn run(seed: u64) -> Result<Summary, String> {
    play(seed).0
}

/// Runs one seed and tells its history too: what was done, and every row and array as it was left.
pub fn play(seed: u64) -> (Result<Summary, String>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut sim = Sim::new(seed);
        let outcome = sim.play().await;
        let outcome = outcome.map_err(|law| format!("seed {seed}: {law}\n{}", sim.env.told()));
        let history = sim.history();
        (outcome, history)
    })
}

pub(crate) async fn carry_out(env: Arc<Memory>, operation: Operation) {
    // The store says `Moved` when somebody else wrote a row: whoever runs operations runs them again.
    for _ in 0..20 {
        let now = env.rows().operations.get(&operation.id).cloned().unwrap();
        if now.state.is_terminal() || replication::run(env.as_ref(), now).await.is_ok() {
            return;
        }
    }
}

impl Sim {
    fn new(seed: u64) -> Self {
        let env = Arc::new(Memory::new(seed, 20));
        {
            let mut rows = env.rows();
            let mut world = env.world();
            for i in 0..=REPLICATED {
                let (id, replicated) = (format!("v{i}"), i < REPLICATED);
                world.create(&id, replicated);
                rows.volumes
                    .insert(id.clone(), (nouns::volume(&id, ARRAYS[0], replicated), 1));
                let attached = Attached {
                    host: format!("m{i}"),
                    leads_to: ARRAYS[0].to_owned(),
                    outdated: false,
                };
                world.connect(&id, &attached.host, ARRAYS[0]).unwrap();
                world.told(&attached.host, ARRAYS[0]);
                rows.attached.insert(id, attached);
            }
            rows.service = Some((nouns::service(), 1));
        }
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        let older = Older::draw(&mut rng, STEPS);
        Self {
            env,
            rng,
            running: Vec::new(),
            before: BTreeMap::new(),
            older,
        }
    }

    fn history(&self) -> String {
        let rows = self.env.rows();
        let world = self.env.world();
        format!("{}\n{rows:?}\n{world:?}", self.env.told())
    }

    pub(crate) fn relations(&self) -> BTreeMap<String, Relation> {
        self.env
            .rows()
            .relations
            .iter()
            .map(|(id, (r, _))| (id.clone(), r.clone()))
            .collect()
    }

    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.follow()?;
        let now = self.relations();
        if self.older.stale {
            // What the records say of the arrays is not so before it was adopted.
            let violation = self.env.world().violations.first().cloned();
            return violation.map_or(Ok(()), Err);
        }
        laws::hold(&self.before, &now, &self.env.world())?;
        laws::records_say_what_arrays_have(&self.env.rows(), &self.env.world())?;
        self.before = now;
        Ok(())
    }

    async fn play(&mut self) -> Result<Summary, String> {
        let mut summary = Summary::default();
        for step in 0..STEPS {
            self.keep_or_restore(step, &mut summary).await;
            self.act(&mut summary).await?;
            self.check()?;
            let pause = self.rng.random_range(0..200);
            // In small pieces, so that the laws are looked at while operations are half-way.
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(pause / 4 + 1)).await;
                self.check()?;
            }
        }
        self.come_to_rest().await?;
        let rows = self.env.rows();
        summary.operations = rows.operations.len();
        summary.succeeded = rows
            .operations
            .values()
            .filter(|o| o.state == springform_model::operation::OperationState::Succeeded)
            .count();
        summary.moves = rows.relations.values().map(|(r, _)| r.generation - 1).sum();
        Ok(summary)
    }

    async fn act(&mut self, summary: &mut Summary) -> Result<(), String> {
        match self.rng.random_range(0..100) {
            0..32 => self.hosts_write(),
            32..35 => self.tenant_extends(),
            35..48 => self.replicate(),
            48..50 => self.look(),
            50..60 => {
                let name = *ARRAYS.choose(&mut self.rng).unwrap();
                let up = self.rng.random_bool(0.6);
                self.env.world().arrays.get_mut(name).unwrap().up = up;
                self.env
                    .tell(format!("array {name} {}", if up { "up" } else { "down" }));
            }
            60..65 => {
                let mut percent = || self.rng.random_range(0..25);
                let faults = Faults {
                    refuse: percent(),
                    lose_answer: percent(),
                    pending: percent(),
                    lie: percent(),
                    commit: percent() / 4,
                    single: percent(),
                };
                *self.env.faults.lock().unwrap() = faults;
                self.env.tell(format!("{faults:?}"));
            }
            65..66 => {
                let name = (*ARRAYS.choose(&mut self.rng).unwrap()).to_owned();
                let seconds = self.rng.random_range(-200..200);
                self.env
                    .tell(format!("the clock of {name} is {seconds} s ahead"));
                self.env.skews.lock().unwrap().insert(name, seconds);
            }
            66..72 => {
                summary.restarts += 1;
                self.restart().await;
            }
            72..75 => *self.env.driver.lock().unwrap() += 1,
            _ => self.operator().await?,
        }
        Ok(())
    }

    fn hosts_write(&mut self) {
        for _ in 0..self.rng.random_range(1..5) {
            let id = format!("v{}", self.rng.random_range(0..=REPLICATED));
            let host = self.env.rows().attached[&id].host.clone();
            self.env.world().write_by(&id, &host);
        }
    }

    /// A volume that nobody works on is extended: the array first, then the record.
    fn tenant_extends(&mut self) {
        let id = format!("v{}", self.rng.random_range(0..=REPLICATED));
        let mut rows = self.env.rows();
        if self.older.stale || rows.look_only() {
            return;
        }
        let settled = rows.relations.get(&id);
        let settled = settled.is_none_or(|(relation, _)| relation.phase == Phase::Settled);
        let Some((volume, revision)) = rows.volumes.get_mut(&id) else {
            return;
        };
        let target = volume.placement.as_ref().map(|p| p.target.clone());
        let free = settled && volume.operation.is_none();
        if free && self.env.world().grow(&id, &target.unwrap_or_default()) {
            volume.size += 1;
            *revision += 1;
            let line = format!("{id} is extended to {} GiB", volume.size);
            drop(rows);
            self.env.tell(line);
        }
    }

    fn replicate(&mut self) {
        if self.older.stale {
            self.replicate_as_the_arrays_have_it();
            return;
        }
        for (id, relation) in self.relations() {
            if let (Some(serving), Phase::Settled) = (&relation.serving, &relation.phase) {
                self.env.world().replicate(&id, serving);
            }
        }
    }

    /// Somebody carries an operation out, unless it is being carried out.
    pub(crate) fn spawn(&mut self, operation: Operation) {
        let id = operation.id.clone();
        let mut running = self.running.iter();
        if !running.any(|(known, task)| *known == id && !task.is_finished()) {
            let run = carry_out(Arc::clone(&self.env), operation);
            self.running.push((id, tokio::spawn(run)));
        }
    }

    /// Nobody carries anything out any more.
    pub(crate) async fn halt(&mut self) {
        for (_, task) in self.running.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }

    pub(crate) async fn restart(&mut self) {
        self.halt().await;
        if self.env.rows().look_only() {
            self.env.tell("restart, and what is open waits");
            return;
        }
        let open: Vec<Operation> = self
            .env
            .rows()
            .operations
            .values()
            .filter(|o| !o.state.is_terminal())
            .cloned()
            .collect();
        self.env.tell(format!("restart, {} open", open.len()));
        for operation in open {
            self.spawn(operation);
        }
    }
}

/// Now, for what is shown to people; the simulation itself never asks.
#[must_use]
pub fn clock(env: &Memory) -> i64 {
    env.now().0
}
