//! A volume's lock: whoever touches its objects on arrays holds it, from before a driver is told of the volume until what
//! came of it is committed.
//!
//! Nobody deadlocks: the lock of an attachment, a snapshot or a group comes before that of a volume; several volumes are
//! locked all at once or not at all; and whoever holds the lock of a volume waits for no other lock. Each wait ends with
//! the deadline of the operation that waits.
//!
//! A failover that nobody planned does not wait for an array that may never answer: it takes the lock of an operation of a
//! tenant. That one looks again before it commits, finds the lock gone or the volume elsewhere, waits until it is free, and
//! does its work again where the volume is then.

use std::time::Duration;

use serde_json::Value;
use springform_model::cloud::Volume;
use springform_model::contract::{Call, Reply};
use springform_model::operation::{Operation, OperationError, OperationState, Verb};
use springform_store::{Changes, Store, StoreError, Stored};
use tokio::time::{Instant, sleep, timeout};

use crate::ControlError;
use crate::engine::{Operations, Run, failure};

/// First pause before a lock is looked at again; doubled up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(20);
/// Longest pause.
const LONGEST: Duration = Duration::from_millis(250);
/// How long a request waits for an operation that has a lock for a moment only.
const PASSING: Duration = Duration::from_secs(10);

/// Whether an operation has the lock of a volume that exists for a moment only, whatever is asked of that volume meanwhile.
fn passes(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Connect
            | Verb::Disconnect
            | Verb::CreateSnapshot
            | Verb::DeleteSnapshot
            | Verb::ManageSnapshot
            | Verb::UnmanageSnapshot
            | Verb::CreateGroupSnapshot
            | Verb::DeleteGroupSnapshot
            | Verb::CreateVolume
            | Verb::CreateGroupFrom
    )
}

/// Whether an operation does its work again where somebody took a lock from it.
pub(crate) fn gives_way(verb: Verb) -> bool {
    passes(verb)
        || matches!(
            verb,
            Verb::DeleteVolume
                | Verb::ExtendVolume
                | Verb::RetypeVolume
                | Verb::RevertVolume
                | Verb::UnmanageVolume
        )
}

/// The operation that holds a lock, as long as it has not ended.
pub(crate) async fn holder(
    store: &Store,
    lock: Option<&String>,
) -> Result<Option<Operation>, StoreError> {
    let Some(id) = lock else { return Ok(None) };
    let held = store.get::<Operation>(id).await?;
    Ok(held
        .map(|held| held.record)
        .filter(|held| !held.state.is_terminal()))
}

/// Whether an operation that changes the volume itself holds its lock.
pub(crate) async fn changes(store: &Store, volume: &Volume) -> Result<bool, StoreError> {
    let held = holder(store, volume.operation.as_ref()).await?;
    Ok(held.is_some_and(|held| !passes(held.verb) || held.subject == volume.id))
}

/// Waits until an operation has ended, or for a while: it may give a lock back before it ends.
pub(crate) async fn pause(operations: &Operations, holder: &str, longest: Duration) {
    let begun = Instant::now();
    if timeout(longest, operations.live().ended(holder))
        .await
        .is_ok()
        && begun.elapsed() < Duration::from_millis(1)
    {
        // It has ended, or does not run yet.
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits for operations that have a lock of these volumes for a moment only. Whether there was one: then the volumes are to
/// be read again.
///
/// # Errors
/// `Conflict` where one of them takes too long, or what the store says.
pub(crate) async fn passed(
    operations: &Operations,
    volumes: &[Stored<Volume>],
) -> Result<bool, ControlError> {
    let mut waited = false;
    for volume in volumes {
        let until = Instant::now() + PASSING;
        let mut lock = volume.operation.clone();
        while let Some(held) = holder(operations.store(), lock.as_ref()).await? {
            if !passes(held.verb) || held.subject == volume.id {
                break;
            }
            if Instant::now() > until {
                let what = format!("Volume {}", volume.id);
                return Err(ControlError::busy(&what, &held.id));
            }
            waited = true;
            pause(operations, &held.id, SHORTEST).await;
            let now = operations.store().get::<Volume>(&volume.id).await?;
            lock = now.and_then(|now| now.record.operation);
        }
    }
    Ok(waited)
}

/// Locks a volume in the commit that journals an operation, where it is free; else only if it is as it was read, and the
/// operation waits.
pub(crate) fn at_once(changes: Changes, volume: &Stored<Volume>, operation: &str) -> Changes {
    if volume.operation.is_some() {
        return changes.unchanged::<Volume>(&volume.id, volume.revision);
    }
    let mut locked = volume.clone();
    locked.record.operation = Some(operation.to_owned());
    changes.update(&locked)
}

/// Gives the lock of a volume back, as a part of a change. Whether this operation had it.
pub(crate) fn release(volume: &mut Volume, operation: &str) -> bool {
    let held = volume.operation.as_deref() == Some(operation);
    if held {
        volume.operation = None;
    }
    held
}

fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

/// What an attempt to lock volumes came to.
pub(crate) enum Tried {
    /// All of them are locked, and as they were read now.
    Taken(Vec<Stored<Volume>>),
    /// Somebody changed one of them meanwhile.
    Overtaken,
    /// This operation has one of them.
    Held(String),
    /// This one is gone.
    Gone(String),
}

/// Locks all of these volumes for an operation, or none.
pub(crate) async fn try_take(
    store: &Store,
    operation: &str,
    ids: &[String],
) -> Result<Tried, StoreError> {
    let mut found = store.get_many::<Volume>(ids).await?;
    if let Some(gone) = ids.iter().find(|id| found.iter().all(|v| v.id != **id)) {
        return Ok(Tried::Gone(gone.clone()));
    }
    let mut changes = Changes::new();
    for volume in &mut found {
        if volume.operation.as_deref() == Some(operation) {
            continue;
        }
        if let Some(held) = holder(store, volume.operation.as_ref()).await? {
            return Ok(Tried::Held(held.id));
        }
        volume.record.operation = Some(operation.to_owned());
        changes = changes.update(volume);
        volume.revision += 1;
    }
    if changes.is_empty() {
        return Ok(Tried::Taken(found));
    }
    match store.commit(changes).await {
        Ok(()) => Ok(Tried::Taken(found)),
        Err(error) if error.is_conflict() => Ok(Tried::Overtaken),
        Err(error) => Err(error),
    }
}

/// Locks all of these volumes for a running operation; waits for whoever has one of them.
///
/// # Errors
/// `not-found` where one is gone, `busy` at the operation's deadline, `cancelled`.
pub(crate) async fn take(
    run: &mut Run,
    ids: &[String],
) -> Result<Vec<Stored<Volume>>, OperationError> {
    let operations = run.operations().clone();
    let id = run.operation().id.clone();
    let mut longest = SHORTEST;
    loop {
        if run.cancelled() {
            return Err(failure("cancelled", "cancelled before an array was asked"));
        }
        let tried = try_take(operations.store(), &id, ids).await;
        match tried.map_err(broken)? {
            Tried::Taken(volumes) => return Ok(volumes),
            Tried::Overtaken => {}
            Tried::Gone(volume) => {
                return Err(failure("not-found", format!("volume {volume} is gone")));
            }
            Tried::Held(holder) if run.is_late() => {
                let mut why = failure(
                    "busy",
                    format!(
                        "operation {holder} has held volume {} for too long; try again when it is over",
                        ids.join(", ")
                    ),
                );
                why.retryable = true;
                return Err(why);
            }
            Tried::Held(holder) => {
                pause(&operations, &holder, longest).await;
                longest = (longest * 2).min(LONGEST);
            }
        }
    }
}

/// Gives the locks of these volumes back where this operation has them.
///
/// # Errors
/// What the store says.
pub(crate) async fn give_back(
    store: &Store,
    operation: &str,
    ids: &[String],
) -> Result<(), StoreError> {
    loop {
        let found = store.get_many::<Volume>(ids).await?;
        let mut changes = Changes::new();
        for mut volume in found {
            if release(&mut volume.record, operation) {
                changes = changes.update(&volume);
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        match store.commit(changes).await {
            Err(error) if error.is_conflict() => {}
            done => return done,
        }
    }
}

/// Whether what a driver was told of a volume is so still.
fn holds(operation: &str, told: &Volume, now: &Volume) -> bool {
    now.operation.as_deref() == Some(operation)
        && now.placement == told.placement
        && now.generation == told.generation
}

/// What work with an array comes to, unless somebody takes a lock from this operation meanwhile.
pub(crate) async fn unless<T>(
    taken: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        answer = work => Some(answer),
        () = taken => None,
    }
}

/// What came of work with an array, where this operation has the locks still and the volumes are where the driver was told
/// they are. None: it does not count; do it again, with locks taken anew.
///
/// # Errors
/// What the store says.
pub(crate) async fn checked<T>(
    run: &mut Run,
    step: &str,
    told: &[Stored<Volume>],
    answer: Option<T>,
) -> Result<Option<T>, OperationError> {
    let id = run.operation().id.clone();
    if let Some(answer) = answer {
        let ids: Vec<String> = told.iter().map(|volume| volume.id.clone()).collect();
        let now = run.operations().store().get_many::<Volume>(&ids).await;
        let now = now.map_err(broken)?;
        let same = told.iter().all(|told| {
            let now = now.iter().find(|now| now.id == told.id);
            now.is_some_and(|now| holds(&id, told, now))
        });
        if same {
            return Ok(Some(answer));
        }
    }
    tracing::info!(operation = %id, "a volume's lock was taken away; its array is asked again where it is then");
    run.note(|operation| {
        if let Some(step) = operation.steps.iter_mut().find(|known| known.name == step) {
            step.state = OperationState::Running;
            step.data = Value::Null;
            step.error = None;
            step.finished_at = None;
        }
    });
    Ok(None)
}

/// Calls a driver as a step of its own, under the locks of these volumes. None: do it again, with locks taken anew.
///
/// # Errors
/// What the driver failed with, in words.
pub(crate) async fn call(
    run: &mut Run,
    step: &str,
    backend: &str,
    call: Call,
    told: &[Stored<Volume>],
) -> Result<Option<Reply>, OperationError> {
    let taken = run.operations().live().lock_taken(&run.operation().id);
    let answer = unless(taken, run.call(step, backend, call)).await;
    checked(run, step, told, answer).await?.transpose()
}
