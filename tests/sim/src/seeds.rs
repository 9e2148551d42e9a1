//! One seed: an operator, arrays that fail, hosts that write, restarts and driver swaps, on paused time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use springform_control::replication::{self, Ask, Order, ReplicationEnv as _, Request, Scope, Who};
use springform_model::contract::{FailoverMode, Role};
use springform_model::operation::Operation;
use springform_model::replication::relation::{Acknowledge, DebtState, Phase, Relation};
use tokio::task::JoinHandle;

use crate::laws;
use crate::memory::{Faults, Memory};
use crate::nouns::{self, BACKEND};
use crate::world::ARRAYS;

const REPLICATED: usize = 5;
const STEPS: usize = 40;

struct Sim {
    env: Arc<Memory>,
    rng: StdRng,
    running: Vec<JoinHandle<()>>,
    before: BTreeMap<String, Relation>,
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

async fn carry_out(env: Arc<Memory>, operation: Operation) {
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
            }
            rows.service = Some((nouns::service(), 1));
        }
        let rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        Self {
            env,
            rng,
            running: Vec::new(),
            before: BTreeMap::new(),
        }
    }

    fn history(&self) -> String {
        let rows = self.env.rows();
        let world = self.env.world();
        format!("{}\n{rows:?}\n{world:?}", self.env.told())
    }

    fn relations(&self) -> BTreeMap<String, Relation> {
        self.env
            .rows()
            .relations
            .iter()
            .map(|(id, (r, _))| (id.clone(), r.clone()))
            .collect()
    }

    fn check(&mut self) -> Result<(), String> {
        let now = self.relations();
        laws::hold(&self.before, &now, &self.env.world())?;
        self.before = now;
        Ok(())
    }

    async fn play(&mut self) -> Result<Summary, String> {
        let mut summary = Summary::default();
        for _ in 0..STEPS {
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
            0..35 => self.hosts_write(),
            35..50 => self.replicate(),
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
            _ => self.operator().await,
        }
        Ok(())
    }

    fn hosts_write(&mut self) {
        for _ in 0..self.rng.random_range(1..5) {
            let id = format!("v{}", self.rng.random_range(0..=REPLICATED));
            let target = self.env.rows().volumes[&id]
                .0
                .placement
                .clone()
                .unwrap()
                .target;
            self.env.world().write(&id, &target);
        }
    }

    fn replicate(&mut self) {
        for (id, relation) in self.relations() {
            if let (Some(serving), Phase::Settled) = (&relation.serving, &relation.phase) {
                self.env.world().replicate(&id, serving);
            }
        }
    }

    async fn restart(&mut self) {
        for task in self.running.drain(..) {
            task.abort();
            let _ = task.await;
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
            self.running
                .push(tokio::spawn(carry_out(Arc::clone(&self.env), operation)));
        }
    }

    fn scope(&mut self) -> Scope {
        match self.rng.random_range(0..3) {
            0 => Scope::Backend(BACKEND.into()),
            1 => Scope::Project("p".into()),
            _ => {
                let many = self.rng.random_range(1..=REPLICATED);
                Scope::Volumes(
                    (0..many)
                        .map(|_| format!("v{}", self.rng.random_range(0..=REPLICATED)))
                        .collect(),
                )
            }
        }
    }

    fn ask(&mut self) -> Ask {
        let mut ask = Ask::about(self.scope());
        ask.to = self
            .rng
            .random_bool(0.6)
            .then(|| (*ARRAYS.choose(&mut self.rng).unwrap()).to_owned());
        ask.mode = Some(if self.rng.random_bool(0.5) {
            FailoverMode::Planned
        } else {
            FailoverMode::Unplanned
        });
        if self.rng.random_bool(0.4) {
            let debt = self
                .relations()
                .into_values()
                .find_map(|r| r.debts.first().map(|d| (d.clone(), r.generation)));
            ask.acknowledge = debt
                .map(|(debt, generation)| Acknowledge {
                    target: debt.target,
                    role: if debt.state == DebtState::Owed {
                        Role::Primary
                    } else {
                        Role::Secondary
                    },
                    generation,
                })
                .into();
        }
        ask
    }

    async fn operator(&mut self) {
        let mut ask = self.ask();
        let drill = self.env.rows().drills.keys().next_back().cloned();
        let request = match self.rng.random_range(0..14) {
            0..4 => {
                if self.rng.random_bool(0.3) {
                    let order = Order {
                        scope: ask.scope.clone(),
                        to: ask.to.clone(),
                        mode: ask.mode.clone().unwrap(),
                        point: None,
                    };
                    if let Ok(plan) =
                        replication::make_plan(self.env.as_ref(), BACKEND, order).await
                    {
                        let skews = self.env.skews.lock().unwrap().clone();
                        self.env
                            .world()
                            .violations
                            .extend(laws::of_plan(&plan, &skews));
                        ask.plan = Some(plan.id.clone());
                        self.env.rows().plans.insert(plan.id.clone(), plan);
                    }
                }
                Request::Failover(ask)
            }
            4 | 5 => Request::Failback(ask),
            6 => Request::Reprotect(ask),
            7 => Request::StartDrill(ask),
            8 if drill.is_some() => Request::StopDrill(drill.unwrap()),
            9 if drill.is_some() => Request::CommitDrill(drill.unwrap()),
            10 => {
                let open = self
                    .env
                    .rows()
                    .operations
                    .values()
                    .find(|o| !o.state.is_terminal())
                    .map(|o| o.id.clone());
                self.env.tell(format!("cancel {open:?}"));
                self.env.rows().cancelled.extend(open);
                return;
            }
            11 => Request::Reconcile(ask),
            12 => Request::Resync(ask),
            _ => Request::Fence(Ask::about(Scope::Project("p".into()))),
        };
        let text = format!("{request:?}");
        match replication::begin(self.env.as_ref(), BACKEND, request, Who::default()).await {
            Ok(operation) => {
                self.env.tell(format!("{} {text}", operation.id));
                self.running
                    .push(tokio::spawn(carry_out(Arc::clone(&self.env), operation)));
            }
            Err(problem) => self.env.tell(format!("refused: {problem}: {text}")),
        }
    }

    /// The weather clears up: everything answers, and whatever is open comes to its end.
    async fn come_to_rest(&mut self) -> Result<(), String> {
        *self.env.faults.lock().unwrap() = Faults::default();
        for array in self.env.world().arrays.values_mut() {
            array.up = true;
        }
        self.restart().await;
        for task in self.running.drain(..) {
            let _ = tokio::time::timeout(Duration::from_secs(24 * 3600), task).await;
        }
        self.check()?;
        let (operations, held) = {
            let rows = self.env.rows();
            let mut held: Vec<String> = rows
                .volumes
                .values()
                .filter_map(|(v, _)| {
                    v.operation
                        .as_ref()
                        .map(|o| format!("volume {} by {o}", v.id))
                })
                .collect();
            held.extend(
                rows.service
                    .as_ref()
                    .and_then(|(s, _)| s.operation.as_ref().map(|o| format!("service by {o}"))),
            );
            held.extend(rows.drills.values().filter_map(|(d, _)| {
                d.operation
                    .as_ref()
                    .map(|o| format!("drill {} by {o}", d.id))
            }));
            (rows.operations.values().cloned().collect::<Vec<_>>(), held)
        };
        laws::at_rest(&operations, &held)?;
        self.everything_can_be_brought_to_one_primary().await?;
        self.check()
    }

    /// There is a way out of whatever state the seed led to: stranded volumes move on, debts are paid, one side serves.
    async fn everything_can_be_brought_to_one_primary(&mut self) -> Result<(), String> {
        for (id, relation) in self.relations() {
            let Phase::Stranded(m) = &relation.phase else {
                continue;
            };
            let mut ask = Ask::about(Scope::Volumes(vec![id.clone()]));
            ask.to = Some(m.to.clone());
            ask.acknowledge = relation
                .debt(&m.to)
                .map(|d| Acknowledge {
                    target: d.target.clone(),
                    role: if d.state == DebtState::Owed {
                        Role::Primary
                    } else {
                        Role::Secondary
                    },
                    generation: relation.generation,
                })
                .into();
            let operation = replication::begin(
                self.env.as_ref(),
                BACKEND,
                Request::Failover(ask),
                Who::default(),
            )
            .await
            .map_err(|p| format!("{id} is stranded and there is no way out: {p}"))?;
            carry_out(Arc::clone(&self.env), operation).await;
            self.check()?;
        }
        let ask = Ask::about(Scope::Project("p".into()));
        let fence = replication::begin(
            self.env.as_ref(),
            BACKEND,
            Request::Fence(ask),
            Who::default(),
        )
        .await
        .map_err(|p| format!("nobody can be fenced: {p}"))?;
        carry_out(Arc::clone(&self.env), fence).await;
        let world = self.env.world();
        let rows = self.env.rows();
        for (id, (volume, _)) in &rows.volumes {
            let writable: Vec<&String> = world
                .arrays
                .iter()
                .filter(|(_, a)| a.copies.get(id).is_some_and(|c| c.writable))
                .map(|(n, _)| n)
                .collect();
            let shown = volume.placement.as_ref().map(|p| &p.target);
            if writable.len() != 1 || writable.first().copied() != shown {
                let relation = rows.relations.get(id);
                return Err(format!(
                    "{id}: the API says {shown:?}, but {writable:?} can be written: {relation:?}"
                ));
            }
        }
        let tests: usize = world.arrays.values().map(|a| a.tests.len()).sum();
        let open = rows
            .drills
            .values()
            .filter(|(d, _)| !d.state.is_over())
            .count();
        if tests > 0 && open == 0 {
            return Err(format!(
                "{tests} copies of drills are left and no drill is open"
            ));
        }
        Ok(())
    }
}

/// Now, for what is shown to people; the simulation itself never asks.
#[must_use]
pub fn clock(env: &Memory) -> i64 {
    env.now().0
}
