//! Changes of a record's metadata, decided on what is there at the commit and not on what somebody read before.

use springform_model::cloud::{Metadata, Snapshot, Volume};

use crate::edit::missing;
use crate::snapshots::Snapshots;
use crate::volumes::Volumes;
use crate::{Caller, ControlError};

/// A change of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entries {
    /// These and no others.
    Replace(Metadata),
    /// These beside those that are there.
    Merge(Metadata),
    /// All but this one.
    Remove(String),
}

impl Entries {
    /// Makes the change on what is there.
    ///
    /// # Errors
    /// `NotFound` for an entry to be removed.
    pub fn apply(&self, metadata: &mut Metadata) -> Result<(), ControlError> {
        match self {
            Self::Replace(entries) => metadata.clone_from(entries),
            Self::Merge(entries) => metadata.extend(entries.clone()),
            Self::Remove(key) => {
                metadata
                    .remove(key)
                    .ok_or_else(|| missing("Metadata item was not found"))?;
            }
        }
        Ok(())
    }
}

impl Volumes<'_> {
    /// Changes a volume's metadata and gives all there is then.
    ///
    /// # Errors
    /// `NotFound` for the volume and for an entry to be removed.
    pub async fn edit_metadata(
        &self,
        caller: &Caller,
        id: &str,
        entries: &Entries,
    ) -> Result<Metadata, ControlError> {
        let decide = |volume: &mut Volume| entries.apply(&mut volume.metadata);
        Ok(self.edit(caller, id, decide).await?.metadata)
    }

    /// Changes what an image would have said of a volume and gives all there is then.
    ///
    /// # Errors
    /// As [`Volumes::edit_metadata`].
    pub async fn edit_image_metadata(
        &self,
        caller: &Caller,
        id: &str,
        entries: &Entries,
    ) -> Result<Metadata, ControlError> {
        let decide = |volume: &mut Volume| entries.apply(&mut volume.image_metadata);
        Ok(self.edit(caller, id, decide).await?.image_metadata)
    }
}

impl Snapshots<'_> {
    /// Changes a snapshot's metadata and gives all there is then.
    ///
    /// # Errors
    /// `NotFound` for the snapshot and for an entry to be removed.
    pub async fn edit_metadata(
        &self,
        caller: &Caller,
        id: &str,
        entries: &Entries,
    ) -> Result<Metadata, ControlError> {
        let decide = |snapshot: &mut Snapshot| entries.apply(&mut snapshot.metadata);
        Ok(self.edit(caller, id, decide).await?.metadata)
    }
}
