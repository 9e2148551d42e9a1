//! Snapshots of groups (3.14).

use serde_json::Value;
use springform_control::group_snapshots::CreateGroupSnapshot;
use springform_control::query::{Direction, Query};
use springform_model::cloud::GroupSnapshot;

use super::listing::{Kind, Known, listed, query};
use crate::http::{Answer, ApiError, Call, Fields, Page, Routes, empty, json};
use crate::views::{GroupSnapshotBrief, GroupSnapshotMade, GroupSnapshotView, Many, One, Reader};

const KNOWN: &[Known] = &[
    ("id", "id", Kind::Text),
    ("project_id", "project_id", Kind::Text),
    ("name", "name", Kind::Text),
    ("description", "description", Kind::Text),
    ("status", "status", Kind::Text),
    ("group_id", "group_id", Kind::Text),
    ("group_type_id", "group_type_id", Kind::Text),
];
const KEYS: &[&str] = &[
    "id",
    "status",
    "name",
    "group_id",
    "created_at",
    "updated_at",
];
const ASKS: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "all_tenants",
    "name",
    "status",
    "group_id",
];
/// Rows of a list that is asked for without pages: before 3.29 there were none.
const MOST: u32 = 1000;

pub(super) fn routes(r: &mut Routes) {
    r.get("/group_snapshots", "group:get_all_group_snapshots", list)
        .asks(ASKS)
        .says("Lists group snapshots by name (from 3.14; pages and filters from 3.29).")
        .returns::<Many<GroupSnapshotBrief<'_>>>(200);
    r.get(
        "/group_snapshots/detail",
        "group:get_all_group_snapshots",
        detail,
    )
    .asks(ASKS)
    .says("Lists group snapshots in detail (from 3.14; pages and filters from 3.29).")
    .returns::<Many<GroupSnapshotView<'_>>>(200);
    r.post("/group_snapshots", "group:create_group_snapshot", create)
        .says("Takes a snapshot of every volume of a group (from 3.14).")
        .takes("{group_snapshot:{group_id:id, name?:short?, description?:short?}}")
        .returns::<One<GroupSnapshotMade<'_>>>(202);
    r.get(
        "/group_snapshots/{group_snapshot_id}",
        "group:get_group_snapshot",
        show,
    )
    .says("Shows a group snapshot (from 3.14).")
    .returns::<One<GroupSnapshotView<'_>>>(200);
    r.delete(
        "/group_snapshots/{group_snapshot_id}",
        "group:delete_group_snapshot",
        delete,
    )
    .says("Deletes a group snapshot with the snapshots it consists of (from 3.14).")
    .ends(202);
    r.post(
        "/group_snapshots/{group_snapshot_id}/action",
        "group:reset_group_snapshot_status",
        action,
    )
    .admin()
    .says("Resets the status: `reset_status` (from 3.19).")
    .takes("{reset_status:{status:name}}")
    .ends(202);
}

async fn read(call: &Call) -> Result<(Vec<GroupSnapshot>, Page), ApiError> {
    call.since(14)?;
    let all = call.all_tenants()?;
    let (query, page) = if call.version.has(29) {
        query(call, KNOWN, KEYS)?
    } else {
        let newest = Query::new().sort("created_at", Direction::Desc);
        (newest.limit(MOST), Page::default())
    };
    if page.rows() == 0 && page.marker.is_none() {
        return Ok((Vec::new(), page));
    }
    let found = call
        .control()
        .group_snapshots()
        .list(&call.caller, query, all)
        .await?;
    Ok((found, page))
}

async fn list(call: Call) -> Answer {
    let (found, page) = read(&call).await?;
    let last = found.last().filter(|_| call.version.has(29));
    let last = last.map(|last| last.id.as_str());
    listed(&call, &page, &found, GroupSnapshotBrief::new, last, None)
}

async fn detail(call: Call) -> Answer {
    let (found, page) = read(&call).await?;
    let reader = Reader::of(&call);
    let view = |taken| GroupSnapshotView::new(taken, &reader);
    let last = found.last().filter(|_| call.version.has(29));
    let last = last.map(|last| last.id.as_str());
    listed(&call, &page, &found, view, last, None)
}

async fn create(call: Call) -> Answer {
    call.since(14)?;
    let mut fields = call.object("group_snapshot")?;
    let wanted = CreateGroupSnapshot {
        group_id: fields.required_uuid("group_id")?,
        name: fields.name()?,
        description: fields.description()?,
    };
    fields.finish()?;
    let taken = call
        .control()
        .group_snapshots()
        .create(&call.caller, wanted)
        .await?;
    json(202, &One(GroupSnapshotMade::new(&taken)))
}

async fn show(call: Call) -> Answer {
    call.since(14)?;
    let taken = call
        .control()
        .group_snapshots()
        .get(&call.caller, call.part("group_snapshot_id"))
        .await?;
    json(
        200,
        &One(GroupSnapshotView::new(&taken, &Reader::of(&call))),
    )
}

async fn delete(call: Call) -> Answer {
    call.since(14)?;
    call.control()
        .group_snapshots()
        .delete(&call.caller, call.part("group_snapshot_id"))
        .await?;
    empty(202)
}

async fn action(call: Call) -> Answer {
    call.since(19)?;
    let (name, parameters) = call.action()?;
    let Value::Object(members) = parameters else {
        return Err(ApiError::invalid("Malformed request body"));
    };
    if name != "reset_status" {
        return Err(Call::no_such_action(&name));
    }
    let mut fields = Fields::over(members);
    let status = fields.required("status")?.to_ascii_lowercase();
    fields.finish()?;
    call.control()
        .group_snapshots()
        .reset_status(&call.caller, call.part("group_snapshot_id"), &status)
        .await
        .map(drop)?;
    empty(202)
}
