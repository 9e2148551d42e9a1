//! What arrays are owed of objects that have no record any more: written down with what owes it, and counted.
//!
//! Whoever removes the record commits the obligation with it. Paying is an operation of replication, see
//! `replication::verbs::settle`.

use springform_model::cloud::{Attachment, Service, Volume};
use springform_model::contract::{Call, Connector, GroupSpec, Migration, SnapshotSpec, VolumeSpec};
use springform_model::replication::obligation::{
    Cause, Obligation, ObligationKind, ObligationState,
};
use springform_model::replication::relation::Relation;
use springform_store::{Changes, Direction, Order, Query, Store, StoreError};

use crate::engine::Operations;
use crate::outbox::{CloudEvent, deliver};

pub use crate::owed::Owed;

/// Objects that are named of one kind and array; more are only counted.
const NAMED: u32 = 20;

/// What the arrays of a backend are owed, written off or not, by id; at most `limit` after `after`.
pub(crate) async fn page(
    store: &Store,
    backend: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Obligation>, StoreError> {
    list(store, of(backend), after, limit).await
}

/// The same without those that were written off.
pub(crate) async fn pending(
    store: &Store,
    backend: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Obligation>, StoreError> {
    list(store, pending_on(backend), after, limit).await
}

fn of(backend: &str) -> Query {
    Query::new().eq("backend", backend)
}

fn pending_on(backend: &str) -> Query {
    of(backend).eq("state", ObligationState::Pending.as_str())
}

async fn list(
    store: &Store,
    query: Query,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Obligation>, StoreError> {
    let mut query = query.sort("id", Direction::Asc).limit(limit);
    if let Some(after) = after {
        query = query.compare("id", Order::Greater, after);
    }
    let found = store.list::<Obligation>(&query).await?;
    Ok(found.into_iter().map(|stored| stored.record).collect())
}

/// What is pending on a backend, by array and kind.
pub(crate) async fn counted(
    store: &Store,
    backend: &str,
    targets: &[String],
) -> Result<Vec<Owed>, StoreError> {
    let pending = pending_on(backend);
    let mut found = Vec::new();
    if store.count::<Obligation>(&pending).await? == 0 {
        return Ok(found);
    }
    for target in targets {
        for kind in ObligationKind::ALL {
            let query = pending.clone().eq("subject", target);
            let query = query.eq("kind", kind.as_str());
            let count = store.count::<Obligation>(&query).await?;
            let query = query.sort("created_at", Direction::Asc).limit(NAMED);
            let first = store.list::<Obligation>(&query).await?;
            let Some(oldest) = first.first() else {
                continue;
            };
            found.push(Owed {
                target: target.clone(),
                kind,
                count,
                since: oldest.since,
                objects: first.iter().map(|o| o.object.clone()).collect(),
                reason: oldest.reason.clone(),
                error: oldest.error.clone(),
            });
        }
    }
    Ok(found)
}

/// Whoever owes in a running operation.
pub(crate) struct Owing<'a> {
    operations: &'a Operations,
    backend: &'a str,
    operation: &'a str,
    targets: Vec<String>,
}

impl<'a> Owing<'a> {
    /// An operation on a backend.
    pub(crate) fn new(operations: &'a Operations, backend: &'a str, operation: &'a str) -> Self {
        let config = operations.backend(backend).map(|handle| handle.config());
        let targets = config.iter().flat_map(|config| &config.targets);
        Self {
            operations,
            backend,
            operation,
            targets: targets.map(|target| target.name.clone()).collect(),
        }
    }

    fn cause(&self) -> Cause<'_> {
        Cause {
            backend: self.backend,
            targets: &self.targets,
            operation: self.operation,
            at: self.operations.now(),
        }
    }

    /// Of a volume that is deleted from the array that serves it.
    pub(crate) async fn volume_deleted(
        &self,
        volume: &VolumeSpec,
    ) -> Result<Vec<Obligation>, StoreError> {
        let relation = self.operations.store().get::<Relation>(&volume.id).await?;
        let relation = relation.as_ref().map(|stored| &stored.record);
        Ok(self.cause().volume_deleted(volume, relation))
    }

    /// Of a volume that the cloud gives up.
    pub(crate) async fn volume_unmanaged(
        &self,
        volume: &VolumeSpec,
    ) -> Result<Vec<Obligation>, StoreError> {
        let relation = self.operations.store().get::<Relation>(&volume.id).await?;
        let relation = relation.as_ref().map(|stored| &stored.record);
        Ok(self.cause().volume_unmanaged(volume, relation))
    }

    /// Of a group that is deleted while another array than the primary serves it: it was moved there.
    pub(crate) fn group_deleted(&self, group: &GroupSpec) -> Vec<Obligation> {
        let config = self.operations.backend(self.backend);
        let config = config.map(|handle| handle.config());
        let home = config.as_ref().and_then(|config| config.primary());
        let home = home.map(|target| &target.name);
        match group.target.is_some() && group.target.as_ref() != home {
            true => self.cause().group_deleted(group),
            false => Vec::new(),
        }
    }

    /// What a driver is told of a snapshot that is deleted now, and what is owed: where the array on which it was taken is
    /// not the one that serves the volume and does not answer, the driver is not to ask it.
    pub(crate) async fn snapshot_deleted(
        &self,
        volume: &VolumeSpec,
        snapshot: SnapshotSpec,
        taken_on: Option<&str>,
    ) -> Result<(SnapshotSpec, Option<Obligation>), StoreError> {
        let serving = volume.placement.as_ref().map(|p| p.target.as_str());
        let Some(taken_on) = taken_on.filter(|target| Some(*target) != serving) else {
            return Ok((snapshot, None));
        };
        if !self.is_away(taken_on).await? {
            return Ok((snapshot, None));
        }
        let owed = self.cause().snapshot_deleted(volume, &snapshot, taken_on);
        let mut here = snapshot;
        here.extensions
            .retain(|(key, _)| key != crate::specs::TAKEN_ON);
        Ok((here, Some(owed)))
    }

    /// Of a snapshot of a group that is deleted now, where it was taken on an array that does not answer.
    pub(crate) async fn group_snapshot_deleted(
        &self,
        group: &GroupSpec,
        id: &str,
        snapshots: &[SnapshotSpec],
        taken_on: Option<&str>,
    ) -> Result<Option<Obligation>, StoreError> {
        let serving = group.target.as_deref();
        let Some(taken_on) = taken_on.filter(|target| Some(*target) != serving) else {
            return Ok(None);
        };
        let owed = || {
            self.cause()
                .group_snapshot_deleted(group, id, snapshots, taken_on)
        };
        Ok(self.is_away(taken_on).await?.then(owed))
    }

    /// Of a machine that is detached, by each array of the backend that could not be told. What else a driver names is not
    /// believed: a record of it would never go.
    pub(crate) fn detached(
        &self,
        volume: &VolumeSpec,
        attachment: &str,
        connector: &Connector,
        unreached: &[String],
    ) -> Vec<Obligation> {
        let cause = self.cause();
        let owed = unreached.iter().filter(|t| self.targets.contains(t));
        owed.map(|target| cause.detached(volume, attachment, connector, target))
            .collect()
    }

    /// Of a volume that has moved to another backend, by the array that had it.
    pub(crate) fn left_behind(
        &self,
        volume: &VolumeSpec,
        migration: &Migration,
        call: Call,
    ) -> Obligation {
        self.cause().left_behind(volume, migration, call)
    }

    /// Of a move between backends that is over, by an array that could not be told.
    pub(crate) fn migration_ended(
        &self,
        volume: &VolumeSpec,
        migration: &Migration,
        target: &str,
        call: Call,
    ) -> Obligation {
        let cause = self.cause();
        cause.migration_ended(volume, migration, target, call)
    }

    /// Whether an array does not answer: one that is not known to be away is asked.
    async fn is_away(&self, target: &str) -> Result<bool, StoreError> {
        if !self.targets.iter().any(|known| known == target) {
            return Ok(true);
        }
        let known = async || {
            let service = self.operations.store().get::<Service>(self.backend).await?;
            let health = service.map(|service| service.record.targets);
            let away = |h: &&_| {
                let h: &springform_model::contract::TargetHealth = h;
                h.target == target && !h.reachable
            };
            Ok::<_, StoreError>(health.iter().flatten().any(|h| away(&h)))
        };
        if known().await? {
            return Ok(true);
        }
        crate::watch::health(self.operations, self.backend).await;
        known().await
    }
}

/// Writes obligations down, and tells of them. [`wake`] once that is committed.
pub(crate) fn owe(operations: &Operations, owed: &[Obligation]) -> Changes {
    let now = operations.now();
    let changes = owed.iter().fold(Changes::new(), Changes::put);
    let told = owed.iter().map(|o| CloudEvent::obligation("made", o, now));
    deliver(changes, told, &operations.config().receivers, now)
}

/// What was written down is paid at once where the array answers, and told.
pub(crate) fn wake(operations: &Operations, owed: &[Obligation]) {
    if !owed.is_empty() {
        operations.settle_soon();
        operations.outbox().notify();
    }
}

/// Whether a record says that an array serves, or is being asked for, the object of an obligation; or that the machine which
/// was detached is attached again.
pub(crate) async fn is_taken_over(
    store: &Store,
    obligation: &Obligation,
) -> Result<bool, StoreError> {
    match (&obligation.call, &obligation.volume_id) {
        (
            Call::Disconnect {
                connector: Some(connector),
                ..
            },
            Some(volume),
        ) => return is_attached(store, volume, &connector.host).await,
        (
            Call::DeleteSnapshot { .. }
            | Call::DeleteGroup { .. }
            | Call::DeleteGroupSnapshot { .. }
            | Call::ReleaseVolume { moved: false, .. }
            | Call::SettleVolume { .. },
            _,
        ) => return Ok(false),
        _ => {}
    }
    let query = Query::new()
        .eq("backend", &obligation.backend)
        .eq("array_name", &obligation.object);
    let named = store.list::<Volume>(&query).await?;
    let there = |volume: &Volume| {
        let placement = volume.placement.as_ref();
        placement.is_none_or(|p| p.target == obligation.target)
    };
    Ok(named.iter().any(|volume| there(volume)))
}

/// Whether an attachment leads a machine to a volume.
async fn is_attached(store: &Store, volume: &str, host: &str) -> Result<bool, StoreError> {
    let query = Query::new().eq("volume_id", volume);
    let found = store.list::<Attachment>(&query).await?;
    Ok(found
        .iter()
        .any(|attachment| crate::attachments::leads(attachment, host)))
}
