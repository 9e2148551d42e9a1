//! What clients ask about the installation: zones, hosts, filters, clusters.

use super::filters::FILTERS;
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::{Cleanup, Clusters, HostUsage, HostView, Many, ResourceFilters, ZoneView};

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
    .returns::<Many<ZoneView<'_>>>(200);
    r.get("/os-hosts", "volume_extension:hosts", hosts)
        .admin()
        .asks(&["zone"])
        .says("Lists hosts.")
        .returns::<Many<HostView<'_>>>(200);
    r.get("/os-hosts/{host}", "volume_extension:hosts", host)
        .admin()
        .says("Counts what is on a host: all of it, then for each project.")
        .returns::<Many<HostUsage<'_>>>(200);
    r.get("/resource_filters", "volume:resource_filters", filters)
        .asks(&["resource"])
        .says("Lists the filters each list knows (from 3.33).")
        .returns::<Many<ResourceFilters>>(200);
    r.get("/clusters", "clusters:get_all", clusters)
        .admin()
        .says("Lists clusters: there are none (from 3.7).")
        .returns::<Clusters>(200);
    r.get("/clusters/detail", "clusters:get_all", clusters)
        .admin()
        .says("Lists clusters in detail: there are none (from 3.7).")
        .returns::<Clusters>(200);
    r.post("/workers/cleanup", "workers:cleanup", cleanup)
        .admin()
        .says("Cleans up after workers that died: the journal does this by itself (from 3.24).")
        .takes(WORKERS)
        .returns::<Cleanup>(202);
    // openstacksdk's method; Cinder knows POST only, and the command ends in an error there.
    r.put("/workers/cleanup", "workers:cleanup", cleanup)
        .admin()
        .says("Cleans up after workers that died: the journal does this by itself (from 3.24).")
        .takes(WORKERS)
        .returns::<Cleanup>(202);
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
    let views = zones.iter().map(|zone| ZoneView::new(zone));
    json(200, &Many(views.collect()))
}

async fn hosts(call: Call) -> Answer {
    let zone = call.query.get("zone").filter(|zone| !zone.is_empty());
    let services = call.control().services().list().await?;
    let scheduler = call.control().services().scheduler(&services);
    let volume = services.iter().filter(|view| !view.service.disabled);
    let hosts = volume
        .map(HostView::backend)
        .chain([HostView::scheduler(&scheduler)])
        .filter(|host| zone.is_none_or(|zone| zone == host.zone));
    json(200, &Many(hosts.collect()))
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
    let rows = usage.iter();
    let rows = rows.map(|(project, usage)| HostUsage::new(host, project.as_deref(), usage));
    json(200, &Many(rows.collect()))
}

async fn filters(call: Call) -> Answer {
    call.since(33)?;
    let asked = call.query.get("resource");
    let list = FILTERS
        .iter()
        .filter(|(resource, _)| asked.is_none_or(|asked| asked == *resource))
        .map(|(resource, filters)| ResourceFilters { filters, resource });
    json(200, &Many(list.collect()))
}

async fn clusters(call: Call) -> Answer {
    call.since(7)?;
    json(200, &Clusters::default())
}

async fn cleanup(call: Call) -> Answer {
    call.since(24)?;
    let mut fields = call.fields()?;
    for name in OF_WORKERS {
        fields.take(name);
    }
    fields.finish()?;
    json(202, &Cleanup::default())
}
