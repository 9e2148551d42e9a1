//! Drills: start one on copies, see which are open, throw the copies away or make them the volumes.

use serde_json::Value;
use springform_control::query::{Direction, Query};
use springform_control::replication::Request;

use super::asks::{self, Takes};
use super::pages::{Page, after};
use crate::http::{Answer, Call, Routes, json};
use crate::views::admin::{DrillBegun, DrillView, Drills};

pub(super) fn routes(r: &mut Routes) {
    r.get("/drills", "springform:drills:list", list)
        .admin()
        .asks(&["state", "backend", "limit", "marker"])
        .says("Lists drills, newest first.")
        .returns::<Drills<'_>>(200);
    r.get("/drills/{drill_id}", "springform:drills:list", show)
        .admin()
        .says("Shows a drill with its copies.")
        .returns::<DrillView<'_>>(200);
    r.post("/drills", "springform:drills:start", start)
        .admin()
        .says("Makes writable copies of volumes on a target while replication goes on.")
        .takes("{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, to?:text?, point?:text?, minutes?:int?}")
        .returns::<DrillBegun<'_>>(202);
    r.post("/drills/{drill_id}/stop", "springform:drills:stop", stop)
        .admin()
        .says("Throws the copies of a drill away.")
        .returns::<DrillBegun<'_>>(202);
    r.post(
        "/drills/{drill_id}/commit",
        "springform:drills:commit",
        commit,
    )
    .admin()
    .says("Makes the copies of a drill the volumes.")
    .returns::<DrillBegun<'_>>(202);
}

async fn list(call: Call) -> Answer {
    let newest = Query::new().sort("created_at", Direction::Desc);
    let page = Page::read(&call, newest, &["state", "backend"])?;
    let found = call
        .control()
        .replication()
        .drills(&call.caller, page.query)
        .await?;
    let next = after(page.rows, &found, |last| &last.id);
    let drills = found.iter().map(DrillView::new).collect();
    json(200, &Drills { drills, next })
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .replication()
        .get_drill(&call.caller, call.part("drill_id"))
        .await?;
    json(200, &DrillView::new(&found))
}

async fn begin(call: &Call, request: Request) -> Answer {
    let operation = call
        .control()
        .replication()
        .submit(&call.caller, request)
        .await?;
    let drill = operation
        .input
        .get("drill")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let operation = &operation.id;
    json(202, &DrillBegun { drill, operation })
}

async fn start(call: Call) -> Answer {
    let ask = asks::ask(&call, &[Takes::Target, Takes::Minutes])?;
    begin(&call, Request::StartDrill(ask)).await
}

/// A drill is known by its own id and by that of the operation which started it.
async fn named(call: &Call) -> Result<String, crate::http::ApiError> {
    if !call.body.is_empty() {
        call.fields()?.finish()?;
    }
    let found = call
        .control()
        .replication()
        .get_drill(&call.caller, call.part("drill_id"))
        .await?;
    Ok(found.id)
}

async fn stop(call: Call) -> Answer {
    let id = named(&call).await?;
    begin(&call, Request::StopDrill(id)).await
}

async fn commit(call: Call) -> Answer {
    let id = named(&call).await?;
    begin(&call, Request::CommitDrill(id)).await
}
