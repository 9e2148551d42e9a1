//! How replication stands: backends at a glance, volumes with what an operator should look at. Read from the records.

use springform_control::query::Query;

use super::pages::Page;
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::{BackendView, Backends, ReplicatedVolumeView, ReplicatedVolumes};

pub(super) fn routes(r: &mut Routes) {
    r.get("/backends", "springform:backends:list", backends)
        .admin()
        .says("Shows how every backend stands: who serves it, its arrays, its links and what is under way. No array is asked: what was observed says when.")
        .returns::<Backends<'_>>(200);
    r.get(
        "/backends/{backend_name}",
        "springform:backends:list",
        backend,
    )
    .admin()
    .says("Shows how one backend stands.")
    .returns::<BackendView<'_>>(200);
    r.get("/volumes", "springform:volumes:list", volumes)
        .admin()
        .asks(&["backend", "group_id", "project_id", "concerning", "limit", "marker"])
        .says("Lists how the replication of each volume stands, in the order of their ids. With `concerning=true` only those that an operator should look at; a page may then have few or none although `next` says that there are more.")
        .returns::<ReplicatedVolumes<'_>>(200);
    r.get("/volumes/{volume_id}", "springform:volumes:list", volume)
        .admin()
        .says("Shows how the replication of one volume stands.")
        .returns::<ReplicatedVolumeView<'_>>(200);
}

async fn backends(call: Call) -> Answer {
    let found = call.control().replication().backends(&call.caller).await?;
    let backends = found.iter().map(BackendView::new).collect();
    json(200, &Backends { backends })
}

async fn backend(call: Call) -> Answer {
    let name = call.part("backend_name");
    let replication = call.control().replication();
    let found = replication.backend(&call.caller, name).await?;
    json(200, &BackendView::new(&found))
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
    let page = ReplicatedVolumes {
        next: found.next.as_deref(),
        volumes: found
            .volumes
            .iter()
            .map(ReplicatedVolumeView::new)
            .collect(),
    };
    json(200, &page)
}

async fn volume(call: Call) -> Answer {
    let id = call.part("volume_id");
    let replication = call.control().replication();
    let found = replication.volume(&call.caller, id).await?;
    json(200, &ReplicatedVolumeView::new(&found))
}
