//! The observer and the tender on arrays in memory and on paused time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use springform_control::observer::{self, ObserverEnv, PollInterval, Watch, Watched};
use springform_control::outbox::CloudEvent;
use springform_control::replication::{
    self, Ask, BackendView, Member, Plan, ReconcilerEnv, ReplicationEnv, ReplicationError, Request,
    Scope, Who, Writes,
};
use springform_model::cloud::Service;
use springform_model::contract::{
    Call, CallError, ClockSkew, Failure, FailureCode, Link, LinkState, Observation, Outcome,
    Protection, RecoveryPoint, ReplicationKind, Reply, Role, VolumeSpec,
};
use springform_model::operation::Operation;
use springform_model::replication::drill::Drill;
use springform_model::replication::relation::{Phase, Relation};
use springform_model::time::Timestamp;
use springform_sim_tests::memory::Memory;
use springform_sim_tests::nouns::{self, BACKEND};
use springform_sim_tests::world::ARRAYS;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Interval of replication, seconds.
pub const INTERVAL: u64 = 300;

pub struct Rig {
    pub env: Memory,
    /// When the newest copy of each array was taken, milliseconds.
    pub points: Mutex<BTreeMap<String, u64>>,
    pub watched: Mutex<Option<(Watched, u64)>>,
    pub events: Mutex<Vec<CloudEvent>>,
    /// When it was looked.
    pub looks: Mutex<Vec<Instant>>,
    /// The driver fails at every observation.
    pub blind: AtomicBool,
    /// The driver leaves the last volume out.
    pub forgetful: AtomicBool,
    /// A failover overtakes the next observation.
    pub overtaken: AtomicBool,
    /// Arrays refuse to be fenced.
    pub stubborn: AtomicBool,
    pub operation_changed: Notify,
    /// How the arrays' clocks stand against the host's.
    pub clocks: Mutex<BTreeMap<String, ClockSkew>>,
    /// How often it was asked which arrays answer.
    pub refreshed: AtomicU64,
    returned: Notify,
}

impl Rig {
    pub fn new(volumes: usize) -> Arc<Self> {
        let env = Memory::new(1, 0);
        for i in 0..volumes {
            let id = format!("v{i:04}");
            env.world().create(&id, true);
            env.rows()
                .volumes
                .insert(id.clone(), (nouns::volume(&id, ARRAYS[0], true), 1));
        }
        env.rows().service = Some((nouns::service(), 1));
        let rig = Self {
            env,
            points: Mutex::default(),
            watched: Mutex::default(),
            events: Mutex::default(),
            looks: Mutex::default(),
            blind: AtomicBool::default(),
            forgetful: AtomicBool::default(),
            overtaken: AtomicBool::default(),
            stubborn: AtomicBool::default(),
            operation_changed: Notify::new(),
            clocks: Mutex::default(),
            refreshed: AtomicU64::default(),
            returned: Notify::new(),
        };
        rig.replicate();
        Arc::new(rig)
    }

    /// A copy arrives on every array that answers.
    pub fn replicate(&self) {
        let now = self.env.now().as_millis();
        let world = self.env.world();
        let up = world.arrays.iter().filter(|(_, a)| a.up);
        let mut points = self.points.lock().unwrap();
        points.extend(up.map(|(name, _)| (name.clone(), now)));
    }

    /// Lets time pass while replication does its work.
    pub async fn well_for(&self, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            self.replicate();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    pub fn power(&self, array: &str, up: bool) {
        self.env.world().arrays.get_mut(array).unwrap().up = up;
    }

    /// Watches and tends in the background.
    pub fn start(self: &Arc<Self>) {
        let rig = self.clone();
        tokio::spawn(async move {
            let pace = PollInterval::steady(Duration::from_secs(60));
            observer::watch(&*rig, BACKEND, pace, &*rig).await;
        });
        let shared = Shared(self.clone());
        tokio::spawn(async move { replication::reconcile_loop(&shared).await });
    }

    pub fn relation(&self, id: &str) -> Relation {
        self.env.rows().relations[id].0.clone()
    }

    /// Pauses between looks since `from`, in seconds.
    pub fn pauses(&self, from: Instant) -> Vec<u64> {
        let looks = self.looks.lock().unwrap();
        let late: Vec<Instant> = looks.iter().copied().filter(|at| *at >= from).collect();
        late.windows(2).map(|w| (w[1] - w[0]).as_secs()).collect()
    }

    /// Kinds of the events that were told, with the part of the data named.
    pub fn told(&self, kind: &str) -> Vec<serde_json::Value> {
        let kind = format!("org.springform.replication.{kind}");
        let events = self.events.lock().unwrap();
        let found = events.iter().filter(|e| e.kind == kind);
        found.map(|e| e.data.clone()).collect()
    }

    pub fn known(&self) -> Watched {
        self.watched.lock().unwrap().clone().unwrap().0
    }

    /// Fails the backend over and waits for the end.
    pub async fn fail_over(&self, to: &str) -> Operation {
        let ask = Ask {
            to: Some(to.into()),
            ..Ask::about(Scope::Backend(BACKEND.into()))
        };
        let begun = replication::begin(self, BACKEND, Request::Failover(ask), Who::default());
        replication::run(self, begun.await.unwrap()).await.unwrap()
    }

    fn see(&self, volume: &VolumeSpec) -> Observation {
        let world = self.env.world();
        let points = self.points.lock().unwrap();
        let source = volume.placement.as_ref().unwrap().target.clone();
        let mut seen = Observation {
            volume_id: volume.id.clone(),
            target: None,
            role: Role::Unknown,
            protection: Protection::Unknown,
            links: Vec::new(),
            stale_writable: Vec::new(),
            tests: Vec::new(),
            problems: Vec::new(),
        };
        for (name, array) in world.arrays.iter().filter(|(n, _)| **n != source) {
            let writable = array.copies.get(&volume.id).is_some_and(|c| c.writable);
            if array.up && writable {
                seen.stale_writable.push(name.clone());
            }
            let up = array.up && world.arrays[&source].up;
            seen.links.push(Link {
                target: name.clone(),
                kind: ReplicationKind::Async,
                state: if up {
                    LinkState::Healthy
                } else {
                    LinkState::Down
                },
                last_point: points.get(name).map(|at| RecoveryPoint {
                    id: at.to_string(),
                    taken_at: *at,
                }),
                interval_seconds: Some(INTERVAL),
                lag_bytes: None,
                percent: None,
                detail: None,
            });
        }
        if world.arrays[&source].up {
            seen.target = Some(source);
            seen.role = Role::Primary;
            seen.protection = Protection::Protected;
        }
        seen
    }
}

#[async_trait]
impl ReplicationEnv for Rig {
    fn now(&self) -> Timestamp {
        self.env.now()
    }

    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError> {
        let view = self.env.backend(name).await?;
        let clocks = self.clocks.lock().unwrap().clone();
        Ok(BackendView { clocks, ..view })
    }

    async fn service(&self, backend: &str) -> Result<(Service, u64), ReplicationError> {
        self.env.service(backend).await
    }

    async fn members(
        &self,
        scope: &Scope,
        backend: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Member>, ReplicationError> {
        self.env.members(scope, backend, after, limit).await
    }

    async fn count(&self, scope: &Scope, backend: &str) -> Result<u64, ReplicationError> {
        self.env.count(scope, backend).await
    }

    async fn backends_of(&self, scope: &Scope) -> Result<Vec<String>, ReplicationError> {
        self.env.backends_of(scope).await
    }

    async fn commit(&self, writes: Writes) -> Result<(), ReplicationError> {
        self.env.commit(writes).await
    }

    async fn cancelled(&self, operation: &str) -> bool {
        self.env.cancelled(operation).await
    }

    async fn plan(&self, id: &str) -> Result<Option<Plan>, ReplicationError> {
        self.env.plan(id).await
    }

    async fn drill_row(&self, id: &str) -> Result<Option<(Drill, u64)>, ReplicationError> {
        self.env.drill_row(id).await
    }

    async fn call(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError> {
        match call {
            Call::Observe { volumes } => {
                if self.blind.load(Ordering::SeqCst) {
                    let failure = Failure::new(FailureCode::Unavailable, "no array answers");
                    return Err(CallError::Failed(failure));
                }
                let mut seen: Vec<_> = volumes.iter().map(|v| self.see(v)).collect();
                if self.forgetful.load(Ordering::SeqCst) {
                    seen.pop();
                }
                if self.overtaken.swap(false, Ordering::SeqCst) {
                    self.fail_over(ARRAYS[1]).await;
                }
                Ok(Reply::Observations(seen))
            }
            Call::Demote { target, volumes } if self.stubborn.load(Ordering::SeqCst) => {
                let refuse = |v: VolumeSpec| Outcome {
                    id: v.id,
                    result: Err(Failure::new(FailureCode::Denied, "no").on(&target)),
                };
                Ok(Reply::Outcomes(volumes.into_iter().map(refuse).collect()))
            }
            other => self.env.call(backend, operation, cursor, other).await,
        }
    }
}

#[async_trait]
impl ObserverEnv for Rig {
    async fn keep(&self, seen: &[Member]) -> Result<(), ReplicationError> {
        let mut rows = self.env.rows();
        for member in seen {
            let stored = rows.relations.get(&member.volume.id).map(|(_, r)| *r);
            if stored != member.relation_revision {
                return Err(ReplicationError::Moved(member.volume.id.clone()));
            }
        }
        for member in seen {
            let revision = member.relation_revision.map_or(1, |r| r + 1);
            let row = ((*member.relation).clone(), revision);
            rows.relations.insert(member.volume.id.clone(), row);
        }
        Ok(())
    }

    async fn watched(&self, _backend: &str) -> Result<Option<(Watched, u64)>, ReplicationError> {
        Ok(self.watched.lock().unwrap().clone())
    }

    async fn announce(
        &self,
        watched: &Watched,
        revision: Option<u64>,
        events: Vec<CloudEvent>,
    ) -> Result<(), ReplicationError> {
        *self.watched.lock().unwrap() = Some((watched.clone(), revision.map_or(1, |r| r + 1)));
        self.events.lock().unwrap().extend(events);
        Ok(())
    }

    async fn busy(&self, _backend: &str) -> Result<bool, ReplicationError> {
        let rows = self.env.rows();
        Ok(rows.operations.values().any(|o| !o.state.is_terminal()))
    }

    async fn drills(&self, _backend: &str) -> Result<(u64, Option<Timestamp>), ReplicationError> {
        let rows = self.env.rows();
        let open = rows.drills.values().filter(|(d, _)| !d.state.is_over());
        let ends = open.clone().map(|(d, _)| d.ends_at).min();
        Ok((open.count() as u64, ends))
    }

    async fn refresh(&self, _backend: &str) {
        self.refreshed.fetch_add(1, Ordering::SeqCst);
    }

    async fn operation_changed(&self, _backend: &str) {
        self.operation_changed.notified().await;
    }
}

impl Watch for Rig {
    fn seen(&self, watched: &Watched) {
        self.looks.lock().unwrap().push(Instant::now());
        if watched.tally.targets.values().any(|t| t.back > 0) {
            self.returned.notify_one();
        }
    }
}

/// The same for whoever starts operations.
struct Shared(Arc<Rig>);

#[async_trait]
impl ReconcilerEnv for Shared {
    fn since(&self) -> Timestamp {
        Timestamp::default()
    }

    fn backends(&self) -> Vec<String> {
        vec![BACKEND.into()]
    }

    async fn due_drills(&self) -> Result<Vec<Drill>, ReplicationError> {
        let now = self.0.now();
        let rows = self.0.env.rows();
        let due = rows.drills.values().map(|(drill, _)| drill);
        Ok(due
            .filter(|d| !d.state.is_over() && d.ends_at <= now)
            .cloned()
            .collect())
    }

    async fn owed(
        &self,
        _backend: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Relation>, ReplicationError> {
        let rows = self.0.env.rows();
        let owed = rows.relations.values().map(|(r, _)| r);
        Ok(owed
            .filter(|r| after.is_none_or(|after| r.volume_id.as_str() > after))
            .filter(|r| r.owed().next().is_some() && r.phase == Phase::Settled)
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn answering(&self, _backend: &str) -> Result<Vec<String>, ReplicationError> {
        let world = self.0.env.world();
        let up = world.arrays.iter().filter(|(_, a)| a.up);
        Ok(up.map(|(name, _)| name.clone()).collect())
    }

    async fn submit(&self, backend: &str, request: Request) -> Result<Operation, ReplicationError> {
        let rig = self.0.clone();
        let begun = replication::begin(&*rig, backend, request, Who::default()).await?;
        let operation = begun.clone();
        tokio::spawn(async move { replication::run(&*rig, operation).await });
        Ok(begun)
    }

    async fn is_open(&self, operation: &str) -> bool {
        let rows = self.0.env.rows();
        rows.operations
            .get(operation)
            .is_some_and(|o| !o.state.is_terminal())
    }

    async fn woken(&self) {
        self.0.returned.notified().await;
    }
}
