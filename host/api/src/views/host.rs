//! What clients ask about the installation, as JSON: zones, hosts, filters, clusters.

use serde::Serialize;
use springform_control::services::ServiceView as Found;
use springform_control::services::{Scheduler, Usage};
use utoipa::ToSchema;

use super::service::{SCHEDULER_BINARY, VOLUME_BINARY};
use super::{NoItems, Plural, Time, time};

/// An availability zone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Zone)]
pub struct ZoneView<'a> {
    #[serde(rename = "zoneName")]
    name: &'a str,
    #[serde(rename = "zoneState")]
    state: ZoneState,
}

/// Whether a zone may be used.
#[derive(Debug, Serialize, ToSchema)]
pub struct ZoneState {
    available: bool,
}

impl Plural for ZoneView<'_> {
    const KEY: &'static str = "availabilityZoneInfo";
}

impl<'a> ZoneView<'a> {
    /// A zone that may be used.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        let state = ZoneState { available: true };
        Self { name, state }
    }
}

/// Whether a host's service answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Availability {
    Available,
    Unavailable,
}

/// A service of a host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Host)]
pub struct HostView<'a> {
    host_name: &'a str,
    #[serde(rename = "last-update")]
    #[schema(required)]
    last_update: Option<Time>,
    service: &'static str,
    /// `enabled`.
    #[serde(rename = "service-state")]
    state: &'static str,
    #[serde(rename = "service-status")]
    status: Availability,
    /// Availability zone.
    pub zone: &'a str,
}

impl Plural for HostView<'_> {
    const KEY: &'static str = "hosts";
}

impl<'a> HostView<'a> {
    /// A backend that is enabled.
    #[must_use]
    pub fn backend(found: &'a Found) -> Self {
        let up = found.status.is_up();
        Self {
            host_name: &found.service.host,
            last_update: time(found.status.statistics_at),
            service: VOLUME_BINARY,
            state: "enabled",
            status: if up {
                Availability::Available
            } else {
                Availability::Unavailable
            },
            zone: &found.service.availability_zone,
        }
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(scheduler: &'a Scheduler) -> Self {
        Self {
            host_name: &scheduler.host,
            last_update: Some(Time(scheduler.updated_at)),
            service: SCHEDULER_BINARY,
            state: "enabled",
            status: Availability::Available,
            zone: &scheduler.availability_zone,
        }
    }
}

/// What is on a host, of all projects or of one.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostUsage<'a> {
    resource: HostResource<'a>,
}

impl Plural for HostUsage<'_> {
    const KEY: &'static str = "host";
}

/// Numbers, as text.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostResource<'a> {
    host: &'a str,
    /// Its id, or `(total)`.
    project: &'a str,
    snapshot_count: String,
    /// GiB.
    total_snapshot_gb: String,
    /// GiB.
    total_volume_gb: String,
    volume_count: String,
}

impl<'a> HostUsage<'a> {
    /// Of a project; `None`: of all.
    #[must_use]
    pub fn new(host: &'a str, project: Option<&'a str>, usage: &Usage) -> Self {
        let resource = HostResource {
            host,
            project: project.unwrap_or("(total)"),
            snapshot_count: usage.snapshots.to_string(),
            total_snapshot_gb: usage.snapshot_gib.to_string(),
            total_volume_gb: usage.volume_gib.to_string(),
            volume_count: usage.volumes.to_string(),
        };
        Self { resource }
    }
}

/// The filters that a list knows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceFilters {
    /// Parameters.
    pub filters: &'static [&'static str],
    /// `volume`, `snapshot`, …
    pub resource: &'static str,
}

impl Plural for ResourceFilters {
    const KEY: &'static str = "resource_filters";
}

/// Clusters: there are none.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Clusters {
    clusters: NoItems,
}

/// Workers that are cleaned up after: the journal does this by itself.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Cleanup {
    cleaning: NoItems,
    unavailable: NoItems,
}
