//! Failover of a backend, under both paths that clients use: Cinder lost the second one, openstackclient asks for it.

use super::services::host_alone;
use crate::http::{Answer, Call, Routes, empty};

pub(super) fn routes(r: &mut Routes) {
    for path in ["/os-services/failover_host", "/os-services/failover"] {
        r.put(path, "volume:failover_host", failover)
            .admin()
            .says("Fails a backend over, or back with `backend_id` `default`.")
            .takes("{host:text, backend_id?:text?, cluster?:text?}")
            .ends(202);
    }
}

async fn failover(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let host = host_alone(&mut fields)?;
    let target = fields.text("backend_id", 0..=255)?.filter(|target| !target.is_empty());
    fields.finish()?;
    call.control().services().failover(&call.caller, &host, target).await?;
    empty(202)
}
