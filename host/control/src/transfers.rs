//! Transfers: a volume changes its project, by a key that is shown once.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha1::Sha1;
use sha2::Sha256;
use springform_model::cloud::{
    Attachment, Snapshot, SnapshotStatus, Transfer, Volume, VolumeStatus,
};
use springform_model::time::Timestamp;
use springform_store::{Changes, Direction, Query, Store, StoreError};
use uuid::Uuid;

use crate::context::Context;
use crate::edit::{TxError, no_more, retry_on_conflict};
use crate::ownership::{Owned, of_caller};
use crate::quotas::{Adds, Quotas, over};
use crate::specs::full_type;
use crate::{Caller, ControlError, lock};

/// Bytes of a hash that Cinder made: SHA-1.
const CINDERS: usize = 20;

/// Transfers, made and accepted.
#[derive(Debug, Clone, Copy)]
pub struct Transfers<'a> {
    context: &'a Context,
    store: &'a Store,
}

fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    rand::rng().fill_bytes(&mut buffer);
    hex::encode(buffer)
}

fn hash<M: Mac + KeyInit>(salt: &str, key: &str) -> Result<M, ControlError> {
    let mut mac = <M as Mac>::new_from_slice(salt.as_bytes())
        .map_err(|_| ControlError::internal("The key of the transfer could not be hashed."))?;
    mac.update(key.as_bytes());
    Ok(mac)
}

/// Whether a key is that of a transfer. Compared in constant time: the key is all that keeps the volume in its project.
fn opens(transfer: &Transfer, key: &str) -> Result<bool, ControlError> {
    let expected = hex::decode(&transfer.key_hash).unwrap_or_default();
    let same = match expected.len() {
        // Made by Cinder, and imported.
        CINDERS => hash::<Hmac<Sha1>>(&transfer.salt, key)?.verify_slice(&expected),
        _ => hash::<Hmac<Sha256>>(&transfer.salt, key)?.verify_slice(&expected),
    };
    Ok(same.is_ok())
}

impl<'a> Transfers<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
            context,
        }
    }

    /// Offers a volume. Answers the transfer and its key, which nobody can read again.
    ///
    /// # Errors
    /// Not found; invalid unless the volume is available.
    pub async fn create(
        &self,
        caller: &Caller,
        volume_id: &str,
        name: Option<String>,
        no_snapshots: bool,
    ) -> Result<(Transfer, String), ControlError> {
        retry_on_conflict(|| self.offer(caller, volume_id, name.clone(), no_snapshots)).await
    }

    async fn offer(
        &self,
        caller: &Caller,
        volume_id: &str,
        name: Option<String>,
        no_snapshots: bool,
    ) -> Result<(Transfer, String), TxError> {
        let mut volume = of_caller::<Volume>(self.store, caller, volume_id).await?;
        let held = lock::changes(self.store, &volume).await?;
        if volume.status != VolumeStatus::Available || held {
            return Err(ControlError::invalid("Invalid volume: status must be available").into());
        }
        let mut changes = self.alone(&volume).await?;
        if !no_snapshots {
            let theirs = going_along(&volume);
            let snapshots = self.store.list::<Snapshot>(&theirs).await?;
            changes = no_more::<Snapshot>(changes, theirs, snapshots.len());
            for snapshot in &snapshots {
                may_go_along(snapshot)?;
                changes = changes.unchanged::<Snapshot>(&snapshot.id, snapshot.revision);
            }
        }
        let (salt, key) = (random(8), random(16));
        let transfer = Transfer {
            id: Uuid::new_v4().to_string(),
            volume_id: volume_id.to_owned(),
            source_project_id: volume.project_id.clone(),
            destination_project_id: None,
            name,
            key_hash: hex::encode(hash::<Hmac<Sha256>>(&salt, &key)?.finalize().into_bytes()),
            salt,
            no_snapshots,
            accepted: false,
            created_at: Timestamp::now(),
            updated_at: None,
        };
        volume.record.status = VolumeStatus::AwaitingTransfer;
        volume.record.transfer_id = Some(transfer.id.clone());
        volume.record.updated_at = Some(Timestamp::now());
        let changes = changes.insert(&transfer).update(&volume);
        self.store.commit(changes).await?;
        Ok((transfer, key))
    }

    /// One, by id.
    ///
    /// # Errors
    /// Not found, also for another project's: to accept one, its id and key are enough.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Transfer, ControlError> {
        Ok(of_caller::<Transfer>(self.store, caller, id).await?.record)
    }

    /// A page of those that wait to be accepted.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        caller: &Caller,
        all: bool,
        query: Query,
    ) -> Result<Vec<Transfer>, ControlError> {
        let query = if all && caller.is_admin {
            query
        } else {
            query.eq("source_project_id", caller.project_id.as_str())
        };
        let found = self
            .store
            .list::<Transfer>(&query.eq("accepted", false))
            .await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Withdraws an offer.
    ///
    /// # Errors
    /// Not found.
    pub async fn delete(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        retry_on_conflict(|| self.withdraw(caller, id)).await
    }

    async fn withdraw(&self, caller: &Caller, id: &str) -> Result<(), TxError> {
        let transfer = of_caller::<Transfer>(self.store, caller, id).await?;
        if transfer.accepted {
            // What was accepted cannot be withdrawn any more.
            return Err(Transfer::unknown(id).into());
        }
        let mut changes = Changes::new().delete::<Transfer>(id, transfer.revision);
        if let Some(mut volume) = self.store.get::<Volume>(&transfer.volume_id).await?
            && volume.transfer_id.as_deref() == Some(id)
        {
            volume.record.status = VolumeStatus::Available;
            volume.record.transfer_id = None;
            changes = changes.update(&volume);
        }
        Ok(self.store.commit(changes).await?)
    }

    /// Takes an offered volume into the caller's project.
    ///
    /// # Errors
    /// Not found; invalid for a wrong key, or once it was accepted or withdrawn; over the limit where it does not fit into
    /// the project's quota.
    pub async fn accept(
        &self,
        caller: &Caller,
        id: &str,
        key: &str,
    ) -> Result<Transfer, ControlError> {
        retry_on_conflict(|| self.take(caller, id, key)).await
    }

    async fn take(&self, caller: &Caller, id: &str, key: &str) -> Result<Transfer, TxError> {
        let mut transfer = self
            .store
            .get::<Transfer>(id)
            .await?
            .ok_or_else(|| Transfer::unknown(id))?;
        if transfer.accepted || !opens(&transfer, key)? {
            return Err(ControlError::invalid(format!(
                "Invalid auth key: Attempt to transfer {id} with invalid auth key."
            ))
            .into());
        }
        let volume = self.store.get::<Volume>(&transfer.volume_id).await?;
        let mut volume = volume.ok_or_else(|| Volume::unknown(&transfer.volume_id))?;
        if volume.status != VolumeStatus::AwaitingTransfer
            || volume.transfer_id.as_deref() != Some(id)
        {
            return Err(
                ControlError::invalid("Invalid volume: status must be awaiting-transfer").into(),
            );
        }
        let alone = self.alone(&volume).await?;
        let theirs = going_along(&volume);
        let now = Some(Timestamp::now());
        volume.record.project_id.clone_from(&caller.project_id);
        volume.record.user_id.clone_from(&caller.user_id);
        volume.record.status = VolumeStatus::Available;
        volume.record.transfer_id = None;
        volume.record.updated_at = now;
        transfer.record.accepted = true;
        transfer.record.destination_project_id = Some(caller.project_id.clone());
        transfer.record.updated_at = now;
        let full = full_type(self.store, volume.type_id.as_deref()).await?;
        let kind = full.as_ref().map(|full| &full.volume_type);
        let quotas = Quotas::new(self.context);
        let limits = quotas.guards(&caller.project_id, Adds::Volume(volume.size), kind);
        let mut changes = limits.await?.and(alone).update(&volume).update(&transfer);
        if !transfer.no_snapshots {
            let limits = quotas.guards(&caller.project_id, Adds::Snapshot, kind);
            changes = changes.and(limits.await?);
        }
        if !transfer.no_snapshots {
            for mut snapshot in self.store.list::<Snapshot>(&theirs).await? {
                may_go_along(&snapshot)?;
                snapshot.record.project_id.clone_from(&caller.project_id);
                changes = changes.update(&snapshot);
            }
        }
        match self.store.commit(changes).await {
            Ok(()) => Ok(transfer.record),
            Err(StoreError::Limit { name, limit, used }) => {
                Err(over(&name, limit, used, volume.size).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a member of a group, which stays behind and whose verbs would reach the new owner's volume, and a volume that a
    /// machine of the old owner reaches. Gives what has to hold still when that is committed.
    async fn alone(&self, volume: &Volume) -> Result<Changes, ControlError> {
        if let Some(group) = &volume.group_id {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} must not be part of a consistency group; take it out of group {group} first.",
                volume.id
            )));
        }
        let reached = Query::new().eq("volume_id", volume.id.as_str());
        let oldest = reached.clone().sort("created_at", Direction::Asc);
        if let Some(found) = self.store.first::<Attachment>(&oldest).await? {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} must not be attached; delete attachment {} first.",
                volume.id, found.id
            )));
        }
        Ok(no_more::<Attachment>(Changes::new(), reached, 0))
    }
}

/// The snapshots that change hands with a volume: those of its owner. What another project took of it stays that project's.
fn going_along(volume: &Volume) -> Query {
    Query::new()
        .eq("volume_id", volume.id.as_str())
        .eq("project_id", volume.project_id.as_str())
}

fn may_go_along(snapshot: &Snapshot) -> Result<(), ControlError> {
    let why = match &snapshot.group_snapshot_id {
        Some(group) => format!(
            "snapshot: {} is part of group snapshot {group}; delete that, or transfer without snapshots",
            snapshot.id
        ),
        None if snapshot.status != SnapshotStatus::Available || snapshot.operation.is_some() => {
            format!("snapshot: {} status must be available", snapshot.id)
        }
        None => return Ok(()),
    };
    Err(ControlError::invalid(format!("Invalid snapshot: {why}")))
}
