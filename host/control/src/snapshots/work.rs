//! The verbs of snapshots, carried out.

use async_trait::async_trait;
use springform_model::cloud::{Snapshot, SnapshotStatus, Volume};
use springform_model::contract::{Call, Reply, SnapshotSpec, VolumeSpec};
use springform_model::operation::{OperationError, Verb};
use springform_store::{Changes, StoreError};

use crate::engine::{Executor, Run, failure};
use crate::specs::{snapshot_spec, volume_spec};
use crate::volumes::{gib, report};

/// Carries them out.
pub(super) struct Working;

fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

#[async_trait]
impl Executor for Working {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let control = run.control().clone();
        let id = run.operation().subject.clone();
        let outcome = act(run, &id).await;
        run.finish(outcome.as_ref().err().cloned());
        let operation = run.operation().clone();
        let ends = matches!(
            operation.verb,
            Verb::DeleteSnapshot | Verb::UnmanageSnapshot
        );
        if outcome.is_ok() && ends {
            return run
                .commit(Changes::new().remove::<Snapshot>(&id))
                .await
                .map_err(broken);
        }
        let now = control.now();
        run.settle::<Snapshot>(
            &id,
            |snapshot| {
                snapshot.operation = None;
                snapshot.updated_at = Some(now);
                snapshot.status = match (&outcome, operation.verb) {
                    (Ok(_), _) => SnapshotStatus::Available,
                    (Err(_), Verb::DeleteSnapshot) => SnapshotStatus::ErrorDeleting,
                    (Err(_), _) => SnapshotStatus::Error,
                };
                if operation.verb == Verb::ManageSnapshot {
                    // What could not be taken over stays the array's.
                    snapshot.array_name = None;
                    snapshot.consumes_quota = outcome.is_ok();
                }
                if let Ok(Reply::AdoptedSnapshot(adopted)) = &outcome {
                    snapshot.size = gib(adopted.size);
                }
                let placement = match &outcome {
                    Ok(Reply::Snapshot(placement)) => Some(placement),
                    Ok(Reply::AdoptedSnapshot(adopted)) => Some(&adopted.placement),
                    _ => None,
                };
                if let Some(placement) = placement {
                    snapshot.progress = "100%".to_owned();
                    snapshot.array_name = Some(placement.array_name.clone());
                    snapshot.metadata.extend(placement.metadata.iter().cloned());
                }
            },
            |_| match &operation.error {
                Some(error) => report(&operation, &control, "011", "001", error),
                None => Changes::new(),
            },
        )
        .await
        .map(drop)
    }
}

async fn act(run: &mut Run, id: &str) -> Result<Reply, OperationError> {
    let control = run.control().clone();
    let store = control.store();
    let Some(snapshot) = store.get::<Snapshot>(id).await.map_err(broken)? else {
        return Ok(Reply::Done);
    };
    let gone = || failure("not-found", "the snapshot's volume is gone");
    let volume = store
        .get::<Volume>(&snapshot.volume_id)
        .await
        .map_err(broken)?
        .ok_or_else(gone)?;
    let spec = volume_spec(store, &volume.record).await.map_err(broken)?;
    let backend = volume.backend.clone().unwrap_or_default();
    let snapshot = snapshot_spec(&snapshot.record);
    let call = match run.operation().verb {
        Verb::DeleteSnapshot => Call::DeleteSnapshot {
            volume: spec,
            snapshot,
        },
        Verb::UnmanageSnapshot => Call::UnmanageSnapshot {
            volume: spec,
            snapshot,
        },
        Verb::ManageSnapshot => manage(run, spec, snapshot)
            .map_err(|error| failure("invalid-argument", error.to_string()))?,
        _ => Call::CreateSnapshot {
            volume: spec,
            snapshot,
        },
    };
    run.call("array", &backend, call).await
}

fn manage(
    run: &Run,
    volume: VolumeSpec,
    mut snapshot: SnapshotSpec,
) -> Result<Call, serde_json::Error> {
    let input = &run.operation().input;
    let reference = input.get("reference").cloned().unwrap_or_default();
    let reference = serde_json::from_value(reference)?;
    let keep_name = input
        .get("keep_name")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false);
    // Until the driver answers this is only what somebody says it is called.
    snapshot.array_name = None;
    Ok(Call::ManageSnapshot {
        volume,
        snapshot,
        reference,
        keep_name,
    })
}
