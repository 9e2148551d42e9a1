//! The env of the simulation: rows in memory, arrays as a model, time that tokio turns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use springform_control::replication::{
    BackendView, Lead, Member, Plan, ReplicationEnv, ReplicationError, Scope, Writes,
};
use springform_model::cloud::Service;
use springform_model::contract::{
    Call, CallError, ClockSkew, Failure, FailureCode, Fault, FaultKind, Pending, ReplicationKind,
    Reply, Target,
};
use springform_model::operation::Operation;
use springform_model::replication::drill::Drill;
use springform_model::time::Timestamp;

use crate::nouns::BACKEND;
pub use crate::rows::Rows;
use crate::rows::within;
use crate::told::{told_answer, told_call, told_writes};
use crate::world::{ARRAYS, World};

/// How often things go wrong, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The request does not arrive.
    pub refuse: u32,
    /// It was carried out, but the answer is lost.
    pub lose_answer: u32,
    /// The driver asks to be called again.
    pub pending: u32,
    /// A last transfer copies nothing, and the driver answers with what it was given.
    pub lie: u32,
    /// A commit fails; of these every second one was written all the same.
    pub commit: u32,
    /// An array refuses one volume of a batch; of these every second one was changed all the same.
    pub single: u32,
}

/// The simulation's env.
pub struct Memory {
    /// Rows.
    pub rows: Mutex<Rows>,
    /// Arrays.
    pub world: Mutex<World>,
    /// What goes wrong.
    pub faults: Mutex<Faults>,
    rng: Mutex<StdRng>,
    ids: Mutex<u64>,
    history: Mutex<Vec<String>>,
    epoch: tokio::time::Instant,
    /// Arrays that the configuration does not name any more.
    pub dropped: Mutex<Vec<String>>,
    /// Calls under way, and the most there ever were.
    pub calls: Mutex<(usize, usize)>,
    /// Milliseconds a call takes at most.
    pub latency: u64,
    /// Generation of the driver; a swap changes it and nothing else.
    pub driver: Mutex<u64>,
    /// Arrays of which nobody has seen yet that they answer again.
    pub unseen: Mutex<BTreeSet<String>>,
    /// Calls at one time, and volumes of a call.
    pub shape: Mutex<(usize, usize)>,
    /// How much longer an array takes to be fenced.
    pub slow_fence: Mutex<Duration>,
    /// How far the clocks of arrays are ahead of the host's, seconds, where that was measured.
    pub skews: Mutex<BTreeMap<String, i64>>,
    /// Operations that waited for an adoption and go on now.
    pub resumed: Mutex<Vec<String>>,
}

impl Memory {
    /// An empty env.
    #[must_use]
    pub fn new(seed: u64, latency: u64) -> Self {
        Self {
            rows: Mutex::default(),
            world: Mutex::new(World::new()),
            faults: Mutex::default(),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            ids: Mutex::default(),
            history: Mutex::default(),
            epoch: tokio::time::Instant::now(),
            dropped: Mutex::default(),
            calls: Mutex::default(),
            latency,
            driver: Mutex::new(1),
            unseen: Mutex::default(),
            shape: Mutex::new((16, 64)),
            slow_fence: Mutex::default(),
            skews: Mutex::default(),
            resumed: Mutex::default(),
        }
    }

    /// Rows; no await while they are held.
    pub fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// Arrays; no await while they are held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Writes a line of the history.
    pub fn tell(&self, line: impl std::fmt::Display) {
        let at = self.epoch.elapsed().as_millis();
        self.history.lock().unwrap().push(format!("{at:6} {line}"));
    }

    /// The history until now.
    #[must_use]
    pub fn told(&self) -> String {
        self.history.lock().unwrap().join("\n")
    }

    fn clocks(&self) -> BTreeMap<String, ClockSkew> {
        let skews = self.skews.lock().unwrap();
        let clock = |seconds| ClockSkew {
            seconds,
            measured_at: self.now(),
        };
        let clocks = skews.iter().map(|(name, s)| (name.clone(), clock(*s)));
        clocks.collect()
    }

    /// Records that are older than the arrays are acted on by nobody.
    fn only_looks(&self, call: &Call) {
        let looks = match call {
            Call::Observe { .. } | Call::PlanFailover { .. } => true,
            Call::Reconcile { dry_run, .. } => *dry_run,
            _ => false,
        };
        if !looks && self.rows().look_only() {
            let text = format!("{} although it was only to be looked", told_call(call));
            self.world().violations.push(text);
        }
    }

    /// A pause as the driver's calls take it.
    pub(crate) async fn pause(&self) {
        let pause = self.rng.lock().unwrap().random_range(0..=self.latency);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Volumes of a batch that their array refuses.
    fn refuse_some(&self, call: &Call) {
        let percent = self.faults.lock().unwrap().single;
        let (Call::FailOver { volumes, .. }
        | Call::CommitTest { volumes, .. }
        | Call::Demote { volumes, .. }
        | Call::Reprotect { volumes, .. }
        | Call::Resync { volumes, .. }
        | Call::Enable { volumes }
        | Call::Disable { volumes }) = call
        else {
            return;
        };
        let mut refused = BTreeMap::new();
        for volume in volumes {
            if self.roll(percent) {
                refused.insert(volume.id.clone(), self.roll(50));
            }
        }
        if !refused.is_empty() {
            self.tell(format!(
                "the array refuses, or did it all the same: {refused:?}"
            ));
        }
        self.world().otherwise.refused = refused;
    }

    pub(crate) fn roll(&self, percent: u32) -> bool {
        percent > 0 && self.rng.lock().unwrap().random_range(0..100) < percent
    }
}

#[async_trait]
impl ReplicationEnv for Memory {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + i64::try_from(self.epoch.elapsed().as_micros()).unwrap())
    }

    fn new_id(&self) -> String {
        let mut ids = self.ids.lock().unwrap();
        *ids += 1;
        // Ids sort as anything but the order in which they were made, as in a running host.
        format!("{:08x}-{ids}", self.rng.lock().unwrap().random::<u32>())
    }

    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError> {
        if name != BACKEND {
            return Err(ReplicationError::NotFound(format!(
                "there is no backend {name}"
            )));
        }
        let (parallel, batch) = *self.shape.lock().unwrap();
        let world = self.world();
        let unseen = self.unseen.lock().unwrap();
        let dropped = self.dropped.lock().unwrap();
        let named = ARRAYS.iter().filter(|n| !dropped.iter().any(|d| d == *n));
        let named: Vec<&str> = named.copied().collect();
        let target = |name: &str| Target {
            name: name.into(),
            primary: name == named[0],
            kind: (name != named[0]).then_some(ReplicationKind::Async),
            options: Vec::new(),
            reachable: world.arrays[name].up && !unseen.contains(name),
            extensions: Vec::new(),
        };
        Ok(BackendView {
            clocks: self.clocks(),
            distrusted: Vec::new(),
            name: name.into(),
            targets: named.iter().map(|n| target(n)).collect(),
            fingerprint: self.driver.lock().unwrap().to_string(),
            parallel,
            batch,
        })
    }

    async fn service(&self, _backend: &str) -> Result<(Service, u64), ReplicationError> {
        self.rows()
            .service
            .clone()
            .ok_or_else(|| ReplicationError::NotFound("no service".into()))
    }

    async fn members(
        &self,
        scope: &Scope,
        backend: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Member>, ReplicationError> {
        tokio::task::yield_now().await;
        let rows = self.rows();
        let from = after.map_or(std::ops::Bound::Unbounded, |a| {
            std::ops::Bound::Excluded(a.to_owned())
        });
        Ok(rows
            .volumes
            .range((from, std::ops::Bound::Unbounded))
            .filter(|(_, (v, _))| v.backend.as_deref() == Some(backend) && within(scope, v))
            .take(limit)
            .map(|(_, (v, r))| rows.member(v, *r))
            .collect())
    }

    async fn count(&self, scope: &Scope, _backend: &str) -> Result<u64, ReplicationError> {
        Ok(self
            .rows()
            .volumes
            .values()
            .filter(|(v, _)| within(scope, v))
            .count() as u64)
    }

    async fn backends_of(&self, _scope: &Scope) -> Result<Vec<String>, ReplicationError> {
        Ok(vec![BACKEND.into()])
    }

    async fn commit(&self, writes: Writes) -> Result<(), ReplicationError> {
        tokio::task::yield_now().await;
        let failed = || ReplicationError::Internal("the disk is full".to_owned());
        let fails = self.roll(self.faults.lock().unwrap().commit);
        let written = !fails || self.roll(50);
        if !written {
            self.tell("a commit fails");
            return Err(failed());
        }
        let told = told_writes(&writes);
        self.rows().write(writes)?;
        self.tell(told);
        match fails {
            true => {
                self.tell("and is said to have failed");
                Err(failed())
            }
            false => Ok(()),
        }
    }

    async fn cancelled(&self, operation: &str) -> bool {
        self.rows().cancelled.iter().any(|o| o == operation)
    }

    async fn plan(&self, id: &str) -> Result<Option<Plan>, ReplicationError> {
        Ok(self.rows().plans.get(id).cloned())
    }

    async fn drill_row(&self, id: &str) -> Result<Option<(Drill, u64)>, ReplicationError> {
        Ok(self.rows().drills.get(id).cloned())
    }

    async fn followed(&self, moved: Vec<Member>) -> Result<Vec<Member>, ReplicationError> {
        let rows = self.rows();
        let used = |m: &Member| rows.attached.contains_key(&m.volume.id);
        Ok(moved.into_iter().filter(used).collect())
    }

    async fn reconnect(&self, _backend: &str, operation: &str, moved: &[Member], whom: Lead) {
        for member in moved {
            self.lead_again(operation, &member.volume.id, whom).await;
        }
    }

    async fn waiting(&self, _backend: &str, but: &str) -> Result<Vec<Operation>, ReplicationError> {
        let rows = self.rows();
        let open = rows.operations.values();
        let open = open.filter(|o| rows.look_only() && !o.state.is_terminal() && o.id != but);
        Ok(open.cloned().collect())
    }

    async fn resume(&self, waiting: Vec<Operation>) {
        let mut resumed = self.resumed.lock().unwrap();
        resumed.extend(waiting.into_iter().map(|o| o.id));
    }

    async fn call(
        &self,
        _backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError> {
        if self.latency > 0 {
            let pause = self.rng.lock().unwrap().random_range(0..=self.latency);
            {
                let mut calls = self.calls.lock().unwrap();
                calls.0 += 1;
                calls.1 = calls.1.max(calls.0);
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.calls.lock().unwrap().0 -= 1;
        }
        if matches!(call, Call::Demote { .. }) {
            let longer = *self.slow_fence.lock().unwrap();
            if !longer.is_zero() {
                tokio::time::sleep(longer).await;
            }
        }
        self.only_looks(&call);
        self.world().caller = operation.to_owned();
        let faults = *self.faults.lock().unwrap();
        if self.roll(faults.refuse) {
            return Err(CallError::Failed(Failure::new(
                FailureCode::Unavailable,
                "connection refused",
            )));
        }
        if cursor.is_empty() && self.roll(faults.pending) {
            return Err(CallError::Pending(Pending {
                waiting_for: "the array".into(),
                percent: Some(50),
                poll_after_ms: 100,
                cursor: vec![1],
            }));
        }
        let text = told_call(&call);
        if matches!(call, Call::FinalSync { .. }) && self.roll(faults.lie) {
            self.tell(format!("{operation}: the driver lies: {text}"));
            let before = self.world().otherwise.lies_after.replace(0);
            let answer = self.world().call(call);
            self.world().otherwise.lies_after = before;
            return answer;
        }
        self.refuse_some(&call);
        let answer = self.world().call(call);
        self.tell(format!("{operation}: {text}: {}", told_answer(&answer)));
        if self.roll(faults.lose_answer) {
            return Err(CallError::Fault(Fault::new(
                FaultKind::Deadline,
                "the answer was lost",
            )));
        }
        answer
    }
}
