//! Taking over, carried out: the array is asked for the size first, so that a quota is refused before it is touched.

use async_trait::async_trait;
use springform_model::cloud::{Volume, VolumeStatus};
use springform_model::contract::{Adopted, Call, Reference};
use springform_model::operation::OperationError;
use springform_store::{Changes, StoreError};

use super::place::available;
use super::report;
use crate::engine::{Executor, Run, failure};
use crate::quotas::{Adds, Quotas, over};
use crate::specs::{build, full_type};

/// Carries it out.
pub(crate) struct ManageExecutor;

fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

/// GiB that hold so many bytes.
pub(crate) fn gib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30).max(1)
}

#[async_trait]
impl Executor for ManageExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let operations = run.operations().clone();
        let id = run.operation().subject.clone();
        let outcome = take(run, &id).await;
        run.finish(outcome.as_ref().err().cloned());
        let operation = run.operation().clone();
        let now = operations.now();
        run.settle::<Volume>(
            &id,
            |volume| {
                volume.operation = None;
                volume.taking_over = None;
                volume.updated_at = Some(now);
                match &outcome {
                    Ok(adopted) => {
                        volume.size = gib(adopted.size);
                        available(volume, &adopted.placement, now);
                    }
                    Err(_) => {
                        volume.status = VolumeStatus::ErrorManaging;
                        volume.consumes_quota = false;
                    }
                }
            },
            |_| match &operation.error {
                Some(error) => report(&operation, &operations, "017", "001", error),
                None => Changes::new(),
            },
        )
        .await
        .map(drop)
    }
}

async fn take(run: &mut Run, id: &str) -> Result<Adopted, OperationError> {
    let operations = run.operations().clone();
    let input = run.operation().input.clone();
    let reference: Reference =
        serde_json::from_value(input.get("reference").cloned().unwrap_or_default())
            .map_err(|error| failure("invalid-argument", error.to_string()))?;
    let keep_name = input
        .get("keep_name")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false);
    let backend = run.operation().backend.clone().unwrap_or_default();
    let wrong =
        |error: springform_model::contract::CallError| failure("wrong-reply", error.to_string());
    let inspect = Call::Inspect {
        reference: reference.clone(),
    };
    let bytes = run.call("inspect", &backend, inspect).await?;
    let volume = claim(run, id, gib(bytes.into_size().map_err(wrong)?)).await?;
    let full = full_type(operations.store(), volume.type_id.as_deref())
        .await
        .map_err(broken)?;
    let call = Call::Manage {
        volume: build(&volume, full.as_ref()),
        reference,
        keep_name,
    };
    let reply = run.call("array", &backend, call).await?;
    reply.into_adopted().map_err(wrong)
}

/// Writes the size down if the quota has room for it.
async fn claim(run: &mut Run, id: &str, size: u64) -> Result<Volume, OperationError> {
    let operations = run.operations().clone();
    for _ in 0..50 {
        let stored = operations.store().get::<Volume>(id).await.map_err(broken)?;
        let mut stored = stored.ok_or_else(|| failure("not-found", "the volume is gone"))?;
        let full = full_type(operations.store(), stored.type_id.as_deref())
            .await
            .map_err(broken)?;
        stored.record.size = size;
        let kind = full.as_ref().map(|full| &full.volume_type);
        let guards = Quotas::new(&operations)
            .guards(&stored.project_id, Adds::Room(size), kind)
            .await
            .map_err(|error| failure("over-limit", error.message))?;
        match run.commit(guards.update(&stored)).await {
            Ok(()) => return Ok(stored.record),
            Err(StoreError::Limit { name, limit, used }) => {
                let refused = over(&name, limit, used, size);
                return Err(failure("over-limit", refused.message));
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(broken(error)),
        }
    }
    Err(failure(
        "store",
        "the volume is being changed by many at once",
    ))
}
