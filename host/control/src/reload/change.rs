//! A configuration that does not serve yet, and what it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::config::{BackendConfig, DriverConfig};
use crate::registry::DriverLoader;

/// A configuration that was read and makes sense, and does not serve yet.
pub struct Candidate {
    /// Drivers.
    pub drivers: Vec<DriverConfig>,
    /// Backends.
    pub backends: Vec<BackendConfig>,
    /// What only the source sees to be otherwise than what serves, in the operator's words, by backend: addresses,
    /// trust, secrets, options, limits.
    pub changed: BTreeMap<String, Vec<String>>,
    /// What differs of the host itself, in the operator's words: `certificate of the API`.
    pub host: Vec<String>,
    /// Where each backend stands, for messages: `springform.toml:12`.
    pub places: BTreeMap<String, String>,
    /// Makes drivers with its addresses and secrets.
    pub loader: Arc<dyn DriverLoader>,
    /// Called once it serves: what is read next is compared with it.
    pub adopt: Box<dyn FnOnce() + Send + Sync>,
}

/// What becomes of a backend or a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was not configured before.
    Added,
    /// It is configured otherwise.
    Changed,
    /// It is not configured any more.
    Removed,
}

/// A backend that is configured otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendChange {
    /// Backend.
    pub name: String,
    /// What becomes of it.
    pub change: Change,
    /// What differs, in the operator's words: `targets sec2, new3`, `credential of sec2`.
    pub what: Vec<String>,
    /// Its driver.
    pub driver: String,
    /// The generation that serves it; none for a dry run and for what was removed.
    pub generation: Option<u64>,
    /// Whether it is set up.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// A driver that is configured otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriverChange {
    /// Driver.
    pub name: String,
    /// What becomes of it.
    pub change: Change,
}
