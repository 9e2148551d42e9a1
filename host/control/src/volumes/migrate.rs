//! A volume moves to the array of another backend, because its new type needs a pool there.
//!
//! The drivers of both backends take part, each with its own arrays, in the order of the contract's `migrating`. Until the
//! copy is complete and has been looked at, the record is that of the old place, and giving up leaves nothing behind. Then one
//! commit points the record at the new place and gives it the new type; only after that does the old volume go. Whatever an
//! array cannot be told by then is written down as owed, in the commit that ends the move.

mod journey;

use std::time::Duration;

use serde_json::json;
use springform_model::cloud::{ReplicationStatus, Volume, VolumeStatus};
use springform_model::contract::{Call, CallError, Migration, Placement, Reference, Reply};
use springform_model::operation::{Operation, OperationError, OperationState};
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::Relation;
use springform_store::{Changes, Stored};
use tokio::time::sleep;

pub(super) use self::journey::TO;
use self::journey::{JOURNEY, Journey, LONGEST, broken, journey, known, new_type};
use super::input::{action, at_rest, status_before, text};
use super::report;
use crate::engine::{Operations, Run, failure};
use crate::lock;
use crate::obligations::{self, Owing};
use crate::specs::is_multiattach;

/// Key of the operation's input: the pool to which the volume goes.
pub(super) const TO_HOST: &str = "to_host";
/// Key under which it is written down why the move was given up, before anything is taken away.
const GIVEN_UP: &str = "given_up";

/// How often an array may not answer meanwhile, and the pause before it is asked again.
const OUTAGES: u32 = 20;
const OUTAGE: Duration = Duration::from_secs(15);
/// How often it is looked whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(250);

/// What Cinder shows while a volume moves, and afterwards.
pub(super) const MIGRATING: &str = "migrating";
const COMPLETING: &str = "completing";
const SUCCESS: &str = "success";
const ERROR: &str = "error";

/// Whether a volume is between two backends by what it shows.
pub(crate) fn is_moving(volume: &Volume) -> bool {
    let shown = volume.migration_status.as_deref();
    !matches!(shown, None | Some("deleting" | ERROR | SUCCESS | "none"))
}

/// Whether a retype moves its volume.
pub(super) fn is_move(operation: &Operation) -> bool {
    operation.input.get(TO).is_some()
}

fn wrong(error: &CallError) -> OperationError {
    failure("wrong-reply", error.to_string())
}

fn cancelled() -> OperationError {
    failure(
        "cancelled",
        "the move was cancelled; the volume stays where it is",
    )
}

/// Carries a move out, or goes on with it.
pub(super) async fn carry_out(run: &mut Run, id: &str) -> Result<(), OperationError> {
    let given_up: Option<OperationError> = known(run, GIVEN_UP);
    let outcome = match given_up {
        Some(why) => Err(why),
        None => go(run, id).await,
    };
    // The record has the last word: what it points at is not taken away, whoever cancelled or failed since.
    let store = run.operations().store().clone();
    let volume = store.get::<Volume>(id).await.map_err(broken)?;
    let now = volume.and_then(|volume| volume.record.backend);
    let journey: Option<Journey> = known(run, JOURNEY);
    match (outcome, journey) {
        (_, Some(journey)) if now.as_deref() == Some(journey.to()) => {
            complete(run, id, &journey).await
        }
        (Err(error), journey) => give_up(run, id, error, journey.as_ref()).await,
        (Ok(()), _) => Err(failure(
            "internal",
            "the move ended and the record does not say so",
        )),
    }
}

/// Until the record points at the new place.
async fn go(run: &mut Run, id: &str) -> Result<(), OperationError> {
    if known::<Journey>(run, JOURNEY).is_some() {
        let volume = run.operations().store().get::<Volume>(id).await;
        let holder = volume.map_err(broken)?.and_then(|v| v.record.operation);
        if holder.as_ref() != Some(&run.operation().id) {
            return Err(overtaken(id));
        }
    }
    let held = lock::take(run, &[id.to_owned()]).await?;
    let [volume] = held.as_slice() else {
        return Err(failure("not-found", "the volume is gone"));
    };
    let journey = journey(run, volume).await?;
    if volume.backend.as_deref() == Some(journey.to()) {
        return Ok(());
    }
    if volume.placement != journey.old.placement {
        return Err(overtaken(id));
    }
    let placement = copy(run, &held, &journey).await?;
    point(run, id, &journey, &placement).await
}

/// A failover took the volume's lock. What was sent by then may not be all of the volume any more, so it is not gone on with.
fn overtaken(id: &str) -> OperationError {
    failure(
        "failed-precondition",
        format!(
            "a failover took volume {id} while it was moved; it stays where it is: retype it again"
        ),
    )
}

/// One call of the move, under the volume's lock. A copy that is under way for hours is given up as soon as somebody asks.
async fn step(
    run: &mut Run,
    held: &[Stored<Volume>],
    name: &str,
    backend: &str,
    call: Call,
    longest: Duration,
) -> Result<Reply, OperationError> {
    if run.cancelled() {
        return Err(cancelled());
    }
    let (operations, id) = (run.operations().clone(), run.operation().id.clone());
    let taken = operations.live().lock_taken(&id);
    let stopped = async {
        while !operations.live().is_cancelled(&id) {
            sleep(LOOK).await;
        }
    };
    let work = async {
        tokio::select! {
            biased;
            answer = run.call_within(name, backend, call, longest) => answer,
            () = stopped => Err(cancelled()),
        }
    };
    let answer = lock::unless(taken, work).await;
    match lock::checked(run, name, held, answer).await? {
        Some(answer) => answer,
        None => Err(overtaken(&run.operation().subject)),
    }
}

/// Copies the volume to the other array, and looks at what is there then.
async fn copy(
    run: &mut Run,
    held: &[Stored<Volume>],
    journey: &Journey,
) -> Result<Placement, OperationError> {
    let (from, to) = (journey.from().to_owned(), journey.to().to_owned());
    let short = run.operations().config().step_deadline;
    let (old, new, migration) = (&journey.old, &journey.new, &journey.migration);
    let call = Call::OfferVolume {
        volume: old.clone(),
        migration: migration.clone(),
    };
    let offer = step(run, held, "offer", &from, call, short).await?;
    let call = Call::AcceptVolume {
        volume: new.clone(),
        migration: migration.clone(),
        offer: offer.into_parcel().map_err(|error| wrong(&error))?,
    };
    let acceptance = step(run, held, "accept", &to, call, short).await?;
    let call = Call::SendVolume {
        volume: old.clone(),
        migration: migration.clone(),
        acceptance: acceptance.into_parcel().map_err(|error| wrong(&error))?,
    };
    let parcel = step(run, held, "send", &from, call, short).await?;
    let call = Call::ReceiveVolume {
        volume: new.clone(),
        migration: migration.clone(),
        parcel: parcel.into_parcel().map_err(|error| wrong(&error))?,
    };
    let placed = received(run, held, &to, call).await?;
    let placement = placed.into_placement().map_err(|error| wrong(&error))?;
    // What the driver says is there is looked at before anything is done to the old volume.
    let reference = Reference {
        keys: vec![("source-name".to_owned(), placement.array_name.clone())],
    };
    let call = Call::Inspect { reference };
    let size = step(run, held, "inspect", &to, call, short).await?;
    let size = size.into_size().map_err(|error| wrong(&error))?;
    if size != new.size || placement.target != migration.destination.target {
        return Err(failure(
            "wrong-reply",
            format!(
                "the driver of backend {to} says that volume {} is {} on {}, which has {size} bytes there and {} here; \
                 its answer is not believed, and the volume stays where it is",
                new.id, placement.array_name, placement.target, new.size
            ),
        ));
    }
    Ok(placement)
}

/// Waits for the content; an array that does not answer for a while in all those hours is no reason to begin again.
async fn received(
    run: &mut Run,
    held: &[Stored<Volume>],
    to: &str,
    call: Call,
) -> Result<Reply, OperationError> {
    let mut left = OUTAGES;
    loop {
        match step(run, held, "receive", to, call.clone(), LONGEST).await {
            Err(error) if error.retryable && left > 0 => left -= 1,
            done => return done,
        }
        sleep(OUTAGE).await;
    }
}

/// Points the record at the new place, of the new type.
async fn point(
    run: &mut Run,
    id: &str,
    journey: &Journey,
    placement: &Placement,
) -> Result<(), OperationError> {
    let full = new_type(run).await?;
    let host = text(run.operation(), TO_HOST);
    loop {
        let operations = run.operations().clone();
        let stored = operations.store().get::<Volume>(id).await.map_err(broken)?;
        let mut stored = stored.ok_or_else(|| failure("not-found", "the volume is gone"))?;
        let volume = &mut stored.record;
        let held = volume.operation.as_deref() == Some(run.operation().id.as_str());
        if !held || volume.placement != journey.old.placement {
            return Err(overtaken(id));
        }
        volume.place(placement);
        volume.backend = Some(journey.to().to_owned());
        volume.host = Some(host.clone());
        volume.replication_status = Some(match placement.replication {
            Some(_) => ReplicationStatus::Enabled,
            None => ReplicationStatus::NotCapable,
        });
        volume.migration_status = Some(COMPLETING.to_owned());
        volume.updated_at = Some(operations.now());
        if let Some(full) = &full {
            volume.type_id = Some(full.volume_type.id.clone());
            volume.type_name = Some(full.volume_type.name.clone());
            volume.multiattach = is_multiattach(&full.volume_type);
        }
        // What is known of its replication is of the arrays that it leaves.
        let changes = Changes::new().update(&stored).remove::<Relation>(id);
        match run.commit(changes).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(broken(error)),
        }
    }
}

/// The record points at the new place: the old volume goes, and what the move made.
async fn complete(run: &mut Run, id: &str, journey: &Journey) -> Result<(), OperationError> {
    let operations = run.operations().clone();
    let volume = operations.store().get::<Volume>(id).await.map_err(broken)?;
    let placement = volume.and_then(|volume| volume.record.placement);
    let operation = run.operation().id.clone();
    let mut owed = Vec::new();
    let release = journey.release(true);
    if run
        .call("release", journey.from(), release.clone())
        .await
        .is_err()
    {
        let owing = Owing::new(&operations, journey.from(), &operation);
        owed.push(owing.left_behind(&journey.old, &journey.migration, release));
    }
    let settle = journey.settle(placement.as_ref());
    if run
        .call("settle", journey.to(), settle.clone())
        .await
        .is_err()
    {
        owed.push(ended(&operations, journey, &operation, false, settle));
    }
    if let Some(backend) = operations.backend(journey.to()) {
        backend.reservations.made(id);
    }
    run.finish(None);
    end(run, id, SUCCESS, &owed).await
}

/// What the array of one side of a move that is over is owed.
fn ended(
    operations: &Operations,
    journey: &Journey,
    operation: &str,
    source: bool,
    call: Call,
) -> Obligation {
    let Migration {
        source: from,
        destination: to,
        ..
    } = &journey.migration;
    let side = if source { from } else { to };
    let owing = Owing::new(operations, &side.backend, operation);
    owing.migration_ended(&journey.old, &journey.migration, &side.target, call)
}

/// Takes away what was made so far; the volume stays where it is, of the type that it has.
async fn give_up(
    run: &mut Run,
    id: &str,
    error: OperationError,
    journey: Option<&Journey>,
) -> Result<(), OperationError> {
    let operations = run.operations().clone();
    let why = json!(error);
    run.note(|operation| {
        if let Some(input) = operation.input.as_object_mut() {
            input.insert(GIVEN_UP.to_owned(), why);
        }
        let open = operation
            .steps
            .iter_mut()
            .filter(|step| step.attempts > 0 && !step.state.is_terminal());
        for step in open {
            step.state = OperationState::Failed;
            step.waiting_for = None;
        }
    });
    // Whatever has not been begun by now never is: a restart goes on with taking away.
    run.commit(Changes::new()).await.map_err(broken)?;
    let begun = |run: &Run, name: &str| {
        let mut steps = run.operation().steps.iter();
        steps.any(|step| step.name == name && step.attempts > 0)
    };
    let operation = run.operation().id.clone();
    let mut owed = Vec::new();
    if let Some(journey) = journey {
        let release = journey.release(false);
        if begun(run, "offer")
            && run
                .call("release", journey.from(), release.clone())
                .await
                .is_err()
        {
            owed.push(ended(&operations, journey, &operation, true, release));
        }
        let settle = journey.settle(None);
        if begun(run, "accept")
            && run
                .call("settle", journey.to(), settle.clone())
                .await
                .is_err()
        {
            owed.push(ended(&operations, journey, &operation, false, settle));
        }
    }
    if let Some(backend) = operations.backend(&text(run.operation(), TO)) {
        backend.reservations.dropped(id);
    }
    run.finish(Some(error));
    end(run, id, ERROR, &owed).await
}

/// Ends the operation: the volume is free, and what is owed is written down with that.
async fn end(
    run: &mut Run,
    id: &str,
    shown: &str,
    owed: &[Obligation],
) -> Result<(), OperationError> {
    let operations = run.operations().clone();
    let operation = run.operation().clone();
    let now = operations.now();
    run.settle::<Volume>(
        id,
        |volume| {
            lock::release(volume, &operation.id);
            volume.updated_at = Some(now);
            volume.migration_status = Some(shown.to_owned());
            if volume.status == VolumeStatus::Retyping {
                volume.status = at_rest(volume, status_before(&operation));
            }
        },
        |_| {
            let owed = obligations::owe(&operations, owed);
            match &operation.error {
                Some(error) => {
                    let told = report(
                        &operation,
                        &operations,
                        action(operation.verb),
                        "001",
                        error,
                    );
                    owed.and(told)
                }
                None => owed,
            }
        },
    )
    .await?;
    obligations::wake(&operations, owed);
    Ok(())
}
