//! How a driver stands: its four versions, and the backends it serves.

use std::sync::Arc;

use serde::Serialize;

use super::{GenerationRecord, GenerationState};
use crate::backends::Backends;
use crate::config::DriverConfig;

/// One of the four versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Generation number.
    pub number: u64,
    /// Digest of the component.
    pub digest: String,
    /// Version the driver states.
    pub version: String,
}

/// One backend of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendGeneration {
    /// Backend.
    pub backend: String,
    /// Number of the generation that serves it.
    pub generation: Option<u64>,
    /// Calls and readers that hold it now.
    pub in_flight: usize,
    /// Whether the backend is up.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// A driver with its four versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriverStatus {
    /// Name.
    pub name: String,
    /// Component file of the configuration.
    pub configured: Option<String>,
    /// Newest installed.
    pub deployed: Option<Version>,
    /// Serving.
    pub running: Option<Version>,
    /// What a rollback would go back to.
    pub rollback: Option<Version>,
    /// Its backends.
    pub backends: Vec<BackendGeneration>,
    /// Every generation kept, newest first.
    pub generations: Vec<GenerationRecord>,
}

/// How a driver stands of which these generations are kept.
pub(super) fn of(
    backends: &Backends,
    driver: &DriverConfig,
    generations: Vec<GenerationRecord>,
) -> DriverStatus {
    let running = generations
        .iter()
        .find(|record| record.state == GenerationState::Running);
    let served = backends
        .backends()
        .filter(|backend| backend.config().driver == driver.name)
        .map(|backend| {
            let generation = backends.generation(backend.name());
            let status = backend.status();
            let quarantine = generation.as_ref().and_then(|serving| serving.quarantine());
            BackendGeneration {
                backend: backend.name().to_owned(),
                generation: generation.as_ref().map(|generation| generation.number),
                // One is the table's own, one is ours.
                in_flight: generation.as_ref().map_or(0, |generation| {
                    Arc::strong_count(generation).saturating_sub(2)
                }),
                ready: status.is_up() && quarantine.is_none(),
                reason: quarantine.or(status.reason).or(status.statistics_error),
            }
        });
    DriverStatus {
        name: driver.name.clone(),
        configured: Some(driver.path.display().to_string()),
        deployed: newest(&generations).map(version),
        running: running.map(version),
        rollback: previous(&generations).map(version),
        backends: served.collect(),
        generations,
    }
}

fn version(record: &GenerationRecord) -> Version {
    Version {
        number: record.number,
        digest: record.digest.clone(),
        version: record.version.clone(),
    }
}

/// The component that was installed last, in its newest generation: a reload makes new generations of old components.
pub(super) fn newest(records: &[GenerationRecord]) -> Option<&GenerationRecord> {
    let first = |digest: &str| {
        let same = records.iter().filter(|record| record.digest == digest);
        same.map(|record| record.number).min()
    };
    records
        .iter()
        .max_by_key(|record| (first(&record.digest), record.number))
}

/// The one that served last before the present one, with another component: a configuration is gone back to in its file.
pub(super) fn previous(records: &[GenerationRecord]) -> Option<&GenerationRecord> {
    let running = records
        .iter()
        .find(|record| record.state == GenerationState::Running)
        .map(|record| record.digest.as_str());
    let retired = records.iter().filter(|record| {
        record.state == GenerationState::Retired && Some(record.digest.as_str()) != running
    });
    retired.max_by_key(|record| record.activated_at)
}
