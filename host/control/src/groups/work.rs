//! The verbs of groups, carried out: making an empty one, changing its members, deleting it.

use async_trait::async_trait;
use springform_model::cloud::{
    Attachment, Group, GroupStatus, GroupType, Service, Volume, VolumeStatus,
};
use springform_model::contract::{Call, Reply};
use springform_model::operation::{Operation, OperationError, Verb};
use springform_model::replication::relation::Relation;
use springform_store::{Changes, Query};

use super::rules::{
    backend_has, group_spec, wants_consistent_replication, wants_consistent_snapshots,
};
use super::settle::{WriteDecision, broken, settle};
use crate::engine::{Executor, Operations, Run, failure};
use crate::obligations::{self, Owing};
use crate::specs::volume_spec;
use crate::volumes::report;

/// Carries them out.
pub(crate) struct GroupExecutor;

#[async_trait]
impl Executor for GroupExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let id = run.operation().subject.clone();
        let found = run.operations().store().get::<Group>(&id).await;
        let Some(group) = found.map_err(broken)? else {
            run.finish(None);
            return run.commit(Changes::new()).await.map_err(broken);
        };
        match run.operation().verb {
            Verb::CreateGroup => create(run, &group.record).await,
            Verb::DeleteGroup => delete(run, &group.record).await,
            _ => update(run, &group.record).await,
        }
    }
}

/// Ids that an operation's input names under a key.
pub(super) fn listed(operation: &Operation, key: &str) -> Vec<String> {
    let found = operation.input.get(key).cloned().unwrap_or_default();
    serde_json::from_value(found).unwrap_or_default()
}

/// A message for the user where the operation failed.
pub(super) fn message(run: &Run, action: &str) -> Changes {
    let operation = run.operation();
    match &operation.error {
        Some(error) => report(operation, run.operations(), action, "001", error),
        None => Changes::new(),
    }
}

/// Which array serves a backend now; none: its primary.
async fn serving(operations: &Operations, backend: &str) -> Option<String> {
    let service = operations.store().get::<Service>(backend).await.ok()??;
    service.record.active_target
}

/// Makes the group on the array where its driver keeps groups; refuses where the type asks for what the driver lacks.
pub(super) async fn establish(
    run: &mut Run,
    group: &Group,
) -> Result<Option<String>, OperationError> {
    let operations = run.operations().clone();
    let backend = group.backend.clone().unwrap_or_default();
    if !backend_has(&operations, &backend, "groups") {
        let kind = operations
            .store()
            .get::<GroupType>(&group.group_type_id)
            .await;
        let kind = kind.map_err(broken)?;
        let asks = kind.is_some_and(|kind| {
            wants_consistent_snapshots(&kind) || wants_consistent_replication(&kind)
        });
        if asks {
            let mut error = failure(
                "unsupported",
                format!(
                    "the driver of backend {backend} keeps no consistency groups, which the group's type asks for; use a group type without consistent_group_snapshot_enabled and consistent_group_replication_enabled, or another backend"
                ),
            );
            error.backend = Some(backend);
            return Err(error);
        }
        return Ok(None);
    }
    let spec = group_spec(operations.store(), group)
        .await
        .map_err(broken)?;
    let reply = run
        .call("groups.create", &backend, Call::CreateGroup { group: spec })
        .await?;
    let name = reply.into_name();
    name.map(Some)
        .map_err(|error| failure("wrong-reply", error.to_string()))
}

async fn create(run: &mut Run, group: &Group) -> Result<(), OperationError> {
    let refused = run.operation().input.get("refused").cloned();
    let outcome = match refused {
        Some(why) => Err(failure(
            "no-valid-backend",
            format!(
                "schedule create group: {}",
                why.as_str().unwrap_or_default()
            ),
        )),
        None => establish(run, group).await,
    };
    run.finish(outcome.as_ref().err().cloned());
    let operations = run.operations().clone();
    let target = serving(&operations, group.backend.as_deref().unwrap_or_default()).await;
    let now = operations.now();
    let note = message(run, "001");
    settle::<Group, Volume>(
        run,
        &group.id,
        &[],
        |group| {
            group.operation = None;
            group.updated_at = Some(now);
            match &outcome {
                Ok(name) => {
                    group.status = GroupStatus::Available;
                    group.array_name.clone_from(name);
                    group.target.clone_from(&target);
                }
                Err(_) => group.status = GroupStatus::Error,
            }
            WriteDecision::Write
        },
        |_| WriteDecision::Leave,
        || note.clone(),
    )
    .await
}

async fn update(run: &mut Run, group: &Group) -> Result<(), OperationError> {
    let (add, remove) = (
        listed(run.operation(), "add"),
        listed(run.operation(), "remove"),
    );
    let outcome = tell(run, group, &add, &remove).await;
    run.finish(outcome.as_ref().err().cloned());
    let now = run.operations().now();
    let held = run.operation().id.clone();
    let members: Vec<String> = add.iter().chain(&remove).cloned().collect();
    let note = message(run, "011");
    settle::<Group, Volume>(
        run,
        &group.id,
        &members,
        |group| {
            group.operation = None;
            group.updated_at = Some(now);
            group.status = match &outcome {
                Ok(_) => GroupStatus::Available,
                Err(_) => GroupStatus::Error,
            };
            WriteDecision::Write
        },
        |volume: &mut Volume| {
            if volume.operation.as_deref() != Some(&held) {
                return WriteDecision::Leave;
            }
            volume.operation = None;
            volume.updated_at = Some(now);
            if outcome.is_ok() {
                let joins = add.contains(&volume.id);
                volume.group_id = joins.then(|| group.id.clone());
            }
            WriteDecision::Write
        },
        || note.clone(),
    )
    .await
}

async fn tell(
    run: &mut Run,
    group: &Group,
    add: &[String],
    remove: &[String],
) -> Result<Reply, OperationError> {
    if group.array_name.is_none() {
        return Ok(Reply::Done);
    }
    let store = run.operations().store().clone();
    let backend = group.backend.clone().unwrap_or_default();
    let mut specs = [Vec::new(), Vec::new()];
    for (ids, specs) in [add, remove].into_iter().zip(&mut specs) {
        for volume in store.get_many::<Volume>(ids).await.map_err(broken)? {
            specs.push(volume_spec(&store, &volume).await.map_err(broken)?);
        }
    }
    let [add, remove] = specs;
    let group = group_spec(&store, group).await.map_err(broken)?;
    run.call(
        "groups.update",
        &backend,
        Call::UpdateGroup { group, add, remove },
    )
    .await
}

/// Members first, each gone from the records as soon as it is gone from the array; the group last.
async fn delete(run: &mut Run, group: &Group) -> Result<(), OperationError> {
    let backend = group.backend.clone().unwrap_or_default();
    let ids = listed(run.operation(), "volumes");
    let mut first: Option<OperationError> = None;
    for id in &ids {
        if let Err(error) = delete_member(run, &backend, id).await? {
            first.get_or_insert(error);
        }
    }
    let operations = run.operations().clone();
    let mut owed = Vec::new();
    if first.is_none() && group.array_name.is_some() {
        let spec = group_spec(operations.store(), group)
            .await
            .map_err(broken)?;
        let operation = run.operation().id.clone();
        let owing = Owing::new(&operations, &backend, &operation);
        let call = Call::DeleteGroup {
            group: spec.clone(),
        };
        match run.call("groups.delete", &backend, call).await {
            Ok(_) => owed = owing.group_deleted(&spec),
            Err(error) => first = Some(error),
        }
    }
    run.finish(first.clone());
    let now = operations.now();
    let note = message(run, "010").and(obligations::owe(&operations, &owed));
    settle::<Group, Volume>(
        run,
        &group.id,
        &[],
        |group| {
            if first.is_none() {
                return WriteDecision::Remove;
            }
            group.operation = None;
            group.updated_at = Some(now);
            group.status = GroupStatus::ErrorDeleting;
            WriteDecision::Write
        },
        |_| WriteDecision::Leave,
        || note.clone(),
    )
    .await?;
    obligations::wake(&operations, &owed);
    Ok(())
}

/// The outer error is of the database: the operation is then still open; the inner one is the volume's.
async fn delete_member(
    run: &mut Run,
    backend: &str,
    id: &str,
) -> Result<Result<(), OperationError>, OperationError> {
    let store = run.operations().store().clone();
    let Some(volume) = store.get::<Volume>(id).await.map_err(broken)? else {
        return Ok(Ok(()));
    };
    let spec = volume_spec(&store, &volume.record).await.map_err(broken)?;
    let operation = run.operation().id.clone();
    let operations = run.operations().clone();
    let call = Call::DeleteVolume {
        volume: spec.clone(),
    };
    let outcome = run
        .call(&format!("volumes.delete {id}"), backend, call)
        .await;
    let now = run.operations().now();
    let query = Query::new().eq("volume_id", id);
    let attachments = store.list::<Attachment>(&query).await.map_err(broken)?;
    let gone = outcome.is_ok();
    let mut owed = Vec::new();
    if gone {
        let owing = Owing::new(&operations, backend, &operation);
        owed = owing.volume_deleted(&spec).await.map_err(broken)?;
    }
    settle::<Volume, Volume>(
        run,
        id,
        &[],
        |volume| {
            if gone {
                return WriteDecision::Remove;
            }
            volume.operation = None;
            volume.updated_at = Some(now);
            volume.status = VolumeStatus::ErrorDeleting;
            WriteDecision::Write
        },
        |_| WriteDecision::Leave,
        || {
            if !gone {
                return Changes::new();
            }
            let changes = obligations::owe(&operations, &owed).remove::<Relation>(id);
            attachments.iter().fold(changes, |changes, row| {
                changes.remove::<Attachment>(&row.id)
            })
        },
    )
    .await?;
    obligations::wake(&operations, &owed);
    Ok(outcome.map(drop))
}
