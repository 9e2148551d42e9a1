//! The life of snapshots.

mod manage;
mod work;

pub use manage::ManageSnapshot;
pub(crate) use work::SnapshotExecutor;

use std::collections::BTreeMap;

use serde_json::json;
use springform_model::cloud::{Metadata, Snapshot, SnapshotStatus, Volume, VolumeStatus};
use springform_model::operation::Verb;
use springform_store::{Changes, Query, Store, StoreError, Stored};
use uuid::Uuid;

use crate::edit::{TxError, retry_on_conflict};
use crate::engine::{NewOperation, Operations};
use crate::error::ErrorKind;
use crate::ownership::{edit_of_caller, of_caller};
use crate::quotas::{Adds, Quotas, over};
use crate::replication::{Member, SnapshotNames};
use crate::specs::full_type;
use crate::volumes::may_change;
use crate::{Caller, ControlError, lock};

/// Snapshots.
#[derive(Debug, Clone, Copy)]
pub struct Snapshots<'a> {
    pub(crate) operations: &'a Operations,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CreateSnapshot {
    /// Volume.
    pub volume_id: String,
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Metadata.
    pub metadata: Metadata,
    /// Of a volume in use, too.
    pub force: bool,
}

impl<'a> Snapshots<'a> {
    pub(crate) fn new(operations: &'a Operations) -> Self {
        Self { operations }
    }

    /// One snapshot of the caller's view.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Snapshot, ControlError> {
        Ok(self.stored(caller, id).await?.record)
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Stored<Snapshot>, ControlError> {
        of_caller(self.operations.store(), caller, id).await
    }

    /// One page of snapshots.
    ///
    /// # Errors
    /// `NotFound` for a marker that is none, `Invalid` for a column that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<Vec<Snapshot>, ControlError> {
        let found = self
            .operations
            .store()
            .list::<Snapshot>(&caller.scope(query, all_tenants))
            .await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Takes a snapshot. It is `creating` in the answer. A failed-over volume can have snapshots.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `OverLimit`, `Conflict`.
    pub async fn create(
        &self,
        caller: &Caller,
        wanted: CreateSnapshot,
    ) -> Result<Snapshot, ControlError> {
        retry_on_conflict(|| self.begin(caller, wanted.clone())).await
    }

    async fn begin(&self, caller: &Caller, wanted: CreateSnapshot) -> Result<Snapshot, TxError> {
        let operations = self.operations;
        let volume = of_caller::<Volume>(operations.store(), caller, &wanted.volume_id).await?;
        may_change(operations, &volume).await?;
        let allowed = volume.status == VolumeStatus::Available
            || (wanted.force && volume.status == VolumeStatus::InUse);
        if !allowed {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} status must be available, but current status is: {}.",
                volume.id, volume.status
            ))
            .into());
        }
        let new = NewOperation::new(Verb::CreateSnapshot, "snapshot", Uuid::now_v7().to_string())
            .step("array");
        let new = new
            .on(volume.backend.clone().unwrap_or_default())
            .input(json!({ "volume": volume.id }));
        let operation = operations.prepare(caller, new)?;
        let snapshot = new_snapshot(
            operations,
            caller,
            wanted,
            &volume,
            &operation.id,
            &operation.subject,
        );
        let full = full_type(operations.store(), volume.type_id.as_deref()).await?;
        let kind = full.as_ref().map(|full| &full.volume_type);
        let guards = Quotas::new(operations).guards(&caller.project_id, Adds::Snapshot, kind);
        let changes = guards.await?.insert(&snapshot);
        let changes = lock::at_once(changes, &volume, &operation.id);
        match operations.submit(changes, operation).await {
            Ok(()) => Ok(snapshot),
            Err(StoreError::Limit { name, limit, used }) => {
                Err(over(&name, limit, used, snapshot.size).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a snapshot; `force` (administrators) does not ask for its state.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn delete(&self, caller: &Caller, id: &str, force: bool) -> Result<(), ControlError> {
        self.turn(
            caller,
            id,
            Verb::DeleteSnapshot,
            force,
            SnapshotStatus::Deleting,
        )
        .await
    }

    /// Gives a snapshot back to the array.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn unmanage(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        self.turn(
            caller,
            id,
            Verb::UnmanageSnapshot,
            false,
            SnapshotStatus::Unmanaging,
        )
        .await
    }

    async fn turn(
        &self,
        caller: &Caller,
        id: &str,
        verb: Verb,
        force: bool,
        then: SnapshotStatus,
    ) -> Result<(), ControlError> {
        let operations = self.operations;
        for _ in 0..50 {
            let mut stored = self.stored(caller, id).await?;
            let volume = operations.store().get::<Volume>(&stored.volume_id).await?;
            if let Some(volume) = &volume {
                may_change(operations, &volume.record).await?;
            }
            if let Some(holder) = &stored.operation {
                return Err(ControlError::busy(&format!("Snapshot {id}"), holder));
            }
            let allowed = [
                SnapshotStatus::Available,
                SnapshotStatus::Error,
                SnapshotStatus::ErrorDeleting,
            ];
            if stored.group_snapshot_id.is_some() {
                return Err(ControlError::invalid(format!(
                    "Invalid snapshot: Snapshot {id} must not be part of a group."
                )));
            }
            let overruled = force && caller.is_admin;
            if !allowed.contains(&stored.status) && !overruled {
                return Err(ControlError::invalid(format!(
                    "Invalid snapshot: Snapshot status must be available or error or error_deleting, but snapshot {id} is {}.",
                    stored.status
                )));
            }
            let new = NewOperation::new(verb, "snapshot", id)
                .step("array")
                .input(json!({ "volume": stored.volume_id }));
            let operation =
                operations.prepare(caller, new.on(stored.backend.clone().unwrap_or_default()))?;
            stored.record.status = then;
            stored.record.operation = Some(operation.id.clone());
            stored.record.updated_at = Some(operations.now());
            let mut changes = Changes::new().update(&stored);
            if let Some(volume) = &volume {
                changes = lock::at_once(changes, volume, &operation.id);
            }
            match operations.submit(changes, operation).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ControlError::conflict(format!(
            "Snapshot {id} is being changed by many at once. Try again."
        )))
    }

    /// Changes what the user says of a snapshot. `decide` must not touch what the array knows.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &str,
        name: Option<Option<String>>,
        description: Option<Option<String>>,
        metadata: Option<Metadata>,
    ) -> Result<Snapshot, ControlError> {
        self.edit(caller, id, |snapshot| {
            if let Some(name) = &name {
                snapshot.name.clone_from(name);
            }
            if let Some(description) = &description {
                snapshot.description.clone_from(description);
            }
            if let Some(metadata) = &metadata {
                snapshot.metadata.clone_from(metadata);
            }
            Ok(())
        })
        .await
    }

    /// Sets the state as an administrator says.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Invalid`.
    pub async fn reset_status(
        &self,
        caller: &Caller,
        id: &str,
        status: &str,
    ) -> Result<Snapshot, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Policy doesn't allow volume_extension:snapshot_admin_actions:reset_status to be performed.",
            ));
        }
        let status: SnapshotStatus = status.parse().map_err(|error| {
            ControlError::input(format!("Must specify a valid status: {error}"))
        })?;
        self.edit(caller, id, |snapshot| {
            snapshot.status = status;
            Ok(())
        })
        .await
    }

    /// Says how far a snapshot is that somebody else makes or deletes: Cinder's way for Nova's own snapshots.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a state that does not follow from the one it is in; `Conflict` while an operation of
    /// this host makes or deletes it.
    pub async fn update_status(
        &self,
        caller: &Caller,
        id: &str,
        status: &str,
        progress: Option<String>,
    ) -> Result<Snapshot, ControlError> {
        use SnapshotStatus::{Available, Creating, Deleting, Error, ErrorDeleting};
        self.edit(caller, id, |snapshot| {
            let follows: &[SnapshotStatus] = match snapshot.status {
                Creating => &[Creating, Available, Error],
                Deleting => &[Deleting, ErrorDeleting],
                now => {
                    return Err(ControlError::invalid(format!(
                        "Snapshot status {now} not allowed for update_snapshot_status"
                    )));
                }
            };
            let next = follows.iter().find(|next| next.as_str() == status);
            let next = next.ok_or_else(|| {
                ControlError::invalid(format!(
                    "Provided snapshot status {status} not allowed for snapshot with status {}.",
                    snapshot.status
                ))
            })?;
            if let Some(holder) = &snapshot.operation {
                return Err(ControlError::busy(&format!("Snapshot {id}"), holder));
            }
            snapshot.status = *next;
            if let Some(progress) = &progress {
                snapshot.progress.clone_from(progress);
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn edit(
        &self,
        caller: &Caller,
        id: &str,
        change: impl Fn(&mut Snapshot) -> Result<(), ControlError>,
    ) -> Result<Snapshot, ControlError> {
        let now = self.operations.now();
        edit_of_caller(
            self.operations.store(),
            caller,
            id,
            |snapshot: &mut Snapshot| {
                change(snapshot)?;
                snapshot.updated_at = Some(now);
                Ok(())
            },
        )
        .await
    }
}

fn new_snapshot(
    operations: &Operations,
    caller: &Caller,
    wanted: CreateSnapshot,
    volume: &Volume,
    operation: &str,
    id: &str,
) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        project_id: caller.project_id.clone(),
        user_id: caller.user_id.clone(),
        volume_id: volume.id.clone(),
        name: wanted.name,
        description: wanted.description,
        size: volume.size,
        status: SnapshotStatus::Creating,
        progress: "0%".to_owned(),
        metadata: wanted.metadata,
        image_metadata: Some(volume.image_to_inherit()),
        group_snapshot_id: None,
        type_id: volume.type_id.clone(),
        consumes_quota: true,
        backend: volume.backend.clone(),
        array_name: None,
        target: volume
            .placement
            .as_ref()
            .map(|placement| placement.target.clone()),
        operation: Some(operation.to_owned()),
        created_at: operations.now(),
        updated_at: None,
    }
}

/// Names of the snapshots of each of these volumes.
///
/// # Errors
/// What the store says.
pub(crate) async fn names(
    store: &Store,
    members: &[Member],
) -> Result<BTreeMap<String, SnapshotNames>, StoreError> {
    let mut names: BTreeMap<String, SnapshotNames> = BTreeMap::new();
    for some in members.chunks(500) {
        let ids = some.iter().map(|m| m.volume.id.as_str());
        let query = Query::new().is_in("volume_id", ids);
        for taken in store.list::<Snapshot>(&query).await? {
            let volume = some.iter().find(|m| m.volume.id == taken.volume_id);
            let serving = volume.and_then(|m| m.volume.placement.as_ref());
            let serving = serving.map(|p| p.target.as_str());
            let Some(name) = &taken.array_name else {
                continue;
            };
            let of_it = names.entry(taken.volume_id.clone()).or_default();
            match taken.target.as_deref() == serving {
                true => of_it.there.push(name.clone()),
                false => of_it.elsewhere.push(name.clone()),
            }
        }
    }
    Ok(names)
}
