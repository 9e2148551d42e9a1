//! Deleting a group, with its volumes where that is asked for.

use serde_json::json;
use springform_model::cloud::{Group, GroupSnapshot, GroupStatus, Snapshot, Volume, VolumeStatus};
use springform_model::operation::Verb;
use springform_store::{Changes, Query};

use super::update::free;
use super::{Groups, ROUNDS, contended, invalid, still};
use crate::edit::{is_conflict, no_more};
use crate::engine::NewOperation;
use crate::volumes::not_frozen;
use crate::{Caller, ControlError, lock};

impl Groups<'_> {
    /// Deletes a group; `with_volumes` takes its members with it and does not ask for the group's state.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with group snapshots, with attached volumes or volumes that have snapshots, with members
    /// unless they go too, or while a group is being made from it; `Conflict` while an operation holds it or a member.
    pub async fn delete(
        &self,
        caller: &Caller,
        id: &str,
        with_volumes: bool,
    ) -> Result<(), ControlError> {
        let operations = self.operations;
        let store = operations.store();
        for _ in 0..ROUNDS {
            let mut group = self.stored(caller, id).await?;
            not_frozen(operations, group.backend.as_deref()).await?;
            if let Some(holder) = &group.operation {
                return Err(ControlError::busy(&format!("Group {id}"), holder));
            }
            let idle = [GroupStatus::Available, GroupStatus::Error];
            // A group that no backend took has nothing that could be lost.
            if group.backend.is_some() && !with_volumes && !idle.contains(&group.status) {
                return Err(invalid(format!(
                    "Group status must be available or error, but current status is: {}",
                    group.status
                )));
            }
            let none = Query::new().eq("group_id", id);
            if store.count::<GroupSnapshot>(&none).await? > 0 {
                return Err(invalid("Group has existing snapshots."));
            }
            let members = self.members(id).await?;
            if !members.is_empty() && !with_volumes {
                return Err(invalid(format!(
                    "Group {id} still contains volumes. The delete-volumes flag is required to delete it."
                )));
            }
            let ids: Vec<String> = members.iter().map(|member| member.id.clone()).collect();
            if members.iter().any(|member| is_used(member)) {
                return Err(invalid(format!(
                    "Volume in group {id} is attached. Need to detach first."
                )));
            }
            let theirs = Query::new().is_in("volume_id", ids.iter().map(String::as_str));
            if !ids.is_empty() && store.count::<Snapshot>(&theirs).await? > 0 {
                return Err(invalid("Volume in group still has dependent snapshots."));
            }
            let being_copied = Query::new()
                .eq("source_group_id", id)
                .eq("status", GroupStatus::Creating.as_str());
            if store.count::<Group>(&being_copied).await? > 0 {
                return Err(invalid(format!(
                    "Cannot delete group {id}. It cannot be the source for an ongoing group or group snapshot creation."
                )));
            }
            if lock::passed(operations, &members).await? {
                continue;
            }
            for member in &members {
                free(member)?;
            }
            let guards = still(Changes::new(), id, ids.len());
            let guards = no_more::<GroupSnapshot>(guards, none, 0);
            let mut guards = no_more::<Group>(guards, being_copied, 0);
            if !ids.is_empty() {
                guards = no_more::<Snapshot>(guards, theirs, 0);
            }
            if group.backend.is_none() {
                match store
                    .commit(guards.delete::<Group>(id, group.revision))
                    .await
                {
                    Ok(()) => return Ok(()),
                    Err(error) if is_conflict(&error) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let new = NewOperation::new(Verb::DeleteGroup, "group", id)
                .on(group.backend.clone().unwrap_or_default())
                .input(json!({ "volumes": ids }));
            let operation = operations.prepare(caller, new)?;
            group.record.status = GroupStatus::Deleting;
            group.record.operation = Some(operation.id.clone());
            group.record.updated_at = Some(operations.now());
            let mut changes = guards.update(&group);
            for mut member in members {
                member.record.status = VolumeStatus::Deleting;
                member.record.operation = Some(operation.id.clone());
                changes = changes.update(&member);
            }
            match operations.submit(changes, operation).await {
                Ok(()) => return Ok(()),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(id))
    }
}

/// Whether a host reaches the volume, or is about to.
fn is_used(member: &Volume) -> bool {
    let reached = [
        VolumeStatus::Reserved,
        VolumeStatus::Attaching,
        VolumeStatus::InUse,
        VolumeStatus::Detaching,
    ];
    !member.attachments.is_empty() || reached.contains(&member.status)
}
