//! Reloads of the configuration as JSON.

use serde::Serialize;
use springform_control::reload::{BackendChange, DriverChange, Reloaded};
use utoipa::ToSchema;

use super::words::word;

/// What a reload changed, or would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReloadReport<'a> {
    /// Whether nothing was changed.
    dry_run: bool,
    backends: Vec<ReloadedBackend<'a>>,
    drivers: Vec<ReloadedDriver<'a>>,
    /// Settings of the host that are new.
    host: &'a [String],
    /// Backends that are as they were.
    unchanged: u64,
}

/// A backend that is configured otherwise than before.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReloadedBackend<'a> {
    name: &'a str,
    /// `added`, `changed` or `removed`.
    change: String,
    /// What is different.
    what: &'a [String],
    driver: &'a str,
    /// Of the driver; null where there is none.
    #[schema(required)]
    generation: Option<u64>,
    ready: bool,
    /// Why it is not ready.
    #[schema(required)]
    reason: Option<&'a str>,
}

/// A driver that is configured otherwise than before.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReloadedDriver<'a> {
    name: &'a str,
    /// `added`, `changed` or `removed`.
    change: String,
}

impl<'a> ReloadReport<'a> {
    /// All of it.
    #[must_use]
    pub fn new(reloaded: &'a Reloaded) -> Self {
        let Reloaded {
            dry_run,
            backends,
            drivers,
            host,
            unchanged,
        } = reloaded;
        Self {
            dry_run: *dry_run,
            backends: backends.iter().map(ReloadedBackend::new).collect(),
            drivers: drivers.iter().map(ReloadedDriver::new).collect(),
            host,
            unchanged: *unchanged as u64,
        }
    }
}

impl<'a> ReloadedBackend<'a> {
    fn new(change: &'a BackendChange) -> Self {
        let BackendChange {
            name,
            change,
            what,
            driver,
            generation,
            ready,
            reason,
        } = change;
        Self {
            name,
            change: word(change),
            what,
            driver,
            generation: *generation,
            ready: *ready,
            reason: reason.as_deref(),
        }
    }
}

impl<'a> ReloadedDriver<'a> {
    fn new(change: &'a DriverChange) -> Self {
        let DriverChange { name, change } = change;
        let change = word(change);
        Self { name, change }
    }
}
