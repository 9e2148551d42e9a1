//! What replication stands on in a running host: rows of the store, arrays behind drivers, and what its household needs.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use springform_model::cloud::{Service, Volume};
use springform_model::contract::{Call, CallError, Fault, FaultKind, Reply, VolumeSpec};
use springform_model::operation::{Operation, Verb};
use springform_model::replication::drill::{Drill, DrillState};
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::Relation;
use springform_model::time::Timestamp;
use springform_store::Query;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::env::{BackendView, Lead, Member, ReplicationError};
use super::reconciler::{self, ReconcilerEnv};
use super::request::{Request, Who};
use super::service::begin;
use super::store_env::{self, Arrays, StoreEnv};
use crate::engine::Operations;

/// Volumes of one call.
const BATCH: usize = 128;
/// Batches under way at once: an array is to answer others, too, and a driver works on several volumes of a batch at a time.
const CALLS: usize = 8;

/// The arrays of a running host.
struct LiveArrays {
    control: Operations,
}

#[async_trait]
impl Arrays for LiveArrays {
    fn now(&self) -> Timestamp {
        self.control.now()
    }

    fn host(&self) -> String {
        self.control.config().host.clone()
    }

    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError> {
        let handle = self
            .control
            .backend(name)
            .ok_or_else(|| ReplicationError::NotFound(format!("there is no backend {name}")))?;
        let config = handle.config();
        let mut targets = config.targets.clone();
        let seen = self.control.store().get::<Service>(name).await;
        if let Ok(Some(service)) = seen {
            for target in &mut targets {
                if let Some(health) = service
                    .record
                    .targets
                    .iter()
                    .find(|h| h.target == target.name)
                {
                    target.reachable = health.reachable;
                }
            }
        }
        let facts = self.control.facts(name);
        let distrusted = facts.iter().filter(|facts| facts.distrust.is_some());
        let distrusted = distrusted.map(|facts| facts.target.clone()).collect();
        let clocks = facts.into_iter();
        let clocks = clocks.filter_map(|facts| Some((facts.target, facts.clock?)));
        // Another generation is another driver, or other addresses and secrets: a plan was not made with them.
        let generation = self.control.generation(name).map_or(0, |g| g.number);
        let fingerprint = format!("{}/{generation}", config.digest());
        Ok(BackendView {
            name: name.to_owned(),
            targets,
            clocks: clocks.collect(),
            distrusted,
            fingerprint,
            parallel: config.parallel.clamp(1, CALLS),
            batch: BATCH,
        })
    }

    async fn specs(&self, volumes: &[Volume]) -> Result<Vec<VolumeSpec>, ReplicationError> {
        let mut types = HashMap::new();
        let mut specs = Vec::with_capacity(volumes.len());
        for volume in volumes {
            let id = volume.type_id.clone();
            if !types.contains_key(&id) {
                let full = crate::specs::full_type(self.control.store(), id.as_deref())
                    .await
                    .map_err(|e| {
                        ReplicationError::Internal(format!("the database refused: {e}"))
                    })?;
                types.insert(id.clone(), full);
            }
            let full = types.get(&id).and_then(Option::as_ref);
            specs.push(crate::specs::build(volume, full));
        }
        Ok(specs)
    }

    async fn call(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError> {
        let control = self.control.clone();
        let (backend, operation) = (backend.to_owned(), operation.to_owned());
        let asked = async move {
            let deadline = control.config().step_deadline;
            let answer = control.call_once(&backend, &operation, cursor, deadline, call);
            answer.await
        };
        // A task of its own: the batches of an operation share one, and with it one processor.
        let task = tokio::spawn(asked.in_current_span());
        AbortOnDropHandle::new(task).await.unwrap_or_else(|error| {
            let why = format!("the call did not come to an end: {error}");
            Err(CallError::Fault(Fault::new(FaultKind::Gone, why)))
        })
    }

    fn cancelled(&self, operation: &str) -> bool {
        self.control.live().is_cancelled(operation)
    }

    fn receivers(&self) -> Vec<String> {
        self.control.config().receivers.clone()
    }

    async fn followed(&self, moved: Vec<Member>) -> Result<Vec<Member>, ReplicationError> {
        let found = crate::attachments::followed(&self.control, &moved).await;
        found.map_err(store_env::internal)
    }

    fn take_lock(&self, operation: &str) {
        self.control.live().take_lock(operation);
    }

    async fn reconnect(&self, backend: &str, operation: &str, moved: &[Member], whom: Lead) {
        crate::attachments::reconnect(&self.control, backend, operation, moved, whom).await;
    }

    async fn resume(&self, operation: &str) {
        match self.control.store().get::<Operation>(operation).await {
            Ok(Some(open)) => self.control.resume(open),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(operation, %error, "an operation that waited is left to the next start");
            }
        }
    }

    fn told(&self) {
        self.control.outbox().notify();
    }

    fn shown(&self, operation: &Operation) {
        self.control.live().show(operation);
        // Whoever waits for the next step of a failover would be waken a thousand times; beginnings and ends are enough.
        let turns = operation.state.is_terminal() || operation.steps.len() <= 1;
        // What is paid was owed of objects that no volume is: nothing that was observed is changed by it.
        let moves = operation.verb != Verb::Settle;
        if let Some(backend) = operation.backend.as_deref().filter(|_| turns && moves)
            && let Some(handle) = self.control.backend(backend)
        {
            if operation.state.is_terminal() {
                // In the commit's wake: whoever reads the end of it does not read what was seen before as if it were now.
                handle.ended(self.control.now());
                if let Verb::Failover | Verb::Failback | Verb::Promote | Verb::CommitDrill =
                    operation.verb
                {
                    // Statistics that could not be read were those of the array before; who creates a volume now is not
                    // refused for them.
                    handle.note(|status| status.statistics_error = None);
                    handle.count.notify_one();
                }
            }
            handle.look.notify_one();
            if operation.state.is_terminal()
                && matches!(operation.verb, Verb::Reconcile | Verb::Promote)
            {
                handle.compare_at(tokio::time::Instant::now());
            }
        }
    }

    async fn refresh(&self, backend: &str) {
        crate::watch::health(&self.control, backend).await;
    }

    async fn operation_changed(&self, backend: &str) {
        match self.control.backend(backend) {
            Some(handle) => handle.look.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// StoreEnv and arrays of a running host.
pub(crate) fn store_env(control: &Operations) -> StoreEnv {
    StoreEnv::new(
        control.store().clone(),
        Arc::new(LiveArrays {
            control: control.clone(),
        }),
    )
}

/// Tends the replication of a running host for ever.
pub(crate) async fn reconcile_in_background(control: Operations) {
    reconciler::reconcile_loop(&LiveArrays { control }).await;
}

impl LiveArrays {
    async fn looks_only(&self, backend: &str) -> Result<bool, ReplicationError> {
        let looks_only = self.control.looks_only(Some(backend)).await;
        looks_only.map_err(|error| ReplicationError::Internal(error.message))
    }
}

#[async_trait]
impl ReconcilerEnv for LiveArrays {
    fn backends(&self) -> Vec<String> {
        self.control
            .backends()
            .map(|b| b.name().to_owned())
            .collect()
    }

    fn since(&self) -> Timestamp {
        self.control.started()
    }

    async fn due_drills(&self) -> Result<Vec<Drill>, ReplicationError> {
        let open = DrillState::ALL.into_iter().filter(|s| !s.is_over());
        let query = Query::new()
            .is_in("state", open.map(DrillState::as_str))
            .compare(
                "due_at",
                springform_store::Order::LessOrEqual,
                self.control.now(),
            )
            .limit(100);
        let due = self.control.store().list::<Drill>(&query).await;
        let mut drills = Vec::new();
        for drill in due.map_err(store_env::internal)? {
            if !self.looks_only(&drill.backend).await? {
                drills.push(drill.record);
            }
        }
        Ok(drills)
    }

    async fn owed(
        &self,
        backend: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Relation>, ReplicationError> {
        if self.looks_only(backend).await? {
            return Ok(Vec::new());
        }
        let mut query = Query::new()
            .eq("kind", "owed")
            .eq("state", "settled")
            .eq("backend", backend)
            .sort("id", springform_store::Direction::Asc)
            .limit(limit);
        if let Some(after) = after {
            query = query.compare("id", springform_store::Order::Greater, after);
        }
        let owed = self.control.store().list::<Relation>(&query).await;
        Ok(owed
            .map_err(store_env::internal)?
            .into_iter()
            .map(|r| r.record)
            .collect())
    }

    async fn obligations(
        &self,
        backend: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Obligation>, ReplicationError> {
        if self.looks_only(backend).await? {
            return Ok(Vec::new());
        }
        let store = self.control.store();
        let pending = crate::obligations::pending(store, backend, after, limit).await;
        pending.map_err(store_env::internal)
    }

    async fn answering(&self, backend: &str) -> Result<Vec<String>, ReplicationError> {
        let service = self.control.store().get::<Service>(backend).await;
        let service = service.map_err(store_env::internal)?;
        let targets = service.map(|s| s.record.targets).unwrap_or_default();
        Ok(targets
            .into_iter()
            .filter(|t| t.reachable)
            .map(|t| t.target)
            .collect())
    }

    async fn submit(&self, backend: &str, request: Request) -> Result<Operation, ReplicationError> {
        begin(&self.control, backend.to_owned(), request, Who::default()).await
    }

    async fn is_open(&self, operation: &str) -> bool {
        let found = self.control.store().get::<Operation>(operation).await;
        found.is_ok_and(|o| o.is_some_and(|o| !o.record.state.is_terminal()))
    }

    async fn woken(&self) {
        self.control.array_recovered().await;
    }
}
