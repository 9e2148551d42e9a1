//! Taking over snapshots that exist on an array.

use serde_json::json;
use springform_model::cloud::{Metadata, Snapshot, SnapshotStatus, Volume, VolumeStatus};
use springform_model::contract::Reference;
use springform_model::operation::Verb;
use springform_store::StoreError;
use uuid::Uuid;

use super::{CreateSnapshot, Snapshots, new_snapshot};
use crate::edit::{TxError, retry_on_conflict};
use crate::engine::NewOperation;
use crate::ownership::of_caller;
use crate::quotas::{Adds, Quotas, over};
use crate::services::Services;
use crate::specs::full_type;
use crate::volumes::{OWNED, in_service, name_of, owned, sole_owner};
use crate::{Caller, ControlError, lock};

/// What is to be taken over.
#[derive(Debug, Clone, Default)]
pub struct ManageSnapshot {
    /// Volume of which it is a snapshot.
    pub volume_id: String,
    /// What it is called on the array.
    pub reference: Vec<(String, String)>,
    /// Whether the array's own name for it stays.
    pub keep_name: bool,
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Metadata.
    pub metadata: Metadata,
}

impl Snapshots<'_> {
    /// Takes over a snapshot of a volume that is managed. It is `creating` in the answer; a failure shows as `error`.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for what is managed already, `OverLimit`, `Unavailable`.
    pub async fn manage(
        &self,
        caller: &Caller,
        wanted: ManageSnapshot,
    ) -> Result<Snapshot, ControlError> {
        retry_on_conflict(|| self.take_over(caller, wanted.clone())).await
    }

    async fn take_over(
        &self,
        caller: &Caller,
        wanted: ManageSnapshot,
    ) -> Result<Snapshot, TxError> {
        let operations = self.operations;
        let volume = of_caller::<Volume>(operations.store(), caller, &wanted.volume_id).await?;
        let going = [VolumeStatus::Deleting, VolumeStatus::Unmanaging];
        if let Some(holder) = &volume.operation
            && going.contains(&volume.status)
        {
            return Err(ControlError::busy(&format!("Volume {}", volume.id), holder).into());
        }
        let backend = volume.backend.clone().unwrap_or_default();
        in_service(&Services::new(operations).get(&backend).await?)?;
        if volume.placement.is_none() {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} is not on an array: its status is {}.",
                volume.id, volume.status
            ))
            .into());
        }
        let reference = Reference {
            keys: wanted.reference,
        };
        let id = Uuid::now_v7().to_string();
        let new = NewOperation::new(Verb::ManageSnapshot, "snapshot", &id)
            .on(&backend)
            .input(json!({
                "volume": volume.id, "reference": reference, "keep_name": wanted.keep_name,
            }))
            .step("array");
        let operation = operations.prepare(caller, new)?;
        let blank = CreateSnapshot {
            volume_id: volume.id.clone(),
            name: wanted.name,
            description: wanted.description,
            metadata: wanted.metadata,
            force: true,
        };
        let mut snapshot = new_snapshot(operations, caller, blank, &volume, &operation.id, &id);
        snapshot.status = SnapshotStatus::Creating;
        snapshot.array_name = name_of(&reference).cloned();
        let full = full_type(operations.store(), volume.type_id.as_deref()).await?;
        let kind = full.as_ref().map(|full| &full.volume_type);
        let guards = Quotas::new(operations).guards(&caller.project_id, Adds::Snapshot, kind);
        let changes = sole_owner::<Snapshot>(
            lock::at_once(guards.await?.insert(&snapshot), &volume, &operation.id),
            &backend,
            snapshot.array_name.as_ref(),
        );
        match operations.submit(changes, operation).await {
            Ok(()) => Ok(snapshot),
            Err(StoreError::Limit { name, .. }) if name == OWNED => {
                Err(owned("snapshot", &reference).into())
            }
            Err(StoreError::Limit { name, limit, used }) => {
                Err(over(&name, limit, used, snapshot.size).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
