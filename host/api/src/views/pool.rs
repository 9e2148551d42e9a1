//! Pools and capabilities of backends as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use springform_control::backend::BackendStatus;
use springform_model::cloud::Service;
use springform_model::contract::{Pool, Statistics};
use utoipa::ToSchema;

use super::{Members, Plural, ServiceState, Time, time};

const GIB: f64 = 1_073_741_824.0;

fn gib(bytes: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // two digits behind the point are shown
    let gib = bytes as f64 / GIB;
    (gib * 100.0).round() / 100.0
}

fn protocol(statistics: &Statistics) -> &str {
    match statistics.protocol.to_ascii_lowercase().as_str() {
        "iscsi" => "iSCSI",
        "fc" | "fibre_channel" => "FC",
        "nvme" | "nvmeof" | "nvme-tcp" => "NVMe-TCP",
        _ => &statistics.protocol,
    }
}

/// A pool.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pool)]
pub struct PoolView {
    /// Where details are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<PoolCapabilities<'static>>)]
    capabilities: Option<Members>,
    /// `host@backend#pool`.
    pub name: String,
}

/// What a pool has and can do.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolCapabilities<'a> {
    #[serde(rename = "QoS_support")]
    qos_support: bool,
    allocated_capacity_gb: f64,
    backend_state: ServiceState,
    driver_version: &'a str,
    #[schema(required)]
    filter_function: Option<&'a str>,
    free_capacity_gb: f64,
    #[schema(required)]
    goodness_function: Option<&'a str>,
    #[schema(required)]
    location_info: Option<&'a str>,
    /// A number, as text.
    max_over_subscription_ratio: String,
    multiattach: bool,
    pool_name: &'a str,
    provisioned_capacity_gb: f64,
    replication_count: u64,
    replication_enabled: bool,
    replication_targets: &'a [String],
    replication_type: &'a [String],
    reserved_percentage: u32,
    storage_protocol: &'a str,
    thick_provisioning_support: bool,
    thin_provisioning_support: bool,
    #[schema(required)]
    timestamp: Option<Time>,
    total_capacity_gb: f64,
    vendor_name: &'a str,
    volume_backend_name: &'a str,
    /// What the driver adds.
    #[serde(flatten)]
    more: BTreeMap<&'a str, &'a str>,
}

impl Plural for PoolView {
    const KEY: &'static str = "pools";
}

impl PoolView {
    /// A pool of a backend, with what is known of it now.
    #[must_use]
    pub fn new(
        service: &Service,
        status: &BackendStatus,
        statistics: &Statistics,
        pool: &Pool,
        detail: bool,
    ) -> Self {
        let capabilities = || {
            let known = PoolCapabilities::new(service, status, statistics, pool);
            let theirs = pool.capabilities.iter();
            let theirs = theirs.map(|(key, text)| (key.as_str(), Value::from(text.as_str())));
            Members::new(&known, theirs)
        };
        Self {
            capabilities: detail.then(capabilities),
            name: format!("{}#{}", service.host, pool.name),
        }
    }
}

impl<'a> PoolCapabilities<'a> {
    fn new(
        service: &'a Service,
        status: &BackendStatus,
        statistics: &'a Statistics,
        pool: &'a Pool,
    ) -> Self {
        #[allow(clippy::cast_precision_loss)] // thousandths
        let over = pool.max_over_subscription_permille as f64 / 1000.0;
        Self {
            qos_support: pool.qos,
            allocated_capacity_gb: gib(pool.provisioned_bytes),
            backend_state: ServiceState::of(status.is_up()),
            driver_version: &statistics.driver_version,
            filter_function: None,
            free_capacity_gb: gib(pool.free_bytes),
            goodness_function: None,
            location_info: None,
            max_over_subscription_ratio: over.to_string(),
            multiattach: pool.multiattach,
            pool_name: &pool.name,
            provisioned_capacity_gb: gib(pool.provisioned_bytes),
            replication_count: statistics.replication_targets.len() as u64,
            replication_enabled: statistics.replication_enabled,
            replication_targets: &statistics.replication_targets,
            replication_type: &statistics.replication_types,
            reserved_percentage: pool.reserved_percent,
            storage_protocol: protocol(statistics),
            thick_provisioning_support: !pool.thin,
            thin_provisioning_support: pool.thin,
            timestamp: time(status.statistics_at),
            total_capacity_gb: gib(pool.total_bytes),
            vendor_name: &statistics.vendor,
            volume_backend_name: &service.backend,
            more: BTreeMap::new(),
        }
    }
}

/// What a backend can do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Capabilities<'a> {
    #[schema(required)]
    description: Option<&'a str>,
    #[schema(required)]
    display_name: Option<&'a str>,
    #[schema(required)]
    driver_version: Option<&'a str>,
    namespace: String,
    #[schema(required)]
    pool_name: Option<&'a str>,
    /// By name.
    properties: BTreeMap<&'static str, CapabilityProperty>,
    replication_targets: &'a [String],
    #[schema(required)]
    storage_protocol: Option<&'a str>,
    #[schema(required)]
    vendor_name: Option<&'a str>,
    #[schema(required)]
    visibility: Option<&'a str>,
    volume_backend_name: &'a str,
}

/// Something that a backend can do or not.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapabilityProperty {
    default: bool,
    description: &'static str,
    title: &'static str,
    /// `boolean`.
    r#type: &'static str,
}

impl<'a> Capabilities<'a> {
    /// Of a backend, with what is known of it now.
    #[must_use]
    pub fn new(service: &'a Service, status: &'a BackendStatus) -> Self {
        let statistics = status.statistics.as_deref();
        let pool = statistics.and_then(|found| found.pools.first());
        let replicated = statistics.is_some_and(|found| found.replication_enabled);
        let property = |title, description, default| CapabilityProperty {
            default,
            description,
            title,
            r#type: "boolean",
        };
        let thin = pool.is_some_and(|pool| pool.thin);
        let qos = pool.is_some_and(|pool| pool.qos);
        let multiattach = pool.is_some_and(|pool| pool.multiattach);
        Self {
            description: None,
            display_name: None,
            driver_version: statistics.map(|found| found.driver_version.as_str()),
            namespace: format!("OS::Storage::Capabilities::{}", service.host),
            pool_name: None,
            properties: BTreeMap::from([
                (
                    "thin_provisioning",
                    property("Thin Provisioning", "Sets thin provisioning.", thin),
                ),
                ("qos", property("QoS", "Enables QoS.", qos)),
                (
                    "multiattach",
                    property(
                        "Multiattach",
                        "Lets several hosts attach a volume.",
                        multiattach,
                    ),
                ),
                (
                    "replication_enabled",
                    property("Replication", "Enables replication.", replicated),
                ),
            ]),
            replication_targets: statistics.map_or(&[], |found| &found.replication_targets[..]),
            storage_protocol: statistics.map(protocol),
            vendor_name: statistics.map(|found| found.vendor.as_str()),
            visibility: None,
            volume_backend_name: &service.backend,
        }
    }
}
