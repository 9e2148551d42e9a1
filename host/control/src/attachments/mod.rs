//! Attachments: who uses a volume, and how they reach it. The old `os-attach` family is kept in the same table.

mod legacy;
mod reconnect;
pub mod repair;
mod secret;
mod servers;
mod turn;
mod work;

pub(crate) use reconnect::{followed, reconnect, reconnect_volumes};
pub use secret::Secret;
pub(crate) use work::AttachmentExecutor;

use springform_model::cloud::{AttachStatus, Attachment, Volume, VolumeAttachment, VolumeStatus};
use springform_model::contract::{Connection, Connector};
use springform_model::replication::relation::Relation;
use springform_store::{Changes, Direction, Query, Store, StoreError, Stored};
use uuid::Uuid;

use crate::edit::{TxError, retry_on_conflict};
use crate::engine::Operations;
use crate::ownership::of_caller;
use crate::{Caller, ControlError};

/// Attachments.
#[derive(Debug, Clone, Copy)]
pub struct Attachments<'a> {
    pub(crate) operations: &'a Operations,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct CreateAttachment {
    /// Volume.
    pub volume_id: String,
    /// Instance.
    pub instance_id: Option<String>,
    /// Connects at once when given.
    pub connector: Option<Connector>,
    /// `rw` or `ro`.
    pub mode: Option<String>,
    /// Mount point.
    pub device: Option<String>,
}

/// What is to become of a connection.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// The host is to reach the volume. Without its CHAP password.
    Connect(&'a Connector),
    /// The same beside whatever other host reaches it, shared or not: a server moves.
    ConnectBeside(&'a Connector),
    /// It is not to reach it any more.
    Disconnect,
}

impl<'a> Wanted<'a> {
    fn connector(self) -> Option<&'a Connector> {
        match self {
            Self::Connect(connector) | Self::ConnectBeside(connector) => Some(connector),
            Self::Disconnect => None,
        }
    }
}

impl<'a> Attachments<'a> {
    pub(crate) fn new(operations: &'a Operations) -> Self {
        Self { operations }
    }

    /// One attachment, its CHAP password filled in.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Attachment, ControlError> {
        let mut found = self.stored(caller, id).await?.record;
        self.with_secret(&mut found).await?;
        Ok(found)
    }

    async fn stored(&self, caller: &Caller, id: &str) -> Result<Stored<Attachment>, ControlError> {
        of_caller(self.operations.store(), caller, id).await
    }

    /// One page of attachments, without passwords.
    ///
    /// # Errors
    /// `NotFound` for a marker that is none, `Invalid` for a column that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<Vec<Attachment>, ControlError> {
        let found = self
            .operations
            .store()
            .list::<Attachment>(&caller.scope(query, all_tenants))
            .await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Reserves a volume for an attachment; connects it where a connector is given.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, and what the array refuses.
    pub async fn create(
        &self,
        caller: &Caller,
        wanted: CreateAttachment,
    ) -> Result<Attachment, ControlError> {
        self.make(caller, wanted, false).await
    }

    async fn make(
        &self,
        caller: &Caller,
        wanted: CreateAttachment,
        legacy: bool,
    ) -> Result<Attachment, ControlError> {
        let id = Uuid::now_v7().to_string();
        retry_on_conflict(|| self.reserve(caller, &wanted, legacy, &id)).await?;
        match wanted.connector {
            // Named at once it may stand beside the old host: so Nova moves a running server.
            Some(connector) => {
                let connector = without_secret(connector);
                self.carry_out(caller, &id, Wanted::ConnectBeside(&connector))
                    .await?;
                self.get(caller, &id).await
            }
            None => self.get(caller, &id).await,
        }
    }

    async fn reserve(
        &self,
        caller: &Caller,
        wanted: &CreateAttachment,
        legacy: bool,
        id: &str,
    ) -> Result<(), TxError> {
        let now = self.operations.now();
        let mut volume = self.volume(caller, &wanted.volume_id).await?;
        let shared = volume.multiattach && volume.status == VolumeStatus::InUse;
        let moves = !legacy && self.moves(&volume, wanted.instance_id.as_deref()).await?;
        let allowed: &[VolumeStatus] = if legacy {
            &[
                VolumeStatus::Available,
                VolumeStatus::Attaching,
                VolumeStatus::InUse,
                VolumeStatus::Reserved,
            ]
        } else {
            &[VolumeStatus::Available, VolumeStatus::Downloading]
        };
        if !shared && !moves && !allowed.contains(&volume.status) {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} status must be available or downloading to reserve, but the current status is {}.",
                volume.id, volume.status
            ))
            .into());
        }
        if volume.status == VolumeStatus::Available && !legacy {
            volume.record.status = VolumeStatus::Reserved;
        }
        volume.record.updated_at = Some(now);
        let attachment = Attachment {
            id: id.to_owned(),
            volume_id: volume.id.clone(),
            project_id: volume.project_id.clone(),
            instance_id: wanted.instance_id.clone(),
            host_name: wanted
                .connector
                .as_ref()
                .map(|connector| connector.host.clone()),
            device: wanted.device.clone(),
            status: AttachStatus::Reserved,
            mode: match read_only(&volume) && !legacy {
                true => Some("ro".to_owned()),
                false => wanted.mode.clone(),
            },
            connector: None,
            connection: None,
            legacy,
            made_by: stranger(caller, &volume.project_id),
            outdated: None,
            operation: None,
            attached_at: None,
            detached_at: None,
            created_at: now,
            updated_at: None,
        };
        let changes = Changes::new().insert(&attachment).update(&volume);
        Ok(self.operations.store().commit(changes).await?)
    }

    /// Whether a volume in use is reserved for a server that has it already. Nova moves a server so: the new attachment
    /// stands beside the old one until the new host has taken over.
    async fn moves(&self, volume: &Volume, server: Option<&str>) -> Result<bool, ControlError> {
        let taken = [VolumeStatus::InUse, VolumeStatus::Reserved];
        if server.is_none() || !taken.contains(&volume.status) {
            return Ok(false);
        }
        let known = self.of(&volume.id).await?;
        Ok(known
            .iter()
            .any(|known| known.instance_id.as_deref() == server))
    }

    /// Connects a host and says how it reaches the volume.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while another attachment of a volume that is not shared leads a host to it; and what the array
    /// refuses: the attachment is then `error_attaching`.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &str,
        connector: Connector,
    ) -> Result<Attachment, ControlError> {
        let attachment = self.get(caller, id).await?;
        let volume = self.operations.store().get::<Volume>(&attachment.volume_id);
        let volume = volume.await?;
        // After a failover the host has every reason to ask for the way anew.
        let stale = volume.is_some_and(|volume| elsewhere(&attachment, &volume).is_some());
        if attachment.status == AttachStatus::Attached && !stale {
            return Err(ControlError::invalid(format!(
                "Invalid attachment: attachment {id} is attached already."
            )));
        }
        let connector = without_secret(connector);
        self.carry_out(caller, id, Wanted::Connect(&connector))
            .await?;
        self.get(caller, id).await
    }

    /// Says that the host uses the volume now.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`.
    pub async fn complete(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        retry_on_conflict(|| self.used(caller, id)).await
    }

    async fn used(&self, caller: &Caller, id: &str) -> Result<(), TxError> {
        let mut attachment = self.stored(caller, id).await?;
        let mut volume = self.volume(caller, &attachment.volume_id).await?;
        let goes = [
            VolumeStatus::Deleting,
            VolumeStatus::Unmanaging,
            VolumeStatus::AwaitingTransfer,
        ];
        if goes.contains(&volume.status) {
            return Err(ControlError::invalid(format!(
                "Invalid volume: Volume {} cannot be attached: its status is {}.",
                volume.id, volume.status
            ))
            .into());
        }
        // What a server is told of is where its bytes go: a way to an array that was left is never confirmed.
        if let Some(why) = elsewhere(&attachment, &volume) {
            return Err(ControlError::conflict(format!(
                "Volume attachment {id} cannot be completed: {why}. Update it with the host's connector, connect as the answer says, and complete it then; or delete it."
            ))
            .into());
        }
        attach(
            &mut volume.record,
            &mut attachment.record,
            self.operations.now(),
        );
        let changes = Changes::new().update(&attachment).update(&volume);
        Ok(self.operations.store().commit(changes).await?)
    }

    /// Disconnects and forgets an attachment; gives those that remain on the volume.
    ///
    /// # Errors
    /// `NotFound`, and what the array refuses.
    pub async fn delete(&self, caller: &Caller, id: &str) -> Result<Vec<Attachment>, ControlError> {
        let attachment = self.get(caller, id).await?;
        self.carry_out(caller, id, Wanted::Disconnect).await?;
        self.of(&attachment.volume_id).await
    }

    /// The attachments of a volume, oldest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn of(&self, volume: &str) -> Result<Vec<Attachment>, ControlError> {
        let query = Query::new()
            .eq("volume_id", volume)
            .sort("created_at", Direction::Asc);
        let found = self.operations.store().list::<Attachment>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    async fn volume(&self, caller: &Caller, id: &str) -> Result<Stored<Volume>, ControlError> {
        of_caller(self.operations.store(), caller, id).await
    }

    async fn with_secret(&self, attachment: &mut Attachment) -> Result<(), ControlError> {
        let chap = attachment.connection.as_mut();
        let chap = chap.and_then(|connection| connection.chap.as_mut());
        let initiator = attachment.connector.as_ref();
        let initiator = initiator.and_then(|connector| connector.initiator.as_deref());
        let Some(chap) = chap else {
            return Ok(());
        };
        let store = self.operations.store();
        let volume = store.get::<Volume>(&attachment.volume_id).await?;
        let backend = volume.and_then(|volume| volume.record.backend);
        let id = match (backend, initiator) {
            (Some(backend), Some(initiator)) => secret::id(&backend, initiator),
            // Older records do not say who the machine is; a credential made here has its user in its id.
            _ => secret::of_user(&chap.user),
        };
        if let Some(secret) = store.get::<Secret>(&id).await? {
            secret.record.password.clone_into(&mut chap.password);
        }
        Ok(())
    }
}

/// The caller's project, where the volume is of another one.
fn stranger(caller: &Caller, project: &str) -> Option<String> {
    (caller.project_id != project).then(|| caller.project_id.clone())
}

/// Whether servers may only read it.
pub(crate) fn read_only(volume: &Volume) -> bool {
    let flag = volume.admin_metadata.get("readonly");
    flag.is_some_and(|flag| flag == "True")
}

/// Why the way that a host was told does not lead to the array that serves the volume.
fn elsewhere(attachment: &Attachment, volume: &Volume) -> Option<String> {
    let serving = volume.placement.as_ref().map(|at| at.target.as_str())?;
    if let Some(outdated) = &attachment.outdated {
        let left = outdated.target.as_deref().unwrap_or("another array");
        return Some(format!(
            "its host was told the way to {left}, and volume {} moved to {serving} since",
            volume.id
        ));
    }
    let told = attachment.connection.as_ref()?;
    let leads = told.paths.is_empty() || leads_to(told, serving);
    (!leads).then(|| {
        format!(
            "its host was told no way to {serving}, which serves volume {} now",
            volume.id
        )
    })
}

/// Whether a way to a volume leads to an array.
fn leads_to(connection: &Connection, target: &str) -> bool {
    arrays(connection).any(|array| array == target)
}

/// Where a way to a volume leads.
fn arrays(connection: &Connection) -> impl Iterator<Item = &str> + Clone {
    connection.paths.iter().map(|path| path.target.as_str())
}

/// Why no host is connected to a volume: a move that stopped half-way has left it without an array that serves it. What is
/// written to the one that gave its role up would be nowhere else.
async fn unserved(store: &Store, volume: &str) -> Result<Option<String>, StoreError> {
    let relation = store.get::<Relation>(volume).await?;
    let unserved = relation.is_some_and(|relation| relation.serving.is_none());
    Ok(unserved.then(|| {
        format!(
            "no array serves volume {volume} since its move stopped half-way; an administrator has to fail it over again, or \
             back"
        )
    }))
}

fn without_secret(mut connector: Connector) -> Connector {
    connector.chap = None;
    connector
}

/// Whether an attachment is, or is to be, a way of this host to its volume.
pub(crate) fn leads(attachment: &Attachment, host: &str) -> bool {
    let told = attachment.connector.as_ref();
    told.is_some_and(|connector| connector.host == host)
        || attachment.host_name.as_deref() == Some(host)
}

/// Both rows as they are once the host uses the volume.
fn attach(
    volume: &mut Volume,
    attachment: &mut Attachment,
    now: springform_model::time::Timestamp,
) {
    attachment.status = AttachStatus::Attached;
    attachment.attached_at = Some(now);
    attachment.updated_at = Some(now);
    let mode = attachment.mode.get_or_insert_with(|| "rw".to_owned());
    volume
        .admin_metadata
        .insert("attached_mode".to_owned(), mode.clone());
    volume
        .admin_metadata
        .entry("readonly".to_owned())
        .or_insert_with(|| "False".to_owned());
    // What an operation is about to do to it is said until it ends.
    let said = [
        VolumeStatus::Extending,
        VolumeStatus::Retyping,
        VolumeStatus::Reverting,
    ];
    if volume.operation.is_none() || !said.contains(&volume.status) {
        volume.status = VolumeStatus::InUse;
    }
    volume.updated_at = Some(now);
    volume
        .attachments
        .retain(|known| known.attachment_id != attachment.id);
    volume.attachments.push(VolumeAttachment {
        attachment_id: attachment.id.clone(),
        server_id: attachment.instance_id.clone(),
        host_name: attachment.host_name.clone(),
        device: attachment.device.clone(),
        attached_at: attachment.attached_at,
    });
}
