//! Drivers and their generations as JSON.

use serde::Serialize;
use springform_control::registry::{
    BackendGeneration, DriverStatus, GenerationRecord, Inspection, Version,
};
use utoipa::ToSchema;

use super::DescriptionView;
use super::words::word;
use crate::views::{Micros, micros};

/// A driver with its four versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Driver)]
pub struct DriverView<'a> {
    name: &'a str,
    /// Component file of the configuration.
    #[schema(required)]
    configured: Option<&'a str>,
    /// The newest that was installed.
    #[schema(required)]
    deployed: Option<VersionView<'a>>,
    /// The one that serves.
    #[schema(required)]
    running: Option<VersionView<'a>>,
    /// The one to which a rollback goes.
    #[schema(required)]
    rollback: Option<VersionView<'a>>,
    backends: Vec<DriverBackend<'a>>,
    /// The newest first.
    generations: Vec<GenerationView<'a>>,
}

/// One of the four versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriverVersion)]
pub struct VersionView<'a> {
    /// Generation.
    number: u64,
    /// Of the component.
    digest: &'a str,
    /// As the driver states it.
    version: &'a str,
}

/// A backend that a driver serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriverBackend<'a> {
    backend: &'a str,
    /// Null where none could be loaded.
    #[schema(required)]
    generation: Option<u64>,
    /// Calls that hold it now.
    in_flight: u64,
    ready: bool,
    /// Why it is not ready.
    #[schema(required)]
    reason: Option<&'a str>,
}

/// A generation of a driver: component, configuration and grants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriverGeneration)]
pub struct GenerationView<'a> {
    /// `<driver>/<number>`.
    id: &'a str,
    driver: &'a str,
    number: u64,
    /// Of the component.
    digest: &'a str,
    /// Names of the keys of `[verification]` that signed it.
    signers: &'a [String],
    /// Where the component is.
    path: &'a str,
    /// As the driver states it.
    version: &'a str,
    config_digest: &'a str,
    grants: &'a [String],
    /// `deployed`, `running`, `retired` or `failed`.
    state: String,
    /// Why it was refused.
    #[schema(required)]
    reason: Option<&'a str>,
    created_at: Micros,
    #[schema(required)]
    activated_at: Option<Micros>,
}

impl<'a> DriverView<'a> {
    /// The whole record.
    #[must_use]
    pub fn new(driver: &'a DriverStatus) -> Self {
        let DriverStatus {
            name,
            configured,
            deployed,
            running,
            rollback,
            backends,
            generations,
        } = driver;
        Self {
            name,
            configured: configured.as_deref(),
            deployed: deployed.as_ref().map(VersionView::new),
            running: running.as_ref().map(VersionView::new),
            rollback: rollback.as_ref().map(VersionView::new),
            backends: backends.iter().map(DriverBackend::new).collect(),
            generations: generations.iter().map(GenerationView::new).collect(),
        }
    }
}

impl<'a> VersionView<'a> {
    fn new(version: &'a Version) -> Self {
        let Version {
            number,
            digest,
            version,
        } = version;
        Self {
            number: *number,
            digest,
            version,
        }
    }
}

impl<'a> DriverBackend<'a> {
    fn new(backend: &'a BackendGeneration) -> Self {
        let BackendGeneration {
            backend,
            generation,
            in_flight,
            ready,
            reason,
        } = backend;
        Self {
            backend,
            generation: *generation,
            in_flight: *in_flight as u64,
            ready: *ready,
            reason: reason.as_deref(),
        }
    }
}

impl<'a> GenerationView<'a> {
    fn new(record: &'a GenerationRecord) -> Self {
        let GenerationRecord {
            id,
            driver,
            number,
            digest,
            signers,
            path,
            version,
            config_digest,
            grants,
            state,
            reason,
            created_at,
            activated_at,
        } = record;
        Self {
            id,
            driver,
            number: *number,
            digest,
            signers,
            path,
            version,
            config_digest,
            grants,
            state: word(state),
            reason: reason.as_deref(),
            created_at: Micros(*created_at),
            activated_at: micros(*activated_at),
        }
    }
}

/// All drivers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drivers<'a> {
    /// The drivers.
    pub drivers: Vec<DriverView<'a>>,
}

/// A generation that was installed.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstalledDriver<'a> {
    #[serde(flatten)]
    generation: GenerationView<'a>,
    /// Of the driver.
    name: &'a str,
}

impl<'a> InstalledDriver<'a> {
    /// Of a driver.
    #[must_use]
    pub fn new(name: &'a str, record: &'a GenerationRecord) -> Self {
        Self {
            generation: GenerationView::new(record),
            name,
        }
    }
}

/// A component that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectedDriver<'a> {
    description: DescriptionView<'a>,
    digest: &'a str,
    /// Names of the keys of `[verification]` that signed it.
    signers: &'a [String],
    exports: &'a [String],
    imports: &'a [String],
}

impl<'a> InspectedDriver<'a> {
    /// The whole inspection.
    #[must_use]
    pub fn new(inspection: &'a Inspection) -> Self {
        let Inspection {
            digest,
            signers,
            description,
            imports,
            exports,
        } = inspection;
        Self {
            description: DescriptionView::new(description),
            digest,
            signers,
            exports,
            imports,
        }
    }
}
