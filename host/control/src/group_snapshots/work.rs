//! Group snapshots, taken and deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;
use springform_model::cloud::{
    Group, GroupSnapshot, GroupStatus, GroupType, Snapshot, SnapshotStatus, Volume,
};
use springform_model::contract::{Call, SnapshotPlacement};
use springform_model::operation::{OperationError, Verb};
use springform_store::{Changes, Direction, Query, Store};

use crate::engine::{Executor, Run, failure};
use crate::groups::rules::{backend_has, group_spec, wants_consistent_snapshots};
use crate::groups::settle::{Fate, broken, settle};
use crate::specs::{snapshot_spec, volume_spec};
use crate::volumes::report;

/// The step in which all are taken at one point in time.
const AT_ONCE: &str = "groups.create-snapshot";

/// Carries them out.
pub(super) struct Working;

/// What became of each snapshot; without a placement it is gone.
type Outcomes = BTreeMap<String, Result<Option<SnapshotPlacement>, OperationError>>;

#[async_trait]
impl Executor for Working {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let id = run.operation().subject.clone();
        let store = run.control().store().clone();
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
                let outcome = discard(run, &taken.record, group.as_ref(), &snapshots).await;
                discarded(run, &id, &snapshots, outcome).await
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
        group.array_name.is_some() && backend_has(run.control(), &backend, "group-snapshots");
    if begun || able {
        return Ok(true);
    }
    let kind = run.control().store().get::<GroupType>(&group.group_type_id);
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

async fn volume_of(store: &Store, snapshot: &Snapshot) -> Result<Volume, OperationError> {
    let id = &snapshot.volume_id;
    let found = store.get::<Volume>(id).await.map_err(broken)?;
    found
        .map(|stored| stored.record)
        .ok_or_else(|| failure("not-found", format!("volume {id} is gone")))
}

async fn take_as_one(
    run: &mut Run,
    id: &str,
    group: &Group,
    snapshots: &[Snapshot],
) -> Result<Outcomes, OperationError> {
    let store = run.control().store().clone();
    let backend = group.backend.clone().unwrap_or_default();
    let mut volumes = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        let volume = volume_of(&store, snapshot).await?;
        volumes.push(volume_spec(&store, &volume).await.map_err(broken)?);
    }
    let call = Call::CreateGroupSnapshot {
        group: group_spec(&store, group).await.map_err(broken)?,
        snapshot_id: id.to_owned(),
        volumes,
        snapshots: snapshots.iter().map(snapshot_spec).collect(),
    };
    let outcomes = run
        .call(AT_ONCE, &backend, call)
        .await?
        .into_group_snapshot()
        .map_err(|error| failure("wrong-reply", error.to_string()))?;
    let outcomes = outcomes.into_iter().map(|outcome| {
        let result = outcome.result.map(Some).map_err(|why| {
            let mut error = failure(why.code.as_str(), why.message);
            error.target = why.target;
            error.backend = Some(backend.clone());
            error
        });
        (outcome.id, result)
    });
    Ok(outcomes.collect())
}

async fn take_each(run: &mut Run, snapshots: &[Snapshot]) -> Result<Outcomes, OperationError> {
    let store = run.control().store().clone();
    let mut outcomes = Outcomes::new();
    for snapshot in snapshots {
        let volume = volume_of(&store, snapshot).await?;
        let call = Call::CreateSnapshot {
            volume: volume_spec(&store, &volume).await.map_err(broken)?,
            snapshot: snapshot_spec(snapshot),
        };
        let backend = volume.backend.unwrap_or_default();
        let step = format!("volumes.create-snapshot {}", snapshot.id);
        let outcome = match run.call(&step, &backend, call).await {
            Ok(reply) => reply
                .into_snapshot()
                .map_err(|error| failure("wrong-reply", error.to_string())),
            Err(error) => Err(error),
        };
        outcomes.insert(snapshot.id.clone(), outcome.map(Some));
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
        Some(error) => report(run.operation(), run.control(), action, "001", error),
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
    let now = run.control().now();
    let held = run.operation().id.clone();
    let error = first(&outcome);
    settle::<GroupSnapshot, Snapshot>(
        run,
        &taken.id,
        &ids(snapshots),
        |taken| {
            taken.consistent = consistent;
            Fate::Write
        },
        |snapshot| {
            if snapshot.operation.as_deref() != Some(&held) {
                return Fate::Leave;
            }
            snapshot.operation = None;
            snapshot.updated_at = Some(now);
            let placed = outcome.as_ref().ok().and_then(|all| all.get(&snapshot.id));
            match placed {
                Some(Ok(Some(placement))) => {
                    snapshot.status = SnapshotStatus::Available;
                    snapshot.progress = "100%".to_owned();
                    snapshot.array_name = Some(placement.array_name.clone());
                    snapshot.metadata.extend(placement.metadata.iter().cloned());
                }
                _ => snapshot.status = SnapshotStatus::Error,
            }
            Fate::Write
        },
        Changes::new,
    )
    .await?;
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
            Fate::Write
        },
        |group| {
            if group.operation.as_deref() != Some(&held) {
                return Fate::Leave;
            }
            group.operation = None;
            Fate::Write
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
) -> Result<Outcomes, OperationError> {
    let store = run.control().store().clone();
    if let Some(group) = group.filter(|_| taken.consistent) {
        let backend = group.backend.clone().unwrap_or_default();
        let call = Call::DeleteGroupSnapshot {
            group: group_spec(&store, group).await.map_err(broken)?,
            snapshot_id: taken.id.clone(),
            snapshots: snapshots.iter().map(snapshot_spec).collect(),
        };
        run.call("groups.delete-snapshot", &backend, call).await?;
        let gone = snapshots.iter().map(|one| (one.id.clone(), Ok(None)));
        return Ok(gone.collect());
    }
    let mut outcomes = Outcomes::new();
    for snapshot in snapshots {
        let volume = volume_of(&store, snapshot).await?;
        let call = Call::DeleteSnapshot {
            volume: volume_spec(&store, &volume).await.map_err(broken)?,
            snapshot: snapshot_spec(snapshot),
        };
        let backend = volume.backend.unwrap_or_default();
        let step = format!("volumes.delete-snapshot {}", snapshot.id);
        let outcome = run.call(&step, &backend, call).await;
        outcomes.insert(snapshot.id.clone(), outcome.map(|_| None));
    }
    Ok(outcomes)
}

async fn discarded(
    run: &mut Run,
    id: &str,
    snapshots: &[Snapshot],
    outcome: Result<Outcomes, OperationError>,
) -> Result<(), OperationError> {
    let now = run.control().now();
    let error = first(&outcome);
    run.finish(error.clone());
    let note = message(run, "010");
    settle::<GroupSnapshot, Snapshot>(
        run,
        id,
        &ids(snapshots),
        |taken| {
            if error.is_none() {
                return Fate::Remove;
            }
            taken.operation = None;
            taken.updated_at = Some(now);
            taken.status = GroupStatus::ErrorDeleting;
            Fate::Write
        },
        |snapshot| {
            let gone = outcome.as_ref().ok().and_then(|all| all.get(&snapshot.id));
            if matches!(gone, Some(Ok(_))) {
                return Fate::Remove;
            }
            snapshot.operation = None;
            snapshot.updated_at = Some(now);
            snapshot.status = SnapshotStatus::ErrorDeleting;
            Fate::Write
        },
        || note.clone(),
    )
    .await
}
