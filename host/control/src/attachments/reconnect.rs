//! After a failover: each host that uses a volume is connected to the array that serves it now, and the new way to it is
//! told. Whether and when the host takes it is its own affair, or that of [`super::repair`].

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use springform_model::cloud::{AttachStatus, Attachment, Outdated, Volume};
use springform_model::contract::{Call, Connection, Connector, VolumeSpec};
use springform_store::{Changes, Query, StoreError, Stored};
use tokio::time::Instant;
use uuid::Uuid;

use super::secret::chap_for;
use super::{arrays, turn};
use crate::ControlError;
use crate::engine::{DriverCall, IgnorePending, Operations, PlaceCheck};
use crate::lock::{self, Tried};
use crate::outbox::{CloudEvent, Delivery};
use crate::replication::{Lead, Member};
use crate::specs::volume_spec;

/// Longest pause before a lock is looked at again.
const LOOK: Duration = Duration::from_millis(50);
/// Hosts connected at once.
const AT_ONCE: usize = 16;
/// Volumes whose attachments are read at once.
const PAGE: usize = 200;

/// Which of these volumes have attachments that follow a move.
pub(crate) async fn followed(
    operations: &Operations,
    moved: &[Member],
) -> Result<Vec<Member>, StoreError> {
    let mut used = Vec::new();
    for page in moved.chunks(PAGE) {
        let ids: Vec<&str> = page.iter().map(|m| m.volume.id.as_str()).collect();
        let query = Query::new().is_in("volume_id", ids);
        let found = operations.store().list::<Attachment>(&query).await?;
        let told = |one: &Stored<Attachment>| one.connector.is_some() || one.operation.is_some();
        let theirs: HashSet<String> = found
            .into_iter()
            .filter(told)
            .map(|one| one.record.volume_id)
            .collect();
        let theirs = page.iter().filter(|m| theirs.contains(&m.volume.id));
        used.extend(theirs.cloned());
    }
    Ok(used)
}

/// Connects the hosts of volumes that moved. What fails is told and can be repaired later.
pub(crate) async fn reconnect(
    operations: &Operations,
    backend: &str,
    operation: &str,
    moved: &[Member],
    whom: Lead,
) {
    let ids: Vec<&str> = moved.iter().map(|m| m.volume.id.as_str()).collect();
    reconnect_volumes(operations, backend, operation, &ids, whom).await;
}

/// The same for volumes of which nothing but the ids is known.
pub(crate) async fn reconnect_volumes(
    operations: &Operations,
    backend: &str,
    operation: &str,
    volumes: &[&str],
    whom: Lead,
) {
    for page in volumes.chunks(PAGE) {
        let query = Query::new().is_in("volume_id", page.iter().copied());
        let found = match operations.store().list::<Attachment>(&query).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(backend, operation, %error, "the attachments of volumes that moved cannot be read; their hosts are not told");
                continue;
            }
        };
        let mut theirs: HashMap<String, Vec<String>> = HashMap::new();
        for attachment in found {
            let ids = theirs.entry(attachment.record.volume_id).or_default();
            ids.push(attachment.record.id);
        }
        // Those of one volume one after another: they share its lock.
        let futures = theirs.into_iter().map(|(volume, attachments)| async move {
            for id in attachments {
                if let Err(error) = one(operations, backend, operation, (&id, &volume), whom).await {
                    tracing::error!(backend, operation, attachment = %id, error = %error.message, "a host of a volume that moved is not told");
                }
            }
        });
        let futures: Vec<_> = futures.collect();
        let mut work = futures_util::stream::iter(futures).buffer_unordered(AT_ONCE);
        while work.next().await.is_some() {}
    }
}

/// What a move means for an attachment.
enum Follows {
    /// Its host is connected where the volume is now.
    Connect(Box<Connector>),
    /// Its host was told a way and is not to have one any more, or has none: it is only said to be outdated.
    Mark,
    /// Nothing: no host was told a way, or it leads there already.
    Nothing,
}

fn follows(attachment: &Attachment, target: &str, whom: Lead) -> Follows {
    let known = attachment.connection.as_ref();
    match (&attachment.connector, attachment.status) {
        (None, _) => Follows::Nothing,
        (Some(_), status)
            if status != AttachStatus::ErrorDetaching
                && known.is_some_and(|known| whom.leaves(arrays(known), target)) =>
        {
            Follows::Nothing
        }
        (Some(connector), AttachStatus::Attached | AttachStatus::Attaching) => {
            Follows::Connect(Box::new(connector.clone()))
        }
        // Nothing that it knows has become untrue.
        (Some(_), _) if whom == Lead::Both => Follows::Nothing,
        (Some(connector), AttachStatus::ErrorAttaching) if known.is_some() => {
            Follows::Connect(Box::new(connector.clone()))
        }
        (Some(_), _) => Follows::Mark,
    }
}

async fn one(
    operations: &Operations,
    backend: &str,
    operation: &str,
    (id, volume): (&str, &str),
    whom: Lead,
) -> Result<(), ControlError> {
    let store = operations.store();
    if !held(operations, operation, id).await? {
        return Ok(());
    }
    let until = Instant::now() + operations.config().step_deadline;
    let locked = lock_volume(operations, operation, volume, until).await?;
    let volume = match &locked {
        Locked::Gone => return Ok(()),
        Locked::Yes(volume) | Locked::No(volume, _) => volume,
    };
    let attachment = store.get::<Attachment>(id).await?;
    let target = volume.placement.as_ref().map(|at| at.target.as_str());
    let follows = match (&attachment, target) {
        (Some(attachment), Some(target)) => follows(attachment, target, whom),
        _ => Follows::Nothing,
    };
    let key = format!("reconnect/{operation}/{id}");
    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string();
    let unserved = super::unserved(store, &volume.id).await?;
    let outcome = match (follows, &locked) {
        (Follows::Nothing, _) => {
            return settle(operations, operation, id, &volume.id, |_| None).await;
        }
        (Follows::Mark, _) => Err("its host was told no way to it".to_owned()),
        (Follows::Connect(_), Locked::No(_, holder)) => {
            Err(format!("operation {holder} holds the volume"))
        }
        (Follows::Connect(_), Locked::Yes(_)) if unserved.is_some() => {
            Err(unserved.unwrap_or_default())
        }
        (Follows::Connect(connector), _) => {
            let spec = volume_spec(store, volume).await?;
            let taken = operations.live().lock_taken(operation);
            let work = connect(operations, backend, &key, spec, *connector);
            let outcome = lock::unless(taken, work).await;
            outcome.unwrap_or_else(|| Err("another operation moves the volume on".to_owned()))
        }
    };
    let mark = matches!(&attachment, Some(a) if a.status == AttachStatus::ErrorDetaching);
    settle(operations, operation, id, &volume.id, |attachment| {
        let former = attachment.connection.as_ref();
        let former = former
            .and_then(|c| c.paths.first())
            .map(|p| p.target.clone());
        let since = operations.now();
        let same = attachment.connection.as_ref() == outcome.as_ref().ok();
        if !same || attachment.connection.is_none() {
            // The array that the host really knows is the first one, however often the volume moved on.
            attachment.outdated.get_or_insert(Outdated {
                target: former,
                since,
            });
        }
        // An event about nothing new makes its receivers attach the disk again.
        let known = same && attachment.outdated.is_none() && attachment.connection.is_some();
        attachment.updated_at = Some(since);
        match &outcome {
            Ok(connection) => attachment.connection = Some(connection.clone()),
            Err(_) if mark => attachment.connection = None,
            Err(_) => {}
        }
        (!known).then(|| {
            tell(
                backend, operation, volume, attachment, &outcome, &key, since,
            )
        })
    })
    .await
}

/// Takes the lock of an attachment, so that nobody takes a connection away while it is made anew. False: it is gone.
async fn held(operations: &Operations, operation: &str, id: &str) -> Result<bool, ControlError> {
    let store = operations.store();
    loop {
        let Some(mut stored) = store.get::<Attachment>(id).await? else {
            return Ok(false);
        };
        let holder = turn::holder(store, &stored).await?;
        if let Some(holder) = holder.filter(|holder| holder != operation) {
            lock::pause(operations, &holder, LOOK).await;
            continue;
        }
        if stored.operation.as_deref() == Some(operation) {
            return Ok(true);
        }
        stored.record.operation = Some(operation.to_owned());
        match store.commit(Changes::new().update(&stored)).await {
            Ok(()) => return Ok(true),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the volume's lock was to be had.
enum Locked {
    Yes(Box<Volume>),
    /// Not in time: this operation has it.
    No(Box<Volume>, String),
    Gone,
}

async fn lock_volume(
    operations: &Operations,
    operation: &str,
    volume: &str,
    until: Instant,
) -> Result<Locked, ControlError> {
    let store = operations.store();
    let ids = [volume.to_owned()];
    loop {
        match lock::try_take(store, operation, &ids).await? {
            Tried::Taken(taken) => {
                let taken = taken.into_iter().next();
                return Ok(taken.map_or(Locked::Gone, |v| Locked::Yes(Box::new(v.record))));
            }
            Tried::Gone(_) => return Ok(Locked::Gone),
            Tried::Overtaken => {}
            Tried::Held(holder) if Instant::now() > until => {
                let volume = store.get::<Volume>(volume).await?;
                return Ok(volume.map_or(Locked::Gone, |v| Locked::No(Box::new(v.record), holder)));
            }
            Tried::Held(holder) => lock::pause(operations, &holder, LOOK).await,
        }
    }
}

async fn connect(
    operations: &Operations,
    backend: &str,
    key: &str,
    volume: VolumeSpec,
    mut connector: Connector,
) -> Result<Connection, String> {
    let handle = operations.backend(backend);
    if handle.is_some_and(|backend| backend.config().use_chap) {
        connector.chap = chap_for(operations.store(), backend, &connector)
            .await
            .map_err(|error| format!("its credential cannot be read: {error}"))?;
    }
    let wanted = DriverCall {
        backend: backend.to_owned(),
        operation: key.to_owned(),
        cursor: Vec::new(),
        deadline: operations.config().step_deadline,
        place: PlaceCheck::AtOnce,
        call: Call::Connect { volume, connector },
    };
    let reply = operations.call_driver(&wanted, &mut IgnorePending).await;
    let reply = reply.map_err(|error| error.message)?;
    let mut connection = reply.into_connection().map_err(|error| error.to_string())?;
    if let Some(chap) = &mut connection.chap {
        chap.password.clear();
    }
    Ok(connection)
}

/// Changes an attachment, gives both locks back, and writes down the event with it. An attachment that is gone needs no event.
async fn settle(
    operations: &Operations,
    operation: &str,
    id: &str,
    volume: &str,
    change: impl Fn(&mut Attachment) -> Option<CloudEvent>,
) -> Result<(), ControlError> {
    let store = operations.store();
    loop {
        let mut changes = Changes::new();
        let mut told = false;
        if let Some(mut stored) = store.get::<Attachment>(id).await? {
            let event = change(&mut stored.record);
            stored.record.operation = None;
            changes = changes.update(&stored);
            told = event.is_some();
            for (event, receiver) in event.iter().flat_map(|event| {
                operations
                    .config()
                    .receivers
                    .iter()
                    .map(move |to| (event, to))
            }) {
                changes = changes.put(&Delivery::new(event.clone(), receiver, operations.now()));
            }
        }
        if let Some(mut volume) = store.get::<Volume>(volume).await?
            && lock::release(&mut volume.record, operation)
        {
            changes = changes.update(&volume);
        }
        match store.commit(changes).await {
            Ok(()) => {
                if told {
                    operations.outbox().notify();
                }
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
