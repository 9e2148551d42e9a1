//! Whether the operations that hold records still live, and what becomes of records whose holder does not.
//!
//! An operation ends in one commit with what it holds, so there should be none of these; a database of an older release, a
//! commit whose outcome was not known, or an executor that cannot go on may leave some. Nothing stays held for ever.

use std::time::Duration;

use async_trait::async_trait;
use springform_model::cloud::{
    Attachment, Group, GroupSnapshot, GroupStatus, ReplicationStatus, Service, Snapshot,
    SnapshotStatus, Volume, VolumeStatus,
};
use springform_model::operation::{Operation, OperationError, OperationState, Verb};
use springform_model::replication::drill::{Drill, DrillState};
use springform_model::replication::relation::{Event, Phase, Relation};
use springform_model::replication::service;
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, Record, Store, StoreError};

use crate::ControlError;
use crate::engine::{Abandon, Operations};
use crate::outbox::{CloudEvent, deliver};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);
/// Records of one kind released in one commit.
const MANY: u32 = 200;
/// Rounds of a commit that others disturb.
const ROUNDS: u32 = 50;

/// Goes on with operations that are open and run nowhere, and releases what is held by none, for ever.
pub(crate) async fn watch(operations: Operations) {
    loop {
        tokio::time::sleep(LOOK).await;
        if operations.store().outage().is_none()
            && let Err(error) = look(&operations).await
        {
            tracing::warn!(error = %error.message, "which operations hold records cannot be found out");
        }
    }
}

/// One look.
pub(crate) async fn look(operations: &Operations) -> Result<(), ControlError> {
    let store = operations.store();
    let open = Query::new().eq("open", true);
    for id in store.values::<Operation>("id", &open).await? {
        if operations.live().runs(&id) {
            continue;
        }
        let Some(operation) = store.get::<Operation>(&id).await? else {
            continue;
        };
        // What was open in a database that was restored waits for its adoption.
        if operations.looks_only(operation.backend.as_deref()).await? {
            continue;
        }
        tracing::info!(operation = %id, subject = %operation.subject, "an open operation is resumed");
        operations.resume(operation);
    }
    for holder in holders(store).await? {
        if operations.live().runs(&holder) {
            continue;
        }
        let operation = store.get::<Operation>(&holder).await?;
        if operation.is_some_and(|operation| !operation.state.is_terminal()) {
            continue;
        }
        tracing::warn!(operation = %holder, "what an operation held that does not run any more is released");
        release(operations, &holder).await?;
    }
    Ok(())
}

/// Operations that hold something.
async fn holders(store: &Store) -> Result<Vec<String>, StoreError> {
    let held = Query::new().not_null("operation");
    let mut found = store.values::<Volume>("operation", &held).await?;
    found.extend(store.values::<Snapshot>("operation", &held).await?);
    found.extend(store.values::<Group>("operation", &held).await?);
    found.extend(store.values::<GroupSnapshot>("operation", &held).await?);
    let services = store.list::<Service>(&Query::new()).await?;
    found.extend(services.into_iter().filter_map(|s| s.record.operation));
    let drills = store.list::<Drill>(&open_drills()).await?;
    found.extend(drills.into_iter().filter_map(|d| d.record.operation));
    found.sort();
    found.dedup();
    Ok(found)
}

fn open_drills() -> Query {
    let open = DrillState::ALL.into_iter().filter(|s| !s.is_over());
    Query::new().is_in("state", open.map(DrillState::as_str))
}

/// Releases everything that an operation holds which does not run.
async fn release(operations: &Operations, holder: &str) -> Result<(), StoreError> {
    for _ in 0..ROUNDS {
        let (changes, more) = held_by(operations, holder, None).await?;
        match operations.store().commit(changes).await {
            Ok(()) if !more => return Ok(()),
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Fails an operation that cannot be carried out, in the commit that releases what it holds.
pub(crate) struct Release;

#[async_trait]
impl Abandon for Release {
    async fn abandon(&self, operations: &Operations, id: &str, error: OperationError) {
        if let Err(refused) = try_abandon(operations, id, &error).await {
            tracing::error!(operation = id, error = %refused, "its failure could not be journalled");
        }
    }
}

async fn try_abandon(
    operations: &Operations,
    id: &str,
    error: &OperationError,
) -> Result<(), StoreError> {
    let mut rounds = 0;
    while rounds < ROUNDS {
        let Some(mut operation) = operations.store().get::<Operation>(id).await? else {
            return Ok(());
        };
        if operation.state.is_terminal() {
            return Ok(());
        }
        let (changes, more) = held_by(operations, id, Some(&operation.record)).await?;
        let changes = if more {
            changes
        } else {
            let now = operations.now();
            fail(&mut operation.record, error.clone(), now);
            let replicates = crate::replication::is_verb(operation.verb);
            let told = replicates.then(|| CloudEvent::operation(&operation, now));
            let ended = crate::audit::ended(&operation, now);
            let ended = ended.map(|entry| entry.by_host(&operations.config().host));
            let changes = ended
                .into_iter()
                .fold(changes.update(&operation), Changes::audit);
            deliver(changes, told, &operations.config().receivers, now)
        };
        match operations.store().commit(changes).await {
            Ok(()) if more => {}
            Ok(()) => {
                operations.live().show(&operation.record);
                operations.outbox().notify();
                return Ok(());
            }
            Err(error) if error.is_conflict() => rounds += 1,
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict {
        table: Operation::TABLE.name,
        id: id.to_owned(),
    })
}

fn fail(operation: &mut Operation, error: OperationError, now: Timestamp) {
    operation.state = OperationState::Failed;
    for step in &mut operation.steps {
        if !step.state.is_terminal() {
            step.state = OperationState::Failed;
            step.finished_at = Some(now);
            step.waiting_for = None;
        }
    }
    operation.error = Some(error);
    operation.updated_at = now;
    operation.finished_at = Some(now);
}

/// The release of what an operation holds, and whether there is more of it than fits into one commit.
async fn held_by(
    operations: &Operations,
    holder: &str,
    operation: Option<&Operation>,
) -> Result<(Changes, bool), StoreError> {
    let (store, now) = (operations.store(), operations.now());
    let held = Query::new().eq("operation", holder).limit(MANY);
    let volumes = store.list::<Volume>(&held).await?;
    let snapshots = store.list::<Snapshot>(&held).await?;
    let more = volumes.len().max(snapshots.len()) >= MANY as usize;
    let ids: Vec<String> = volumes.iter().map(|v| v.id.clone()).collect();
    let mut changes = Changes::new();
    for mut volume in volumes {
        release_volume(&mut volume.record, now);
        changes = changes.update(&volume);
    }
    for mut relation in store.get_many::<Relation>(&ids).await? {
        let moving = matches!(&relation.phase, Phase::Moving(m) if m.operation == holder);
        if moving && let Ok((stopped, _)) = relation.step(Event::Failed(holder.to_owned()), now) {
            relation.record = stopped;
            changes = changes.update(&relation);
        }
    }
    for mut snapshot in snapshots {
        release_snapshot(&mut snapshot.record, now);
        changes = changes.update(&snapshot);
    }
    for mut group in store.list::<Group>(&held).await? {
        group.operation = None;
        group.status = group_at_rest(group.status);
        group.replication_status = replication_at_rest(group.replication_status);
        changes = changes.update(&group);
    }
    for mut taken in store.list::<GroupSnapshot>(&held).await? {
        taken.operation = None;
        taken.status = group_at_rest(taken.status);
        changes = changes.update(&taken);
    }
    for mut service in store.list::<Service>(&Query::new()).await? {
        if service.operation.as_deref() == Some(holder) {
            release_service(&mut service.record, holder);
            changes = changes.update(&service);
        }
    }
    for mut drill in store.list::<Drill>(&open_drills()).await? {
        if drill.operation.as_deref() == Some(holder) {
            drill.operation = None;
            changes = changes.update(&drill);
        }
    }
    let attachment = operation.filter(|operation| operation.subject_kind == "attachment");
    if let Some(operation) = attachment
        && let Some(mut attachment) = store.get::<Attachment>(&operation.subject).await?
        && attachment.operation.as_deref() == Some(holder)
    {
        release_attachment(&mut attachment.record, operation.verb);
        changes = changes.update(&attachment);
    }
    Ok((changes, more))
}

fn release_volume(volume: &mut Volume, now: Timestamp) {
    use VolumeStatus::{
        Available, Creating, Deleting, Error, ErrorDeleting, ErrorExtending, ErrorManaging,
        Extending, InUse, Managing, Retyping, Reverting, Unmanaging,
    };
    volume.operation = None;
    volume.growing_to = None;
    volume.updated_at = Some(now);
    if crate::volumes::is_moving(volume) {
        volume.migration_status = Some("error".to_owned());
    }
    volume.status = match volume.status {
        Creating | Reverting | Unmanaging => Error,
        Deleting => ErrorDeleting,
        Extending => ErrorExtending,
        Managing => ErrorManaging,
        Retyping if volume.attachments.is_empty() => Available,
        Retyping => InUse,
        other => other,
    };
    volume.replication_status = volume.replication_status.map(replication_at_rest);
}

fn release_snapshot(snapshot: &mut Snapshot, now: Timestamp) {
    use SnapshotStatus::{
        Available, Creating, Deleting, Error, ErrorDeleting, ErrorManaging, Managing, Restoring,
        Unmanaging,
    };
    snapshot.operation = None;
    snapshot.updated_at = Some(now);
    snapshot.status = match snapshot.status {
        Creating | Unmanaging => Error,
        Deleting => ErrorDeleting,
        Managing => ErrorManaging,
        Restoring => Available,
        other => other,
    };
}

fn release_service(service: &mut Service, holder: &str) {
    let broke = service::Event::Broke {
        operation: holder.to_owned(),
    };
    match service.replication_status {
        ReplicationStatus::FailingOver => match service::step(service, broke) {
            Ok(next) => *service = next,
            Err(_) => service.operation = None,
        },
        _ => service.operation = None,
    }
}

fn release_attachment(attachment: &mut Attachment, verb: Verb) {
    use springform_model::cloud::AttachStatus;
    attachment.operation = None;
    attachment.status = match verb {
        Verb::Connect => AttachStatus::ErrorAttaching,
        Verb::Disconnect => AttachStatus::ErrorDetaching,
        _ => attachment.status,
    };
}

fn group_at_rest(status: GroupStatus) -> GroupStatus {
    match status {
        GroupStatus::Creating | GroupStatus::Updating => GroupStatus::Error,
        GroupStatus::Deleting => GroupStatus::ErrorDeleting,
        other => other,
    }
}

fn replication_at_rest(status: ReplicationStatus) -> ReplicationStatus {
    match status {
        ReplicationStatus::FailingOver => ReplicationStatus::FailoverError,
        ReplicationStatus::Enabling | ReplicationStatus::Disabling => ReplicationStatus::Error,
        other => other,
    }
}
