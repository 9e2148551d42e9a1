//! Interface `backend`: set-up, check, statistics.

use serde::{Deserialize, Serialize};

use super::Extensions;

/// Something that was done, in the operator's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// On which target.
    pub target: String,
    /// What.
    pub text: String,
}

/// Answer of `setup` and of `reconcile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupReport {
    /// To be stored and handed back.
    pub state: Vec<u8>,
    /// What was changed.
    pub changes: Vec<Change>,
    /// What works, but not as configured.
    pub warnings: Vec<String>,
}

/// What `check` saw of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    /// Target name.
    pub target: String,
    /// Whether it answered.
    pub reachable: bool,
    /// Array id.
    pub array_id: Option<String>,
    /// Array name.
    pub array_name: Option<String>,
    /// API version.
    pub api_version: Option<String>,
    /// Array software version.
    pub array_version: Option<String>,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// Bytes.
    pub total_bytes: u64,
    /// Bytes.
    pub free_bytes: u64,
    /// Bytes.
    pub provisioned_bytes: u64,
    /// In thousandths.
    pub max_over_subscription_permille: u64,
    /// Percent.
    pub reserved_percent: u32,
    /// Thin provisioning.
    pub thin: bool,
    /// Several attachments to one volume.
    pub multiattach: bool,
    /// Quality of service.
    pub qos: bool,
    /// Further capabilities, as text.
    pub capabilities: Vec<(String, String)>,
}

/// Capacity and capabilities of a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Vendor name.
    pub vendor: String,
    /// Driver version.
    pub driver_version: String,
    /// Storage protocol.
    pub protocol: String,
    /// Pools.
    pub pools: Vec<Pool>,
    /// Whether anything is replicated.
    pub replication_enabled: bool,
    /// `async`, `sync`, `trisync`.
    pub replication_types: Vec<String>,
    /// Target names.
    pub replication_targets: Vec<String>,
    /// Room for growth.
    pub extensions: Extensions,
}
