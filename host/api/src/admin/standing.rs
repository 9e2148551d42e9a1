//! How replication stands: backends at a glance, volumes with what an operator should look at. Read from the records.

use serde_json::json as value;
use springform_control::query::Query;

use super::pages::Page;
use crate::http::{Answer, ApiError, Call, Routes, json};

const BACKEND: &str = "{backend:text, host:text, driver:text, generation:int?, up:bool, reason:text?, disabled:bool, frozen:bool, replication_status:text, active_target:text?, operation:text?, operations:[object], observed_at:int?, failures:int, error:text?, volumes:int, protection:object, outdated:object?, split_brain:[text], overtaken:int, look_only_since:int?, differences:object?, drills:int, obligations:[object], targets:[object]}";
const VOLUME: &str = "{id:text, name:text?, project_id:text, group_id:text?, backend:text, replicated:bool, serving:text?, desired:text, phase:text, generation:int, moved_at:int?, debts:[object], drill:object?, operation:text?, attachments:int, observed:object?, concerns:[text]}";

pub(super) fn routes(r: &mut Routes) {
    r.get("/backends", "springform:backends:list", backends)
        .admin()
        .says("Shows how every backend stands: who serves it, its arrays, its links and what is under way. No array is asked: what was observed says when.")
        .gives(200, "{backends:[object]}");
    r.get(
        "/backends/{backend_name}",
        "springform:backends:list",
        backend,
    )
    .admin()
    .says("Shows how one backend stands.")
    .gives(200, BACKEND);
    r.get("/volumes", "springform:volumes:list", volumes)
        .admin()
        .asks(&["backend", "group_id", "project_id", "concerning", "limit", "marker"])
        .says("Lists how the replication of each volume stands, in the order of their ids. With `concerning=true` only those that an operator should look at; a page may then have few or none although `next` says that there are more.")
        .gives(200, "{volumes:[object], next:text?}");
    r.get("/volumes/{volume_id}", "springform:volumes:list", volume)
        .admin()
        .says("Shows how the replication of one volume stands.")
        .gives(200, VOLUME);
}

async fn backends(call: Call) -> Answer {
    let found = call.control().replication().backends(&call.caller).await?;
    json(200, &value!({ "backends": found }))
}

async fn backend(call: Call) -> Answer {
    let name = call.part("backend_name");
    let replication = call.control().replication();
    json(200, &replication.backend(&call.caller, name).await?)
}

async fn volumes(call: Call) -> Answer {
    let concerning = match call.query.get("concerning") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::invalid("concerning must be true or false.")),
    };
    let page = Page::read(&call, Query::new(), &["backend", "group_id", "project_id"])?;
    let found = call
        .control()
        .replication()
        .volumes(&call.caller, page.query, page.rows, concerning)
        .await?;
    json(200, &value!({"volumes": found.volumes, "next": found.next}))
}

async fn volume(call: Call) -> Answer {
    let id = call.part("volume_id");
    let replication = call.control().replication();
    json(200, &replication.volume(&call.caller, id).await?)
}
