//! Connecting and disconnecting, carried out. The driver's answer holds a password, so it is not journalled as it is.

use async_trait::async_trait;
use serde_json::Value;
use springform_model::cloud::{AttachStatus, Attachment, Volume, VolumeStatus};
use springform_model::contract::{Call, Connection, Connector, Reply, VolumeSpec};
use springform_model::operation::{OperationError, Verb};
use springform_store::{Changes, Query, Store, StoreError};

use super::leads;
use super::secret::chap_for;
use crate::engine::{DriverCall, Executor, IgnorePending, PlaceCheck, Run, failure};
use crate::groups::ROUNDS;
use crate::groups::settle::{WriteDecision, settle};
use crate::lock;
use crate::obligations::{self, Owing};
use crate::specs::volume_spec;

/// Key under which a driver names an array that it could not ask to disconnect a machine.
const UNREACHED: &str = "springform/unreached";

/// Carries them out.
pub(crate) struct AttachmentExecutor;

pub(super) fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

#[async_trait]
impl Executor for AttachmentExecutor {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let store = run.operations().store().clone();
        let id = run.operation().subject.clone();
        let attachment = store.get::<Attachment>(&id).await.map_err(broken)?;
        let volume = match &attachment {
            Some(attachment) => store
                .get::<Volume>(&attachment.volume_id)
                .await
                .map_err(broken)?,
            None => None,
        };
        let (Some(attachment), Some(volume)) = (attachment, volume) else {
            let gone = (run.operation().verb == Verb::Connect)
                .then(|| failure("not-found", "the attachment is gone"));
            run.finish(gone);
            return run.commit(Changes::new()).await.map_err(broken);
        };
        if run.operation().verb == Verb::Connect {
            connect(run, &attachment.record, &volume.record).await
        } else {
            disconnect(run, &attachment.record, &volume.record).await
        }
    }
}

/// Name of the one step of these verbs.
const STEP: &str = "array";

async fn call(run: &mut Run, backend: &str, call: Call) -> Result<Reply, OperationError> {
    let operations = run.operations().clone();
    let deadline = operations.config().step_deadline;
    let index = run.begin(STEP, deadline).await?;
    let operation = run.operation().id.clone();
    let wanted = DriverCall {
        backend: backend.to_owned(),
        operation,
        cursor: Vec::new(),
        deadline,
        place: PlaceCheck::AtOnce,
        call,
    };
    let outcome = operations.call_driver(&wanted, &mut IgnorePending).await;
    run.end(
        index,
        outcome.as_ref().map(|_| Value::Null).map_err(Clone::clone),
    );
    outcome
}

/// Makes a call about a volume under its lock, and again where somebody took that or the volume moved meanwhile. None: the
/// volume is gone.
async fn locked(
    run: &mut Run,
    volume: &str,
    wanted: impl Fn(VolumeSpec) -> Call + Sync,
) -> Result<Option<Reply>, OperationError> {
    let store = run.operations().store().clone();
    let ids = [volume.to_owned()];
    loop {
        if store.get::<Volume>(volume).await.map_err(broken)?.is_none() {
            return Ok(None);
        }
        let held = lock::take(run, &ids).await?;
        let [volume] = held.as_slice() else {
            return Ok(None);
        };
        let connects = run.operation().verb == Verb::Connect;
        let unserved = super::unserved(&store, &volume.id).await.map_err(broken)?;
        if let Some(why) = unserved.filter(|_| connects) {
            return Err(failure("failed-precondition", why));
        }
        let spec = volume_spec(&store, volume).await.map_err(broken)?;
        let backend = volume.backend.clone().unwrap_or_default();
        let taken = run.operations().live().lock_taken(&run.operation().id);
        let answer = lock::unless(taken, call(run, &backend, wanted(spec))).await;
        if let Some(answer) = lock::checked(run, STEP, &held, answer).await? {
            return answer.map(Some);
        }
    }
}

async fn connect(
    run: &mut Run,
    attachment: &Attachment,
    volume: &Volume,
) -> Result<(), OperationError> {
    let outcome = reach(run, volume).await;
    let now = run.operations().now();
    let id = run.operation().id.clone();
    run.finish(outcome.as_ref().err().cloned());
    settle::<Attachment, Volume>(
        run,
        &attachment.id,
        std::slice::from_ref(&volume.id),
        |attachment| {
            attachment.operation = None;
            attachment.updated_at = Some(now);
            match &outcome {
                Ok((connector, connection)) => {
                    attachment.status = AttachStatus::Attaching;
                    attachment.host_name = Some(connector.host.clone());
                    attachment.connector = Some(connector.clone());
                    attachment.connection = Some(connection.clone());
                    attachment.outdated = None;
                    let mode = said(connector, "mode").filter(|mode| *mode == "ro");
                    let mode = mode.unwrap_or("rw");
                    attachment.mode.get_or_insert_with(|| mode.to_owned());
                    if let Some(device) = said(connector, "mountpoint") {
                        attachment.device = Some(device.to_owned());
                    }
                }
                Err(_) => attachment.status = AttachStatus::ErrorAttaching,
            }
            WriteDecision::Write
        },
        |volume| {
            let held = lock::release(volume, &id);
            let begins = outcome.is_ok() && volume.status == VolumeStatus::Reserved;
            if begins {
                volume.status = VolumeStatus::Attaching;
            }
            match held || begins {
                true => WriteDecision::Write,
                false => WriteDecision::Leave,
            }
        },
        Changes::new,
    )
    .await
}

/// What Nova says in the connector for want of a better place.
fn said<'a>(connector: &'a Connector, key: &str) -> Option<&'a str> {
    let found = connector.extensions.iter().find(|(known, _)| known == key);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty() && *value != "null")
}

async fn reach(run: &mut Run, volume: &Volume) -> Result<(Connector, Connection), OperationError> {
    let operations = run.operations().clone();
    let connector = run
        .operation()
        .input
        .get("connector")
        .cloned()
        .unwrap_or_default();
    let connector: Connector = serde_json::from_value(connector).map_err(|error| {
        failure(
            "invalid-argument",
            format!("the connector cannot be read: {error}"),
        )
    })?;
    let backend = volume.backend.clone().unwrap_or_default();
    let mut told = connector.clone();
    if operations
        .backend(&backend)
        .is_some_and(|backend| backend.config().use_chap)
    {
        told.chap = chap_for(operations.store(), &backend, &connector)
            .await
            .map_err(broken)?;
    }
    let wanted = |volume| Call::Connect {
        volume,
        connector: told.clone(),
    };
    let reply = locked(run, &volume.id, wanted).await?;
    let mut connection = reply
        .ok_or_else(|| failure("not-found", "the volume is gone"))?
        .into_connection()
        .map_err(|error| failure("wrong-reply", error.to_string()))?;
    if let Some(chap) = &mut connection.chap {
        chap.password.clear();
    }
    Ok((connector, connection))
}

async fn disconnect(
    run: &mut Run,
    attachment: &Attachment,
    volume: &Volume,
) -> Result<(), OperationError> {
    let operations = run.operations().clone();
    let outcome = match &attachment.connector {
        None => Ok(Vec::new()),
        Some(connector) => {
            // The turn keeps them what they are.
            let others = beside(operations.store(), attachment)
                .await
                .map_err(broken)?;
            let keep = others
                .iter()
                .any(|other| other.connector.is_some() && leads(other, &connector.host));
            let wanted = |volume| Call::Disconnect {
                volume,
                connector: Some(connector.clone()),
                keep,
            };
            let answer = locked(run, &volume.id, wanted).await;
            answer.map(|reply| reply.map_or_else(Vec::new, unreached))
        }
    };
    let now = operations.now();
    let id = run.operation().id.clone();
    let unreached = match outcome {
        Ok(unreached) => unreached,
        Err(error) => return not_detached(run, attachment, volume, error).await,
    };
    run.finish(None);
    for _ in 0..ROUNDS {
        let mut changes = Changes::new();
        let mut owed = Vec::new();
        let stored = operations.store().get::<Volume>(&volume.id).await;
        if let Some(mut stored) = stored.map_err(broken)? {
            if let (Some(connector), Some(backend)) =
                (&attachment.connector, &stored.record.backend)
                && !unreached.is_empty()
            {
                let spec = volume_spec(operations.store(), &stored.record);
                let spec = spec.await.map_err(broken)?;
                let owing = Owing::new(&operations, backend, &id);
                owed = owing.detached(&spec, &attachment.id, connector, &unreached);
                changes = obligations::owe(&operations, &owed);
            }
            // Read after the volume, which is written with each of them: what is decided here is decided of both.
            let others = beside(operations.store(), attachment)
                .await
                .map_err(broken)?;
            let reached = |other: &Attachment| other.connection.is_some();
            let waiting = (!others.is_empty()).then(|| others.iter().any(reached));
            release(&mut stored.record, &attachment.id, waiting);
            lock::release(&mut stored.record, &id);
            stored.record.updated_at = Some(now);
            changes = changes.update(&stored);
        }
        match run
            .commit(changes.remove::<Attachment>(&attachment.id))
            .await
        {
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
        format!("volume {} is being changed by many at once", volume.id),
    ))
}

/// Writes down that an array refused to take a machine's way away.
async fn not_detached(
    run: &mut Run,
    attachment: &Attachment,
    volume: &Volume,
    error: OperationError,
) -> Result<(), OperationError> {
    let id = run.operation().id.clone();
    run.finish(Some(error));
    settle::<Attachment, Volume>(
        run,
        &attachment.id,
        std::slice::from_ref(&volume.id),
        |attachment| {
            attachment.status = AttachStatus::ErrorDetaching;
            attachment.operation = None;
            WriteDecision::Write
        },
        |volume| match lock::release(volume, &id) {
            true => WriteDecision::Write,
            false => WriteDecision::Leave,
        },
        Changes::new,
    )
    .await
}

/// Arrays that the driver could not ask to take a machine's way away, because they are gone.
fn unreached(reply: Reply) -> Vec<String> {
    let done = reply.into_disconnected().ok();
    let told = done.and_then(|done| done.connection);
    let told = told.into_iter().flat_map(|told| told.extensions);
    told.filter(|(key, _)| key == UNREACHED)
        .map(|(_, target)| target)
        .collect()
}

/// The other attachments of an attachment's volume.
async fn beside(store: &Store, attachment: &Attachment) -> Result<Vec<Attachment>, StoreError> {
    let others = Query::new()
        .eq("volume_id", &attachment.volume_id)
        .ne("id", &attachment.id);
    let found = store.list::<Attachment>(&others).await?;
    Ok(found.into_iter().map(|stored| stored.record).collect())
}

/// A volume without one of its attachments; `waiting`: it has others, and whether one of them leads a host to it.
fn release(volume: &mut Volume, attachment: &str, waiting: Option<bool>) {
    volume
        .attachments
        .retain(|known| known.attachment_id != attachment);
    let unused = volume.attachments.is_empty();
    volume.status = without(volume.status, unused, waiting);
    // What it is again once what made it an error is over: one that was detached meanwhile is used by nobody then.
    let before = volume.previous_status;
    volume.previous_status = before.map(|status| without(status, unused, waiting));
    if unused {
        volume.admin_metadata.remove("attached_mode");
    }
}

fn without(status: VolumeStatus, unused: bool, waiting: Option<bool>) -> VolumeStatus {
    match status {
        VolumeStatus::InUse | VolumeStatus::Detaching if !unused => VolumeStatus::InUse,
        VolumeStatus::Reserved
        | VolumeStatus::Attaching
        | VolumeStatus::InUse
        | VolumeStatus::Detaching
            if unused =>
        {
            match waiting {
                Some(true) => VolumeStatus::Attaching,
                Some(false) => VolumeStatus::Reserved,
                None => VolumeStatus::Available,
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_that_its_last_machine_has_left_is_available_unless_another_one_waits() {
        for used in [
            VolumeStatus::InUse,
            VolumeStatus::Detaching,
            VolumeStatus::Attaching,
        ] {
            assert_eq!(without(used, true, None), VolumeStatus::Available);
            assert_eq!(without(used, true, Some(false)), VolumeStatus::Reserved);
            assert_eq!(without(used, true, Some(true)), VolumeStatus::Attaching);
        }
        assert_eq!(
            without(VolumeStatus::Detaching, false, None),
            VolumeStatus::InUse
        );
        assert_eq!(
            without(VolumeStatus::Error, true, None),
            VolumeStatus::Error
        );
    }
}
