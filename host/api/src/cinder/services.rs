//! Services: what `cinder service-list` shows, and enable, disable, freeze, thaw, failover.

use crate::http::{Answer, ApiError, Call, Fields, Routes, empty, json};
use crate::views::{
    DisabledService, LogLevels, Many, Reader, SCHEDULER_BINARY, ServiceChanged, ServiceView,
    VOLUME_BINARY as BINARY,
};

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
    .takes("{host:name, binary?:name?, service?:name?}")
    .returns::<ServiceChanged<'_>>(200);
    r.put(
        "/os-services/disable",
        "volume_extension:services:update",
        disable,
    )
    .admin()
    .says("Keeps the scheduler off a backend.")
    .takes("{host:name, binary?:name?, service?:name?}")
    .returns::<ServiceChanged<'_>>(200);
    r.put(
        "/os-services/disable-log-reason",
        "volume_extension:services:update",
        disable_with_reason,
    )
    .admin()
    .says("Keeps the scheduler off a backend and says why.")
    .takes("{host:name, disabled_reason:name, binary?:text?, service?:text?}")
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
        .takes("{binary?:any, server?:any, prefix?:any}")
        .returns::<LogLevels>(200);
}

async fn list(call: Call) -> Answer {
    let (host, binary) = (call.query.get("host"), call.query.get("binary"));
    let found = call.control().services().list().await?;
    let wanted = found.iter().filter(|view| {
        let whole = host.is_none_or(|host| {
            host == view.service.host || view.service.host.split('@').next() == Some(host)
        });
        whole && binary.is_none_or(|binary| binary == BINARY)
    });
    let reader = Reader::of(&call);
    let mut views: Vec<ServiceView<'_>> = wanted
        .map(|view| ServiceView::new(&view.service, &view.status, &reader))
        .collect();
    let scheduler = call.control().services().scheduler(&found);
    if host.is_none_or(|host| host == scheduler.host)
        && binary.is_none_or(|binary| binary == SCHEDULER_BINARY)
    {
        views.push(ServiceView::scheduler(&scheduler, &reader));
    }
    json(200, &Many(views))
}

/// Reads `host` and what stands for the binary; every other binary is one that no host has.
fn named(call: &Call) -> Result<(Fields, String), ApiError> {
    let mut fields = call.fields()?;
    let host = fields.required("host")?;
    let service = fields.text("service", 0..=255)?;
    let binary = fields
        .text("binary", 0..=255)?
        .or(service)
        .filter(|name| !name.is_empty());
    match binary {
        Some(binary) if binary != BINARY => Err(ApiError::not_found(format!(
            "Service {binary} could not be found on host {host}."
        ))),
        _ => Ok((fields, host)),
    }
}

async fn known(call: &Call, host: &str) -> Result<(), ApiError> {
    let unknown = |_| {
        ApiError::not_found(format!(
            "Service {BINARY} could not be found on host {host}."
        ))
    };
    call.control()
        .services()
        .get(host)
        .await
        .map(drop)
        .map_err(unknown)
}

async fn enable(call: Call) -> Answer {
    let (fields, host) = named(&call)?;
    fields.finish()?;
    known(&call, &host).await?;
    call.control()
        .services()
        .enable(&call.caller, &host)
        .await?;
    json(200, &ServiceChanged::new(&host, false))
}

async fn disable(call: Call) -> Answer {
    let (fields, host) = named(&call)?;
    fields.finish()?;
    known(&call, &host).await?;
    call.control()
        .services()
        .disable(&call.caller, &host, None)
        .await?;
    json(200, &ServiceChanged::new(&host, true))
}

async fn disable_with_reason(call: Call) -> Answer {
    let (mut fields, host) = named(&call)?;
    let reason = fields.required("disabled_reason")?;
    fields.finish()?;
    known(&call, &host).await?;
    call.control()
        .services()
        .disable(&call.caller, &host, Some(reason.clone()))
        .await?;
    json(200, &DisabledService::new(&host, &reason))
}

/// `host`, where clients that know clusters send a null one beside it.
pub(super) fn host_alone(fields: &mut Fields) -> Result<String, ApiError> {
    let cluster = fields.text("cluster", 0..=255)?;
    let host = fields.text("host", 1..=255)?;
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
    let host = host_alone(&mut fields)?;
    fields.finish()?;
    call.control()
        .services()
        .freeze(&call.caller, &host)
        .await?;
    empty(200)
}

async fn thaw(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let host = host_alone(&mut fields)?;
    fields.finish()?;
    call.control().services().thaw(&call.caller, &host).await?;
    empty(200)
}

async fn get_log(call: Call) -> Answer {
    call.since(32)?;
    let mut fields = call.fields()?;
    for name in ["binary", "server", "prefix"] {
        fields.take(name);
    }
    fields.finish()?;
    json(200, &LogLevels::default())
}
