//! Changing a group: its name at once, its members by an operation that holds the group and every volume concerned.

use serde_json::json;
use springform_model::cloud::{Group, GroupStatus, Volume, VolumeStatus};
use springform_model::operation::Verb;
use springform_store::{Changes, Stored};

use super::{Groups, ROUNDS, contended, invalid};
use crate::edit::is_conflict;
use crate::engine::NewOperation;
use crate::volumes::not_frozen;
use crate::{Caller, ControlError, lock};

/// What is changed; none or empty: left as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateGroup {
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Ids of volumes that join.
    pub add: Vec<String>,
    /// Ids of volumes that leave.
    pub remove: Vec<String>,
}

const MAY_LEAVE: [VolumeStatus; 4] = [
    VolumeStatus::Available,
    VolumeStatus::InUse,
    VolumeStatus::Error,
    VolumeStatus::ErrorDeleting,
];
const MAY_JOIN: [VolumeStatus; 2] = [VolumeStatus::Available, VolumeStatus::InUse];

fn volume(why: impl std::fmt::Display) -> ControlError {
    ControlError::invalid(format!("Invalid volume: {why}"))
}

fn words(states: &[VolumeStatus]) -> String {
    let words: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
    format!("({})", words.join(", "))
}

impl Groups<'_> {
    /// Changes a group. With members to change it is `updating` in the answer.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict`.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &str,
        wanted: UpdateGroup,
    ) -> Result<Group, ControlError> {
        for _ in 0..ROUNDS {
            let mut group = self.stored(caller, id).await?;
            if let Some(both) = wanted.add.iter().find(|id| wanted.remove.contains(id)) {
                return Err(volume(format!(
                    "UUIDs ['{both}'] are in both add and remove volume list."
                )));
            }
            let name = wanted
                .name
                .clone()
                .filter(|new| Some(new) != group.name.as_ref());
            let text = wanted
                .description
                .clone()
                .filter(|new| Some(new) != group.description.as_ref());
            let touched: Vec<String> = wanted.add.iter().chain(&wanted.remove).cloned().collect();
            let store = self.operations.store();
            let touched = store.get_many::<Volume>(&touched).await?;
            // Read after whoever has one of them for a moment only is done.
            lock::passed(self.operations, &touched).await?;
            let joining = self.joining(&group, &wanted.add).await?;
            let leaving = self.leaving(&group, &wanted.remove).await?;
            let members_change = !joining.is_empty() || !leaving.is_empty();
            if name.is_none() && text.is_none() && !members_change {
                return Err(invalid(format!(
                    "Cannot update group {id} because no valid name, description, add_volumes, or remove_volumes were provided."
                )));
            }
            if let Some(holder) = &group.operation {
                return Err(ControlError::busy(&format!("Group {id}"), holder));
            }
            if members_change && group.status != GroupStatus::Available {
                return Err(invalid("Group status must be available."));
            }
            let record = &mut group.record;
            record.name = name.or(record.name.take());
            record.description = text.or(record.description.take());
            record.updated_at = Some(self.operations.now());
            let outcome = if members_change {
                not_frozen(self.operations, group.backend.as_deref()).await?;
                self.begin(caller, &mut group, joining, leaving).await?
            } else {
                self.operations
                    .store()
                    .commit(Changes::new().update(&group))
                    .await
            };
            match outcome {
                Ok(()) => return Ok(group.record),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(id))
    }

    async fn begin(
        &self,
        caller: &Caller,
        group: &mut Stored<Group>,
        joining: Vec<Stored<Volume>>,
        leaving: Vec<Stored<Volume>>,
    ) -> Result<Result<(), springform_store::StoreError>, ControlError> {
        let ids = |volumes: &[Stored<Volume>]| -> Vec<String> {
            volumes.iter().map(|volume| volume.id.clone()).collect()
        };
        let new = NewOperation::new(Verb::UpdateGroup, "group", &group.id)
            .on(group.backend.clone().unwrap_or_default())
            .input(json!({ "add": ids(&joining), "remove": ids(&leaving) }));
        let operation = self.operations.prepare(caller, new)?;
        group.record.status = GroupStatus::Updating;
        group.record.operation = Some(operation.id.clone());
        let mut changes = Changes::new().update(group);
        for mut held in joining.into_iter().chain(leaving) {
            held.record.operation = Some(operation.id.clone());
            changes = changes.update(&held);
        }
        Ok(self.operations.submit(changes, operation).await)
    }

    /// Those of `wanted` that are not members yet; each may join or all are refused.
    async fn joining(
        &self,
        group: &Group,
        wanted: &[String],
    ) -> Result<Vec<Stored<Volume>>, ControlError> {
        let mut joining = Vec::with_capacity(wanted.len());
        for id in wanted {
            let refuse = |why: String| {
                volume(format!(
                    "Cannot add volume {id} to group {} because {why}",
                    group.id
                ))
            };
            let found = self.operations.store().get::<Volume>(id).await?;
            // A volume of another project is none, for whoever owns the group.
            let found = found
                .filter(|found| found.project_id == group.project_id)
                .ok_or_else(|| refuse("volume cannot be found.".to_owned()))?;
            match found.group_id.as_deref() {
                Some(own) if own == group.id => continue,
                Some(other) => {
                    return Err(refuse(format!("it is already in group {other}.")));
                }
                None => {}
            }
            let Some(kind) = &found.type_id else {
                return Err(refuse("it has no volume type.".to_owned()));
            };
            if !group.volume_type_ids.contains(kind) {
                return Err(refuse(format!(
                    "volume type {kind} is not supported by the group."
                )));
            }
            if !MAY_JOIN.contains(&found.status) {
                return Err(refuse(format!(
                    "volume is in an invalid state: {}. Valid states are: {}.",
                    found.status,
                    words(&MAY_JOIN)
                )));
            }
            if found.backend != group.backend {
                return Err(volume("Volume is not local to this node."));
            }
            free(&found)?;
            joining.push(found);
        }
        Ok(joining)
    }

    async fn leaving(
        &self,
        group: &Group,
        wanted: &[String],
    ) -> Result<Vec<Stored<Volume>>, ControlError> {
        let mut leaving = Vec::with_capacity(wanted.len());
        for id in wanted {
            let refuse = |why: String| {
                volume(format!(
                    "Cannot remove volume {id} from group {} because {why}",
                    group.id
                ))
            };
            let found = self.operations.store().get::<Volume>(id).await?;
            let found = found
                .filter(|found| found.group_id.as_deref() == Some(&group.id))
                .ok_or_else(|| refuse("it is not in the group.".to_owned()))?;
            if !MAY_LEAVE.contains(&found.status) {
                return Err(refuse(format!(
                    "volume is in an invalid state: {}. Valid states are: {}.",
                    found.status,
                    words(&MAY_LEAVE)
                )));
            }
            free(&found)?;
            leaving.push(found);
        }
        Ok(leaving)
    }
}

/// Refuses a volume whose turn another operation has.
pub(super) fn free(volume: &Volume) -> Result<(), ControlError> {
    match &volume.operation {
        Some(holder) => Err(ControlError::busy(&format!("Volume {}", volume.id), holder)),
        None => Ok(()),
    }
}
