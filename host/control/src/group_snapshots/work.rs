//! Group snapshots, taken and deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;
use springform_model::cloud::{
    Group, GroupSnapshot, GroupStatus, GroupType, Snapshot, SnapshotStatus, Volume,
};
use springform_model::contract::{Call, Reply, SnapshotPlacement, SnapshotSpec, VolumeSpec};
use springform_model::operation::{OperationError, Verb};
use springform_model::replication::obligation::Obligation;
use springform_store::{Changes, Direction, Query, Stored};

use crate::engine::{Executor, Run, failure};
use crate::groups::rules::{backend_has, group_spec, wants_consistent_snapshots};
use crate::groups::settle::{WriteDecision, broken, settle};
use crate::lock;
use crate::obligations::{self, Owing};
use crate::specs::{snapshot_spec, volume_spec};
use crate::volumes::report;

/// The step in which all are taken at one point in time.
const AT_ONCE: &str = "groups.create-snapshot";

/// Carries them out.
pub(crate) struct GroupSnapshotExecutor;

/// A snapshot as an array made it.
struct Made {
    placement: SnapshotPlacement,
    /// Its volume, as the driver was told of it.
    volume: Volume,
}

/// What became of each snapshot; without a placement it is gone.
type Outcomes = BTreeMap<String, Result<Option<Made>, OperationError>>;

#[async_trait]
impl Executor for GroupSnapshotExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let id = run.operation().subject.clone();
        let store = run.operations().store().clone();
        let Some(taken) = store.get::<GroupSnapshot>(&id).await.map_err(broken)? else {
            run.finish(None);
            return run.commit(Changes::new()).await.map_err(broken);
        };
        let group = store.get::<Group>(&taken.group_id).await.map_err(broken)?;
        let group = group.map(|group| group.record);
        let query = Query::new()
            .eq("group_snapshot_id", &id)
            .sort("id", Direction::Asc);
        let found = store.list::<Snapshot>(&query).await.map_err(broken)?;
        let snapshots: Vec<Snapshot> = found.into_iter().map(|stored| stored.record).collect();
        match run.operation().verb {
            Verb::DeleteGroupSnapshot => {
                let mut owed = Vec::new();
                let outcome =
                    discard(run, &taken.record, group.as_ref(), &snapshots, &mut owed).await;
                discarded(run, &id, &snapshots, outcome, &owed).await?;
                obligations::wake(run.operations(), &owed);
                Ok(())
            }
            _ => {
                let (consistent, outcome) = take(run, &id, group.as_ref(), &snapshots).await;
                finished(run, &taken.record, &snapshots, consistent, outcome).await
            }
        }
    }
}

/// Whether they were taken as one, and what came of it.
async fn take(
    run: &mut Run,
    id: &str,
    group: Option<&Group>,
    snapshots: &[Snapshot],
) -> (bool, Result<Outcomes, OperationError>) {
    let Some(group) = group else {
        return (false, Err(failure("not-found", "the group is gone")));
    };
    let consistent = match as_one(run, group).await {
        Ok(consistent) => consistent,
        Err(error) => return (false, Err(error)),
    };
    let outcome = if consistent {
        take_as_one(run, id, group, snapshots).await
    } else {
        take_each(run, snapshots).await
    };
    (consistent, outcome)
}

/// Whether the array takes them as one. Refuses where the type asks for that and the driver does not do it.
async fn as_one(run: &Run, group: &Group) -> Result<bool, OperationError> {
    let backend = group.backend.clone().unwrap_or_default();
    let begun = run
        .operation()
        .steps
        .iter()
        .any(|step| step.name == AT_ONCE);
    let able =
        group.array_name.is_some() && backend_has(run.operations(), &backend, "group-snapshots");
    if begun || able {
        return Ok(true);
    }
    let kind = run
        .operations()
        .store()
        .get::<GroupType>(&group.group_type_id);
    let kind = kind.await.map_err(broken)?;
    if kind.is_some_and(|kind| wants_consistent_snapshots(&kind)) {
        let mut error = failure(
            "unsupported",
            format!(
                "the driver of backend {backend} does not take snapshots of group {} at one point in time, which the group's type asks for; nothing was taken",
                group.id
            ),
        );
        error.backend = Some(backend);
        return Err(error);
    }
    Ok(false)
}

fn volumes_of(snapshots: &[Snapshot]) -> Vec<String> {
    let ids = snapshots.iter().map(|snapshot| snapshot.volume_id.clone());
    ids.collect()
}

/// All at one point in time, under the locks of all their volumes.
async fn take_as_one(
    run: &mut Run,
    id: &str,
    group: &Group,
    snapshots: &[Snapshot],
) -> Result<Outcomes, OperationError> {
    let store = run.operations().store().clone();
    let backend = group.backend.clone().unwrap_or_default();
    let volumes = volumes_of(snapshots);
    let (held, outcomes) = loop {
        let held = lock::take(run, &volumes).await?;
        let mut specs = Vec::with_capacity(snapshots.len());
        for volume in &volumes {
            let volume = member(&held, volume).ok_or_else(|| gone(volume))?;
            specs.push(volume_spec(&store, volume).await.map_err(broken)?);
        }
        let call = Call::CreateGroupSnapshot {
            group: group_spec(&store, group).await.map_err(broken)?,
            snapshot_id: id.to_owned(),
            volumes: specs,
            snapshots: snapshots.iter().map(snapshot_spec).collect(),
        };
        if let Some(reply) = lock::call(run, AT_ONCE, &backend, call, &held).await? {
            let outcomes = reply.into_group_snapshot();
            break (
                held,
                outcomes.map_err(|error| failure("wrong-reply", error.to_string()))?,
            );
        }
    };
    let mut all = Outcomes::new();
    for outcome in outcomes {
        let of = snapshots.iter().find(|one| one.id == outcome.id);
        let Some(of) = of else { continue };
        let result = match outcome.result {
            Ok(placement) => Ok(Some(Made {
                placement,
                volume: member(&held, &of.volume_id)
                    .ok_or_else(|| gone(&of.volume_id))?
                    .clone(),
            })),
            Err(why) => {
                let mut error = failure(why.code.as_str(), why.message);
                error.target = why.target;
                error.backend = Some(backend.clone());
                Err(error)
            }
        };
        all.insert(outcome.id, result);
    }
    Ok(all)
}

fn member<'a>(held: &'a [Stored<Volume>], id: &str) -> Option<&'a Volume> {
    let found = held.iter().find(|volume| volume.id == id);
    found.map(|volume| &volume.record)
}

fn gone(id: &str) -> OperationError {
    failure("not-found", format!("volume {id} is gone"))
}

/// One call about one snapshot, under the lock of its volume.
async fn one(
    run: &mut Run,
    step: &str,
    snapshot: &Snapshot,
    call: impl Fn(VolumeSpec, SnapshotSpec) -> Call,
    owed: Option<&mut Vec<Obligation>>,
) -> Result<(Reply, Volume), OperationError> {
    let operations = run.operations().clone();
    let store = operations.store().clone();
    let operation = run.operation().id.clone();
    let mut owes = None;
    let ids = [snapshot.volume_id.clone()];
    let outcome = loop {
        let held = lock::take(run, &ids).await?;
        let volume = member(&held, &snapshot.volume_id);
        let volume = volume.ok_or_else(|| gone(&snapshot.volume_id))?;
        let spec = volume_spec(&store, volume).await.map_err(broken)?;
        let backend = volume.backend.clone().unwrap_or_default();
        let mut told = snapshot_spec(snapshot);
        if owed.is_some() {
            let owing = Owing::new(&operations, &backend, &operation);
            let taken_on = snapshot.target.as_deref();
            let deleted = owing.snapshot_deleted(&spec, told, taken_on).await;
            (told, owes) = deleted.map_err(broken)?;
        }
        let call = call(spec, told);
        match lock::call(run, step, &backend, call, &held).await {
            Ok(Some(reply)) => break Ok((reply, volume.clone())),
            Ok(None) => {}
            Err(error) => break Err(error),
        }
    };
    lock::give_back(&store, &operation, &ids)
        .await
        .map_err(broken)?;
    if let (Ok(_), Some(owed)) = (&outcome, owed) {
        owed.extend(owes);
    }
    outcome
}

async fn take_each(run: &mut Run, snapshots: &[Snapshot]) -> Result<Outcomes, OperationError> {
    let mut outcomes = Outcomes::new();
    for snapshot in snapshots {
        let step = format!("volumes.create-snapshot {}", snapshot.id);
        let create = |volume, snapshot| Call::CreateSnapshot { volume, snapshot };
        let outcome = match one(run, &step, snapshot, create, None).await {
            Ok((reply, volume)) => match reply.into_snapshot() {
                Ok(placement) => Ok(Some(Made { placement, volume })),
                Err(error) => Err(failure("wrong-reply", error.to_string())),
            },
            Err(error) => Err(error),
        };
        outcomes.insert(snapshot.id.clone(), outcome);
    }
    Ok(outcomes)
}

fn first(outcome: &Result<Outcomes, OperationError>) -> Option<OperationError> {
    match outcome {
        Err(error) => Some(error.clone()),
        Ok(all) => all.values().find_map(|one| one.as_ref().err().cloned()),
    }
}

fn message(run: &Run, action: &str) -> Changes {
    match &run.operation().error {
        Some(error) => report(run.operation(), run.operations(), action, "001", error),
        None => Changes::new(),
    }
}

fn ids(snapshots: &[Snapshot]) -> Vec<String> {
    snapshots
        .iter()
        .map(|snapshot| snapshot.id.clone())
        .collect()
}

/// The snapshots are written first, then the group's turn and the group snapshot end with the operation.
async fn finished(
    run: &mut Run,
    taken: &GroupSnapshot,
    snapshots: &[Snapshot],
    consistent: bool,
    outcome: Result<Outcomes, OperationError>,
) -> Result<(), OperationError> {
    let now = run.operations().now();
    let held = run.operation().id.clone();
    let error = first(&outcome);
    settle::<GroupSnapshot, Snapshot>(
        run,
        &taken.id,
        &ids(snapshots),
        |taken| {
            taken.consistent = consistent;
            WriteDecision::Write
        },
        |snapshot| {
            if snapshot.operation.as_deref() != Some(&held) {
                return WriteDecision::Leave;
            }
            snapshot.operation = None;
            snapshot.updated_at = Some(now);
            let placed = outcome.as_ref().ok().and_then(|all| all.get(&snapshot.id));
            match placed {
                Some(Ok(Some(made))) => {
                    let placement = &made.placement;
                    let at = made.volume.placement.as_ref();
                    snapshot.status = SnapshotStatus::Available;
                    snapshot.size = made.volume.size;
                    snapshot.target = at.map(|at| at.target.clone());
                    snapshot.progress = "100%".to_owned();
                    snapshot.array_name = Some(placement.array_name.clone());
                    snapshot.metadata.extend(placement.metadata.iter().cloned());
                }
                _ => snapshot.status = SnapshotStatus::Error,
            }
            WriteDecision::Write
        },
        Changes::new,
    )
    .await?;
    unlock(run, snapshots).await?;
    run.finish(error.clone());
    let note = message(run, "011");
    settle::<GroupSnapshot, Group>(
        run,
        &taken.id,
        std::slice::from_ref(&taken.group_id),
        |taken| {
            taken.operation = None;
            taken.updated_at = Some(now);
            taken.status = match &error {
                None => GroupStatus::Available,
                Some(_) => GroupStatus::Error,
            };
            WriteDecision::Write
        },
        |group| {
            if group.operation.as_deref() != Some(&held) {
                return WriteDecision::Leave;
            }
            group.operation = None;
            WriteDecision::Write
        },
        || note.clone(),
    )
    .await
}

async fn discard(
    run: &mut Run,
    taken: &GroupSnapshot,
    group: Option<&Group>,
    snapshots: &[Snapshot],
    owed: &mut Vec<Obligation>,
) -> Result<Outcomes, OperationError> {
    let operations = run.operations().clone();
    let operation = run.operation().id.clone();
    let store = operations.store().clone();
    if let Some(group) = group.filter(|_| taken.consistent) {
        let backend = group.backend.clone().unwrap_or_default();
        let volumes = volumes_of(snapshots);
        loop {
            let held = lock::take(run, &volumes).await?;
            let group = group_spec(&store, group).await.map_err(broken)?;
            let parts: Vec<_> = snapshots.iter().map(snapshot_spec).collect();
            let taken_on = snapshots.iter().find_map(|one| one.target.as_deref());
            let owing = Owing::new(&operations, &backend, &operation);
            let away = owing.group_snapshot_deleted(&group, &taken.id, &parts, taken_on);
            *owed = away.await.map_err(broken)?.into_iter().collect();
            let call = Call::DeleteGroupSnapshot {
                group,
                snapshot_id: taken.id.clone(),
                snapshots: parts,
            };
            let step = "groups.delete-snapshot";
            if lock::call(run, step, &backend, call, &held)
                .await?
                .is_some()
            {
                break;
            }
        }
        let gone = snapshots.iter().map(|one| (one.id.clone(), Ok(None)));
        return Ok(gone.collect());
    }
    let mut outcomes = Outcomes::new();
    for snapshot in snapshots {
        let step = format!("volumes.delete-snapshot {}", snapshot.id);
        let delete = |volume, snapshot| Call::DeleteSnapshot { volume, snapshot };
        let outcome = one(run, &step, snapshot, delete, Some(&mut *owed)).await;
        outcomes.insert(snapshot.id.clone(), outcome.map(|_| None));
    }
    Ok(outcomes)
}

/// Gives the locks of all volumes back: what is left to do is the records'.
async fn unlock(run: &Run, snapshots: &[Snapshot]) -> Result<(), OperationError> {
    let id = run.operation().id.clone();
    let volumes = volumes_of(snapshots);
    lock::give_back(run.operations().store(), &id, &volumes)
        .await
        .map_err(broken)
}

async fn discarded(
    run: &mut Run,
    id: &str,
    snapshots: &[Snapshot],
    outcome: Result<Outcomes, OperationError>,
    owed: &[Obligation],
) -> Result<(), OperationError> {
    let now = run.operations().now();
    let error = first(&outcome);
    unlock(run, snapshots).await?;
    run.finish(error.clone());
    let owed = if outcome.is_ok() { owed } else { &[] };
    let note = message(run, "010").and(obligations::owe(run.operations(), owed));
    settle::<GroupSnapshot, Snapshot>(
        run,
        id,
        &ids(snapshots),
        |taken| {
            if error.is_none() {
                return WriteDecision::Remove;
            }
            taken.operation = None;
            taken.updated_at = Some(now);
            taken.status = GroupStatus::ErrorDeleting;
            WriteDecision::Write
        },
        |snapshot| {
            let gone = outcome.as_ref().ok().and_then(|all| all.get(&snapshot.id));
            if matches!(gone, Some(Ok(_))) {
                return WriteDecision::Remove;
            }
            snapshot.operation = None;
            snapshot.updated_at = Some(now);
            snapshot.status = SnapshotStatus::ErrorDeleting;
            WriteDecision::Write
        },
        || note.clone(),
    )
    .await
}
