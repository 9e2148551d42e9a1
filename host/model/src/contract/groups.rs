//! Interface `groups`.

use serde::{Deserialize, Serialize};

use super::{Extensions, Failure, ReplicationKind, SnapshotPlacement};

/// One consistency group, as a driver sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// UUID of the cloud.
    pub id: String,
    /// The user's name for it.
    pub name: String,
    /// Project id.
    pub project: String,
    /// What its members ask for, also while replication of the group is switched off.
    pub replication: Option<ReplicationKind>,
    /// Target which serves it.
    pub target: Option<String>,
    /// Name on the array.
    pub array_name: Option<String>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// The outcome for one member of a group snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotOutcome {
    /// Snapshot id.
    pub id: String,
    /// What it is called, or why there is none.
    pub result: Result<SnapshotPlacement, Failure>,
}
