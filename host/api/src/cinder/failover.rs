//! Failover of a backend, under both paths that clients use: Cinder lost the second one, openstackclient asks for it.

use super::services::host_alone;
use crate::http::{Answer, ApiError, Call, Routes, empty};

pub(super) fn routes(r: &mut Routes) {
    for path in ["/os-services/failover_host", "/os-services/failover"] {
        r.put(path, "volume:failover_host", failover)
            .admin()
            .says("Fails a backend over, or back with `backend_id` `default`.")
            .takes("{host:name, backend_id?:name?, cluster?:name?}")
            .ends(202);
    }
}

async fn failover(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let host = host_alone(&call, &mut fields)?;
    let target = fields
        .text("backend_id", 0..=255)?
        .filter(|target| !target.is_empty());
    fields.finish()?;
    let unknown = |_| ApiError::invalid(format!("No service found with host={host}"));
    let backend = call
        .control()
        .services()
        .get(&host)
        .await
        .map_err(unknown)?
        .service
        .backend;
    call.control()
        .replication()
        .failover_host(&call.caller, &backend, target.as_deref())
        .await?;
    empty(202)
}
