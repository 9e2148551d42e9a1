//! Volume types: what an operator offers and a tenant asks for.

use serde_json::Value;
use springform_model::cloud::{DefaultType, Metadata, TypeEncryption, Volume, VolumeType};
use springform_model::operation::Operation;
use springform_model::time::Timestamp;
use springform_store::{Changes, Direction, Query, Store, StoreError, Stored};
use uuid::Uuid;

use crate::context::Context;
use crate::edit::{TxError, edit, is_duplicate, missing, no_more, retry_on_conflict};
use crate::{Caller, ControlError};

/// Name of the type that is there from the beginning, as in Cinder.
pub(crate) const BUILT_IN: &str = "__DEFAULT__";

/// Types, read and changed.
#[derive(Debug, Clone, Copy)]
pub struct Types<'a> {
    store: &'a Store,
    context: &'a Context,
}

/// A type to be made.
#[derive(Debug, Clone, Default)]
pub struct CreateType {
    /// Unique name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Whether every project may use it.
    pub is_public: bool,
    /// Extra specs.
    pub extra_specs: Metadata,
}

/// What of a type is to be changed; none: as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateType {
    /// Unique name.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Whether every project may use it.
    pub is_public: Option<bool>,
}

/// Whether a type is the one of volumes for which nothing says one.
fn is_usual(context: &Context, kind: &VolumeType) -> bool {
    let usual = context.config().default_type.as_deref();
    let usual = usual.unwrap_or(BUILT_IN);
    kind.name == usual || kind.id == usual
}

fn unknown(id: &str) -> ControlError {
    missing(format!("Volume type {id} could not be found."))
}

fn visible(caller: &Caller, found: &VolumeType) -> bool {
    found.is_public || caller.is_admin || found.projects.contains(&caller.project_id)
}

impl<'a> Types<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
            context,
        }
    }

    /// Makes a type.
    ///
    /// # Errors
    /// Conflict where the name is taken.
    pub async fn create(
        &self,
        _caller: &Caller,
        wanted: CreateType,
    ) -> Result<VolumeType, ControlError> {
        let made = VolumeType {
            id: Uuid::new_v4().to_string(),
            name: wanted.name,
            description: wanted.description,
            is_public: wanted.is_public,
            projects: Vec::new(),
            extra_specs: wanted.extra_specs,
            qos_specs_id: None,
            encryption: None,
            created_at: Timestamp::now(),
            updated_at: None,
        };
        match self.store.commit(Changes::new().insert(&made)).await {
            Ok(()) => Ok(made),
            Err(StoreError::Duplicate { .. }) => Err(taken(&made.name)),
            Err(other) => Err(other.into()),
        }
    }

    /// One type, by id.
    ///
    /// # Errors
    /// Not found where there is none or the caller may not use it.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<VolumeType, ControlError> {
        let found = self
            .store
            .get::<VolumeType>(id)
            .await?
            .map(|stored| stored.record);
        found
            .filter(|found| visible(caller, found))
            .ok_or_else(|| unknown(id))
    }

    /// One type, by id or name, as volumes name it.
    ///
    /// # Errors
    /// Not found where there is none or the caller may not use it.
    pub async fn find(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<VolumeType, ControlError> {
        Ok(self.stored(caller, name_or_id).await?.record)
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Stored<VolumeType>, ControlError> {
        let by_id = self.store.get::<VolumeType>(name_or_id).await?;
        if let Some(found) = by_id.filter(|found| visible(caller, found)) {
            return Ok(found);
        }
        let found = self.store.find::<VolumeType>("name", name_or_id).await?;
        found.filter(|found| visible(caller, found)).ok_or_else(|| {
            missing(format!(
                "Volume type with name {name_or_id} could not be found."
            ))
        })
    }

    /// A page of the types that the caller may use. `public`: of which kind; none: of both. To the public ones belong
    /// private ones that the caller's project may use.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        caller: &Caller,
        public: Option<bool>,
        query: Query,
    ) -> Result<Vec<VolumeType>, ControlError> {
        let own = |found: &VolumeType| found.projects.contains(&caller.project_id);
        let wanted = |found: &VolumeType| match public {
            Some(true) => found.is_public || own(found),
            Some(false) => !found.is_public && visible(caller, found),
            None => visible(caller, found),
        };
        let rows = query.rows().map_or(usize::MAX, |rows| rows as usize);
        let skipped = query.skips() as usize;
        let (mut query, mut types) = (query.offset(0), Vec::new());
        // Who may use a private type is no column: a page is filled from as many as that takes, and there are few types.
        loop {
            let found = self.store.list::<VolumeType>(&query).await?;
            let (count, last) = (found.len(), found.last().map(|last| last.id.clone()));
            types.extend(found.into_iter().map(|found| found.record).filter(&wanted));
            match last {
                Some(last) if types.len() < rows.saturating_add(skipped) && count >= rows => {
                    query = query.marker(last);
                }
                _ => break,
            }
        }
        Ok(types.into_iter().skip(skipped).take(rows).collect())
    }

    /// Changes name, description or visibility.
    ///
    /// # Errors
    /// Not found; conflict where the name is taken.
    pub async fn update(&self, id: &str, wanted: UpdateType) -> Result<VolumeType, ControlError> {
        let name = wanted.name.clone();
        let changed = edit::<VolumeType, _, _>(
            self.store,
            id,
            || unknown(id),
            |found| {
                if let Some(name) = &wanted.name {
                    found.name.clone_from(name);
                }
                if let Some(description) = &wanted.description {
                    found.description = Some(description.clone());
                }
                found.is_public = wanted.is_public.unwrap_or(found.is_public);
                found.updated_at = Some(Timestamp::now());
                Ok(())
            },
        );
        changed.await.map_err(|error| match name {
            Some(name) if is_duplicate(&error) => taken(&name),
            _ => error,
        })
    }

    /// Deletes a type that no volume has.
    ///
    /// # Errors
    /// Invalid while volumes have it.
    pub async fn delete(&self, id: &str) -> Result<(), ControlError> {
        retry_on_conflict(|| self.remove(id)).await
    }

    async fn remove(&self, id: &str) -> Result<(), TxError> {
        let stored = self
            .store
            .get::<VolumeType>(id)
            .await?
            .ok_or_else(|| unknown(id))?;
        if self.in_use(id).await? {
            return Err(ControlError::invalid("Target volume type is still in use.").into());
        }
        let usual = is_usual(self.context, &stored);
        let default = Query::new().eq("type_id", id);
        if usual || self.store.count::<DefaultType>(&default).await? > 0 {
            return Err(ControlError::invalid(format!(
                "The volume type {id} is a default volume type and cannot be deleted."
            ))
            .into());
        }
        // Whatever is made of the type meanwhile asks that it is as it was read: the later of the two loses.
        let changes = Changes::new().delete::<VolumeType>(id, stored.revision);
        let changes = no_more::<DefaultType>(changes, default, 0);
        Ok(self.store.commit(unused(changes, id)).await?)
    }

    /// Whether a volume has the type, or is on its way to it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn in_use(&self, id: &str) -> Result<bool, ControlError> {
        let has = Query::new().eq("type_id", id);
        if self.store.first::<Volume>(&has).await?.is_some() {
            return Ok(true);
        }
        let retypes = Query::new().eq("open", true).eq("verb", "retype-volume");
        let open = self.store.list::<Operation>(&retypes).await?;
        let wanted = |operation: &Stored<Operation>| {
            operation.record.input.get("type").and_then(Value::as_str) == Some(id)
        };
        Ok(open.iter().any(wanted))
    }

    /// Adds or replaces extra specs.
    ///
    /// # Errors
    /// Invalid once volumes have the type: what they were promised may not change under them.
    pub async fn set_specs(&self, id: &str, specs: Metadata) -> Result<VolumeType, ControlError> {
        self.edit_specs(id, |found| {
            found.extra_specs.extend(specs.clone());
            Ok(())
        })
        .await
    }

    /// Takes one extra spec away.
    ///
    /// # Errors
    /// Not found; invalid once volumes have the type.
    pub async fn delete_spec(&self, id: &str, key: &str) -> Result<VolumeType, ControlError> {
        self.edit_specs(id, |found| match found.extra_specs.remove(key) {
            Some(_) => Ok(()),
            None => Err(missing(format!(
                "Volume Type {id} has no extra specs with key {key}."
            ))),
        })
        .await
    }

    /// Changes how hosts are to encrypt volumes of a type.
    ///
    /// # Errors
    /// Not found; invalid once volumes have the type; what `decide` refuses with.
    pub async fn edit_encryption(
        &self,
        id: &str,
        decide: impl Fn(&mut Option<TypeEncryption>) -> Result<(), ControlError>,
    ) -> Result<VolumeType, ControlError> {
        self.edit_specs(id, |found| decide(&mut found.encryption))
            .await
    }

    async fn edit_specs(
        &self,
        id: &str,
        decide: impl Fn(&mut VolumeType) -> Result<(), ControlError>,
    ) -> Result<VolumeType, ControlError> {
        retry_on_conflict(|| async {
            let stored = self.store.get::<VolumeType>(id).await?;
            let mut stored = stored.ok_or_else(|| unknown(id))?;
            if self.in_use(id).await? {
                return Err(ControlError::invalid("Volume Type is currently in use.").into());
            }
            decide(&mut stored.record)?;
            stored.record.updated_at = Some(Timestamp::now());
            let changes = Changes::new().update(&stored);
            self.store.commit(unused(changes, id)).await?;
            Ok(stored.record)
        })
        .await
    }

    /// Lets a project use a type that is not public, or takes that away.
    ///
    /// # Errors
    /// Not found; conflict where the project has it already; invalid for a public type.
    pub async fn set_access(
        &self,
        id: &str,
        project: &str,
        allowed: bool,
    ) -> Result<VolumeType, ControlError> {
        edit::<VolumeType, _, _>(self.store, id, || unknown(id), |found| {
            if found.is_public {
                return Err(ControlError::invalid(
                    "Invalid volume type: Type access modification is not applicable to public volume type.",
                ));
            }
            let known = found.projects.iter().any(|known| known == project);
            match (allowed, known) {
                (true, true) => Err(ControlError::conflict(format!(
                    "Volume type access for {id} / {project} combination already exists."
                ))),
                (false, false) => Err(missing(format!(
                    "Volume type access not found for {id} / {project} combination."
                ))),
                (true, false) => {
                    found.projects.push(project.to_owned());
                    Ok(())
                }
                (false, true) => {
                    found.projects.retain(|known| known != project);
                    Ok(())
                }
            }
        })
        .await
    }

    /// Types that have these QoS specs.
    ///
    /// # Errors
    /// What the store says.
    pub async fn with_qos(&self, qos: &str) -> Result<Vec<VolumeType>, ControlError> {
        let query = Query::new()
            .eq("qos_specs_id", qos)
            .sort("name", Direction::Asc)
            .limit(1000);
        Ok(self
            .store
            .list::<VolumeType>(&query)
            .await?
            .into_iter()
            .map(|stored| stored.record)
            .collect())
    }
}

/// Only if no volume has the type.
fn unused(changes: Changes, id: &str) -> Changes {
    no_more::<Volume>(changes, Query::new().eq("type_id", id), 0)
}

fn taken(name: &str) -> ControlError {
    ControlError::conflict(format!("Volume Type {name} already exists."))
}
