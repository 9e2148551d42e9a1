//! Making a group out of another one, or out of a group snapshot: the rows of all its volumes are made with it.

use serde_json::json;
use springform_model::cloud::{Group, GroupSnapshot, GroupStatus, Snapshot, Volume};
use springform_model::operation::Verb;
use springform_store::{Changes, Direction, Query, StoreError};

use super::create::{limit, new_group, over_groups};
use super::{Groups, invalid, still};
use crate::edit::{TxError, is_conflict, retry_on_conflict};
use crate::engine::NewOperation;
use crate::ownership::of_caller;
use crate::quotas::over;
use crate::volumes::{CreateVolume, Volumes, not_frozen};
use crate::{Caller, ControlError};

/// What a group is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSource {
    /// The members of a group as they are now.
    Group(String),
    /// A group snapshot.
    Snapshot(String),
}

/// What the volumes are made from, and what must not change meanwhile.
struct Origin {
    group: Group,
    volumes: Vec<CreateVolume>,
    hold: Changes,
}

impl Groups<'_> {
    /// Makes a group and its volumes. All are `creating` in the answer.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` where the source is empty or in another state, `OverLimit`, `Conflict`.
    pub async fn create_from(
        &self,
        caller: &Caller,
        name: Option<String>,
        description: Option<String>,
        source: GroupSource,
    ) -> Result<Group, ControlError> {
        retry_on_conflict(|| self.copy(caller, name.clone(), description.clone(), source.clone()))
            .await
    }

    async fn copy(
        &self,
        caller: &Caller,
        name: Option<String>,
        description: Option<String>,
        source: GroupSource,
    ) -> Result<Group, TxError> {
        let operations = self.operations;
        let origin = self.origin(caller, &source).await?;
        let from = &origin.group;
        let Some(backend) = from.backend.clone() else {
            return Err(invalid("No host to create group from this source.").into());
        };
        not_frozen(operations, Some(&backend)).await?;
        let mut group = new_group(
            operations,
            caller,
            &from.group_type_id,
            from.availability_zone.clone(),
        );
        group.name = name;
        group.description = description;
        group.volume_type_ids.clone_from(&from.volume_type_ids);
        group.backend.clone_from(&from.backend);
        group.host.clone_from(&from.host);
        match source {
            GroupSource::Group(id) => group.source_group_id = Some(id),
            GroupSource::Snapshot(id) => group.group_snapshot_id = Some(id),
        }
        let mut volumes = Vec::with_capacity(origin.volumes.len());
        let mut changes = limit(operations, caller).await?.and(origin.hold);
        for wanted in origin.volumes {
            let (mut volume, limits) = Volumes::new(operations).draft(caller, wanted).await?;
            volume.group_id = Some(group.id.clone());
            volume.backend = Some(backend.clone());
            volume.host.clone_from(&from.host);
            changes = changes.and(limits);
            volumes.push(volume);
        }
        let members: Vec<&str> = volumes.iter().map(|volume| volume.id.as_str()).collect();
        let new = NewOperation::new(Verb::CreateGroupFrom, "group", &group.id)
            .on(&backend)
            .input(json!({ "volumes": members }));
        let operation = operations.prepare(caller, new)?;
        group.operation = Some(operation.id.clone());
        changes = changes.insert(&group);
        for volume in &mut volumes {
            volume.operation = Some(operation.id.clone());
            changes = changes.insert(volume);
        }
        let size = volumes.iter().map(|volume| volume.size).sum();
        match operations.submit(changes, operation).await {
            Ok(()) => Ok(group),
            Err(error) if is_conflict(&error) => Err(TxError::Conflict),
            Err(StoreError::Limit { name, limit, used }) if name != "groups" => {
                Err(over(&name, limit, used, size).into())
            }
            Err(error) => Err(over_groups(error).into()),
        }
    }

    async fn origin(&self, caller: &Caller, source: &GroupSource) -> Result<Origin, ControlError> {
        match source {
            GroupSource::Group(id) => self.group_origin(caller, id).await,
            GroupSource::Snapshot(id) => self.snapshot_origin(caller, id).await,
        }
    }

    async fn group_origin(&self, caller: &Caller, id: &str) -> Result<Origin, ControlError> {
        let group = self.stored(caller, id).await?;
        if let Some(holder) = &group.operation {
            return Err(ControlError::busy(&format!("Group {id}"), holder));
        }
        if group.status != GroupStatus::Available {
            return Err(invalid(format!(
                "Source group status must be available, but current status is: {}",
                group.status
            )));
        }
        let members = self.members(id).await?;
        if members.is_empty() {
            return Err(invalid("Source Group is empty. No group will be created."));
        }
        let volumes = members.iter().map(|member| CreateVolume {
            source_volid: Some(member.id.clone()),
            ..like(member)
        });
        let hold = Changes::new().unchanged::<Group>(id, group.revision);
        Ok(Origin {
            volumes: volumes.collect(),
            hold: still(hold, id, members.len()),
            group: group.record,
        })
    }

    async fn snapshot_origin(&self, caller: &Caller, id: &str) -> Result<Origin, ControlError> {
        let store = self.operations.store();
        let taken = of_caller::<GroupSnapshot>(self.operations.store(), caller, id).await?;
        if let Some(holder) = &taken.operation {
            return Err(ControlError::busy(&format!("GroupSnapshot {id}"), holder));
        }
        if taken.status != GroupStatus::Available {
            return Err(ControlError::invalid(format!(
                "Invalid GroupSnapshot: Group snapshot status must be available, but current status is: {}",
                taken.status
            )));
        }
        let group = self.stored(caller, &taken.group_id).await?;
        let query = Query::new()
            .eq("group_snapshot_id", id)
            .sort("id", Direction::Asc);
        let snapshots = store.list::<Snapshot>(&query).await?;
        if snapshots.is_empty() {
            return Err(invalid(
                "Group snapshot is empty. No group will be created.",
            ));
        }
        let mut volumes = Vec::with_capacity(snapshots.len());
        for snapshot in &snapshots {
            let origin = store.get::<Volume>(&snapshot.volume_id).await?;
            let origin =
                origin.ok_or_else(|| ControlError::not_found("Volume", &snapshot.volume_id))?;
            volumes.push(CreateVolume {
                size: snapshot.size,
                snapshot_id: Some(snapshot.id.clone()),
                volume_type: snapshot.type_id.clone(),
                ..like(&origin.record)
            });
        }
        Ok(Origin {
            volumes,
            hold: Changes::new().unchanged::<GroupSnapshot>(id, taken.revision),
            group: group.record,
        })
    }
}

/// What a copy of a volume is asked to be.
fn like(volume: &Volume) -> CreateVolume {
    CreateVolume {
        size: volume.size,
        volume_type: volume.type_id.clone(),
        availability_zone: Some(volume.availability_zone.clone()),
        ..CreateVolume::default()
    }
}
