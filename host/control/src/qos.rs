//! QoS specs: limits that volume types are associated with.

use springform_model::cloud::{Metadata, QosSpecs, VolumeType};
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, Store, StoreError};
use uuid::Uuid;

use crate::ControlError;
use crate::context::Context;
use crate::edit::{TxError, edit, missing, no_more, retry_on_conflict};

/// QoS specs, read and changed.
#[derive(Debug, Clone, Copy)]
pub struct Qos<'a> {
    store: &'a Store,
}

fn unknown(id: &str) -> ControlError {
    missing(format!("No such qos_specs {id}."))
}

impl<'a> Qos<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
        }
    }

    /// Makes QoS specs. `consumer`: `front-end`, `back-end`, `both`.
    ///
    /// # Errors
    /// Invalid for another consumer, conflict where the name is taken.
    pub async fn create(
        &self,
        name: String,
        consumer: String,
        specs: Metadata,
    ) -> Result<QosSpecs, ControlError> {
        known_consumer(&consumer)?;
        let id = Uuid::new_v4().to_string();
        let made = QosSpecs {
            id,
            name,
            consumer,
            specs,
            created_at: Timestamp::now(),
            updated_at: None,
        };
        match self.store.commit(Changes::new().insert(&made)).await {
            Ok(()) => Ok(made),
            Err(StoreError::Duplicate { .. }) => Err(ControlError::conflict(format!(
                "QoS Specs {} already exists.",
                made.name
            ))),
            Err(other) => Err(other.into()),
        }
    }

    /// One, by id.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(&self, id: &str) -> Result<QosSpecs, ControlError> {
        self.store
            .get::<QosSpecs>(id)
            .await?
            .map(|stored| stored.record)
            .ok_or_else(|| unknown(id))
    }

    /// A page of them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, query: &Query) -> Result<Vec<QosSpecs>, ControlError> {
        Ok(self
            .store
            .list::<QosSpecs>(query)
            .await?
            .into_iter()
            .map(|stored| stored.record)
            .collect())
    }

    /// Adds or replaces keys, and the consumer where one is given.
    ///
    /// # Errors
    /// Not found; invalid for an unknown consumer.
    pub async fn set(
        &self,
        id: &str,
        consumer: Option<String>,
        specs: Metadata,
    ) -> Result<QosSpecs, ControlError> {
        if let Some(consumer) = &consumer {
            known_consumer(consumer)?;
        }
        edit::<QosSpecs, _, _>(
            self.store,
            id,
            || unknown(id),
            |found| {
                if let Some(consumer) = &consumer {
                    found.consumer.clone_from(consumer);
                }
                found.specs.extend(specs.clone());
                found.updated_at = Some(Timestamp::now());
                Ok(())
            },
        )
        .await
    }

    /// Takes keys away.
    ///
    /// # Errors
    /// Not found, also for a key that is not there.
    pub async fn unset(&self, id: &str, keys: &[String]) -> Result<QosSpecs, ControlError> {
        edit::<QosSpecs, _, _>(
            self.store,
            id,
            || unknown(id),
            |found| {
                for key in keys {
                    if found.specs.remove(key).is_none() {
                        return Err(missing(format!(
                            "QoS spec {id} has no spec with key {key}."
                        )));
                    }
                }
                found.updated_at = Some(Timestamp::now());
                Ok(())
            },
        )
        .await
    }

    /// Deletes QoS specs; with `force` the types that have them lose them.
    ///
    /// # Errors
    /// Not found; invalid while a type has them and `force` is off.
    pub async fn delete(&self, id: &str, force: bool) -> Result<(), ControlError> {
        retry_on_conflict(|| self.remove(id, force)).await
    }

    async fn remove(&self, id: &str, force: bool) -> Result<(), TxError> {
        let stored = self
            .store
            .get::<QosSpecs>(id)
            .await?
            .ok_or_else(|| unknown(id))?;
        let types = self
            .store
            .list::<VolumeType>(&Query::new().eq("qos_specs_id", id))
            .await?;
        if !types.is_empty() && !force {
            return Err(ControlError::invalid(format!(
                "QoS Specs {id} is still associated with entities."
            ))
            .into());
        }
        let mut changes = Changes::new().delete::<QosSpecs>(id, stored.revision);
        for mut found in types {
            found.record.qos_specs_id = None;
            changes = changes.update(&found);
        }
        let changes = no_more::<VolumeType>(changes, Query::new().eq("qos_specs_id", id), 0);
        Ok(self.store.commit(changes).await?)
    }

    /// Gives a type these QoS specs.
    ///
    /// # Errors
    /// Not found; invalid where the type has others already.
    pub async fn associate(&self, id: &str, type_id: &str) -> Result<(), ControlError> {
        retry_on_conflict(|| async {
            let specs = self.store.get::<QosSpecs>(id).await?;
            let specs = specs.ok_or_else(|| unknown(id))?;
            let found = self.store.get::<VolumeType>(type_id).await?;
            let mut found = found.ok_or_else(|| no_type(type_id))?;
            if let Some(other) = found.qos_specs_id.as_ref().filter(|other| *other != id) {
                return Err(ControlError::invalid(format!(
                    "Invalid volume type: Type {type_id} is already associated with another qos specs: {other}"
                ))
                .into());
            }
            found.record.qos_specs_id = Some(id.to_owned());
            let changes = Changes::new()
                .update(&found)
                .unchanged::<QosSpecs>(id, specs.revision);
            Ok(self.store.commit(changes).await?)
        })
        .await
    }

    /// Takes these QoS specs from a type.
    ///
    /// # Errors
    /// Not found.
    pub async fn disassociate(&self, id: &str, type_id: &str) -> Result<(), ControlError> {
        self.get(id).await?;
        edit::<VolumeType, _, _>(
            self.store,
            type_id,
            || no_type(type_id),
            |found| {
                if found.qos_specs_id.as_deref() == Some(id) {
                    found.qos_specs_id = None;
                }
                Ok(())
            },
        )
        .await
        .map(drop)
    }

    /// Takes these QoS specs from every type.
    ///
    /// # Errors
    /// Not found.
    pub async fn disassociate_all(&self, id: &str) -> Result<(), ControlError> {
        self.get(id).await?;
        let types = self
            .store
            .list::<VolumeType>(&Query::new().eq("qos_specs_id", id))
            .await?;
        for found in types {
            self.disassociate(id, &found.id).await?;
        }
        Ok(())
    }
}

fn no_type(id: &str) -> ControlError {
    missing(format!("Volume type {id} could not be found."))
}

fn known_consumer(consumer: &str) -> Result<(), ControlError> {
    if matches!(consumer, "front-end" | "back-end" | "both") {
        return Ok(());
    }
    Err(ControlError::invalid(
        "Valid consumer of QoS specs are: ['back-end', 'both', 'front-end']",
    ))
}
