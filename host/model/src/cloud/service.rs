//! The service of a backend: what `cinder service-list` shows and what failover, freeze and disable change.

use serde::{Deserialize, Serialize};

use super::ReplicationStatus;
use crate::contract::{Statistics, TargetHealth};
use crate::time::Timestamp;

/// One backend as a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Backend name; the key.
    pub backend: String,
    /// `host@backend`.
    pub host: String,
    /// Availability zone.
    pub availability_zone: String,
    /// Not used by the scheduler.
    pub disabled: bool,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Control plane read-only.
    pub frozen: bool,
    /// Replication of the backend.
    pub replication_status: ReplicationStatus,
    /// Target on which new volumes land; none: the primary. Shown as Cinder's `active_backend_id`.
    pub active_target: Option<String>,
    /// Opaque driver state.
    pub driver_state: Vec<u8>,
    /// Whether the last set-up succeeded.
    pub ready: bool,
    /// Why not.
    pub not_ready_reason: Option<String>,
    /// Newest statistics.
    pub statistics: Option<Statistics>,
    /// When they were read.
    pub statistics_at: Option<Timestamp>,
    /// Newest check of the targets.
    pub targets: Vec<TargetHealth>,
    /// Who this host is on the arrays, as it marks its promotions there: made once, the same for as long as the database lives.
    #[serde(default)]
    pub identity: String,
    /// The database was restored at this time, and the records were not brought up to the arrays since: the arrays are
    /// looked at and not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_only_since: Option<Timestamp>,
    /// The restoration after which the records were brought up to the arrays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Timestamp>,
    /// Operation that holds the backend's turn.
    pub operation: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}
