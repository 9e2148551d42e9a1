//! What clients ask about the installation: zones, hosts, extensions, filters, clusters.

use serde_json::json as value;

use crate::http::{Answer, Call, Routes, json};
use crate::views::Time;

/// Resources and the filters each list knows, as `GET /resource_filters` shows them.
const FILTERS: [(&str, &[&str]); 7] = [
    (
        "volume",
        &[
            "name",
            "status",
            "metadata",
            "bootable",
            "migration_status",
            "availability_zone",
            "group_id",
            "size",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "snapshot",
        &[
            "name",
            "status",
            "volume_id",
            "metadata",
            "availability_zone",
            "created_at",
            "updated_at",
        ],
    ),
    ("backup", &["name", "status", "volume_id"]),
    ("group", &["name"]),
    ("group_snapshot", &["status", "group_id"]),
    (
        "attachment",
        &["volume_id", "status", "instance_id", "attach_status"],
    ),
    (
        "message",
        &[
            "resource_uuid",
            "resource_type",
            "event_id",
            "request_id",
            "message_level",
        ],
    ),
];

/// Which workers are to be cleaned up after.
const WORKERS: &str = "{cluster_name?:any, service_id?:any, host?:any, binary?:any, is_up?:any, disabled?:any, \
    resource_id?:any, resource_type?:any}";
const OF_WORKERS: [&str; 8] = [
    "cluster_name",
    "service_id",
    "host",
    "binary",
    "is_up",
    "disabled",
    "resource_id",
    "resource_type",
];

pub(super) fn routes(r: &mut Routes) {
    r.get(
        "/os-availability-zone",
        "volume:availability_zone_list",
        zones,
    )
    .says("Lists availability zones.")
    .gives(200, "{availabilityZoneInfo:[object]}");
    r.get("/os-hosts", "volume_extension:hosts", hosts)
        .admin()
        .says("Lists hosts.")
        .gives(200, "{hosts:[object]}");
    r.get("/extensions", "volume:extensions", extensions)
        .says("Lists extensions.")
        .gives(200, "{extensions:[object]}");
    r.get("/resource_filters", "volume:resource_filters", filters)
        .asks(&["resource"])
        .says("Lists the filters each list knows (from 3.33).")
        .gives(200, "{resource_filters:[{resource:text, filters:[text]}]}");
    r.get("/clusters", "clusters:get_all", clusters)
        .admin()
        .says("Lists clusters: there are none (from 3.7).")
        .gives(200, "{clusters:[object]}");
    r.get("/clusters/detail", "clusters:get_all", clusters)
        .admin()
        .says("Lists clusters in detail: there are none (from 3.7).")
        .gives(200, "{clusters:[object]}");
    r.post("/workers/cleanup", "workers:cleanup", cleanup)
        .admin()
        .says("Cleans up after workers that died: the journal does this by itself (from 3.24).")
        .takes(WORKERS)
        .gives(202, "{cleaning:[object], unavailable:[object]}");
    // openstacksdk's method; Cinder knows POST only, and the command ends in an error there.
    r.put("/workers/cleanup", "workers:cleanup", cleanup)
        .admin()
        .says("Cleans up after workers that died: the journal does this by itself (from 3.24).")
        .takes(WORKERS)
        .gives(202, "{cleaning:[object], unavailable:[object]}");
}

async fn zones(call: Call) -> Answer {
    let mut zones: Vec<String> = call
        .control()
        .services()
        .list()
        .await?
        .into_iter()
        .map(|view| view.service.availability_zone)
        .collect();
    if zones.is_empty() {
        zones.push("nova".to_owned());
    }
    zones.sort();
    zones.dedup();
    let zones: Vec<_> = zones
        .iter()
        .map(|zone| value!({"zoneName": zone, "zoneState": {"available": true}}))
        .collect();
    json(200, &value!({"availabilityZoneInfo": zones}))
}

async fn hosts(call: Call) -> Answer {
    let services = call.control().services().list().await?;
    let hosts: Vec<_> = services
        .iter()
        .map(|view| {
            let service = &view.service;
            value!({
                "service-status": if view.status.is_up() { "available" } else { "unavailable" },
                "service": "cinder-volume",
                "zone": service.availability_zone,
                "service-state": if service.disabled { "disabled" } else { "enabled" },
                "host_name": service.host,
                "last-update": view.status.statistics_at.map(Time),
            })
        })
        .collect();
    json(200, &value!({"hosts": hosts}))
}

async fn extensions(_call: Call) -> Answer {
    let names = [
        ("os-extended-services", "ExtendedServices"),
        ("os-quota-sets", "Quotas"),
        ("os-services", "Services"),
        ("os-types-extra-specs", "TypesExtraSpecs"),
        ("os-volume-actions", "VolumeActions"),
        ("os-volume-manage", "VolumeManage"),
        ("os-volume-transfer", "VolumeTransfer"),
        ("os-volume-type-access", "VolumeTypeAccess"),
        ("qos-specs", "Qos_specs_manage"),
        ("scheduler-stats", "Scheduler_stats"),
        ("capabilities", "Capabilities"),
    ];
    let list: Vec<_> = names
        .iter()
        .map(|(alias, name)| {
            value!({"alias": alias, "name": name, "description": name, "updated": "2023-08-31T00:00:00+00:00", "links": []})
        })
        .collect();
    json(200, &value!({"extensions": list}))
}

async fn filters(call: Call) -> Answer {
    call.since(33)?;
    let asked = call.query.get("resource");
    let list: Vec<_> = FILTERS
        .iter()
        .filter(|(resource, _)| asked.is_none_or(|asked| asked == *resource))
        .map(|(resource, filters)| value!({"resource": resource, "filters": filters}))
        .collect();
    json(200, &value!({"resource_filters": list}))
}

async fn clusters(call: Call) -> Answer {
    call.since(7)?;
    json(200, &value!({"clusters": []}))
}

async fn cleanup(call: Call) -> Answer {
    call.since(24)?;
    let mut fields = call.fields()?;
    for name in OF_WORKERS {
        fields.take(name);
    }
    fields.finish()?;
    json(202, &value!({"cleaning": [], "unavailable": []}))
}
