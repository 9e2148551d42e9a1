//! Types of generic groups.

use springform_model::cloud::{Group, GroupType, Metadata};
use springform_model::time::Timestamp;
use springform_store::{Changes, Measure, Query, Store, StoreError, Stored};
use uuid::Uuid;

use crate::context::Context;
use crate::edit::{TxError, edit, is_duplicate, missing, retry_on_conflict};
use crate::{Caller, ControlError};

/// Group types, read and changed.
#[derive(Debug, Clone, Copy)]
pub struct GroupTypes<'a> {
    store: &'a Store,
}

fn unknown(id: &str) -> ControlError {
    missing(format!("Group type {id} could not be found."))
}

fn taken(name: &str) -> ControlError {
    ControlError::conflict(format!("Group Type {name} already exists."))
}

fn visible(caller: &Caller, found: &GroupType) -> bool {
    found.is_public || caller.is_admin
}

impl<'a> GroupTypes<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
        }
    }

    /// Makes a group type.
    ///
    /// # Errors
    /// Conflict where the name is taken.
    pub async fn create(
        &self,
        name: String,
        description: Option<String>,
        is_public: bool,
        group_specs: Metadata,
    ) -> Result<GroupType, ControlError> {
        let id = Uuid::new_v4().to_string();
        let made = GroupType {
            id,
            name,
            description,
            is_public,
            group_specs,
            created_at: Timestamp::now(),
            updated_at: None,
        };
        match self.store.commit(Changes::new().insert(&made)).await {
            Ok(()) => Ok(made),
            Err(StoreError::Duplicate { .. }) => Err(taken(&made.name)),
            Err(other) => Err(other.into()),
        }
    }

    /// One, by id or name.
    ///
    /// # Errors
    /// Not found where there is none, or where it is not public and the caller no administrator.
    pub async fn find(&self, caller: &Caller, name_or_id: &str) -> Result<GroupType, ControlError> {
        Ok(self.stored(caller, name_or_id).await?.record)
    }

    /// One, by id.
    ///
    /// # Errors
    /// As [`GroupTypes::find`].
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<GroupType, ControlError> {
        let found = self.store.get::<GroupType>(id).await?;
        let found = found.map(|stored| stored.record);
        found
            .filter(|found| visible(caller, found))
            .ok_or_else(|| unknown(id))
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Stored<GroupType>, ControlError> {
        let by_id = self.store.get::<GroupType>(name_or_id).await?;
        let found = match by_id {
            Some(found) => Some(found),
            None => {
                self.store
                    .first::<GroupType>(&Query::new().eq("name", name_or_id))
                    .await?
            }
        };
        found
            .filter(|found| visible(caller, found))
            .ok_or_else(|| unknown(name_or_id))
    }

    /// A page of them. `public`: of which kind; none: of both, for administrators.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        caller: &Caller,
        public: Option<bool>,
        query: Query,
    ) -> Result<Vec<GroupType>, ControlError> {
        let public = if caller.is_admin { public } else { Some(true) };
        let query = match public {
            Some(public) => query.eq("is_public", public),
            None => query,
        };
        Ok(self
            .store
            .list::<GroupType>(&query)
            .await?
            .into_iter()
            .map(|stored| stored.record)
            .collect())
    }

    /// Changes name, description or visibility; none: as it is.
    ///
    /// # Errors
    /// Not found; conflict where the name is taken.
    pub async fn update(
        &self,
        id: &str,
        name: Option<String>,
        description: Option<String>,
        is_public: Option<bool>,
    ) -> Result<GroupType, ControlError> {
        let changed = edit::<GroupType, _, _>(
            self.store,
            id,
            || unknown(id),
            |found| {
                if let Some(name) = &name {
                    found.name.clone_from(name);
                }
                if description.is_some() {
                    found.description.clone_from(&description);
                }
                found.is_public = is_public.unwrap_or(found.is_public);
                found.updated_at = Some(Timestamp::now());
                Ok(())
            },
        );
        changed.await.map_err(|error| match &name {
            Some(name) if is_duplicate(&error) => taken(name),
            _ => error,
        })
    }

    /// Deletes a group type that no group has.
    ///
    /// # Errors
    /// Invalid while groups have it.
    pub async fn delete(&self, id: &str) -> Result<(), ControlError> {
        retry_on_conflict(|| self.remove(id)).await
    }

    async fn remove(&self, id: &str) -> Result<(), TxError> {
        let stored = self
            .store
            .get::<GroupType>(id)
            .await?
            .ok_or_else(|| unknown(id))?;
        let none = Query::new().eq("group_type_id", id);
        let changes = Changes::new().delete::<GroupType>(id, stored.revision);
        match self
            .store
            .commit(changes.at_most::<Group>("groups of the type", Measure::Count, none, 0))
            .await
        {
            Err(StoreError::Limit { .. }) => {
                Err(ControlError::invalid("Target group type is still in use.").into())
            }
            other => Ok(other?),
        }
    }

    /// Adds or replaces group specs.
    ///
    /// # Errors
    /// Not found.
    pub async fn set_specs(&self, id: &str, specs: Metadata) -> Result<GroupType, ControlError> {
        edit::<GroupType, _, _>(
            self.store,
            id,
            || unknown(id),
            |found| {
                found.group_specs.extend(specs.clone());
                found.updated_at = Some(Timestamp::now());
                Ok(())
            },
        )
        .await
    }

    /// Takes one group spec away.
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_spec(&self, id: &str, key: &str) -> Result<GroupType, ControlError> {
        edit::<GroupType, _, _>(
            self.store,
            id,
            || unknown(id),
            |found| match found.group_specs.remove(key) {
                Some(_) => Ok(()),
                None => Err(missing(format!(
                    "Group Type {id} has no specs with key {key}."
                ))),
            },
        )
        .await
    }
}
