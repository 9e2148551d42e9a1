//! What clients ask about the installation: zones, hosts, filters, clusters.

use serde_json::json as value;

use super::filters::FILTERS;
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::Time;

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
        .asks(&["zone"])
        .says("Lists hosts.")
        .gives(200, "{hosts:[object]}");
    r.get("/os-hosts/{host}", "volume_extension:hosts", host)
        .admin()
        .says("Counts what is on a host: all of it, then for each project.")
        .gives(
            200,
            "{host:[{resource:{host:text, project:text, volume_count:text, total_volume_gb:text, \
            snapshot_count:text, total_snapshot_gb:text}}]}",
        );
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
    let zone = call.query.get("zone").filter(|zone| !zone.is_empty());
    let services = call.control().services().list().await?;
    let scheduler = call.control().services().scheduler(&services);
    let volume = services.iter().filter(|view| !view.service.disabled);
    let volume = volume.map(|view| {
        let service = &view.service;
        (
            service.host.as_str(),
            "cinder-volume",
            service.availability_zone.as_str(),
            view.status.is_up(),
            view.status.statistics_at,
        )
    });
    let one = (
        scheduler.host.as_str(),
        "cinder-scheduler",
        scheduler.availability_zone.as_str(),
        true,
        Some(scheduler.updated_at),
    );
    let hosts: Vec<_> = volume
        .chain([one])
        .filter(|(_, _, of, _, _)| zone.is_none_or(|zone| zone == *of))
        .map(|(host, service, zone, up, at)| {
            value!({
                "host_name": host,
                "service": service,
                "zone": zone,
                "service-status": if up { "available" } else { "unavailable" },
                "service-state": "enabled",
                "last-update": at.map(Time),
            })
        })
        .collect();
    json(200, &value!({"hosts": hosts}))
}

async fn host(call: Call) -> Answer {
    let host = call.part("host");
    let services = call.control().services().list().await?;
    let found = services
        .iter()
        .find(|view| view.service.host == host && !view.service.disabled)
        .ok_or_else(|| ApiError::not_found(format!("Host {host} could not be found.")))?;
    let usage = call
        .control()
        .services()
        .usage(&found.service.backend)
        .await?;
    let rows = usage.iter().map(|(project, usage)| {
        value!({"resource": {
            "host": host,
            "project": project.as_deref().unwrap_or("(total)"),
            "volume_count": usage.volumes.to_string(),
            "total_volume_gb": usage.volume_gib.to_string(),
            "snapshot_count": usage.snapshots.to_string(),
            "total_snapshot_gb": usage.snapshot_gib.to_string(),
        }})
    });
    json(200, &value!({"host": rows.collect::<Vec<_>>()}))
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
