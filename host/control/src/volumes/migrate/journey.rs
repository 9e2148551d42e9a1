//! Who takes part in a move: found out once, and written down before the first of them is asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use springform_model::cloud::{Service, Volume};
use springform_model::contract::{Call, Migration, Placement, Side, VolumeSpec};
use springform_model::operation::OperationError;
use springform_store::{StoreError, Stored};

use super::super::input::text;
use crate::engine::{Operations, Run, failure};
use crate::specs::{FullType, build, full_type, type_spec, volume_spec};

/// Key of the operation's input: the backend to which the volume goes.
pub(in crate::volumes) const TO: &str = "to";
/// Key under which it is written down who takes part, before the first of them is asked.
pub(super) const JOURNEY: &str = "journey";
/// How long the content may be under way.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400);

pub(super) fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

/// What was written down under a key.
pub(super) fn known<T: serde::de::DeserializeOwned>(run: &Run, key: &str) -> Option<T> {
    let known = run.operation().input.get(key)?;
    T::deserialize(known).ok()
}

pub(super) async fn new_type(run: &Run) -> Result<Option<FullType>, OperationError> {
    let kind = text(run.operation(), "type");
    let full = full_type(run.operations().store(), Some(&kind)).await;
    full.map_err(broken)
}

/// Who takes part, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journey {
    /// The volume where it is, with the type that it has.
    pub old: VolumeSpec,
    /// The volume as it shall be, made nowhere yet.
    pub new: VolumeSpec,
    /// As both drivers are told of it.
    pub migration: Migration,
}

impl Journey {
    /// The backend that has the volume.
    pub fn from(&self) -> &str {
        &self.migration.source.backend
    }

    /// The backend that shall have it.
    pub fn to(&self) -> &str {
        &self.migration.destination.backend
    }

    /// What ends the move at the source.
    pub fn release(&self, moved: bool) -> Call {
        Call::ReleaseVolume {
            volume: self.old.clone(),
            migration: self.migration.clone(),
            moved,
        }
    }

    /// What ends it at the destination: the volume is there now, or was not moved.
    pub fn settle(&self, placement: Option<&Placement>) -> Call {
        Call::SettleVolume {
            volume: VolumeSpec {
                placement: placement.cloned(),
                ..self.new.clone()
            },
            migration: self.migration.clone(),
            moved: placement.is_some(),
        }
    }
}

/// Who takes part: as it was written down, or found out now.
pub(super) async fn journey(
    run: &mut Run,
    volume: &Stored<Volume>,
) -> Result<Journey, OperationError> {
    if let Some(known) = known(run, JOURNEY) {
        return Ok(known);
    }
    let operations = run.operations().clone();
    let to = text(run.operation(), TO);
    let backend = volume.backend.clone().unwrap_or_default();
    let placement = volume.placement.as_ref();
    let from = placement.map(|placement| placement.target.clone());
    let from = from.ok_or_else(|| failure("failed-precondition", "the volume is on no array"))?;
    let full = new_type(run).await?;
    let landing = landing(&operations, &to).await?;
    let journey = Journey {
        old: volume_spec(operations.store(), volume)
            .await
            .map_err(broken)?,
        new: VolumeSpec {
            placement: None,
            volume_type: full.as_ref().map(|full| type_spec(full, volume.size)),
            ..build(volume, full.as_ref())
        },
        migration: Migration {
            id: run.operation().id.clone(),
            source: side(&operations, &backend, from).await?,
            destination: side(&operations, &to, landing).await?,
            extensions: Vec::new(),
        },
    };
    let written = json!(journey);
    run.note(|operation| {
        if let Some(input) = operation.input.as_object_mut() {
            input.insert(JOURNEY.to_owned(), written);
        }
        // That of a retype in place.
        operation.steps.retain(|step| step.attempts > 0);
        operation.deadline = operation
            .created_at
            .plus_micros(i64::try_from(LONGEST.as_micros()).unwrap_or(i64::MAX));
    });
    Ok(journey)
}

/// The array of a backend on which new volumes land.
async fn landing(operations: &Operations, backend: &str) -> Result<String, OperationError> {
    let service = operations.store().get::<Service>(backend).await;
    let active = service
        .map_err(broken)?
        .and_then(|s| s.record.active_target);
    let config = operations.backend(backend).map(|handle| handle.config());
    let primary = config.and_then(|config| Some(config.primary()?.name.clone()));
    active.or(primary).ok_or_else(|| {
        failure(
            "unavailable",
            format!("backend {backend} is not configured any more"),
        )
    })
}

/// One end of the move, with what its array says of itself; asked where that is not known yet.
async fn side(
    operations: &Operations,
    backend: &str,
    target: String,
) -> Result<Side, OperationError> {
    let known = async || {
        let service = operations.store().get::<Service>(backend).await;
        let health = service
            .map_err(broken)?
            .map(|service| service.record.targets);
        let mut health = health.into_iter().flatten();
        Ok::<_, OperationError>(health.find(|h| h.target == target && h.array_name.is_some()))
    };
    let mut health = known().await?;
    if health.is_none() {
        crate::watch::health(operations, backend).await;
        health = known().await?;
    }
    Ok(Side {
        backend: backend.to_owned(),
        array_id: health.as_ref().and_then(|h| h.array_id.clone()),
        array_name: health.and_then(|h| h.array_name),
        target,
        extensions: Vec::new(),
    })
}
