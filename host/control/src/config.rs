//! What the control plane is started with. Addresses, trust and secrets are not here: they belong to the loader.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use springform_model::contract::Target;

use crate::audit::Recorder;

/// One driver of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverConfig {
    /// Name, as backends refer to it.
    pub name: String,
    /// Component file.
    pub path: PathBuf,
}

/// One backend of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendConfig {
    /// `volume_backend_name`; unique.
    pub name: String,
    /// Service host, `springform@pure1`.
    pub host: String,
    /// Name of its driver.
    pub driver: String,
    /// Options without secrets, as configured; the loader fills in defaults.
    pub options: Vec<(String, String)>,
    /// Arrays, the primary one first.
    pub targets: Vec<Target>,
    /// Availability zone.
    pub availability_zone: String,
    /// How well the operator speaks of it, 0 to 100, for the scheduler's weigher of this name.
    #[serde(default)]
    pub goodness: u8,
    /// Whether initiators get a CHAP credential.
    pub use_chap: bool,
    /// Whether a failback asked for through Cinder's API may overwrite what only the primary has since it was left behind.
    pub failback_discards_old_primary: bool,
    /// Calls that may be under way at once.
    pub parallel: usize,
}

impl BackendConfig {
    /// A backend with Cinder's defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, driver: impl Into<String>, targets: Vec<Target>) -> Self {
        let name = name.into();
        Self {
            host: format!("springform@{name}"),
            name,
            driver: driver.into(),
            options: Vec::new(),
            targets,
            availability_zone: "nova".to_owned(),
            goodness: 0,
            use_chap: false,
            failback_discards_old_primary: false,
            parallel: 64,
        }
    }

    /// A digest of everything that a driver is told of the configuration.
    #[must_use]
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(Sha256::digest(text))
    }

    /// The array named by `san_ip`.
    #[must_use]
    pub fn primary(&self) -> Option<&Target> {
        self.targets.iter().find(|target| target.primary)
    }
}

/// What a pool is weighed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weigher {
    /// Room: Cinder's `CapacityWeigher`.
    Capacity,
    /// How well the operator speaks of the backend, 0 to 100: Cinder's `GoodnessWeigher`.
    Goodness,
}

impl Weigher {
    /// Every weigher, by its name in the configuration.
    pub const ALL: [(&'static str, Self); 2] =
        [("capacity", Self::Capacity), ("goodness", Self::Goodness)];
}

/// Weighers and how much each counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighers(pub Vec<(Weigher, f64)>);

impl Default for Weighers {
    /// Room alone, as in Cinder.
    fn default() -> Self {
        Self(vec![(Weigher::Capacity, 1.0)])
    }
}

/// Settings of the control plane.
#[derive(Debug, Clone)]
pub struct ControlConfig {
    /// Drivers; only for the start, a reload may change them.
    pub drivers: Vec<DriverConfig>,
    /// Backends; only for the start, a reload may change them.
    pub backends: Vec<BackendConfig>,
    /// Zone of volumes that name none.
    pub availability_zone: String,
    /// Name of the type of volumes that name none.
    pub default_type: Option<String>,
    /// Whether the GiB of snapshots are left out of the quota `gigabytes`, as Cinder's option of this name says.
    pub no_snapshot_gb_quota: bool,
    /// What pools are weighed by.
    pub weighers: Weighers,
    /// How often statistics are read.
    pub statistics_interval: Duration,
    /// How often replication is observed while all is well; more often while something happens.
    pub observe_interval: Duration,
    /// Names of those who are told of events.
    pub receivers: Vec<String>,
    /// How long one step may take.
    pub step_deadline: Duration,
    /// How long one operation may take.
    pub operation_deadline: Duration,
    /// Operations that may be open at once; more are refused.
    pub open_operations: usize,
    /// How long a finished operation is kept.
    pub keep_operations: Duration,
    /// First half of Cinder's `host@backend`; the audit log of this host goes by it.
    pub host: String,
    /// How long an entry of the audit log is kept.
    pub keep_audit: Duration,
    /// What is told to the audit log from where nobody may wait.
    pub audit: Recorder,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            drivers: Vec::new(),
            backends: Vec::new(),
            availability_zone: "nova".to_owned(),
            default_type: None,
            no_snapshot_gb_quota: false,
            weighers: Weighers::default(),
            statistics_interval: Duration::from_secs(60),
            observe_interval: Duration::from_secs(60),
            receivers: Vec::new(),
            step_deadline: Duration::from_secs(120),
            operation_deadline: Duration::from_secs(1800),
            open_operations: 10_000,
            keep_operations: Duration::from_secs(7 * 86_400),
            host: "springform".to_owned(),
            keep_audit: Duration::from_secs(400 * 86_400),
            audit: Recorder::default(),
        }
    }
}
