//! The steps that Nova takes before and after it attaches: reserve, unreserve, begin and roll back detaching.

use springform_model::cloud::{Volume, VolumeStatus};

use super::Volumes;
use super::destroy::must_be;
use crate::{Caller, ControlError};

impl Volumes<'_> {
    /// Keeps a volume for an attachment that is about to be made.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`.
    pub async fn reserve(&self, caller: &Caller, id: &str) -> Result<Volume, ControlError> {
        self.edit(caller, id, |volume| {
            if volume.multiattach && volume.status == VolumeStatus::InUse {
                return Ok(());
            }
            must_be(
                volume,
                &[VolumeStatus::Available, VolumeStatus::Downloading],
                "reserve",
            )?;
            volume.status = VolumeStatus::Attaching;
            Ok(())
        })
        .await
    }

    /// Gives a reserved volume free.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn unreserve(&self, caller: &Caller, id: &str) -> Result<Volume, ControlError> {
        self.edit(caller, id, |volume| {
            if volume.status == VolumeStatus::Attaching {
                volume.status = if volume.attachments.is_empty() {
                    VolumeStatus::Available
                } else {
                    VolumeStatus::InUse
                };
            }
            Ok(())
        })
        .await
    }

    /// Says that a detachment is about to begin.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`.
    pub async fn begin_detaching(&self, caller: &Caller, id: &str) -> Result<Volume, ControlError> {
        self.edit(caller, id, |volume| {
            must_be(volume, &[VolumeStatus::InUse], "detach")?;
            volume.status = VolumeStatus::Detaching;
            Ok(())
        })
        .await
    }

    /// Says that it will not be detached after all.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn roll_detaching(&self, caller: &Caller, id: &str) -> Result<Volume, ControlError> {
        self.edit(caller, id, |volume| {
            if volume.status == VolumeStatus::Detaching {
                volume.status = VolumeStatus::InUse;
            }
            Ok(())
        })
        .await
    }
}
