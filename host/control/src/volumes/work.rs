//! The verbs that change a volume which exists, carried out.

use async_trait::async_trait;
use springform_model::cloud::{
    Attachment, ReplicationStatus, Snapshot, SnapshotStatus, Volume, VolumeStatus,
};
use springform_model::contract::{Call, Placement, ReplicationKind, Reply};
use springform_model::operation::{Operation, OperationError, Verb};
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::{Event, Relation};
use springform_store::{Changes, Direction, Query, StoreError, Stored};

use super::input::{action, at_rest, status_before, text};
use super::{migrate, report};
use crate::attachments;
use crate::engine::{Executor, Run, failure, overtaken};
use crate::groups::ROUNDS;
use crate::groups::settle::{WriteDecision, settle};
use crate::lock;
use crate::obligations::{self, Owing};
use crate::replication::Lead;
use crate::specs::{full_type, is_multiattach, snapshot_spec, type_spec, volume_spec};

/// Carries them out.
pub(crate) struct VolumeExecutor;

fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

#[async_trait]
impl Executor for VolumeExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let operations = run.operations().clone();
        let id = run.operation().subject.clone();
        if operations
            .store()
            .get::<Volume>(&id)
            .await
            .map_err(broken)?
            .is_none()
        {
            run.finish(None);
            return run.commit(Changes::new()).await.map_err(broken);
        }
        if migrate::is_move(run.operation()) {
            return migrate::carry_out(run, &id).await;
        }
        let outcome = match act(run, &id).await {
            Ok(Reply::Placement(placed)) if run.operation().verb == Verb::RetypeVolume => {
                lead_to_both(run, &id, placed).await
            }
            outcome => outcome,
        };
        run.finish(outcome.as_ref().err().cloned());
        let operation = run.operation().clone();
        if outcome.is_ok() && matches!(operation.verb, Verb::DeleteVolume | Verb::UnmanageVolume) {
            return vanish(run, &id).await;
        }
        let relation = match (&outcome, operation.verb) {
            (Ok(Reply::Placement(placed)), Verb::RetypeVolume) => {
                let wanted = placed.replication.is_some();
                wants(run, &id, wanted).await?
            }
            _ => None,
        };
        let now = operations.now();
        let full = match operation.input.get("type").and_then(|kind| kind.as_str()) {
            Some(kind) => full_type(operations.store(), Some(kind))
                .await
                .map_err(broken)?,
            None => None,
        };
        // With it the snapshot that it was put back to: whoever sees the volume available may delete it.
        let restored: Vec<String> = match operation.verb {
            Verb::RevertVolume => vec![text(&operation, "snapshot")],
            Verb::DeleteVolume => held(run, &id).await?,
            Verb::RetypeVolume if outcome.is_ok() => all_of(run, &id).await?,
            _ => Vec::new(),
        };
        settle::<Volume, Snapshot>(
            run,
            &id,
            &restored,
            |volume| {
                let held = lock::release(volume, &operation.id);
                if outcome.is_ok() && !held && !is_placed(&operation) {
                    return WriteDecision::Overtaken;
                }
                volume.growing_to = None;
                volume.updated_at = Some(now);
                match &outcome {
                    Ok(reply) => done(volume, &operation, reply),
                    Err(_) => volume.status = failed(volume, &operation),
                }
                if let (Ok(_), Some(full)) = (&outcome, &full) {
                    volume.type_id = Some(full.volume_type.id.clone());
                    volume.type_name = Some(full.volume_type.name.clone());
                    volume.multiattach = is_multiattach(&full.volume_type);
                }
                WriteDecision::Write
            },
            |snapshot| {
                if let Some(full) = &full {
                    snapshot.type_id = Some(full.volume_type.id.clone());
                    return WriteDecision::Write;
                }
                snapshot.status = match operation.verb {
                    Verb::DeleteVolume => left(snapshot, &operation),
                    _ => SnapshotStatus::Available,
                };
                snapshot.operation = None;
                WriteDecision::Write
            },
            || {
                let changes = match &operation.error {
                    Some(error) => report(
                        &operation,
                        &operations,
                        action(operation.verb),
                        "001",
                        error,
                    ),
                    None => Changes::new(),
                };
                relation.iter().fold(changes, Changes::put)
            },
        )
        .await
    }
}

/// Key of an operation that connects machines to both arrays of the pair that its volume entered.
const LEADS: &str = "leads";

/// Whether the record says where the array put the volume already; its lock was given back after that.
fn is_placed(operation: &Operation) -> bool {
    operation.input.get(LEADS).is_some()
}

/// Machines that had ways to both arrays of a pair have lost one where a volume left it, and have it again where it enters one: a
/// failover does not connect them.
async fn lead_to_both(run: &mut Run, id: &str, placed: Placement) -> Result<Reply, OperationError> {
    let operations = run.operations().clone();
    let store = operations.store();
    let paired = |at: Option<&Placement>| {
        let kind = at.and_then(|at| at.replication.as_ref());
        kind.is_some_and(ReplicationKind::is_paired)
    };
    let begun = is_placed(run.operation());
    let known = store.get::<Volume>(id).await.map_err(broken)?;
    let used = known.is_some_and(|volume| {
        let enters = begun || !paired(volume.placement.as_ref());
        enters && !volume.attachments.is_empty()
    });
    if !used || !paired(Some(&placed)) {
        return Ok(Reply::Placement(placed));
    }
    // A host that is killed between here and the connections makes them when it is back.
    run.note(|operation| {
        if let Some(input) = operation.input.as_object_mut() {
            input.insert(LEADS.to_owned(), true.into());
        }
    });
    // The connections are made from the stored placement; the volume's lock is given back with the last of them.
    let operation = run.operation().id.clone();
    settle::<Volume, Volume>(
        run,
        id,
        &[],
        |volume| {
            if volume.operation.as_ref() != Some(&operation) {
                return WriteDecision::Overtaken;
            }
            volume.place(&placed);
            WriteDecision::Write
        },
        |_| WriteDecision::Leave,
        Changes::new,
    )
    .await?;
    let backend = run.operation().backend.clone().unwrap_or_default();
    attachments::reconnect_volumes(&operations, &backend, &operation, &[id], Lead::Both).await;
    Ok(Reply::Placement(placed))
}

/// Under the volume's lock, and again where somebody took it or the volume moved meanwhile.
async fn act(run: &mut Run, id: &str) -> Result<Reply, OperationError> {
    let ids = [id.to_owned()];
    loop {
        let held = lock::take(run, &ids).await?;
        if let Some(reply) = attempt(run, &held).await? {
            return Ok(reply);
        }
    }
}

async fn attempt(run: &mut Run, held: &[Stored<Volume>]) -> Result<Option<Reply>, OperationError> {
    let [volume] = held else {
        return Err(failure("not-found", "the volume is gone"));
    };
    let operations = run.operations().clone();
    let store = operations.store();
    let operation = run.operation().clone();
    let backend = volume.backend.clone().unwrap_or_default();
    let spec = volume_spec(store, volume).await.map_err(broken)?;
    let call = match operation.verb {
        Verb::DeleteVolume => {
            // What could not be taken over is not the cloud's to delete.
            if status_before(&operation) == VolumeStatus::ErrorManaging {
                return Ok(Some(Reply::Done));
            }
            if !delete_snapshots(run, held).await? {
                return Ok(None);
            }
            if volume.placement.is_none() && volume.backend.is_none() {
                return Ok(Some(Reply::Done));
            }
            Call::DeleteVolume { volume: spec }
        }
        Verb::UnmanageVolume => Call::Unmanage { volume: spec },
        Verb::ExtendVolume => {
            let size = operation
                .input
                .get("size")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(volume.size);
            // Limits for each GiB grow with the volume.
            let full = full_type(store, volume.type_id.as_deref())
                .await
                .map_err(broken)?;
            let mut grown = spec;
            grown.volume_type = full.as_ref().map(|full| type_spec(full, size));
            Call::ExtendVolume {
                volume: grown,
                new_size: size.saturating_mul(1 << 30),
            }
        }
        Verb::RevertVolume => {
            let id = text(&operation, "snapshot");
            let gone = || failure("not-found", format!("snapshot {id} is gone"));
            let snapshot = store
                .get::<Snapshot>(&id)
                .await
                .map_err(broken)?
                .ok_or_else(gone)?;
            Call::Revert {
                volume: spec,
                snapshot: snapshot_spec(&snapshot.record),
            }
        }
        Verb::RetypeVolume => {
            let full = full_type(store, Some(&text(&operation, "type")))
                .await
                .map_err(broken)?;
            Call::Retype {
                volume: spec,
                new_type: full.as_ref().map(|full| type_spec(full, volume.size)),
            }
        }
        _ => return Err(failure("unsupported", "volumes have no such verb")),
    };
    lock::call(run, "array", &backend, call, held).await
}

fn deletion_of(snapshot: &str) -> String {
    format!("delete snapshot {snapshot}")
}

/// Snapshots that were to go with the volume and are still there.
async fn held(run: &Run, id: &str) -> Result<Vec<String>, OperationError> {
    let query = Query::new()
        .eq("volume_id", id)
        .eq("operation", &run.operation().id);
    let store = run.operations().store();
    let left = store.list::<Snapshot>(&query).await.map_err(broken)?;
    Ok(left.into_iter().map(|stored| stored.record.id).collect())
}

/// Its snapshots: they count as what the volume is.
async fn all_of(run: &Run, id: &str) -> Result<Vec<String>, OperationError> {
    let query = Query::new().eq("volume_id", id);
    let store = run.operations().store();
    let all = store.list::<Snapshot>(&query).await.map_err(broken)?;
    Ok(all.into_iter().map(|stored| stored.record.id).collect())
}

/// What becomes of such a snapshot: whatever was not begun with is as good as it was.
fn left(snapshot: &Snapshot, operation: &Operation) -> SnapshotStatus {
    let step = deletion_of(&snapshot.id);
    if operation.steps.iter().any(|begun| begun.name == step) {
        SnapshotStatus::ErrorDeleting
    } else if snapshot.array_name.is_some() {
        SnapshotStatus::Available
    } else {
        SnapshotStatus::Error
    }
}

/// Those that a cascading delete takes with it, oldest last. False: somebody took the volume's lock meanwhile.
async fn delete_snapshots(run: &mut Run, held: &[Stored<Volume>]) -> Result<bool, OperationError> {
    let [volume] = held else { return Ok(false) };
    let operations = run.operations().clone();
    let query = Query::new()
        .eq("volume_id", &volume.id)
        .sort("created_at", Direction::Desc);
    let found = operations.store().list::<Snapshot>(&query).await;
    for snapshot in found.map_err(broken)? {
        let mut all = Vec::new();
        // One whose making failed may be on the array all the same.
        let there = snapshot.array_name.is_some() || volume.placement.is_some();
        if let Some(backend) = volume.backend.as_deref().filter(|_| there) {
            let spec = volume_spec(operations.store(), volume)
                .await
                .map_err(broken)?;
            let operation = run.operation().id.clone();
            let taken_on = snapshot.target.as_deref();
            let (told, owed) = Owing::new(&operations, backend, &operation)
                .snapshot_deleted(&spec, snapshot_spec(&snapshot.record), taken_on)
                .await
                .map_err(broken)?;
            all.extend(owed);
            let call = Call::DeleteSnapshot {
                volume: spec,
                snapshot: told,
            };
            let step = deletion_of(&snapshot.id);
            if lock::call(run, &step, backend, call, held).await?.is_none() {
                return Ok(false);
            }
        }
        let changes = obligations::owe(&operations, &all).remove::<Snapshot>(&snapshot.id);
        run.commit(changes).await.map_err(broken)?;
        obligations::wake(&operations, &all);
    }
    Ok(true)
}

async fn vanish(run: &mut Run, id: &str) -> Result<(), OperationError> {
    let query = Query::new().eq("volume_id", id);
    let attachments = run
        .operations()
        .store()
        .list::<Attachment>(&query)
        .await
        .map_err(broken)?;
    let operations = run.operations().clone();
    for _ in 0..ROUNDS {
        let volume = operations.store().get::<Volume>(id).await.map_err(broken)?;
        let mut changes = Changes::new().remove::<Relation>(id);
        let mut owed = Vec::new();
        if let Some(volume) = &volume {
            if volume.operation.as_ref() != Some(&run.operation().id) {
                return Err(overtaken(id));
            }
            owed = self::owed(run, volume).await?;
            changes = changes.delete::<Volume>(id, volume.revision);
        }
        let changes = attachments
            .iter()
            .fold(changes, |changes, attachment| {
                changes.remove::<Attachment>(&attachment.id)
            })
            .and(obligations::owe(&operations, &owed));
        match run.commit(changes).await {
            Ok(()) => {
                obligations::wake(&operations, &owed);
                return Ok(());
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(broken(error)),
        }
    }
    Err(failure(
        "store",
        format!("volume {id} is being changed by many at once"),
    ))
}

/// What other arrays than the one that was told are owed now that the volume is gone from the records.
async fn owed(run: &Run, volume: &Volume) -> Result<Vec<Obligation>, OperationError> {
    let (operations, operation) = (run.operations(), run.operation());
    if volume.placement.is_none() {
        return Ok(Vec::new());
    }
    let spec = volume_spec(operations.store(), volume)
        .await
        .map_err(broken)?;
    let backend = volume.backend.as_deref().unwrap_or_default();
    let owing = Owing::new(operations, backend, &operation.id);
    let owed = match operation.verb {
        Verb::UnmanageVolume => owing.volume_unmanaged(&spec).await,
        // What could not be taken over is not the cloud's to delete.
        _ if status_before(operation) == VolumeStatus::ErrorManaging => Ok(Vec::new()),
        _ => owing.volume_deleted(&spec).await,
    };
    owed.map_err(broken)
}

/// The relation of a volume whose new type asks for a copy, or for none; none where it has that, or refuses.
async fn wants(run: &Run, id: &str, wanted: bool) -> Result<Option<Relation>, OperationError> {
    let (store, now) = (run.operations().store(), run.operations().now());
    let known = store.get::<Relation>(id).await.map_err(broken)?;
    let known = known.filter(|relation| relation.wanted != wanted);
    Ok(known.and_then(|relation| Some(relation.step(Event::Want(wanted), now).ok()?.0)))
}

fn done(volume: &mut Volume, operation: &Operation, reply: &Reply) {
    volume.status = at_rest(volume, status_before(operation));
    match (operation.verb, reply) {
        (Verb::ExtendVolume, _) => {
            if let Some(size) = operation
                .input
                .get("size")
                .and_then(serde_json::Value::as_u64)
            {
                volume.size = size;
            }
        }
        (Verb::RetypeVolume, Reply::Placement(placement)) => {
            if !is_placed(operation) {
                volume.place(placement);
            }
            let placement = volume.placement.as_ref();
            let replication = placement.is_some_and(|at| at.replication.is_some());
            volume.replication_status = Some(if replication {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::NotCapable
            });
        }
        _ => {}
    }
}

fn failed(volume: &Volume, operation: &Operation) -> VolumeStatus {
    match operation.verb {
        Verb::DeleteVolume => VolumeStatus::ErrorDeleting,
        Verb::ExtendVolume => VolumeStatus::ErrorExtending,
        Verb::RevertVolume | Verb::UnmanageVolume => VolumeStatus::Error,
        _ => at_rest(volume, status_before(operation)),
    }
}
