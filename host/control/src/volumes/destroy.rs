//! Deleting, extending and reverting: the checks before the journal.

use serde_json::json;
use springform_model::cloud::{GoldenImage, Snapshot, SnapshotStatus, Volume, VolumeStatus};
use springform_model::operation::Verb;
use springform_model::replication::relation::Relation;
use springform_store::{Changes, Direction, Query};

use super::Volumes;
use super::turn::{may_change, try_lock};
use crate::attachments::Attachments;
use crate::edit::{TxError, no_more, retry_on_conflict};
use crate::error::ErrorKind;
use crate::images::not_golden;
use crate::ownership::is_visible;
use crate::quotas::{Adds, Quotas};
use crate::specs::full_type;
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
        retry_on_conflict(|| self.try_delete(caller, id, cascade, force)).await
    }

    async fn try_delete(
        &self,
        caller: &Caller,
        id: &str,
        cascade: bool,
        force: bool,
    ) -> Result<(), TxError> {
        let volume = self.stored(caller, id).await?;
        if force && !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Policy doesn't allow volume:force_delete to be performed.",
            )
            .into());
        }
        if volume.host.is_none() && volume.operation.is_none() {
            // It was never placed: there is nothing on any array, and nobody has to wait.
            let changes = Changes::new().delete::<Volume>(id, volume.revision);
            return Ok(self
                .operations
                .store()
                .commit(changes.remove::<Relation>(id))
                .await?);
        }
        may_change(self.operations, &volume).await?;
        if volume.attachments.is_empty() {
            // What is not complete may lead a server to it all the same.
            Attachments::new(self.operations)
                .may_take_all(caller, id)
                .await?;
        }
        let query = Query::new().eq("volume_id", id);
        if let Some(image) = self.operations.store().first::<GoldenImage>(&query).await? {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {id} has the content of image {image}, and volumes are cloned from it; say `springform image \
                 unregister {image}` first.",
                image = image.id
            ))
            .into());
        }
        let snapshots = self.operations.store().list::<Snapshot>(&query).await?;
        if !snapshots.is_empty() && !cascade {
            return Err(refuse_delete(&volume).into());
        }
        for snapshot in &snapshots {
            if !is_visible(caller, &snapshot.record) {
                return Err(refuse_delete(&volume).into());
            }
            may_go_along(snapshot, force)?;
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
            // Force overrules a state, not a server that uses the volume or the group that counts on it.
            let free = volume.attachments.is_empty() && volume.group_id.is_none();
            if !free || (!force && !allowed.contains(&volume.status)) {
                return Err(refuse_delete(volume));
            }
            volume.status = VolumeStatus::Deleting;
            Ok(())
        };
        // They go with the volume, so nobody takes them, and none is added, once it is decided that it goes.
        let take = |volume: &Volume| {
            let all = not_golden(Changes::new(), id);
            let all = no_more::<Snapshot>(all, query.clone(), snapshots.len());
            snapshots.iter().fold(all, |changes, snapshot| {
                let mut going = snapshot.clone();
                going.record.status = SnapshotStatus::Deleting;
                going.record.operation.clone_from(&volume.operation);
                changes.update(&going)
            })
        };
        try_lock(
            self.operations,
            caller,
            volume,
            Verb::DeleteVolume,
            &json!({}),
            decide,
            take,
        )
        .await
        .map(drop)
    }

    /// Grows a volume to so many GiB.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `OverLimit`, `Conflict`.
    pub async fn extend(&self, caller: &Caller, id: &str, size: u64) -> Result<(), ControlError> {
        retry_on_conflict(|| self.try_extend(caller, id, size)).await
    }

    async fn try_extend(&self, caller: &Caller, id: &str, size: u64) -> Result<(), TxError> {
        let operations = self.operations;
        let volume = self.stored(caller, id).await?;
        let full = full_type(operations.store(), volume.type_id.as_deref()).await?;
        let kind = full.as_ref().map(|full| &full.volume_type);
        let guards = Quotas::new(operations)
            .guards(&volume.project_id, Adds::Room(size), kind)
            .await?;
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
            volume.growing_to = Some(size);
            Ok(())
        };
        try_lock(
            self.operations,
            caller,
            volume,
            Verb::ExtendVolume,
            &json!({ "size": size }),
            decide,
            |_| guards.clone(),
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
        retry_on_conflict(|| self.try_revert(caller, id, snapshot)).await
    }

    async fn try_revert(&self, caller: &Caller, id: &str, snapshot: &str) -> Result<(), TxError> {
        let volume = self.stored(caller, id).await?;
        may_change(self.operations, &volume).await?;
        let query = Query::new()
            .eq("volume_id", id)
            .sort("created_at", Direction::Desc);
        let newest = self.operations.store().first::<Snapshot>(&query).await?;
        // The newest of anybody's, lest newer ones lose their place; and the caller's own, as with every source of data.
        let mut newest = newest
            .filter(|newest| newest.id == snapshot && is_visible(caller, &newest.record))
            .ok_or_else(|| {
                ControlError::invalid(format!(
                    "Specified snapshot {snapshot} is None or not the latest one of volume {id}."
                ))
            })?;
        let cannot = format!("Can't revert volume {id} to its latest snapshot {snapshot}.");
        if newest.size != volume.size {
            return Err(ControlError::invalid(format!(
                "{cannot} The volume size must be equal to the snapshot size."
            ))
            .into());
        }
        if newest.status != SnapshotStatus::Available {
            return Err(ControlError::conflict(format!(
                "Invalid snapshot: {cannot} Snapshot's status must be 'available'."
            ))
            .into());
        }
        newest.record.status = SnapshotStatus::Restoring;
        let decide = |volume: &mut Volume| {
            // A server that uses the volume would go on with what it remembers of the old bytes.
            if volume.status != VolumeStatus::Available || !volume.attachments.is_empty() {
                return Err(ControlError::conflict(format!(
                    "Invalid volume: {cannot} Volume's status must be 'available'."
                )));
            }
            volume.status = VolumeStatus::Reverting;
            Ok(())
        };
        try_lock(
            self.operations,
            caller,
            volume,
            Verb::RevertVolume,
            &json!({ "snapshot": snapshot }),
            decide,
            |_| Changes::new().update(&newest),
        )
        .await
        .map(drop)
    }
}

/// Refuses a snapshot that cannot go with its volume.
fn may_go_along(snapshot: &Snapshot, force: bool) -> Result<(), ControlError> {
    if let Some(holder) = &snapshot.operation {
        return Err(ControlError::busy(
            &format!("Snapshot {}", snapshot.id),
            holder,
        ));
    }
    let may = [
        SnapshotStatus::Available,
        SnapshotStatus::Error,
        SnapshotStatus::ErrorDeleting,
    ];
    if force || (may.contains(&snapshot.status) && snapshot.group_snapshot_id.is_none()) {
        return Ok(());
    }
    Err(ControlError::invalid(format!(
        "Invalid volume: Volume {} cannot be deleted with its snapshots: snapshot {} is {}{}.",
        snapshot.volume_id,
        snapshot.id,
        snapshot.status,
        match &snapshot.group_snapshot_id {
            Some(id) => format!(" and part of group snapshot {id}; delete that first"),
            None => String::new(),
        }
    )))
}

fn refuse_delete(volume: &Volume) -> ControlError {
    ControlError::invalid(format!(
        "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer to delete; volume {} is {}.",
        volume.id, volume.status
    ))
}
