//! A volume that was asked for is made: placed on a backend, tried elsewhere where that one cannot, written down.

use async_trait::async_trait;
use serde_json::json;
use springform_model::cloud::{ReplicationStatus, Snapshot, Volume, VolumeStatus};
use springform_model::contract::{Call, Placement};
use springform_model::operation::{Operation, OperationError};
use springform_store::{Changes, Store, StoreError};

use super::create::{GOLDEN, request, step_name};
use super::turn::report;
use crate::engine::{Executor, Operations, Run, failure, is_taken, only_there, taken};
use crate::groups::settle::{WriteDecision, settle};
use crate::lock;
use crate::scheduler::Affinity;
use crate::specs::{build, full_type, snapshot_spec, volume_spec};

/// Backends that are tried.
const TRIES: usize = 3;

/// Carries a creation out.
pub(crate) struct CreateExecutor;

#[async_trait]
impl Executor for CreateExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let id = run.operation().subject.clone();
        run.checks_places_itself();
        let mut outcome = place(run, &id).await;
        let operations = run.operations().clone();
        let mut check = true;
        loop {
            let ended = end(run, &id, &outcome, check).await;
            let placement = match (&ended, &outcome) {
                (Err(error), Ok(placement)) if is_taken(error) => placement,
                _ => return ended,
            };
            check = false;
            let backend = run.operation().backend.clone().unwrap_or_default();
            if let Some(why) = taken(operations.store(), &backend, &id, placement).await {
                outcome = Err(operations.failed(&backend, "volumes.create", &why));
            }
        }
    }
}

/// Writes down what came of it; `check`: unless another volume has its name.
async fn end(
    run: &mut Run,
    id: &str,
    outcome: &Result<Placement, OperationError>,
    check: bool,
) -> Result<(), OperationError> {
    let operations = run.operations().clone();
    if let Some(backend) = run.operation().backend.clone()
        && let Some(backend) = operations.backend(&backend)
    {
        match outcome {
            Ok(_) => backend.reservations.made(id),
            Err(_) => backend.reservations.dropped(id),
        }
    }
    run.finish(outcome.as_ref().err().cloned());
    let operation = run.operation().clone();
    let now = operations.now();
    settle::<Volume, Volume>(
        run,
        id,
        locked(&operation).as_slice(),
        |volume| {
            volume.operation = None;
            volume.updated_at = Some(now);
            match outcome {
                Ok(placement) => available(volume, placement, now),
                Err(_) => volume.status = VolumeStatus::Error,
            }
            WriteDecision::Write
        },
        |source| match lock::release(source, &operation.id) {
            true => WriteDecision::Write,
            false if outcome.is_ok() => WriteDecision::Overtaken,
            false => WriteDecision::Leave,
        },
        || match outcome {
            Ok(placement) if check => {
                let backend = operation.backend.as_deref().unwrap_or_default();
                only_there(Changes::new(), backend, placement)
            }
            Ok(_) => Changes::new(),
            Err(error) => {
                let detail = match error.code.as_str() {
                    "no-valid-backend" => "003",
                    _ => "001",
                };
                report(&operation, &operations, "001", detail, error)
            }
        },
    )
    .await
}

pub(crate) fn available(
    volume: &mut Volume,
    placement: &Placement,
    now: springform_model::time::Timestamp,
) {
    volume.status = VolumeStatus::Available;
    volume.launched_at = volume.launched_at.or(Some(now));
    volume.place(placement);
    volume.replication_status = Some(match placement.replication {
        Some(_) => ReplicationStatus::Enabled,
        None => ReplicationStatus::NotCapable,
    });
}

/// Key of the volume that is locked meanwhile.
const LOCKED: &str = "source";

fn locked(operation: &Operation) -> Option<String> {
    let found = operation.input.get(LOCKED)?.as_str()?;
    Some(found.to_owned())
}

/// The volume from which a new one gets its content.
pub(crate) async fn source_of(store: &Store, id: &str) -> Result<Option<String>, OperationError> {
    let broken = |error: StoreError| failure("store", error.to_string());
    let Some(volume) = store.get::<Volume>(id).await.map_err(broken)? else {
        return Ok(None);
    };
    match (&volume.snapshot_id, &volume.source_volid) {
        (Some(snapshot), _) => {
            let snapshot = store.get::<Snapshot>(snapshot).await.map_err(broken)?;
            Ok(snapshot.map(|snapshot| snapshot.record.volume_id))
        }
        (None, source) => Ok(source.clone()),
    }
}

/// Tries backends until one takes the volume.
async fn place(run: &mut Run, id: &str) -> Result<Placement, OperationError> {
    let store_error = |error: StoreError| failure("store", error.to_string());
    let operations = run.operations().clone();
    if let Some(why) = run.operation().input.get("refused") {
        return Err(failure(
            "no-valid-backend",
            format!(
                "schedule allocate volume: {}",
                why.as_str().unwrap_or_default()
            ),
        ));
    }
    let gone = || failure("not-found", "the volume is gone");
    loop {
        if run.cancelled() {
            return Err(failure("cancelled", "the creation was cancelled"));
        }
        let volume = operations
            .store()
            .get::<Volume>(id)
            .await
            .map_err(store_error)?
            .ok_or_else(gone)?
            .record;
        let backend = volume.backend.clone().unwrap_or_default();
        let golden = run.operation().input.get(GOLDEN).cloned();
        let golden = golden.and_then(|known| Some(known.as_str()?.to_owned()));
        // What it is copied from stays where it is meanwhile.
        let source = match &golden {
            Some(golden) => Some(golden.clone()),
            None => source_of(operations.store(), id).await?,
        };
        let held = match &source {
            Some(source) => {
                // Written down: it is given back even where what it is copied from is gone by then.
                run.note(|operation| operation.input = json!({ LOCKED: source, GOLDEN: golden }));
                lock::take(run, std::slice::from_ref(source)).await?
            }
            None => Vec::new(),
        };
        let call = match &golden {
            Some(golden) => clone_of(&operations, &volume, golden).await?,
            None => call_for(&operations, &volume).await?,
        };
        let outcome = lock::call(run, &step_name(&backend), &backend, call, &held).await;
        let error = match outcome {
            Ok(Some(reply)) => {
                let placement = reply
                    .into_placement()
                    .map_err(|error| failure("wrong-reply", error.to_string()))?;
                return Ok(placement);
            }
            Ok(None) => continue,
            Err(error) => error,
        };
        let mut tried: Vec<String> = run
            .operation()
            .input
            .get("tried")
            .and_then(|tried| serde_json::from_value(tried.clone()).ok())
            .unwrap_or_default();
        if let Some(handle) = operations.backend(&backend) {
            handle.reservations.dropped(id);
        }
        tried.push(backend);
        let bound = volume.snapshot_id.is_some()
            || volume.source_volid.is_some()
            || golden.is_some()
            || volume.group_id.is_some();
        if bound
            || tried.len() >= TRIES
            || !matches!(error.code.as_str(), "exhausted" | "unavailable")
        {
            return Err(error);
        }
        let full = full_type(operations.store(), volume.type_id.as_deref())
            .await
            .map_err(store_error)?;
        let affinity: Affinity = run
            .operation()
            .input
            .get("affinity")
            .and_then(|known| serde_json::from_value(known.clone()).ok())
            .unwrap_or_default();
        let mut request = request(&volume, full.as_ref(), None, tried.clone());
        request.affinity = affinity.clone();
        let Ok(next) = crate::scheduler::schedule(&operations, &request).await else {
            return Err(error);
        };
        let (name, host) = (next.backend.name().to_owned(), next.host());
        run.note(|operation| {
            operation.backend = Some(name.clone());
            operation.input = json!({ "tried": tried, "affinity": affinity });
        });
        run.settle::<Volume>(
            id,
            |volume| {
                volume.backend = Some(name.clone());
                volume.host = Some(host.clone());
            },
            |_| Changes::new(),
        )
        .await?;
    }
}

/// The call that makes a volume, from whatever it is made from.
pub(crate) async fn call_for(
    operations: &Operations,
    volume: &Volume,
) -> Result<Call, OperationError> {
    let store = operations.store();
    let broken = |error: StoreError| failure("store", error.to_string());
    let gone = |what: &str| failure("not-found", format!("the source {what} is gone"));
    let full = full_type(store, volume.type_id.as_deref())
        .await
        .map_err(broken)?;
    let spec = build(volume, full.as_ref());
    if let Some(id) = &volume.snapshot_id {
        let snapshot = store
            .get::<Snapshot>(id)
            .await
            .map_err(broken)?
            .ok_or_else(|| gone("snapshot"))?
            .record;
        let source = store
            .get::<Volume>(&snapshot.volume_id)
            .await
            .map_err(broken)?
            .ok_or_else(|| gone("volume"))?;
        let source_volume = volume_spec(store, &source.record).await.map_err(broken)?;
        return Ok(Call::CreateFromSnapshot {
            volume: spec,
            source: snapshot_spec(&snapshot),
            source_volume,
        });
    }
    if let Some(id) = &volume.source_volid {
        return clone_of(operations, volume, id).await;
    }
    Ok(Call::CreateVolume { volume: spec })
}

/// The call that makes a volume from another one.
async fn clone_of(
    operations: &Operations,
    volume: &Volume,
    id: &str,
) -> Result<Call, OperationError> {
    let store = operations.store();
    let broken = |error: StoreError| failure("store", error.to_string());
    let full = full_type(store, volume.type_id.as_deref())
        .await
        .map_err(broken)?;
    let source = store
        .get::<Volume>(id)
        .await
        .map_err(broken)?
        .ok_or_else(|| failure("not-found", "the source volume is gone"))?;
    Ok(Call::CloneVolume {
        volume: build(volume, full.as_ref()),
        source: volume_spec(store, &source.record).await.map_err(broken)?,
    })
}
