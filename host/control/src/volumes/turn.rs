//! A volume's turn: one operation at a time, in the states that allow it, not on a frozen backend.

use serde_json::Value;
use springform_model::cloud::{Service, UserMessage, Volume, VolumeStatus};
use springform_model::operation::{Operation, OperationError, Verb};
use springform_model::replication::evidence;
use springform_model::replication::relation::Relation;
use springform_model::time::Timestamp;
use springform_store::{Changes, StoreError, Stored};
use uuid::Uuid;

use crate::edit::{TxError, is_conflict};
use crate::engine::{NewOperation, Operations};
use crate::messages::KEEP;
use crate::quotas::over;
use crate::{Caller, ControlError, lock};

/// What is refused while a backend is frozen.
const FROZEN: &str = "Modification operations are not allowed on frozen storage backends.";

/// Refuses on a frozen backend.
pub(crate) async fn not_frozen(
    operations: &Operations,
    backend: Option<&str>,
) -> Result<(), ControlError> {
    let Some(backend) = backend else {
        return Ok(());
    };
    let Some(service) = operations.store().get::<Service>(backend).await? else {
        return Ok(());
    };
    if let Some(since) = service.look_only_since {
        return Err(ControlError::conflict(look_only(backend, since)));
    }
    if service.record.frozen {
        return Err(ControlError::input(FROZEN));
    }
    Ok(())
}

/// Why nothing is changed on a backend after a restore of the database, and what to do.
pub(crate) fn look_only(backend: &str, since: Timestamp) -> String {
    format!(
        "The database was restored at {} and may be older than the arrays: nothing on backend {backend} is changed \
         until an administrator has run `springform reconcile --backend {backend} --adopt`.",
        since.to_cinder()
    )
}

/// Refuses where the records may be older than the arrays.
pub(crate) async fn up_to_date(
    operations: &Operations,
    volume: &Volume,
) -> Result<(), ControlError> {
    if let Some(backend) = volume.backend.as_deref()
        && let Some(service) = operations.store().get::<Service>(backend).await?
        && let Some(since) = service.look_only_since
    {
        return Err(ControlError::conflict(look_only(backend, since)));
    }
    not_overtaken(operations, &volume.id).await
}

/// Whether a volume may be changed now.
pub(crate) async fn may_change(
    operations: &Operations,
    volume: &Volume,
) -> Result<(), ControlError> {
    not_frozen(operations, volume.backend.as_deref()).await?;
    not_overtaken(operations, &volume.id).await
}

/// Refuses where the arrays know of a promotion of the volume that its record does not.
pub(crate) async fn not_overtaken(operations: &Operations, id: &str) -> Result<(), ControlError> {
    let relation = operations.store().get::<Relation>(id).await?;
    let Some(newer) = relation.as_ref().and_then(|r| r.overtaken()) else {
        return Ok(());
    };
    Err(ControlError::conflict(format!(
        "Volume {id} cannot be changed: {}. An administrator has to run `springform reconcile --adopt` first.",
        evidence::words(newer)
    )))
}

/// Checks a volume, locks it, journals the operation in the same commit and starts it. `decide` sets the state, `more`
/// adds to the commit. The volume is the one that was found to be the caller's and is committed only as it was read:
/// read once more it could be another project's. One round of [`crate::edit::retry_on_conflict`].
pub(super) async fn try_lock(
    operations: &Operations,
    caller: &Caller,
    mut stored: Stored<Volume>,
    verb: Verb,
    input: &Value,
    decide: impl Fn(&mut Volume) -> Result<(), ControlError>,
    more: impl Fn(&Volume) -> Changes,
) -> Result<(Volume, Operation), TxError> {
    let id = stored.id.clone();
    if lock::passed(operations, std::slice::from_ref(&stored)).await? {
        return Err(TxError::Conflict);
    }
    if let Some(holder) = lock::holder(operations.store(), stored.operation.as_ref()).await? {
        return Err(ControlError::busy(&format!("Volume {id}"), &holder.id).into());
    }
    up_to_date(operations, &stored.record).await?;
    let before = stored.status;
    decide(&mut stored.record)?;
    let mut new = NewOperation::new(verb, "volume", &*id).input(with_status(input, before));
    new.backend.clone_from(&stored.backend);
    let operation = operations.prepare(caller, new.step("array"))?;
    stored.record.operation = Some(operation.id.clone());
    stored.record.updated_at = Some(operations.now());
    let changes = more(&stored.record).update(&stored);
    match operations.submit(changes, operation.clone()).await {
        Ok(()) => Ok((stored.record, operation)),
        Err(error) if is_conflict(&error) => Err(TxError::Conflict),
        Err(StoreError::Limit { name, limit, used }) => {
            let now = stored.growing_to.unwrap_or(stored.size);
            Err(over(&name, limit, used, now.saturating_sub(stored.size)).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn with_status(input: &Value, before: VolumeStatus) -> Value {
    let mut input = if input.is_object() {
        input.clone()
    } else {
        serde_json::json!({})
    };
    if let Some(map) = input.as_object_mut() {
        map.insert("status".to_owned(), Value::from(before.as_str()));
    }
    input
}

/// A message that tells the user why something asynchronous failed.
pub(crate) fn report(
    operation: &Operation,
    operations: &Operations,
    action: &str,
    detail: &str,
    error: &OperationError,
) -> Changes {
    let now = operations.now();
    let resource = operation.subject_kind.to_uppercase().replace('-', "_");
    let resource = if resource == "SNAPSHOT" {
        "VOLUME_SNAPSHOT".to_owned()
    } else {
        resource
    };
    Changes::new().put(&UserMessage {
        id: Uuid::now_v7().to_string(),
        project_id: operation.project.clone(),
        event_id: format!("VOLUME_{resource}_{action}_{detail}"),
        action_id: action.to_owned(),
        detail_id: detail.to_owned(),
        user_message: error.message.clone(),
        level: "ERROR".to_owned(),
        request_id: operation.request_id.clone(),
        resource_type: resource,
        resource_uuid: Some(operation.subject.clone()),
        created_at: now,
        expires_at: now.plus_micros(KEEP),
    })
}
