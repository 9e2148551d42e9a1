//! Images without an image service: an operator says which volume has the content of an image, and volumes of the image are
//! cloned from it on the array (decision 12).

use springform_model::cloud::{GoldenImage, Metadata, Volume, VolumeStatus};
use springform_store::{Changes, Direction, Query, Store, StoreError, Stored};

use crate::context::Context;
use crate::edit::{TxError, missing, retry_on_conflict};
use crate::ownership::of_caller;
use crate::{Caller, ControlError};

/// Golden volumes, by the image.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    context: &'a Context,
    store: &'a Store,
}

/// What is registered.
#[derive(Debug, Clone, Default)]
pub struct RegisterImage {
    /// Id of the image.
    pub image_id: String,
    /// The volume.
    pub volume_id: String,
    /// Name of the image.
    pub name: Option<String>,
    /// Further metadata that its volumes show.
    pub properties: Metadata,
}

impl<'a> Images<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
            context,
        }
    }

    /// Says that a volume has the content of an image. Whoever may make volumes may make them of it.
    ///
    /// # Errors
    /// `NotFound` where there is no such volume, `Invalid` unless it is available, `Conflict` for an image that has one.
    pub async fn register(
        &self,
        caller: &Caller,
        wanted: RegisterImage,
    ) -> Result<GoldenImage, ControlError> {
        retry_on_conflict(|| self.try_register(caller, &wanted)).await
    }

    async fn try_register(
        &self,
        caller: &Caller,
        wanted: &RegisterImage,
    ) -> Result<GoldenImage, TxError> {
        let volume = of_caller::<Volume>(self.store, caller, &wanted.volume_id).await?;
        if volume.status != VolumeStatus::Available {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} is {}; it has to be available, so that nobody writes to it.",
                volume.id, volume.status
            ))
            .into());
        }
        let mut metadata = wanted.properties.clone();
        metadata.insert("image_id".to_owned(), wanted.image_id.clone());
        if let Some(name) = &wanted.name {
            metadata.insert("image_name".to_owned(), name.clone());
        }
        let made = GoldenImage {
            id: wanted.image_id.clone(),
            volume_id: volume.id.clone(),
            metadata,
            created_at: self.context.now(),
        };
        let changes = Changes::new()
            .insert(&made)
            .unchanged::<Volume>(&volume.id, volume.revision);
        match self.store.commit(changes).await {
            Ok(()) => Ok(made),
            Err(StoreError::Duplicate { .. }) => Err(ControlError::conflict(format!(
                "Image {} has a volume already; unregister it first.",
                made.id
            ))
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Those of a page, by id; `after`: the last one of the page before.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, after: Option<&str>) -> Result<Vec<GoldenImage>, ControlError> {
        let mut query = Query::new().sort("id", Direction::Asc).limit(1000);
        if let Some(after) = after {
            query = query.marker(after);
        }
        let found = self.store.list::<GoldenImage>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Forgets which volume has the content of an image. The volume, and what was cloned from it, stay.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn unregister(&self, id: &str) -> Result<(), ControlError> {
        let found = self.store.get::<GoldenImage>(id).await?;
        let found =
            found.ok_or_else(|| missing(format!("No volume is registered for image {id}.")))?;
        let changes = Changes::new().delete::<GoldenImage>(id, found.revision);
        Ok(self.store.commit(changes).await?)
    }

    /// The golden volume of an image, with what its volumes show.
    pub(crate) async fn golden(
        &self,
        id: &str,
    ) -> Result<(GoldenImage, Stored<Volume>), ControlError> {
        let unknown = || {
            ControlError::input(
                "Invalid image identifier or unable to access requested image: no volume is registered for it, and this service is \
                 not connected to an image service.",
            )
        };
        let found = self
            .store
            .get::<GoldenImage>(id)
            .await?
            .ok_or_else(unknown)?;
        let volume = self.store.get::<Volume>(&found.volume_id).await?;
        Ok((found.record, volume.ok_or_else(unknown)?))
    }
}

/// Only if no image is registered that has its content in this volume.
pub(crate) fn not_golden(changes: Changes, volume: &str) -> Changes {
    crate::edit::no_more::<GoldenImage>(changes, Query::new().eq("volume_id", volume), 0)
}
