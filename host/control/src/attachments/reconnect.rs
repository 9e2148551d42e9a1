//! After a failover: each host that uses a volume is connected to the array that serves it now, and the new way to it is
//! told. Whether and when the host takes it is its own affair, or that of [`super::repair`].

use std::collections::HashMap;

use futures_util::StreamExt;
use serde_json::{Value, json};
use springform_model::cloud::{AttachStatus, Attachment, Outdated, Volume};
use springform_model::contract::{Call, Connection, Connector, VolumeSpec};
use springform_store::{Changes, Query, StoreError};
use uuid::Uuid;

use super::secret::chap_for;
use super::turn;
use crate::engine::{DriverCall, Unseen};
use crate::outbox::{CloudEvent, Delivery};
use crate::replication::{Member, chunks};
use crate::{Control, ControlError};

/// Hosts connected at once.
const AT_ONCE: usize = 16;
/// Volumes whose attachments are read at once.
const PAGE: usize = 200;

/// Connects the hosts of volumes that moved. What fails is told and can be repaired later. `again`: the array that they are
/// on has cut their hosts off, and a known way to it leads nowhere.
pub(crate) async fn reconnect(
    control: &Control,
    backend: &str,
    operation: &str,
    moved: &[Member],
    again: bool,
) {
    for page in chunks(moved.to_vec(), PAGE) {
        let ids: Vec<&str> = page.iter().map(|m| m.volume.id.as_str()).collect();
        let query = Query::new().is_in("volume_id", ids);
        let found = match control.store().list::<Attachment>(&query).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(backend, operation, %error, "the attachments of volumes that moved cannot be read; their hosts are not told");
                continue;
            }
        };
        let members: HashMap<String, Member> = page
            .iter()
            .map(|m| (m.volume.id.clone(), m.clone()))
            .collect();
        let mut futures = Vec::new();
        for attachment in found.into_iter().map(|stored| stored.record) {
            let used = matches!(
                attachment.status,
                AttachStatus::Attached | AttachStatus::Attaching
            );
            if let Some(member) = members.get(&attachment.volume_id).filter(|_| used) {
                futures.push(tried(
                    control,
                    backend,
                    operation,
                    attachment,
                    (member.clone(), again),
                ));
            }
        }
        let mut work = futures_util::stream::iter(futures).buffer_unordered(AT_ONCE);
        while work.next().await.is_some() {}
    }
}

async fn tried(
    control: &Control,
    backend: &str,
    operation: &str,
    attachment: Attachment,
    (member, again): (Member, bool),
) {
    let id = attachment.id.clone();
    if let Err(error) = one(control, backend, operation, attachment, &member, again).await {
        tracing::error!(backend, operation, attachment = %id, error = %error.message, "a host of a volume that moved is not told");
    }
}

/// Whether a way to a volume leads to an array.
fn leads_to(connection: &Connection, target: &str) -> bool {
    connection.paths.iter().any(|path| path.target == target)
}

async fn one(
    control: &Control,
    backend: &str,
    operation: &str,
    attachment: Attachment,
    member: &Member,
    again: bool,
) -> Result<(), ControlError> {
    let Some(target) = member.volume.placement.as_ref().map(|p| p.target.as_str()) else {
        return Ok(());
    };
    let known_to = Some(target).filter(|_| !again);
    let Some(connector) = held(control, operation, &attachment.id, known_to).await? else {
        return Ok(());
    };
    let key = format!("reconnect/{operation}/{}", attachment.id);
    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string();
    let outcome = connect(control, backend, &key, (*member.spec).clone(), connector).await;
    write(control, &attachment.id, |attachment| {
        let former = attachment.connection.as_ref();
        let former = former
            .and_then(|c| c.paths.first())
            .map(|p| p.target.clone());
        let since = control.now();
        let same = attachment.connection.as_ref() == outcome.as_ref().ok();
        if !same || attachment.connection.is_none() {
            // The array that the host really knows is the first one, however often the volume moved on.
            attachment.outdated.get_or_insert(Outdated {
                target: former,
                since,
            });
        }
        attachment.updated_at = Some(since);
        attachment.operation = None;
        if let Ok(connection) = &outcome {
            attachment.connection = Some(connection.clone());
        }
        tell(
            backend,
            operation,
            &member.volume,
            attachment,
            &outcome,
            &key,
            since,
        )
    })
    .await
}

/// Takes the turn of an attachment, so that nobody takes a connection away while it is made anew. None: there is nothing to
/// make, because the way it knows leads to this array already.
async fn held(
    control: &Control,
    operation: &str,
    id: &str,
    known_to: Option<&str>,
) -> Result<Option<Connector>, ControlError> {
    let store = control.store();
    loop {
        let Some(mut stored) = store.get::<Attachment>(id).await? else {
            return Ok(None);
        };
        let holder = turn::holder(store, &stored).await?;
        if let Some(holder) = holder.filter(|holder| holder != operation) {
            turn::pause(control, &holder).await;
            continue;
        }
        let known = stored.connection.as_ref().zip(known_to);
        if known.is_some_and(|(known, target)| leads_to(known, target)) {
            // It was told both ways from the beginning, or by the run of this operation before a restart.
            return Ok(None);
        }
        let Some(connector) = stored.connector.clone() else {
            return Ok(None);
        };
        stored.record.operation = Some(operation.to_owned());
        match store.commit(Changes::new().update(&stored)).await {
            Ok(()) => return Ok(Some(connector)),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn connect(
    control: &Control,
    backend: &str,
    key: &str,
    volume: VolumeSpec,
    mut connector: Connector,
) -> Result<Connection, String> {
    let handle = control.backend(backend);
    if handle.is_some_and(|backend| backend.config().use_chap) {
        connector.chap = chap_for(control.store(), backend, &connector)
            .await
            .map_err(|error| format!("its credential cannot be read: {error}"))?;
    }
    let wanted = DriverCall {
        backend: backend.to_owned(),
        operation: key.to_owned(),
        cursor: Vec::new(),
        deadline: control.config().step_deadline,
        call: Call::Connect { volume, connector },
    };
    let reply = control.call_driver(&wanted, &mut Unseen).await;
    let reply = reply.map_err(|error| error.message)?;
    let mut connection = reply.into_connection().map_err(|error| error.to_string())?;
    if let Some(chap) = &mut connection.chap {
        chap.password.clear();
    }
    Ok(connection)
}

/// Changes an attachment and writes down the event with it. An attachment that is gone needs neither.
async fn write(
    control: &Control,
    id: &str,
    change: impl Fn(&mut Attachment) -> CloudEvent,
) -> Result<(), ControlError> {
    loop {
        let Some(mut stored) = control.store().get::<Attachment>(id).await? else {
            return Ok(());
        };
        let event = change(&mut stored.record);
        let receivers = &control.config().receivers;
        let changes = receivers
            .iter()
            .fold(Changes::new().update(&stored), |changes, receiver| {
                changes.put(&Delivery::new(event.clone(), receiver, control.now()))
            });
        match control.store().commit(changes).await {
            Ok(()) => {
                control.mail().ring();
                return Ok(());
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The event. It has no credential in it: whoever may have that reads it from the attachment.
fn tell(
    backend: &str,
    operation: &str,
    volume: &Volume,
    attachment: &Attachment,
    outcome: &Result<Connection, String>,
    key: &str,
    now: springform_model::time::Timestamp,
) -> CloudEvent {
    let mut data = json!({
        "volume_id": volume.id,
        "project_id": volume.project_id,
        "attachment_id": attachment.id,
        "server_id": attachment.instance_id,
        "host": attachment.host_name,
        "operation": operation,
        "target": volume.placement.as_ref().map(|p| &p.target),
        "generation": volume.generation,
    });
    let (kind, key_of, value) = match outcome {
        Ok(connection) => ("attachment.connection", "connection", shown(connection)),
        Err(why) => ("attachment.unreachable", "error", json!(why)),
    };
    if let Some(fields) = data.as_object_mut() {
        fields.insert(key_of.to_owned(), value);
    }
    CloudEvent::new(kind, backend, &volume.id, key.to_owned(), data, now)
}

/// The way to a volume as far as anybody may see it.
fn shown(connection: &Connection) -> Value {
    let paths: Vec<Value> = connection
        .paths
        .iter()
        .map(|path| {
            json!({
                "target": path.target, "portal": path.portal, "port": path.port,
                "lun": path.lun, "preferred": path.preferred,
            })
        })
        .collect();
    json!({
        "driver_volume_type": connection.driver_volume_type,
        "paths": paths,
        "wwn": connection.wwn,
        "nguid": connection.nguid,
        "transport": connection.transport,
        "credential_in_attachment": connection.chap.is_some(),
    })
}
