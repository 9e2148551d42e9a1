//! What a group asks of a volume that is made in it.

use springform_model::cloud::{Group, GroupStatus};
use springform_store::Stored;

use super::{CreateVolume, Volumes};
use crate::ownership::of_caller;
use crate::specs::FullType;
use crate::{Caller, ControlError};

impl Volumes<'_> {
    /// The group a new volume goes to, where one is named.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a type that is none of the group's or a group in another state; `Conflict` while an
    /// operation changes the group.
    pub(super) async fn group_of(
        &self,
        caller: &Caller,
        wanted: &CreateVolume,
        full: Option<&FullType>,
    ) -> Result<Option<Stored<Group>>, ControlError> {
        let Some(id) = &wanted.group_id else {
            return Ok(None);
        };
        let group = of_caller::<Group>(self.operations.store(), caller, id).await?;
        // The type of volumes that name none is no answer: a group is for the types it was made for.
        let from = wanted.snapshot_id.is_some() || wanted.source_volid.is_some();
        let named = wanted.volume_type.is_some() || from;
        let Some(full) = full.filter(|_| named) else {
            return Err(ControlError::input(
                "volume_type must be provided when creating a volume in a group.",
            ));
        };
        if !group.volume_type_ids.contains(&full.volume_type.id) {
            return Err(ControlError::input(format!(
                "Invalid volume_type provided: {} (requested type must be supported by this group).",
                full.volume_type.id
            )));
        }
        if let Some(holder) = &group.operation {
            return Err(ControlError::busy(&format!("Group {id}"), holder));
        }
        if group.status != GroupStatus::Available {
            return Err(ControlError::invalid(format!(
                "Invalid Group: Originating group status must be one of 'available' values, but it is {}",
                group.status
            )));
        }
        Ok(Some(group))
    }
}
