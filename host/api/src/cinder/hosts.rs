//! What clients ask about the installation: zones, hosts, filters, clusters.

use super::filters::FILTERS;
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::{
    Cleanup, Clusters, HostUsage, HostView, Many, ResourceFilters, SCHEDULER_BINARY, VOLUME_BINARY,
    ZoneView,
};

/// Which workers are to be cleaned up after.
const WORKERS: &str = "{cluster_name?:name?, service_id?:any, host?:name?, binary?:'cinder-volume'|'cinder-scheduler', \
    is_up?:bool, disabled?:bool, resource_id?:id?, resource_type?:any}";
/// What clusters are filtered by; what is said of their replication from 3.26.
const OF_CLUSTERS: [(&str, u16); 9] = [
    ("name", 7),
    ("binary", 7),
    ("is_up", 7),
    ("disabled", 7),
    ("num_hosts", 7),
    ("num_down_hosts", 7),
    ("replication_status", 26),
    ("frozen", 26),
    ("active_backend_id", 26),
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
    let asked = call.query.get("resource").filter(|name| !name.is_empty());
    let list = FILTERS
        .iter()
        .filter(|(resource, _)| asked.is_none_or(|asked| asked == *resource))
        .map(|(resource, filters)| ResourceFilters { filters, resource });
    json(200, &Many(list.collect()))
}

async fn clusters(call: Call) -> Answer {
    call.since(7)?;
    let known = |asked: &str| {
        let mut known = OF_CLUSTERS.iter();
        known.any(|(name, since)| *name == asked && call.version.has(*since))
    };
    let names = call.query.iter().map(|(name, _)| name);
    let unknown: Vec<&str> = names.filter(|name| !known(name)).collect();
    if !unknown.is_empty() {
        return Err(ApiError::invalid(format!(
            "Invalid input received: Invalid filter keys: {}",
            unknown.join(", ")
        )));
    }
    call.query.flag("disabled")?;
    call.query.flag("is_up")?;
    json(200, &Clusters::default())
}

async fn cleanup(call: Call) -> Answer {
    call.since(24)?;
    let mut fields = call.fields()?;
    for name in ["cluster_name", "host"] {
        let usual = |c: char| c.is_ascii_alphanumeric() || "-._#@:/+".contains(c);
        let host = fields.text(name, 1..=255)?;
        if host.is_some_and(|host| !host.chars().all(usual)) {
            return Err(ApiError::invalid(format!(
                "Invalid input for field/attribute {name}. It is no name of a host."
            )));
        }
    }
    for name in ["is_up", "disabled"] {
        fields.boolean_or_null(name)?;
    }
    // openstacksdk names everything, what is not said as null.
    match fields.has("binary") {
        true => drop(fields.word("binary", &[VOLUME_BINARY, SCHEDULER_BINARY])?),
        false => drop(fields.take("binary")),
    }
    fields.uuid("resource_id")?;
    let resource = fields.text("resource_type", 0..=40)?.unwrap_or_default();
    if !matches!(&*resource.to_lowercase(), "" | "snapshot" | "volume") {
        return Err(ApiError::invalid(format!(
            "Invalid input received: Resource type {resource} not valid, must be Snapshot or Volume"
        )));
    }
    let service = fields.take("service_id").unwrap_or_default();
    let digits = |text: &str| text.len() <= 11 && text.bytes().all(|b| b.is_ascii_digit());
    if !(service.is_null() || service.is_i64() || service.as_str().is_some_and(digits)) {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute service_id. It is not of type 'integer'",
        ));
    }
    fields.finish()?;
    json(202, &Cleanup::default())
}
