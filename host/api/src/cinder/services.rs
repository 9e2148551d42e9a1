//! Services: what `cinder service-list` shows, and enable, disable, freeze, thaw, failover.

use crate::http::{Answer, ApiError, Call, Fields, Routes, empty, json};
use crate::views::{
    DisabledService, LogLevels, Many, Reader, SCHEDULER_BINARY, ServiceChanged, ServiceView,
    VOLUME_BINARY,
};

/// Binaries that Cinder can ask for their log levels; the last two mean all of them.
const LOGGING: [&str; 6] = [
    VOLUME_BINARY,
    SCHEDULER_BINARY,
    "cinder-backup",
    "cinder-api",
    "",
    "*",
];

pub(super) fn routes(r: &mut Routes) {
    r.get("/os-services", "volume_extension:services:index", list)
        .admin()
        .asks(&["host", "binary"])
        .says("Lists the services of the backends.")
        .returns::<Many<ServiceView<'_>>>(200);
    r.put(
        "/os-services/enable",
        "volume_extension:services:update",
        enable,
    )
    .admin()
    .says("Lets the scheduler use a backend again.")
    .takes("{host:name, binary:name, cluster?:short?}|{host:name, service:name, cluster?:short?}")
    .returns::<ServiceChanged<'_>>(200);
    r.put(
        "/os-services/disable",
        "volume_extension:services:update",
        disable,
    )
    .admin()
    .says("Keeps the scheduler off a backend.")
    .takes("{host:name, binary:name, cluster?:short?}|{host:name, service:name, cluster?:short?}")
    .returns::<ServiceChanged<'_>>(200);
    r.put(
        "/os-services/disable-log-reason",
        "volume_extension:services:update",
        disable_with_reason,
    )
    .admin()
    .says("Keeps the scheduler off a backend and says why.")
    .takes("{host:name, disabled_reason?:name, binary:name}|{host:name, disabled_reason?:name, service:name}")
    .returns::<DisabledService<'_>>(200);
    r.put("/os-services/freeze", "volume:freeze_host", freeze)
        .admin()
        .says("Refuses creates and deletes on a backend.")
        .takes("{host:name, cluster?:name?}")
        .ends(200);
    r.put("/os-services/thaw", "volume:thaw_host", thaw)
        .admin()
        .says("Ends a freeze.")
        .takes("{host:name, cluster?:name?}")
        .ends(200);
    r.put("/os-services/get-log", "volume:services:get-log", get_log)
        .admin()
        .says("Lists log levels of services (from 3.32): they are set in the configuration.")
        .takes("{binary?:'cinder-volume'|'cinder-scheduler'|'cinder-backup'|'cinder-api', server?:short?, prefix?:short?}")
        .returns::<LogLevels>(200);
}

async fn list(call: Call) -> Answer {
    let (host, binary) = (call.query.get("host"), call.query.get("binary"));
    let found = call.control().services().list().await?;
    let wanted = found.iter().filter(|view| {
        let host = host.filter(|host| !host.is_empty());
        let whole = host.is_none_or(|host| {
            host == view.service.host || view.service.host.split('@').next() == Some(host)
        });
        whole && binary.is_none_or(|binary| binary == VOLUME_BINARY)
    });
    let reader = Reader::of(&call);
    let mut views: Vec<ServiceView<'_>> = wanted
        .map(|view| ServiceView::new(&view.service, &view.status, &reader))
        .collect();
    let scheduler = call.control().services().scheduler(&found);
    if host.is_none_or(|host| host.is_empty() || host == scheduler.host)
        && binary.is_none_or(|binary| binary == SCHEDULER_BINARY)
    {
        views.push(ServiceView::scheduler(&scheduler, &reader));
    }
    json(200, &Many(views))
}

/// The name of a host, a backend or a pool, as far as Cinder's schema knows one; none where it is missing or null.
pub(super) fn host_in(fields: &mut Fields) -> Result<Option<String>, ApiError> {
    let host = fields.text("host", 1..=255)?;
    let usual = |c: char| c.is_ascii_alphanumeric() || "-._#@:/+[]".contains(c);
    match host {
        Some(host) if !host.chars().all(usual) => Err(ApiError::invalid(format!(
            "Invalid input for field/attribute host. Value: {host}. '{host}' does not match '^[a-zA-Z0-9-._#@:/+\\[\\]]*$'"
        ))),
        host => Ok(host),
    }
}

/// Reads `host` and what stands for the binary. `more` reads what else there is.
fn named<T>(
    call: &Call,
    more: impl FnOnce(&mut Fields) -> Result<T, ApiError>,
) -> Result<(String, String, T), ApiError> {
    let mut fields = call.fields()?;
    let host = host_in(&mut fields)?;
    // Taken and not looked at, as in Cinder.
    fields.text("cluster", 0..=255)?;
    let service = fields.string("service", 1..=255)?;
    let binary = fields.string("binary", 1..=255)?.or(service);
    let more = more(&mut fields)?;
    fields.finish()?;
    let binary =
        binary.ok_or_else(|| ApiError::invalid("'binary' or 'service' is a required property"))?;
    let missing = || ApiError::invalid("Invalid input received: Host field is missing.");
    Ok((host.ok_or_else(missing)?, binary, more))
}

/// Refuses a host that is none, and every binary that no host has.
async fn known(call: &Call, host: &str, binary: &str) -> Result<(), ApiError> {
    let unknown = || {
        ApiError::not_found(format!(
            "Service {binary} could not be found on host {host}."
        ))
    };
    if binary != VOLUME_BINARY {
        return Err(unknown());
    }
    call.control()
        .services()
        .get(host)
        .await
        .map(drop)
        .map_err(|_| unknown())
}

async fn enable(call: Call) -> Answer {
    let (host, binary, ()) = named(&call, |_| Ok(()))?;
    known(&call, &host, &binary).await?;
    call.control()
        .services()
        .enable(&call.caller, &host)
        .await?;
    json(200, &ServiceChanged::new(&host, false))
}

async fn disable(call: Call) -> Answer {
    let (host, binary, ()) = named(&call, |_| Ok(()))?;
    known(&call, &host, &binary).await?;
    call.control()
        .services()
        .disable(&call.caller, &host, None)
        .await?;
    json(200, &ServiceChanged::new(&host, true))
}

async fn disable_with_reason(call: Call) -> Answer {
    let reason = |fields: &mut Fields| fields.string("disabled_reason", 1..=255);
    let (host, binary, reason) = named(&call, reason)?;
    if reason
        .as_ref()
        .is_some_and(|reason| reason.trim().is_empty())
    {
        return Err(ApiError::invalid(
            "Invalid input received: disabled_reason has 0 characters, less than 1.",
        ));
    }
    known(&call, &host, &binary).await?;
    call.control()
        .services()
        .disable(&call.caller, &host, reason.clone())
        .await?;
    json(200, &DisabledService::new(&host, reason.as_deref()))
}

/// `host`, where clients that know clusters send a null one beside it.
pub(super) fn host_alone(call: &Call, fields: &mut Fields) -> Result<String, ApiError> {
    let cluster = fields.text("cluster", 0..=255)?;
    // Before clusters came, the word was taken and not looked at.
    let cluster = cluster.filter(|name| call.version.has(26) && !name.is_empty());
    let host = host_in(fields)?;
    match (host, cluster) {
        (Some(host), None) => Ok(host),
        (None, None) => Err(ApiError::invalid("'host' is a required property")),
        _ => Err(ApiError::invalid(
            "Invalid input received: One and only one of cluster and host must be set.",
        )),
    }
}

async fn freeze(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let host = host_alone(&call, &mut fields)?;
    fields.finish()?;
    call.control()
        .services()
        .freeze(&call.caller, &host)
        .await?;
    empty(200)
}

async fn thaw(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let host = host_alone(&call, &mut fields)?;
    fields.finish()?;
    call.control().services().thaw(&call.caller, &host).await?;
    empty(200)
}

async fn get_log(call: Call) -> Answer {
    call.since(32)?;
    let mut fields = call.fields()?;
    fields.word("binary", &LOGGING)?;
    fields.text("server", 0..=255)?;
    fields.text("prefix", 0..=255)?;
    fields.finish()?;
    json(200, &LogLevels::default())
}
