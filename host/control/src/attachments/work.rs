//! Connecting and disconnecting, carried out. The driver's answer holds a password, so it is not journalled as it is.

use async_trait::async_trait;
use serde_json::Value;
use springform_model::cloud::{AttachStatus, Attachment, Volume, VolumeStatus};
use springform_model::contract::{Call, Connection, Connector};
use springform_model::operation::{OperationError, Verb};
use springform_store::{Changes, Query, StoreError};

use super::secret::chap_for;
use crate::engine::{DriverCall, Executor, Run, Unseen, failure};
use crate::groups::settle::{Fate, settle};
use crate::specs::volume_spec;

/// Carries them out.
pub(super) struct Working;

pub(super) fn broken(error: StoreError) -> OperationError {
    failure("store", error.to_string())
}

#[async_trait]
impl Executor for Working {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let store = run.control().store().clone();
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

async fn call(
    run: &mut Run,
    backend: &str,
    call: Call,
) -> Result<springform_model::contract::Reply, OperationError> {
    let control = run.control().clone();
    let deadline = control.config().step_deadline;
    let index = run.begin("array", deadline).await?;
    let operation = run.operation().id.clone();
    let wanted = DriverCall {
        backend: backend.to_owned(),
        operation,
        cursor: Vec::new(),
        deadline,
        call,
    };
    let outcome = control.call_driver(&wanted, &mut Unseen).await;
    run.end(
        index,
        outcome.as_ref().map(|_| Value::Null).map_err(Clone::clone),
    );
    outcome
}

async fn connect(
    run: &mut Run,
    attachment: &Attachment,
    volume: &Volume,
) -> Result<(), OperationError> {
    let outcome = reach(run, volume).await;
    let now = run.control().now();
    run.finish(outcome.as_ref().err().cloned());
    settle::<Attachment, Volume>(
        run,
        &attachment.id,
        std::slice::from_ref(&volume.id),
        |attachment| {
            attachment.updated_at = Some(now);
            match &outcome {
                Ok((connector, connection)) => {
                    attachment.status = AttachStatus::Attaching;
                    attachment.host_name = Some(connector.host.clone());
                    attachment.connector = Some(connector.clone());
                    attachment.connection = Some(connection.clone());
                    attachment.outdated = None;
                    attachment.mode.get_or_insert_with(|| "rw".to_owned());
                }
                Err(_) => attachment.status = AttachStatus::ErrorAttaching,
            }
            Fate::Write
        },
        |volume| {
            if outcome.is_err() || volume.status != VolumeStatus::Reserved {
                return Fate::Leave;
            }
            volume.status = VolumeStatus::Attaching;
            Fate::Write
        },
        Changes::new,
    )
    .await
}

async fn reach(run: &mut Run, volume: &Volume) -> Result<(Connector, Connection), OperationError> {
    let control = run.control().clone();
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
    let spec = volume_spec(control.store(), volume).await.map_err(broken)?;
    let mut told = connector.clone();
    if control
        .backend(&backend)
        .is_some_and(|backend| backend.config.use_chap)
    {
        told.chap = chap_for(control.store(), &backend, &connector)
            .await
            .map_err(broken)?;
    }
    let reply = call(
        run,
        &backend,
        Call::Connect {
            volume: spec,
            connector: told,
        },
    )
    .await?;
    let mut connection = reply
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
    let control = run.control().clone();
    let outcome = match &attachment.connector {
        None => Ok(()),
        Some(connector) => {
            let query = Query::new()
                .eq("volume_id", &volume.id)
                .ne("id", &attachment.id)
                .eq("host_name", &connector.host);
            let keep = control
                .store()
                .count::<Attachment>(&query)
                .await
                .map_err(broken)?
                > 0;
            let spec = volume_spec(control.store(), volume).await.map_err(broken)?;
            let backend = volume.backend.clone().unwrap_or_default();
            let wanted = Call::Disconnect {
                volume: spec,
                connector: Some(connector.clone()),
                keep,
            };
            call(run, &backend, wanted).await.map(drop)
        }
    };
    let now = control.now();
    if let Err(error) = outcome {
        run.finish(Some(error));
        let set = |attachment: &mut Attachment| attachment.status = AttachStatus::ErrorDetaching;
        return run
            .settle::<Attachment>(&attachment.id, set, |_| Changes::new())
            .await
            .map(drop);
    }
    let others = Query::new()
        .eq("volume_id", &volume.id)
        .ne("id", &attachment.id);
    let waiting = control
        .store()
        .count::<Attachment>(&others)
        .await
        .map_err(broken)?;
    run.finish(None);
    run.settle::<Volume>(
        &volume.id,
        |volume| {
            volume
                .attachments
                .retain(|known| known.attachment_id != attachment.id);
            volume.updated_at = Some(now);
            volume.status = match (volume.status, volume.attachments.is_empty()) {
                (VolumeStatus::InUse | VolumeStatus::Detaching, false) => VolumeStatus::InUse,
                (
                    VolumeStatus::Reserved
                    | VolumeStatus::Attaching
                    | VolumeStatus::InUse
                    | VolumeStatus::Detaching,
                    true,
                ) => {
                    if waiting > 0 {
                        VolumeStatus::Reserved
                    } else {
                        VolumeStatus::Available
                    }
                }
                (other, _) => other,
            };
            if volume.attachments.is_empty() {
                volume.admin_metadata.remove("attached_mode");
            }
        },
        |_| Changes::new().remove::<Attachment>(&attachment.id),
    )
    .await
    .map(drop)
}
