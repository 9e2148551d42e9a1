//! Generic groups and their snapshots.

use serde::{Deserialize, Serialize};

use super::{GroupStatus, ReplicationStatus};
use crate::time::Timestamp;

/// A generic group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
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
    /// State.
    pub status: GroupStatus,
    /// Group type id.
    pub group_type_id: String,
    /// Volume type ids.
    pub volume_type_ids: Vec<String>,
    /// Availability zone.
    pub availability_zone: String,
    /// Backend.
    pub backend: Option<String>,
    /// `host@backend#pool`.
    pub host: Option<String>,
    /// Name on the array, where the driver keeps a consistency group.
    pub array_name: Option<String>,
    /// Target which serves it.
    pub target: Option<String>,
    /// Group snapshot it was made from.
    pub group_snapshot_id: Option<String>,
    /// Group it was made from.
    pub source_group_id: Option<String>,
    /// Replication.
    pub replication_status: ReplicationStatus,
    /// Generation of its relation.
    pub generation: u64,
    /// Operation that holds its turn.
    pub operation: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// A snapshot of every member of a group at one point in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// UUID.
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// Creator.
    pub user_id: String,
    /// Group.
    pub group_id: String,
    /// Display name.
    pub name: Option<String>,
    /// Display description.
    pub description: Option<String>,
    /// State.
    pub status: GroupStatus,
    /// Group type id.
    pub group_type_id: String,
    /// Whether the array took it as one, at one point in time; else it is a snapshot of each member, one after the other.
    #[serde(default)]
    pub consistent: bool,
    /// Operation that holds its turn.
    pub operation: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}
