//! Services as JSON.

use serde::Serialize;
use springform_control::backend::BackendStatus;
use springform_control::services::Scheduler;
use springform_model::cloud::Service;
use utoipa::ToSchema;

use super::{NoItems, Plural, Reader, Time, time};

/// The binary of backends: each is a volume service.
pub const VOLUME_BINARY: &str = "cinder-volume";

/// The scheduler's binary; it is part of each host and cannot be switched off by itself.
pub const SCHEDULER_BINARY: &str = "cinder-scheduler";

/// Whether a service may be used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceStatus {
    /// It may.
    Enabled,
    /// It may not.
    Disabled,
}

impl ServiceStatus {
    fn of(disabled: bool) -> Self {
        if disabled {
            Self::Disabled
        } else {
            Self::Enabled
        }
    }
}

/// Whether a service answers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// It does.
    Up,
    /// It does not.
    Down,
}

impl ServiceState {
    /// Whether it is up.
    #[must_use]
    pub fn of(up: bool) -> Self {
        if up { Self::Up } else { Self::Down }
    }
}

/// A service: a backend, or the scheduler, which has no members of backends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Service)]
pub struct ServiceView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    active_backend_id: Option<Option<&'a str>>,
    /// From 3.49.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    backend_state: Option<ServiceState>,
    binary: &'static str,
    /// Always null (from 3.7).
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Option<&'a str>>,
    #[schema(required)]
    disabled_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    frozen: Option<bool>,
    host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replication_status: Option<&'static str>,
    state: ServiceState,
    status: ServiceStatus,
    #[schema(required)]
    updated_at: Option<Time>,
    zone: &'a str,
}

impl Plural for ServiceView<'_> {
    const KEY: &'static str = "services";
}

impl<'a> ServiceView<'a> {
    /// The service of a backend, with what is known of it now.
    #[must_use]
    pub fn new(service: &'a Service, status: &BackendStatus, reader: &Reader<'a>) -> Self {
        let state = ServiceState::of(status.is_up());
        Self {
            active_backend_id: Some(service.active_target.as_deref()),
            backend_state: reader.version.has(49).then_some(state),
            binary: VOLUME_BINARY,
            cluster: reader.version.has(7).then_some(None),
            disabled_reason: service.disabled_reason.as_deref(),
            frozen: Some(service.frozen),
            host: &service.host,
            replication_status: Some(service.replication_status.as_str()),
            state,
            status: ServiceStatus::of(service.disabled),
            updated_at: time(status.statistics_at.or(service.updated_at)),
            zone: &service.availability_zone,
        }
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(scheduler: &'a Scheduler, reader: &Reader<'a>) -> Self {
        Self {
            active_backend_id: None,
            backend_state: None,
            binary: SCHEDULER_BINARY,
            cluster: reader.version.has(7).then_some(None),
            disabled_reason: None,
            frozen: None,
            host: &scheduler.host,
            replication_status: None,
            state: ServiceState::Up,
            status: ServiceStatus::Enabled,
            updated_at: Some(Time(scheduler.updated_at)),
            zone: &scheduler.availability_zone,
        }
    }
}

/// A service that was enabled or disabled.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceChanged<'a> {
    binary: &'static str,
    disabled: bool,
    host: &'a str,
    /// Always empty, as in Cinder.
    service: &'static str,
    status: ServiceStatus,
}

impl<'a> ServiceChanged<'a> {
    /// The service of a backend, as it is now.
    #[must_use]
    pub fn new(host: &'a str, disabled: bool) -> Self {
        Self {
            binary: VOLUME_BINARY,
            disabled,
            host,
            service: "",
            status: ServiceStatus::of(disabled),
        }
    }
}

/// A service that was disabled for a reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct DisabledService<'a> {
    #[serde(flatten)]
    changed: ServiceChanged<'a>,
    disabled_reason: Option<&'a str>,
}

impl<'a> DisabledService<'a> {
    /// The service of a backend.
    #[must_use]
    pub fn new(host: &'a str, disabled_reason: Option<&'a str>) -> Self {
        Self {
            changed: ServiceChanged::new(host, true),
            disabled_reason,
        }
    }
}

/// Log levels of services: they are set in the configuration, and not told.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct LogLevels {
    log_levels: NoItems,
}
