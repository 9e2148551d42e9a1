//! Services, pools and capabilities as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use springform_control::backend::BackendStatus;
use springform_model::cloud::Service;
use springform_model::contract::{Pool, Statistics};

use super::{Time, time};
use crate::http::{Shape, Version};

/// Form of a service.
pub const SERVICE: Shape = "{binary:text, host:text, zone:text, status:'enabled'|'disabled', state:'up'|'down', updated_at:text?, \
    backend_state?:text?, cluster?:text?, disabled_reason:text?, replication_status?:text, active_backend_id?:text?, \
    frozen?:bool}";

const GIB: f64 = 1_073_741_824.0;

/// The service of a backend.
#[derive(Debug)]
pub struct ServiceView<'a> {
    /// The record.
    pub service: &'a Service,
    /// What is known of its backend now; none: it is not configured any more.
    pub status: Option<&'a BackendStatus>,
    /// Asked shape.
    pub version: Version,
}

impl Serialize for ServiceView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let service = self.service;
        let up = self.status.is_some_and(BackendStatus::is_up);
        let state = if up { "up" } else { "down" };
        let read_at = self.status.and_then(|status| status.statistics_at);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("binary", "cinder-volume")?;
        map.serialize_entry("host", &service.host)?;
        map.serialize_entry("zone", &service.availability_zone)?;
        map.serialize_entry(
            "status",
            if service.disabled {
                "disabled"
            } else {
                "enabled"
            },
        )?;
        map.serialize_entry("state", state)?;
        map.serialize_entry("updated_at", &time(read_at.or(service.updated_at)))?;
        if self.version.has(7) {
            map.serialize_entry("cluster", &None::<&str>)?;
        }
        if self.version.has(49) {
            map.serialize_entry("backend_state", state)?;
        }
        map.serialize_entry("disabled_reason", &service.disabled_reason)?;
        map.serialize_entry("replication_status", service.replication_status.as_str())?;
        map.serialize_entry("active_backend_id", &service.active_target)?;
        map.serialize_entry("frozen", &service.frozen)?;
        map.end()
    }
}

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

/// One pool with its capabilities.
#[must_use]
pub fn pool(
    service: &Service,
    status: &BackendStatus,
    statistics: &Statistics,
    pool: &Pool,
) -> Value {
    #[allow(clippy::cast_precision_loss)] // thousandths
    let over = pool.max_over_subscription_permille as f64 / 1000.0;
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("volume_backend_name", json!(service.backend));
    put("vendor_name", json!(statistics.vendor));
    put("driver_version", json!(statistics.driver_version));
    put("storage_protocol", json!(protocol(statistics)));
    put("pool_name", json!(pool.name));
    put("total_capacity_gb", json!(gib(pool.total_bytes)));
    put("free_capacity_gb", json!(gib(pool.free_bytes)));
    put(
        "provisioned_capacity_gb",
        json!(gib(pool.provisioned_bytes)),
    );
    put("allocated_capacity_gb", json!(gib(pool.provisioned_bytes)));
    put("max_over_subscription_ratio", json!(over.to_string()));
    put("reserved_percentage", json!(pool.reserved_percent));
    put("thin_provisioning_support", json!(pool.thin));
    put("thick_provisioning_support", json!(!pool.thin));
    put("multiattach", json!(pool.multiattach));
    put("QoS_support", json!(pool.qos));
    put("replication_enabled", json!(statistics.replication_enabled));
    put("replication_type", json!(statistics.replication_types));
    put(
        "replication_count",
        json!(statistics.replication_targets.len()),
    );
    put("replication_targets", json!(statistics.replication_targets));
    put("filter_function", Value::Null);
    put("goodness_function", Value::Null);
    put("location_info", Value::Null);
    put(
        "backend_state",
        json!(if status.is_up() { "up" } else { "down" }),
    );
    put(
        "timestamp",
        json!(status.statistics_at.map(|point| Time(point).to_string())),
    );
    for (key, value) in &pool.capabilities {
        put(key, json!(value));
    }
    json!({"name": format!("{}#{}", service.host, pool.name), "capabilities": map})
}

/// What a backend can do, as properties with a title and a description.
#[must_use]
pub fn capabilities(service: &Service, status: &BackendStatus) -> Value {
    let statistics = status.statistics.as_deref();
    let replicated = statistics.is_some_and(|found| found.replication_enabled);
    let first = statistics.and_then(|found| found.pools.first());
    let property = |title: &str, description: &str, default: bool| json!({"title": title, "description": description, "type": "boolean", "default": default});
    json!({
        "namespace": format!("OS::Storage::Capabilities::{}", service.host),
        "vendor_name": statistics.map(|found| &found.vendor),
        "volume_backend_name": service.backend,
        "pool_name": null,
        "driver_version": statistics.map(|found| &found.driver_version),
        "storage_protocol": statistics.map(protocol),
        "display_name": null,
        "description": null,
        "visibility": null,
        "replication_targets": statistics.map_or(&[][..], |found| &found.replication_targets[..]),
        "properties": {
            "thin_provisioning": property("Thin Provisioning", "Sets thin provisioning.", first.is_some_and(|pool| pool.thin)),
            "qos": property("QoS", "Enables QoS.", first.is_some_and(|pool| pool.qos)),
            "multiattach": property("Multiattach", "Lets several hosts attach a volume.", first.is_some_and(|pool| pool.multiattach)),
            "replication_enabled": property("Replication", "Enables replication.", replicated),
        },
    })
}
