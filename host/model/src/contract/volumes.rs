//! Interface `volumes`: what is needed beside the nouns of `types`.

use serde::{Deserialize, Serialize};

use super::{Extensions, Placement, SnapshotPlacement};

/// How an operator names an object that exists on the array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// `source-name` and vendor keys.
    pub keys: Vec<(String, String)>,
}

/// A volume that was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Where it is.
    pub placement: Placement,
    /// Bytes.
    pub size: u64,
}

/// A snapshot that was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedSnapshot {
    /// What it is called.
    pub placement: SnapshotPlacement,
    /// Bytes.
    pub size: u64,
}

/// A volume or snapshot that could be managed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manageable {
    /// How to name it.
    pub reference: Reference,
    /// Bytes.
    pub size: u64,
    /// Whether it may be managed.
    pub safe_to_manage: bool,
    /// Why not.
    pub reason_not_safe: Option<String>,
    /// For a snapshot: its volume.
    pub source: Option<Reference>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// A page of manageable objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManageablePage {
    /// Items.
    pub items: Vec<Manageable>,
    /// Where the next page starts.
    pub next: Option<String>,
}
