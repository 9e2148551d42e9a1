//! Attachments (Cinder API 3.27).

use serde::{Deserialize, Serialize};

use super::AttachStatus;
use crate::contract::{Connection, Connector};
use crate::time::Timestamp;

/// One attachment of a volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// UUID.
    pub id: String,
    /// Volume.
    pub volume_id: String,
    /// Owner.
    pub project_id: String,
    /// Instance, where one was named.
    pub instance_id: Option<String>,
    /// Host name.
    pub host_name: Option<String>,
    /// Mount point.
    pub device: Option<String>,
    /// State.
    pub status: AttachStatus,
    /// `rw`, `ro`, or none as long as nothing was said.
    pub mode: Option<String>,
    /// What the host told of itself; its CHAP password is stored apart.
    pub connector: Option<Connector>,
    /// How it reaches the volume.
    pub connection: Option<Connection>,
    /// True for one made by the old `os-attach` / `os-initialize_connection` actions.
    pub legacy: bool,
    /// Project of an administrator who made it for a volume that is not theirs: its server may be of that project, too.
    #[serde(default)]
    pub made_by: Option<String>,
    /// Set by a failover: the host was told the way to an array that does not serve the volume any more, and goes on trying
    /// it until it is attached anew.
    #[serde(default)]
    pub outdated: Option<Outdated>,
    /// Operation whose turn it is; none: free.
    #[serde(default)]
    pub operation: Option<String>,
    /// When it was attached.
    pub attached_at: Option<Timestamp>,
    /// When it was detached.
    pub detached_at: Option<Timestamp>,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// Since when a host looks for a volume where it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outdated {
    /// The array it was told of; none where it is not known.
    pub target: Option<String>,
    /// Since when.
    pub since: Timestamp,
}
