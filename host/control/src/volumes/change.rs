//! Changes of a volume's row that no array needs to know of.

use springform_model::cloud::{Metadata, Volume, VolumeStatus};

use super::Volumes;
use crate::attachments::Attachments;
use crate::error::ErrorKind;
use crate::ownership::edit_of_caller;
use crate::{Caller, ControlError};

/// What is changed; none: left as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateVolume {
    /// Name; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// Description.
    pub description: Option<Option<String>>,
    /// Metadata, replaced as a whole.
    pub metadata: Option<Metadata>,
    /// Only if its metadata is still this.
    pub only_if_metadata: Option<Metadata>,
    /// Image metadata, replaced as a whole.
    pub image_metadata: Option<Metadata>,
    /// Boots.
    pub bootable: Option<bool>,
    /// Read-only to instances.
    pub readonly: Option<bool>,
}

impl Volumes<'_> {
    /// Changes what the user says of a volume.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` where [`UpdateVolume::only_if_metadata`] does not hold, or what the store says.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &str,
        wanted: UpdateVolume,
    ) -> Result<Volume, ControlError> {
        self.edit(caller, id, |volume| {
            if let Some(seen) = &wanted.only_if_metadata
                && *seen != volume.metadata
            {
                return Err(ControlError::conflict(format!(
                    "The metadata of volume {id} was changed meanwhile."
                )));
            }
            if let Some(name) = &wanted.name {
                volume.name.clone_from(name);
            }
            if let Some(description) = &wanted.description {
                volume.description.clone_from(description);
            }
            if let Some(metadata) = &wanted.metadata {
                volume.metadata.clone_from(metadata);
            }
            if let Some(metadata) = &wanted.image_metadata {
                volume.image_metadata.clone_from(metadata);
            }
            volume.bootable = wanted.bootable.unwrap_or(volume.bootable);
            if let Some(readonly) = wanted.readonly {
                super::destroy::must_be(
                    volume,
                    &[VolumeStatus::Available],
                    "update readonly flag",
                )?;
                volume.admin_metadata.insert(
                    "readonly".to_owned(),
                    if readonly { "True" } else { "False" }.to_owned(),
                );
            }
            Ok(())
        })
        .await
    }

    /// Sets states as an administrator says, without asking the array.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Invalid` for a word that is no state.
    pub async fn reset_status(
        &self,
        caller: &Caller,
        id: &str,
        status: Option<&str>,
        attach_status: Option<&str>,
        migration_status: Option<&str>,
    ) -> Result<Volume, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Policy doesn't allow volume_extension:volume_admin_actions:reset_status to be performed.",
            ));
        }
        let status = status
            .map(|status| status.to_ascii_lowercase().parse::<VolumeStatus>())
            .transpose();
        let status = status.map_err(|error| {
            ControlError::input(format!("Must specify a valid status: {error}"))
        })?;
        let attach_status = attach_status.map(str::to_ascii_lowercase);
        let attach_status = attach_status.as_deref();
        // A server that still uses the volume would share it with whoever gets it next.
        if attach_status == Some("detached") || status == Some(VolumeStatus::Available) {
            self.get(caller, id).await?;
            Attachments::new(self.operations)
                .may_take_all(caller, id)
                .await?;
        }
        self.edit(caller, id, |volume| {
            volume.status = status.unwrap_or(volume.status);
            if attach_status == Some("detached") {
                volume.attachments.clear();
            }
            if let Some(word) = migration_status {
                volume.migration_status = Some(word.to_owned()).filter(|word| word != "none");
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn edit(
        &self,
        caller: &Caller,
        id: &str,
        mut decide: impl FnMut(&mut Volume) -> Result<(), ControlError>,
    ) -> Result<Volume, ControlError> {
        let now = self.operations.now();
        edit_of_caller(
            self.operations.store(),
            caller,
            id,
            |volume: &mut Volume| {
                decide(volume)?;
                volume.updated_at = Some(now);
                Ok(())
            },
        )
        .await
    }
}
