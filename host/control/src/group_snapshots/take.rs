//! Taking a group snapshot: the rows of all its snapshots are made with it, in one commit.

use std::collections::BTreeSet;

use serde_json::json;
use springform_model::cloud::{
    Group, GroupSnapshot, GroupStatus, Metadata, Snapshot, SnapshotStatus, Volume, VolumeStatus,
};
use springform_model::operation::Verb;
use springform_store::{Changes, StoreError, Stored};
use uuid::Uuid;

use super::GroupSnapshots;
use crate::edit::is_conflict;
use crate::engine::NewOperation;
use crate::groups::{Groups, ROUNDS, contended, invalid, still};
use crate::ownership::of_caller;
use crate::quotas::{Adds, Quotas, over};
use crate::specs::full_type;
use crate::volumes::not_frozen;
use crate::{Caller, ControlError};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CreateGroupSnapshot {
    /// Group.
    pub group_id: String,
    /// Name, of it and of each of its snapshots.
    pub name: Option<String>,
    /// Description, likewise.
    pub description: Option<String>,
}

impl GroupSnapshots<'_> {
    /// Takes a snapshot of every member. It is `creating` in the answer. Volumes in use are included.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a group or a member in another state, `OverLimit`, `Conflict`.
    pub async fn create(
        &self,
        caller: &Caller,
        wanted: CreateGroupSnapshot,
    ) -> Result<GroupSnapshot, ControlError> {
        let operations = self.operations;
        for _ in 0..ROUNDS {
            let mut group =
                of_caller::<Group>(operations.store(), caller, &wanted.group_id).await?;
            not_frozen(operations, group.backend.as_deref()).await?;
            if let Some(holder) = &group.operation {
                return Err(ControlError::busy(&format!("Group {}", group.id), holder));
            }
            if group.status != GroupStatus::Available {
                return Err(invalid(format!(
                    "Group status must be available, but current status is: {}",
                    group.status
                )));
            }
            let members = Groups::new(operations).members(&group.id).await?;
            for member in &members {
                may_be_taken(member)?;
            }
            let id = Uuid::now_v7().to_string();
            let mut snapshots: Vec<Snapshot> = members
                .iter()
                .map(|member| self.snapshot(caller, &wanted, member, &id))
                .collect();
            let ids: Vec<&str> = snapshots
                .iter()
                .map(|snapshot| snapshot.id.as_str())
                .collect();
            let new = NewOperation::new(Verb::CreateGroupSnapshot, "group-snapshot", &id)
                .on(group.backend.clone().unwrap_or_default())
                .input(json!({ "snapshots": ids }));
            let operation = operations.prepare(caller, new)?;
            let taken = GroupSnapshot {
                id,
                project_id: caller.project_id.clone(),
                user_id: caller.user_id.clone(),
                group_id: group.id.clone(),
                name: wanted.name.clone(),
                description: wanted.description.clone(),
                status: GroupStatus::Creating,
                group_type_id: group.group_type_id.clone(),
                consistent: false,
                operation: Some(operation.id.clone()),
                created_at: operations.now(),
                updated_at: None,
            };
            // The group's turn keeps its members what they are until the snapshot is taken.
            group.record.operation = Some(operation.id.clone());
            let mut changes = self.limit(caller, &members).await?;
            changes = still(changes, &group.id, members.len())
                .update(&group)
                .insert(&taken);
            for member in &members {
                changes = changes.unchanged::<Volume>(&member.id, member.revision);
            }
            for snapshot in &mut snapshots {
                snapshot.operation = Some(operation.id.clone());
                changes = changes.insert(snapshot);
            }
            match operations.submit(changes, operation).await {
                Ok(()) => return Ok(taken),
                Err(error) if is_conflict(&error) => {}
                Err(StoreError::Limit { name, limit, used }) => {
                    let size = members.iter().map(|member| member.size).sum();
                    return Err(over(&name, limit, used, size));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(&wanted.group_id))
    }

    /// The limits of all members' types; a limit of the project stands once for each, which does no harm.
    async fn limit(
        &self,
        caller: &Caller,
        members: &[Stored<Volume>],
    ) -> Result<Changes, ControlError> {
        let kinds: BTreeSet<Option<&str>> = members
            .iter()
            .map(|member| member.type_id.as_deref())
            .collect();
        let mut changes = Changes::new();
        for kind in kinds {
            let full = full_type(self.operations.store(), kind).await?;
            let kind = full.as_ref().map(|full| &full.volume_type);
            let quotas = Quotas::new(self.operations);
            let guards = quotas.guards(&caller.project_id, Adds::Snapshot, kind);
            changes = changes.and(guards.await?);
        }
        Ok(changes)
    }

    fn snapshot(
        &self,
        caller: &Caller,
        wanted: &CreateGroupSnapshot,
        member: &Volume,
        group_snapshot: &str,
    ) -> Snapshot {
        Snapshot {
            id: Uuid::now_v7().to_string(),
            project_id: caller.project_id.clone(),
            user_id: caller.user_id.clone(),
            volume_id: member.id.clone(),
            name: wanted.name.clone(),
            description: wanted.description.clone(),
            size: member.size,
            status: SnapshotStatus::Creating,
            progress: "0%".to_owned(),
            metadata: Metadata::new(),
            image_metadata: Some(member.image_to_inherit()),
            group_snapshot_id: Some(group_snapshot.to_owned()),
            type_id: member.type_id.clone(),
            consumes_quota: true,
            backend: member.backend.clone(),
            array_name: None,
            target: member
                .placement
                .as_ref()
                .map(|placement| placement.target.clone()),
            operation: None,
            created_at: self.operations.now(),
            updated_at: None,
        }
    }
}

fn may_be_taken(member: &Volume) -> Result<(), ControlError> {
    if matches!(member.status, VolumeStatus::Available | VolumeStatus::InUse) {
        return Ok(());
    }
    Err(ControlError::invalid(format!(
        "Invalid volume: The snapshot cannot be created when the volume {} is in {} status.",
        member.id, member.status
    )))
}
