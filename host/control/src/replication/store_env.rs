//! The env in earnest: rows in the store, arrays behind whatever calls drivers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use springform_model::cloud::{Group, Service, Volume};
use springform_model::contract::{Call, CallError, Reply, VolumeSpec};
use springform_model::operation::{Operation, Verb};
use springform_model::replication::drill::{Drill, DrillState};
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::Relation;
use springform_model::time::Timestamp;
use springform_store::{Changes, Direction, Order, Query, Store, StoreError, Stored};

use super::env::{
    BackendView, Lead, Member, ReplicationEnv, ReplicationError, SnapshotNames, Writes,
};
use super::{GroupView, Plan, Scope};
use crate::observer::{ObserverEnv, Watched};
use crate::outbox::{CloudEvent, deliver};

/// What is not in the store: backends, drivers, the clock.
#[async_trait]
pub trait Arrays: Send + Sync + 'static {
    /// The clock.
    fn now(&self) -> Timestamp;

    /// This host, as the audit log names it.
    fn host(&self) -> String {
        "springform".to_owned()
    }

    /// A backend.
    ///
    /// # Errors
    /// [`ReplicationError::NotFound`] where none is configured.
    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError>;

    /// What a driver is told of these volumes, in order.
    ///
    /// # Errors
    /// What the store says.
    async fn specs(&self, volumes: &[Volume]) -> Result<Vec<VolumeSpec>, ReplicationError>;

    /// One call.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn call(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError>;

    /// Whether somebody asked to cancel an operation that runs here.
    fn cancelled(&self, operation: &str) -> bool;

    /// Names of those who want to be told.
    fn receivers(&self) -> Vec<String>;

    /// Those of these volumes that have attachments which follow a move.
    async fn followed(&self, moved: Vec<Member>) -> Result<Vec<Member>, ReplicationError> {
        let used = |m: &Member| !m.volume.attachments.is_empty();
        Ok(moved.into_iter().filter(used).collect())
    }

    /// Tells an operation that runs here that a volume's lock is taken from it.
    fn take_lock(&self, _operation: &str) {}

    /// Goes on with an open operation that waited.
    async fn resume(&self, _operation: &str) {}

    /// Connects hosts to volumes that moved.
    async fn reconnect(&self, _backend: &str, _operation: &str, _moved: &[Member], _whom: Lead) {}

    /// Events were written down: whoever delivers them may be waken.
    fn told(&self) {}

    /// An operation was written: whoever watches it may be told.
    fn shown(&self, operation: &Operation);

    /// Finds out which arrays answer, and writes it down.
    async fn refresh(&self, _backend: &str) {}

    /// Resolves when an operation of replication began or ended on the backend.
    async fn operation_changed(&self, _backend: &str) {
        std::future::pending().await
    }
}

/// The open operations of replication on a backend.
pub(crate) fn open_on(backend: &str) -> Query {
    Query::new()
        .eq("open", true)
        .eq("backend", backend)
        .is_in("verb", super::executor::VERBS.map(word))
}

/// StoreEnv in the store.
pub struct StoreEnv {
    store: Store,
    arrays: Arc<dyn Arrays>,
}

impl StoreEnv {
    /// On this store and these arrays.
    #[must_use]
    pub fn new(store: Store, arrays: Arc<dyn Arrays>) -> Self {
        Self { store, arrays }
    }

    /// Volumes with their relations and what a driver is told of them.
    pub(super) async fn members_of(
        &self,
        volumes: Vec<Stored<Volume>>,
    ) -> Result<Vec<Member>, ReplicationError> {
        let ids: Vec<String> = volumes.iter().map(|v| v.record.id.clone()).collect();
        let relations = self
            .store
            .get_many::<Relation>(&ids)
            .await
            .map_err(internal)?;
        let mut relations: HashMap<String, Stored<Relation>> = relations
            .into_iter()
            .map(|r| (r.record.volume_id.clone(), r))
            .collect();
        let revisions: Vec<u64> = volumes.iter().map(|v| v.revision).collect();
        let volumes: Vec<Volume> = volumes.into_iter().map(|v| v.record).collect();
        let specs = self.arrays.specs(&volumes).await?;
        Ok(volumes
            .into_iter()
            .zip(revisions)
            .zip(specs)
            .map(|((volume, revision), mut spec)| {
                let stored = relations.remove(&volume.id);
                let relation_revision = stored.as_ref().map(|r| r.revision);
                let relation = stored
                    .map(|r| r.record)
                    .unwrap_or_else(|| unstored(&volume));
                spec.generation = relation.generation;
                Member {
                    volume: Box::new(volume),
                    revision,
                    relation: Box::new(relation),
                    relation_revision,
                    spec: Box::new(spec),
                }
            })
            .collect())
    }

    fn query(scope: &Scope, backend: &str) -> Query {
        let query = Query::new().eq("backend", backend);
        match scope {
            Scope::Backend(_) => query,
            Scope::Volumes(ids) => query.is_in("id", ids.iter().map(String::as_str)),
            Scope::Group(id) => query.eq("group_id", id),
            Scope::Project(id) => query.eq("project_id", id),
            // It is about objects that no volume is any more.
            Scope::Obligations(_) => query.is_in("id", std::iter::empty::<&str>()),
        }
    }
}

/// The word of a verb as the journal's column has it.
fn word(verb: Verb) -> String {
    let value = serde_json::to_value(verb).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// The relation of a volume that nobody has moved or looked at yet: it is where it was made.
fn unstored(volume: &Volume) -> Relation {
    let placement = volume.placement.as_ref();
    let target = placement.map(|p| p.target.clone()).unwrap_or_default();
    let wanted = placement.is_some_and(|p| p.replication.is_some());
    Relation::new(
        volume.id.clone(),
        volume.backend.clone().unwrap_or_default(),
        target,
        volume.generation,
        wanted,
    )
}

pub(super) fn internal(error: StoreError) -> ReplicationError {
    match error {
        StoreError::Conflict { table, id } => ReplicationError::Moved(format!("{table} {id}")),
        StoreError::Unavailable(reason) => ReplicationError::Unavailable(format!(
            "the database cannot be used now: {reason}; try again later"
        )),
        other => ReplicationError::Internal(format!("the database refused: {other}")),
    }
}

#[async_trait]
impl ReplicationEnv for StoreEnv {
    fn now(&self) -> Timestamp {
        self.arrays.now()
    }

    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError> {
        self.arrays.backend(name).await
    }

    async fn service(&self, backend: &str) -> Result<(Service, u64), ReplicationError> {
        let stored = self.store.get::<Service>(backend).await.map_err(internal)?;
        let stored = stored
            .ok_or_else(|| ReplicationError::NotFound(format!("there is no backend {backend}")))?;
        Ok((stored.record, stored.revision))
    }

    async fn members(
        &self,
        scope: &Scope,
        backend: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Member>, ReplicationError> {
        let mut query = Self::query(scope, backend)
            .sort("id", Direction::Asc)
            .limit(u32::try_from(limit).unwrap_or(u32::MAX));
        if let Some(after) = after {
            query = query.compare("id", Order::Greater, after);
        }
        let volumes = self.store.list::<Volume>(&query).await.map_err(internal)?;
        self.members_of(volumes).await
    }

    async fn count(&self, scope: &Scope, backend: &str) -> Result<u64, ReplicationError> {
        self.store
            .count::<Volume>(&Self::query(scope, backend))
            .await
            .map_err(internal)
    }

    async fn backends_of(&self, scope: &Scope) -> Result<Vec<String>, ReplicationError> {
        if let Scope::Backend(name) = scope {
            return Ok(vec![name.clone()]);
        }
        let services = self
            .store
            .list::<Service>(&Query::new())
            .await
            .map_err(internal)?;
        let mut found = Vec::new();
        for service in services {
            if self.count(scope, &service.record.backend).await? > 0 {
                found.push(service.record.backend);
            }
        }
        Ok(found)
    }

    async fn commit(&self, writes: Writes) -> Result<(), ReplicationError> {
        let now = self.now();
        let mut changes = Changes::new();
        // StoreEnv of one table after another: neighbours share a statement.
        for member in &writes.members {
            changes = changes.replace(&*member.volume, member.revision);
        }
        for member in &writes.members {
            changes = match member.relation_revision {
                Some(revision) => changes.replace(&*member.relation, revision),
                None => changes.insert(&*member.relation),
            };
        }
        for (service, revision) in &writes.services {
            changes = changes.replace(service, *revision);
        }
        for (group, revision) in &writes.groups {
            changes = changes.replace(group, *revision);
        }
        for drill in &writes.drills {
            changes = changes.put(drill);
        }
        for (drill, revision) in &writes.taken {
            changes = changes.replace(drill, *revision);
        }
        if let Some(plan) = &writes.plan {
            changes = changes.put(plan);
        }
        for obligation in &writes.obligations {
            changes = changes.put(obligation);
        }
        for id in &writes.settled {
            changes = changes.remove::<Obligation>(id);
        }
        for message in &writes.messages {
            changes = changes.put(message);
        }
        for entry in writes.audit {
            changes = changes.audit(entry.by_host(self.arrays.host()));
        }
        let told = !writes.events.is_empty();
        changes = deliver(changes, writes.events, &self.arrays.receivers(), now);
        if let Some(operation) = &writes.operation {
            let mut operation = operation.clone();
            operation.cancel_requested |= self.arrays.cancelled(&operation.id);
            changes = changes.put(&operation);
        }
        crate::crash_point!("before-commit");
        self.store.commit(changes).await.map_err(internal)?;
        crate::crash_point!("committed");
        if told {
            self.arrays.told();
        }
        if let Some(operation) = &writes.operation {
            self.arrays.shown(operation);
        }
        Ok(())
    }

    async fn cancelled(&self, operation: &str) -> bool {
        self.arrays.cancelled(operation)
            || self
                .store
                .get::<Operation>(operation)
                .await
                .ok()
                .flatten()
                .is_some_and(|o| o.record.cancel_requested)
    }

    async fn group(&self, id: &str) -> Result<Option<GroupView>, ReplicationError> {
        let Some(stored) = self.store.get::<Group>(id).await.map_err(internal)? else {
            return Ok(None);
        };
        let spec = crate::groups::rules::group_spec(&self.store, &stored.record);
        Ok(Some(GroupView {
            spec: spec.await.map_err(internal)?,
            group: stored.record,
            revision: stored.revision,
        }))
    }

    async fn plan(&self, id: &str) -> Result<Option<Plan>, ReplicationError> {
        Ok(self
            .store
            .get::<Plan>(id)
            .await
            .map_err(internal)?
            .map(|s| s.record))
    }

    async fn drill_row(&self, id: &str) -> Result<Option<(Drill, u64)>, ReplicationError> {
        let stored = self.store.get::<Drill>(id).await.map_err(internal)?;
        Ok(stored.map(|s| (s.record, s.revision)))
    }

    async fn followed(&self, moved: Vec<Member>) -> Result<Vec<Member>, ReplicationError> {
        self.arrays.followed(moved).await
    }

    async fn give_way(&self, holders: Vec<String>) -> Result<Vec<String>, ReplicationError> {
        let held = self.store.get_many::<Operation>(&holders).await;
        let held = held.map_err(internal)?.into_iter();
        let ways = held.filter(|o| o.state.is_terminal() || crate::lock::gives_way(o.verb));
        let ways: Vec<String> = ways.map(|o| o.record.id).collect();
        ways.iter().for_each(|id| self.arrays.take_lock(id));
        Ok(ways)
    }

    async fn reconnect(&self, backend: &str, operation: &str, moved: &[Member], whom: Lead) {
        self.arrays.reconnect(backend, operation, moved, whom).await;
    }

    async fn known(&self, ids: Vec<String>) -> Result<BTreeSet<String>, ReplicationError> {
        let mut known = BTreeSet::new();
        for chunk in ids.chunks(500) {
            let found = self.store.get_many::<Volume>(chunk).await;
            known.extend(found.map_err(internal)?.into_iter().map(|v| v.record.id));
        }
        Ok(known)
    }

    async fn obligations(
        &self,
        backend: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Obligation>, ReplicationError> {
        let found = crate::obligations::page(&self.store, backend, after, limit).await;
        found.map_err(internal)
    }

    async fn taken_over(&self, obligation: &Obligation) -> Result<bool, ReplicationError> {
        let taken = crate::obligations::is_taken_over(&self.store, obligation).await;
        taken.map_err(internal)
    }

    async fn waiting(&self, backend: &str, but: &str) -> Result<Vec<Operation>, ReplicationError> {
        let (service, _) = self.service(backend).await?;
        if service.look_only_since.is_none() {
            return Ok(Vec::new());
        }
        let query = Query::new().eq("open", true).eq("backend", backend);
        let open = self.store.list::<Operation>(&query).await;
        let open = open.map_err(internal)?.into_iter().map(|o| o.record);
        Ok(open.filter(|o| o.id != but).collect())
    }

    async fn snapshots(
        &self,
        members: &[Member],
    ) -> Result<Option<BTreeMap<String, SnapshotNames>>, ReplicationError> {
        let taken = crate::snapshots::names(&self.store, members).await;
        taken.map(Some).map_err(internal)
    }

    async fn adopted(&self) -> Result<(), ReplicationError> {
        crate::services::adopted(&self.store)
            .await
            .map_err(internal)
    }

    async fn resume(&self, waiting: Vec<Operation>) {
        for operation in waiting {
            self.arrays.resume(&operation.id).await;
        }
    }

    async fn call(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError> {
        crate::crash_point!("before-call");
        let answer = self.arrays.call(backend, operation, cursor, call).await;
        crate::crash_point!("after-call");
        answer
    }
}

#[async_trait]
impl ObserverEnv for StoreEnv {
    async fn keep(&self, seen: &[Member]) -> Result<(), ReplicationError> {
        let changes = seen.iter().fold(Changes::new(), |changes, member| {
            match member.relation_revision {
                Some(revision) => changes.replace(&*member.relation, revision),
                // A volume that was deleted meanwhile must not leave a relation behind.
                None => changes
                    .unchanged::<Volume>(&member.volume.id, member.revision)
                    .insert(&*member.relation),
            }
        });
        self.store.commit(changes).await.map_err(internal)
    }

    async fn watched(&self, backend: &str) -> Result<Option<(Watched, u64)>, ReplicationError> {
        let stored = self.store.get::<Watched>(backend).await.map_err(internal)?;
        Ok(stored.map(|s| (s.record, s.revision)))
    }

    async fn announce(
        &self,
        watched: &Watched,
        revision: Option<u64>,
        events: Vec<CloudEvent>,
    ) -> Result<(), ReplicationError> {
        let changes = match revision {
            Some(revision) => Changes::new().replace(watched, revision),
            None => Changes::new().insert(watched),
        };
        let told = !events.is_empty();
        let changes = deliver(changes, events, &self.arrays.receivers(), self.now());
        self.store.commit(changes).await.map_err(internal)?;
        if told {
            self.arrays.told();
        }
        Ok(())
    }

    async fn busy(&self, backend: &str) -> Result<bool, ReplicationError> {
        let open = self.store.count::<Operation>(&open_on(backend)).await;
        Ok(open.map_err(internal)? > 0)
    }

    async fn drills(&self, backend: &str) -> Result<(u64, Option<Timestamp>), ReplicationError> {
        let open = DrillState::ALL.into_iter().filter(|s| !s.is_over());
        let query = Query::new()
            .eq("backend", backend)
            .is_in("state", open.map(DrillState::as_str));
        let open = self.store.list::<Drill>(&query).await.map_err(internal)?;
        let ends = open.iter().map(|drill| drill.record.ends_at).min();
        Ok((open.len() as u64, ends))
    }

    async fn refresh(&self, backend: &str) {
        self.arrays.refresh(backend).await;
    }

    async fn operation_changed(&self, backend: &str) {
        self.arrays.operation_changed(backend).await;
    }
}
