//! Filling a new group from another one or from a group snapshot: in one call where the array took or keeps the source
//! as one, volume by volume where it did not.

use std::collections::BTreeMap;

use async_trait::async_trait;
use springform_model::cloud::{Group, GroupSnapshot, GroupStatus, Snapshot, Volume, VolumeStatus};
use springform_model::contract::{Call, Placement};
use springform_model::operation::OperationError;
use springform_store::{Changes, Store, Stored};

use super::rules::group_spec;
use super::settle::{WriteDecision, broken, settle};
use super::work::{establish, listed, message};
use crate::engine::{Executor, Run, failure};
use crate::lock;
use crate::specs::volume_spec;
use crate::volumes::{available, call_for, source_of};

/// Carries it out.
pub(crate) struct GroupFromExecutor;

/// What became of each volume.
type Outcomes = BTreeMap<String, Result<Placement, OperationError>>;

#[async_trait]
impl Executor for GroupFromExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let id = run.operation().subject.clone();
        let store = run.operations().store().clone();
        let Some(group) = store.get::<Group>(&id).await.map_err(broken)? else {
            run.finish(None);
            return run.commit(Changes::new()).await.map_err(broken);
        };
        let mut group = group.record;
        let members = listed(run.operation(), "volumes");
        let made = establish(run, &group).await;
        let outcome = match &made {
            Ok(name) => {
                group.array_name.clone_from(name);
                let sources = sources_of(&store, &members).await?;
                let outcome = fill(run, &group, &members, &sources).await;
                let operation = run.operation().id.clone();
                let back = lock::give_back(&store, &operation, &sources).await;
                back.map_err(broken)?;
                outcome
            }
            Err(error) => Err(error.clone()),
        };
        let array_name = group.array_name.clone();
        finish(run, &group, &members, array_name, outcome).await
    }
}

/// The volumes from which the members get their content.
async fn sources_of(store: &Store, members: &[String]) -> Result<Vec<String>, OperationError> {
    let mut sources = Vec::with_capacity(members.len());
    for member in members {
        sources.extend(source_of(store, member).await?);
    }
    sources.sort();
    sources.dedup();
    Ok(sources)
}

async fn finish(
    run: &mut Run,
    group: &Group,
    members: &[String],
    array_name: Option<String>,
    outcome: Result<Outcomes, OperationError>,
) -> Result<(), OperationError> {
    let failed = match &outcome {
        Ok(outcomes) => outcomes
            .values()
            .find_map(|outcome| outcome.as_ref().err().cloned()),
        Err(error) => Some(error.clone()),
    };
    run.finish(failed.clone());
    let now = run.operations().now();
    let held = run.operation().id.clone();
    let note = message(run, "001");
    settle::<Group, Volume>(
        run,
        &group.id,
        members,
        |group| {
            group.operation = None;
            group.updated_at = Some(now);
            group.array_name.clone_from(&array_name);
            group.status = match &failed {
                None => GroupStatus::Available,
                Some(_) => GroupStatus::Error,
            };
            WriteDecision::Write
        },
        |volume| {
            if volume.operation.as_deref() != Some(&held) {
                return WriteDecision::Leave;
            }
            volume.operation = None;
            volume.updated_at = Some(now);
            let placed = outcome.as_ref().ok().and_then(|all| all.get(&volume.id));
            match placed {
                Some(Ok(placement)) => available(volume, placement, now),
                _ => volume.status = VolumeStatus::Error,
            }
            WriteDecision::Write
        },
        || note.clone(),
    )
    .await
}

async fn fill(
    run: &mut Run,
    group: &Group,
    members: &[String],
    sources: &[String],
) -> Result<Outcomes, OperationError> {
    let store = run.operations().store().clone();
    let volumes = store.get_many::<Volume>(members).await.map_err(broken)?;
    let backend = group.backend.clone().unwrap_or_default();
    let mut outcomes = Outcomes::new();
    if at_once(&store, group, &volumes).await?.is_some() {
        let reply = loop {
            let held = lock::take(run, sources).await?;
            // What it is filled from, as it is under the locks.
            let Some(call) = at_once(&store, group, &volumes).await? else {
                return Err(failure("not-found", "the source is gone"));
            };
            let step = "groups.create-from";
            if let Some(reply) = lock::call(run, step, &backend, call, &held).await? {
                break reply;
            }
        };
        let made = reply
            .into_outcomes()
            .map_err(|error| failure("wrong-reply", error.to_string()))?;
        for outcome in made {
            let result = outcome.result.map_err(|why| {
                let mut error = failure(why.code.as_str(), why.message);
                error.target = why.target;
                error.backend = Some(backend.clone());
                error
            });
            outcomes.insert(outcome.id, result);
        }
        return Ok(outcomes);
    }
    for volume in volumes {
        let operations = run.operations().clone();
        let source = source_of(&store, &volume.id).await?;
        let step = format!("volumes.create {}", volume.id);
        let outcome = loop {
            let held = lock::take(run, source.as_slice()).await?;
            let call = call_for(&operations, &volume.record).await?;
            match lock::call(run, &step, &backend, call, &held).await {
                Ok(Some(reply)) => {
                    let placed = reply.into_placement();
                    break placed.map_err(|error| failure("wrong-reply", error.to_string()));
                }
                Ok(None) => {}
                Err(error) => break Err(error),
            }
        };
        let id = run.operation().id.clone();
        lock::give_back(&store, &id, source.as_slice())
            .await
            .map_err(broken)?;
        outcomes.insert(volume.record.id, outcome);
    }
    Ok(outcomes)
}

/// The one call that makes all of them, where the array knows the new group and keeps the source as one.
async fn at_once(
    store: &Store,
    group: &Group,
    volumes: &[Stored<Volume>],
) -> Result<Option<Call>, OperationError> {
    if group.array_name.is_none() {
        return Ok(None);
    }
    let source = match (&group.source_group_id, &group.group_snapshot_id) {
        (Some(id), _) => id.clone(),
        (None, Some(id)) => {
            let taken = store.get::<GroupSnapshot>(id).await.map_err(broken)?;
            match taken.filter(|taken| taken.consistent) {
                Some(taken) => taken.record.group_id,
                None => return Ok(None),
            }
        }
        (None, None) => return Ok(None),
    };
    let source = store.get::<Group>(&source).await.map_err(broken)?;
    let Some(source) = source.filter(|source| source.array_name.is_some()) else {
        return Ok(None);
    };
    let mut specs = Vec::with_capacity(volumes.len());
    let mut origins = Vec::with_capacity(volumes.len());
    for volume in volumes {
        let origin = match (&volume.source_volid, &volume.snapshot_id) {
            (Some(id), _) => id.clone(),
            (None, Some(id)) => {
                let snapshot = store.get::<Snapshot>(id).await.map_err(broken)?;
                snapshot
                    .ok_or_else(|| failure("not-found", format!("snapshot {id} is gone")))?
                    .record
                    .volume_id
            }
            (None, None) => return Ok(None),
        };
        let origin = store
            .get::<Volume>(&origin)
            .await
            .map_err(broken)?
            .ok_or_else(|| failure("not-found", format!("source volume {origin} is gone")))?;
        specs.push(volume_spec(store, volume).await.map_err(broken)?);
        origins.push(volume_spec(store, &origin.record).await.map_err(broken)?);
    }
    Ok(Some(Call::CreateGroupFrom {
        group: group_spec(store, group).await.map_err(broken)?,
        volumes: specs,
        source: group_spec(store, &source.record).await.map_err(broken)?,
        snapshot_id: group.group_snapshot_id.clone(),
        source_volumes: origins,
    }))
}
