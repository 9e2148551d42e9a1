//! Volume types, QoS specs, group types.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::time::Timestamp;

/// A volume type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeType {
    /// UUID.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Whether every project may use it.
    pub is_public: bool,
    /// Projects that may use it where it is not public.
    pub projects: Vec<String>,
    /// Extra specs.
    pub extra_specs: Metadata,
    /// QoS specs associated with it.
    pub qos_specs_id: Option<String>,
    /// How the host that attaches its volumes is to encrypt them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<TypeEncryption>,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// How the host that attaches volumes of a type is to encrypt them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeEncryption {
    /// UUID.
    pub id: String,
    /// `luks`, `luks2`.
    pub provider: String,
    /// `front-end` or `back-end`.
    pub control_location: String,
    /// `aes-xts-plain64`.
    pub cipher: Option<String>,
    /// Bits.
    pub key_size: Option<u64>,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// QoS specs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QosSpecs {
    /// UUID.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// `front-end`, `back-end` or `both`.
    pub consumer: String,
    /// Keys.
    pub specs: Metadata,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// A type of generic groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupType {
    /// UUID.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Whether every project may use it.
    pub is_public: bool,
    /// Group specs.
    pub group_specs: Metadata,
    /// When.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// The volume type that volumes of a project get when none is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultType {
    /// Project.
    pub project_id: String,
    /// Type.
    pub type_id: String,
}
