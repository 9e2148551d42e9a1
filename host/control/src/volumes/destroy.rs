//! Deleting, extending, retyping, reverting, taking over and giving back: the checks before the journal.

use serde_json::json;
use springform_model::cloud::{Metadata, Snapshot, SnapshotStatus, Volume, VolumeStatus};
use springform_model::contract::Reference;
use springform_model::operation::Verb;
use springform_store::{Changes, Direction, Query};

use super::{Volumes, take_turn};
use crate::engine::NewOperation;
use crate::error::ErrorKind;
use crate::{Caller, ControlError};

/// Refuses a state that is none of these.
pub(crate) fn must_be(
    volume: &Volume,
    allowed: &[VolumeStatus],
    what: &str,
) -> Result<(), ControlError> {
    if allowed.contains(&volume.status) {
        return Ok(());
    }
    let words: Vec<&str> = allowed.iter().map(|status| status.as_str()).collect();
    Err(ControlError::invalid(format!(
        "Invalid volume: Volume {} status must be {} to {what}, but the current status is {}.",
        volume.id,
        words.join(" or "),
        volume.status
    )))
}

impl Volumes<'_> {
    /// Deletes a volume; `cascade` takes its snapshots with it, `force` (administrators) does not ask for its state.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` in another state or with snapshots, `Conflict` while another operation holds it.
    pub async fn delete(
        &self,
        caller: &Caller,
        id: &str,
        cascade: bool,
        force: bool,
    ) -> Result<(), ControlError> {
        let volume = self.get(caller, id).await?;
        self.may_change(&volume).await?;
        if force && !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Policy doesn't allow volume:force_delete to be performed.",
            ));
        }
        let snapshots = self
            .control
            .store()
            .count::<Snapshot>(&Query::new().eq("volume_id", id))
            .await?;
        if snapshots > 0 && !cascade {
            return Err(refuse_delete(&volume));
        }
        let allowed = [
            VolumeStatus::Available,
            VolumeStatus::Error,
            VolumeStatus::ErrorDeleting,
            VolumeStatus::ErrorExtending,
            VolumeStatus::ErrorManaging,
            VolumeStatus::ErrorRestoring,
        ];
        let decide = |volume: &mut Volume| {
            let free = volume.attachments.is_empty() && volume.group_id.is_none();
            if !force && (!allowed.contains(&volume.status) || !free) {
                return Err(refuse_delete(volume));
            }
            volume.status = VolumeStatus::Deleting;
            Ok(())
        };
        take_turn(
            self.control,
            caller,
            id,
            Verb::DeleteVolume,
            json!({}),
            decide,
            |_| Changes::new(),
        )
        .await
        .map(drop)
    }

    /// Grows a volume to so many GiB.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn extend(&self, caller: &Caller, id: &str, size: u64) -> Result<(), ControlError> {
        let decide = |volume: &mut Volume| {
            must_be(
                volume,
                &[VolumeStatus::Available, VolumeStatus::InUse],
                "extend",
            )?;
            if size <= volume.size {
                return Err(ControlError::input(format!(
                    "New size for extend must be greater than current size. (current: {}, extended: {size}).",
                    volume.size
                )));
            }
            volume.status = VolumeStatus::Extending;
            Ok(())
        };
        take_turn(
            self.control,
            caller,
            id,
            Verb::ExtendVolume,
            json!({ "size": size }),
            decide,
            |_| Changes::new(),
        )
        .await
        .map(drop)
    }

    /// Makes a volume what another type asks for.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn retype(
        &self,
        caller: &Caller,
        id: &str,
        name_or_id: &str,
    ) -> Result<(), ControlError> {
        let kind = self.control.types().find(caller, name_or_id).await?;
        let decide = |volume: &mut Volume| {
            must_be(
                volume,
                &[VolumeStatus::Available, VolumeStatus::InUse],
                "retype",
            )?;
            if let Some(group) = &volume.group_id {
                return Err(ControlError::invalid(format!(
                    "Invalid volume: Volume {} must not be part of a group to retype; it is in group {group}.",
                    volume.id
                )));
            }
            if volume.type_id.as_deref() == Some(&kind.id) {
                return Err(ControlError::input(format!(
                    "New volume_type same as original: {}.",
                    kind.id
                )));
            }
            volume.status = VolumeStatus::Retyping;
            Ok(())
        };
        take_turn(
            self.control,
            caller,
            id,
            Verb::RetypeVolume,
            json!({ "type": kind.id }),
            decide,
            |_| Changes::new(),
        )
        .await
        .map(drop)
    }

    /// Puts a volume back to its newest snapshot.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` when it is not the newest or has another size, `Conflict`.
    pub async fn revert(
        &self,
        caller: &Caller,
        id: &str,
        snapshot: &str,
    ) -> Result<(), ControlError> {
        let volume = self.get(caller, id).await?;
        self.may_change(&volume).await?;
        let query = Query::new()
            .eq("volume_id", id)
            .sort("created_at", Direction::Desc);
        let newest = self.control.store().first::<Snapshot>(&query).await?;
        let mut newest = newest
            .filter(|newest| newest.id == snapshot)
            .ok_or_else(|| {
                ControlError::input(format!(
                    "Snapshot {snapshot} is not the latest one of volume {id}."
                ))
            })?;
        if newest.status != SnapshotStatus::Available || newest.size != volume.size {
            return Err(ControlError::input(format!(
                "Snapshot {snapshot} must be available and of the volume's size, {} GiB.",
                volume.size
            )));
        }
        newest.record.status = SnapshotStatus::Restoring;
        let decide = |volume: &mut Volume| {
            must_be(
                volume,
                &[VolumeStatus::Available, VolumeStatus::InUse],
                "revert",
            )?;
            volume.status = VolumeStatus::Reverting;
            Ok(())
        };
        take_turn(
            self.control,
            caller,
            id,
            Verb::RevertVolume,
            json!({ "snapshot": snapshot }),
            decide,
            |_| Changes::new().update(&newest),
        )
        .await
        .map(drop)
    }

    /// Gives a volume back to the array.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn unmanage(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        if self
            .control
            .store()
            .count::<Snapshot>(&Query::new().eq("volume_id", id))
            .await?
            > 0
        {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {id} has snapshots and cannot be unmanaged."
            )));
        }
        let decide = |volume: &mut Volume| {
            must_be(
                volume,
                &[VolumeStatus::Available, VolumeStatus::Error],
                "unmanage",
            )?;
            if let Some(group) = &volume.group_id {
                return Err(ControlError::invalid(format!(
                    "Invalid volume: Volume {} is in group {group}; remove it from the group first.",
                    volume.id
                )));
            }
            volume.status = VolumeStatus::Unmanaging;
            Ok(())
        };
        take_turn(
            self.control,
            caller,
            id,
            Verb::UnmanageVolume,
            json!({}),
            decide,
            |_| Changes::new(),
        )
        .await
        .map(drop)
    }

    /// Takes over a volume that exists on the array of `host@backend#pool`.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Unavailable`.
    #[allow(clippy::too_many_arguments)] // one for each field of the request
    pub async fn manage(
        &self,
        caller: &Caller,
        host: &str,
        reference: Reference,
        name: Option<String>,
        description: Option<String>,
        volume_type: Option<String>,
        metadata: Metadata,
        bootable: bool,
    ) -> Result<Volume, ControlError> {
        let service = self.control.services().get(host).await?.service;
        let kind = match volume_type {
            Some(name) => Some(self.control.types().find(caller, &name).await?),
            None => None,
        };
        let new = NewOperation::new(
            Verb::ManageVolume,
            "volume",
            uuid::Uuid::now_v7().to_string(),
        )
        .on(&service.backend)
        .step("array");
        let operation = self.control.operations().prepare(
            caller,
            new.input(json!({ "reference": reference, "status": "available" })),
        )?;
        let volume = Volume {
            id: operation.subject.clone(),
            project_id: caller.project_id.clone(),
            user_id: caller.user_id.clone(),
            name,
            description,
            size: 0,
            status: VolumeStatus::Managing,
            previous_status: None,
            migration_status: None,
            availability_zone: service.availability_zone.clone(),
            type_id: kind.as_ref().map(|kind| kind.id.clone()),
            type_name: kind.map(|kind| kind.name),
            snapshot_id: None,
            source_volid: None,
            group_id: None,
            metadata,
            admin_metadata: Metadata::new(),
            image_metadata: Metadata::new(),
            bootable,
            multiattach: false,
            consumes_quota: true,
            backend: Some(service.backend.clone()),
            host: Some(host.to_owned()),
            placement: None,
            replication_status: None,
            generation: 0,
            attachments: Vec::new(),
            operation: Some(operation.id.clone()),
            transfer_id: None,
            created_at: self.control.now(),
            updated_at: None,
            launched_at: None,
        };
        self.control
            .operations()
            .submit(Changes::new().insert(&volume), operation)
            .await?;
        Ok(volume)
    }
}

fn refuse_delete(volume: &Volume) -> ControlError {
    ControlError::invalid(format!(
        "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer to delete; volume {} is {}.",
        volume.id, volume.status
    ))
}
