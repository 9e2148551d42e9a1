//! Snapshots of volumes.

use serde::{Deserialize, Serialize};

use super::{Metadata, SnapshotStatus};
use crate::time::Timestamp;

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// UUID.
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// Creator.
    pub user_id: String,
    /// Volume.
    pub volume_id: String,
    /// Display name.
    pub name: Option<String>,
    /// Display description.
    pub description: Option<String>,
    /// GiB: the volume's size when it was taken.
    pub size: u64,
    /// State.
    pub status: SnapshotStatus,
    /// `0%` to `100%`.
    pub progress: String,
    /// User metadata.
    pub metadata: Metadata,
    /// What the volume's image said of it when this was taken. `None` in records of before this was kept: then it is
    /// what the volume's image says now.
    #[serde(default)]
    pub image_metadata: Option<Metadata>,
    /// Group snapshot.
    pub group_snapshot_id: Option<String>,
    /// Type of the volume when it was taken.
    pub type_id: Option<String>,
    /// Counts against the quota.
    pub consumes_quota: bool,
    /// Backend.
    pub backend: Option<String>,
    /// Name on the array.
    pub array_name: Option<String>,
    /// Target on which it is.
    pub target: Option<String>,
    /// Operation that holds its turn.
    pub operation: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}
