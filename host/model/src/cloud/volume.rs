//! Volumes.

use serde::{Deserialize, Serialize};

use super::{Metadata, ReplicationStatus, VolumeStatus};
use crate::contract::Placement;
use crate::time::Timestamp;

/// A volume. `size` is in GiB as in Cinder; drivers are told bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// UUID.
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// Creator.
    pub user_id: String,
    /// Display name.
    pub name: Option<String>,
    /// Display description.
    pub description: Option<String>,
    /// GiB.
    pub size: u64,
    /// State.
    pub status: VolumeStatus,
    /// State before a failover put it into `error`.
    pub previous_status: Option<VolumeStatus>,
    /// `none`, `migrating`, … as an admin may reset it.
    pub migration_status: Option<String>,
    /// Availability zone.
    pub availability_zone: String,
    /// Type id; none only for volumes without a type.
    pub type_id: Option<String>,
    /// Name of the type, kept beside the id so that a list needs no second read.
    pub type_name: Option<String>,
    /// Source snapshot.
    pub snapshot_id: Option<String>,
    /// Source volume.
    pub source_volid: Option<String>,
    /// Generic group.
    pub group_id: Option<String>,
    /// User metadata.
    pub metadata: Metadata,
    /// Admin metadata: `readonly`, `attached_mode`.
    pub admin_metadata: Metadata,
    /// Glance metadata of a volume made from an image or set by action.
    pub image_metadata: Metadata,
    /// Boots.
    pub bootable: bool,
    /// Several attachments.
    pub multiattach: bool,
    /// Counts against the quota.
    pub consumes_quota: bool,
    /// Backend name (`pure1`); none until scheduled.
    pub backend: Option<String>,
    /// `host@backend#pool` as Cinder shows it; none until scheduled.
    pub host: Option<String>,
    /// Where it is on the arrays; none until created.
    pub placement: Option<Placement>,
    /// Replication as Cinder's API shows it; null until the backend answered.
    pub replication_status: Option<ReplicationStatus>,
    /// Generation of the replication relation: bumped by each failover, never lowered.
    pub generation: u64,
    /// Attachments, newest last; the truth is the attachment table.
    pub attachments: Vec<VolumeAttachment>,
    /// Operation that holds the volume's turn.
    pub operation: Option<String>,
    /// Transfer under way.
    pub transfer_id: Option<String>,
    /// GiB it grows to while it is extended: they count against the quota from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growing_to: Option<u64>,
    /// Name on the array of what is being taken over, until the driver answered: nobody else may take it over too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taking_over: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
    /// When it was first available.
    pub launched_at: Option<Timestamp>,
}

/// What a volume shows of one attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeAttachment {
    /// Attachment id.
    pub attachment_id: String,
    /// Instance.
    pub server_id: Option<String>,
    /// Host name.
    pub host_name: Option<String>,
    /// Mount point.
    pub device: Option<String>,
    /// When.
    pub attached_at: Option<Timestamp>,
}

impl Volume {
    /// Bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size.saturating_mul(1 << 30)
    }

    /// What the image says of what is made from the volume: nothing unless it is bootable.
    #[must_use]
    pub fn image_to_inherit(&self) -> Metadata {
        match self.bootable {
            true => self.image_metadata.clone(),
            false => Metadata::new(),
        }
    }

    /// Records where the volume is now, and under which name. Clients read both in its metadata, so an entry that the driver
    /// gives replaces the one of before.
    pub fn place(&mut self, placement: &Placement) {
        self.metadata.extend(placement.metadata.iter().cloned());
        self.placement = Some(placement.clone());
    }
}
