//! The volume type that volumes get when none is named: that of the project, or else that of the installation.

use springform_model::cloud::{DefaultType, Metadata, VolumeType};
use springform_store::{Changes, Direction, Query, StoreError, Stored};
use uuid::Uuid;

use crate::context::Context;
use crate::edit::{missing, retry_on_conflict};
use crate::types::{BUILT_IN, Types};
use crate::{Caller, ControlError, ErrorKind};

/// Default types of projects.
#[derive(Debug, Clone, Copy)]
pub struct DefaultTypes<'a> {
    context: &'a Context,
}

impl<'a> DefaultTypes<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    /// Gives a project a default type, by name or id.
    ///
    /// # Errors
    /// `Invalid` where there is no such type.
    pub async fn set(
        &self,
        caller: &Caller,
        project: &str,
        kind: &str,
    ) -> Result<DefaultType, ControlError> {
        retry_on_conflict(|| async {
            let found = Types::new(self.context).stored(caller, kind).await;
            let found = found.map_err(|error| match error.kind {
                ErrorKind::NotFound => ControlError::invalid(error.message),
                _ => error,
            })?;
            let made = DefaultType {
                project_id: project.to_owned(),
                type_id: found.id.clone(),
            };
            let changes = Changes::new()
                .put(&made)
                .unchanged::<VolumeType>(&found.id, found.revision);
            self.context.store().commit(changes).await?;
            Ok(made)
        })
        .await
    }

    /// The default type of a project that has one of its own.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, project: &str) -> Result<DefaultType, ControlError> {
        let found = self.context.store().get::<DefaultType>(project).await?;
        found
            .map(|stored| stored.record)
            .ok_or_else(|| missing(format!("Default type for project {project} not found.")))
    }

    /// Those of all projects, at most 1,000 at a time; `after`: the last project of the page before.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, after: Option<&str>) -> Result<Vec<DefaultType>, ControlError> {
        let mut query = Query::new().sort("id", Direction::Asc).limit(1000);
        if let Some(after) = after {
            query = query.marker(after);
        }
        let found = self.context.store().list::<DefaultType>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Takes the default type of a project away. None is no error, as in Cinder.
    ///
    /// # Errors
    /// What the store says.
    pub async fn unset(&self, project: &str) -> Result<(), ControlError> {
        let changes = Changes::new().remove::<DefaultType>(project);
        Ok(self.context.store().commit(changes).await?)
    }

    /// The type that a volume of this caller gets when none is named; none where nothing says.
    ///
    /// # Errors
    /// `NotFound` where the configuration names a type that there is not.
    pub async fn of(&self, caller: &Caller) -> Result<Option<VolumeType>, ControlError> {
        Ok(self.stored(caller).await?.map(|stored| stored.record))
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
    ) -> Result<Option<Stored<VolumeType>>, ControlError> {
        let store = self.context.store();
        let own = store.get::<DefaultType>(&caller.project_id).await?;
        // Whoever set it was an administrator: it holds even for a type the project does not see otherwise.
        if let Some(own) = own
            && let Some(found) = store.get::<VolumeType>(&own.type_id).await?
        {
            return Ok(Some(found));
        }
        match &self.context.config().default_type {
            Some(name) => Types::new(self.context)
                .stored(caller, name)
                .await
                .map(Some),
            None => Ok(store.find::<VolumeType>("name", BUILT_IN).await?),
        }
    }

    /// Makes the type that volumes have for which nothing says one, where there is none yet.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn make_built_in(&self) -> Result<(), ControlError> {
        let store = self.context.store();
        let configured = self.context.config().default_type.is_some();
        if configured || store.find::<VolumeType>("name", BUILT_IN).await?.is_some() {
            return Ok(());
        }
        let made = VolumeType {
            id: Uuid::new_v4().to_string(),
            name: BUILT_IN.to_owned(),
            description: Some("Default Volume Type".to_owned()),
            is_public: true,
            projects: Vec::new(),
            extra_specs: Metadata::new(),
            qos_specs_id: None,
            encryption: None,
            created_at: self.context.now(),
            updated_at: None,
        };
        match store.commit(Changes::new().insert(&made)).await {
            // Another host on the same database was faster.
            Ok(()) | Err(StoreError::Duplicate { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}
