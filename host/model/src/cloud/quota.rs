//! Quotas, user messages, transfers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Limits of one project or of one quota class; -1 is no limit. Keys are Cinder's (`volumes`, `gigabytes_<type>`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaSet {
    /// Project id, or `class:<name>`.
    pub id: String,
    /// Limits that differ from the default.
    pub limits: BTreeMap<String, i64>,
}

/// A message that tells a user why something asynchronous failed (Cinder API 3.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMessage {
    /// UUID.
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// `VOLUME_VOLUME_001_003`.
    pub event_id: String,
    /// `001`.
    pub action_id: String,
    /// `003`.
    pub detail_id: String,
    /// The sentence.
    pub user_message: String,
    /// `ERROR`.
    pub level: String,
    /// API request it came from.
    pub request_id: Option<String>,
    /// `VOLUME`, `VOLUME_SNAPSHOT`, …
    pub resource_type: String,
    /// Its id.
    pub resource_uuid: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
}

/// A transfer of a volume to another project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// UUID.
    pub id: String,
    /// Volume.
    pub volume_id: String,
    /// From.
    pub source_project_id: String,
    /// To, once accepted.
    pub destination_project_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Salt of the key's hash.
    pub salt: String,
    /// Hash of the authorisation key.
    pub key_hash: String,
    /// Without its snapshots.
    pub no_snapshots: bool,
    /// Whether it was accepted.
    pub accepted: bool,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}
