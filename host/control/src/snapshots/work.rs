//! The verbs of snapshots, carried out.

use async_trait::async_trait;
use springform_model::cloud::{Snapshot, SnapshotStatus, Volume};
use springform_model::contract::{Call, Reply, SnapshotSpec, VolumeSpec};
use springform_model::operation::{Operation, OperationError, Verb};
use springform_model::replication::obligation::Obligation;
use springform_store::StoreError;

use crate::engine::{Executor, Run, failure};
use crate::groups::settle::{WriteDecision, settle};
use crate::lock;
use crate::obligations::{self, Owing};
use crate::specs::{snapshot_spec, volume_spec};
use crate::volumes::{gib, report};

/// Carries them out.
pub(crate) struct SnapshotExecutor;

fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

#[async_trait]
impl Executor for SnapshotExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let operations = run.operations().clone();
        let id = run.operation().subject.clone();
        let outcome = act(run, &id).await;
        run.finish(outcome.as_ref().err().cloned());
        let operation = run.operation().clone();
        let ends = matches!(
            operation.verb,
            Verb::DeleteSnapshot | Verb::UnmanageSnapshot
        );
        let now = operations.now();
        let volume = text(&operation, "volume");
        let owed = outcome.as_ref().map_or(&[][..], |done| &done.owed);
        settle::<Snapshot, Volume>(
            run,
            &id,
            &[volume],
            |snapshot| {
                if outcome.is_ok() && ends {
                    return WriteDecision::Remove;
                }
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
                if let Ok(done) = &outcome {
                    note(snapshot, done);
                }
                WriteDecision::Write
            },
            |volume| match lock::release(volume, &operation.id) {
                true => WriteDecision::Write,
                false if outcome.is_ok() => WriteDecision::Overtaken,
                false => WriteDecision::Leave,
            },
            || match &operation.error {
                Some(error) => report(&operation, &operations, "011", "001", error),
                None => obligations::owe(&operations, owed),
            },
        )
        .await?;
        obligations::wake(&operations, owed);
        Ok(())
    }
}

/// What the array answered, and where the volume was then.
struct Done {
    reply: Reply,
    size: u64,
    target: Option<String>,
    /// What arrays that could not be told are owed.
    owed: Vec<Obligation>,
}

/// Writes down what the array answered.
fn note(snapshot: &mut Snapshot, done: &Done) {
    let placement = match &done.reply {
        Reply::Snapshot(placement) => {
            // The volume may have grown or moved since the snapshot was asked for.
            snapshot.size = done.size;
            placement
        }
        Reply::AdoptedSnapshot(adopted) => {
            snapshot.size = gib(adopted.size);
            &adopted.placement
        }
        _ => return,
    };
    snapshot.target.clone_from(&done.target);
    snapshot.progress = "100%".to_owned();
    snapshot.array_name = Some(placement.array_name.clone());
    snapshot.metadata.extend(placement.metadata.iter().cloned());
}

fn text(operation: &Operation, key: &str) -> String {
    let found = operation.input.get(key).and_then(|value| value.as_str());
    found.unwrap_or_default().to_owned()
}

/// Under the volume's lock, and again where somebody took it or the volume moved meanwhile.
async fn act(run: &mut Run, id: &str) -> Result<Done, OperationError> {
    let operations = run.operations().clone();
    let store = operations.store();
    loop {
        let gone = || failure("not-found", "the snapshot is gone");
        let snapshot = store.get::<Snapshot>(id).await.map_err(broken)?;
        let snapshot = snapshot.ok_or_else(gone)?;
        let held = lock::take(run, std::slice::from_ref(&snapshot.volume_id)).await?;
        let [volume] = held.as_slice() else {
            return Err(gone());
        };
        let spec = volume_spec(store, volume).await.map_err(broken)?;
        let backend = volume.backend.clone().unwrap_or_default();
        let taken_on = snapshot.target.clone();
        let snapshot = snapshot_spec(&snapshot.record);
        let mut owed = None;
        let call = match run.operation().verb {
            Verb::DeleteSnapshot => {
                let id = run.operation().id.clone();
                let owing = Owing::new(&operations, &backend, &id);
                let told = owing.snapshot_deleted(&spec, snapshot, taken_on.as_deref());
                let snapshot;
                (snapshot, owed) = told.await.map_err(broken)?;
                Call::DeleteSnapshot {
                    volume: spec,
                    snapshot,
                }
            }
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
        if let Some(reply) = lock::call(run, "array", &backend, call, &held).await? {
            return Ok(Done {
                reply,
                size: volume.size,
                target: volume.placement.as_ref().map(|at| at.target.clone()),
                owed: owed.into_iter().collect(),
            });
        }
    }
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
