//! Snapshots of volumes.

use springform_control::snapshots::CreateSnapshot;
use springform_model::cloud::Snapshot;

use super::collection::asked;
use super::listing::{Kind, Known, listed};
use crate::http::{Answer, Call, Fields, Page, Refusal, Routes, Under, empty, json};
use crate::views::SnapshotView;

const KNOWN: &[Known] = &[
    ("name", "name", Kind::Text),
    ("status", "status", Kind::Text),
    ("volume_id", "volume_id", Kind::Text),
    ("user_id", "user_id", Kind::Text),
    ("consumes_quota", "consumes_quota", Kind::Truth),
];
const KEYS: &[&str] = &[
    "id",
    "status",
    "size",
    "name",
    "volume_id",
    "created_at",
    "updated_at",
];
const ASKS: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "all_tenants",
    "project_id",
    "with_count",
    "name",
    "status",
    "volume_id",
    "metadata",
];
const ONE: &str = "{snapshot:@snapshot}";
const MANY: &str = "{snapshots:[@snapshot], snapshots_links?:[@link], count?:count}";

pub(super) fn routes(r: &mut Routes) {
    r.get("/snapshots", "volume:get_all_snapshots", list)
        .asks(ASKS)
        .says("Lists snapshots.")
        .gives(200, MANY);
    r.get("/snapshots/detail", "volume:get_all_snapshots", detail)
        .asks(ASKS)
        .says("Lists snapshots in detail.")
        .gives(200, MANY);
    r.post("/snapshots", "volume:create_snapshot", create)
        .says("Takes a snapshot of a volume.")
        .takes("{snapshot:{volume_id:id, name?:short?, description?:short?, metadata?:map?, force?:bool?}}")
        .gives(202, ONE);
    r.get("/snapshots/{snapshot_id}", "volume:get_snapshot", show)
        .says("Shows a snapshot.")
        .gives(200, ONE);
    r.put("/snapshots/{snapshot_id}", "volume:update_snapshot", update)
        .says("Changes name or description.")
        .takes("{snapshot:{name?:short?, description?:short?}}")
        .gives(200, ONE);
    r.delete("/snapshots/{snapshot_id}", "volume:delete_snapshot", delete)
        .says("Deletes a snapshot.")
        .ends(202);
    r.post("/snapshots/{snapshot_id}/action", "volume_extension:snapshot_admin_actions", action)
        .admin()
        .says("Resets the status (`os-reset_status`), deletes by force (`os-force_delete`), or lets go (`os-unmanage`).")
        .takes("{os-reset_status:{status:name}}|{os-force_delete:object?}|{os-update_snapshot_status:{status:name}}|\
            {os-unmanage:object?}")
        .ends(202);
}

pub(super) fn one(call: &Call, status: u16, snapshot: &Snapshot) -> Answer {
    json(
        status,
        &Under(
            "snapshot",
            SnapshotView {
                snapshot,
                version: call.version,
                detail: true,
            },
        ),
    )
}

async fn read(call: &Call) -> Result<(Vec<Snapshot>, Page, Option<u64>), Refusal> {
    let maps: &[(&str, &str)] = match call.version.has(22) {
        true => &[("metadata", "metadata")],
        false => &[],
    };
    let asked = asked(call, KNOWN, KEYS, maps)?;
    let count = asked.count::<Snapshot>(call).await?;
    if asked.page.rows() == 0 {
        return Ok((Vec::new(), asked.page, count));
    }
    let snapshots = call.control().snapshots();
    let found = snapshots.list(&call.caller, asked.query, asked.all).await?;
    Ok((found, asked.page, count))
}

async fn page(call: Call, detail: bool) -> Answer {
    let (found, page, count) = read(&call).await?;
    let views = found
        .iter()
        .map(|snapshot| SnapshotView {
            snapshot,
            version: call.version,
            detail,
        })
        .collect();
    listed(
        &call,
        "snapshots",
        &page,
        views,
        found.last().map(|last| last.id.as_str()),
        count,
    )
}

async fn list(call: Call) -> Answer {
    page(call, false).await
}

async fn detail(call: Call) -> Answer {
    page(call, true).await
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("snapshot")?;
    let display_name = fields.text("display_name", 0..=255)?;
    let display_description = fields.text("display_description", 0..=255)?;
    let force = fields.boolean("force")?;
    if call.version.has(66) && force == Some(false) {
        return Err(Refusal::invalid(
            "Invalid value for 'force': False. From microversion 3.66 on a snapshot of an attached volume is always taken.",
        ));
    }
    let wanted = CreateSnapshot {
        volume_id: fields.required("volume_id")?,
        name: fields.name()?.or(display_name),
        description: fields.description()?.or(display_description),
        metadata: fields.pairs("metadata")?.unwrap_or_default(),
        force: force.unwrap_or(false) || call.version.has(66),
    };
    fields.finish()?;
    let made = call
        .control()
        .snapshots()
        .create(&call.caller, wanted)
        .await?;
    one(&call, 202, &made)
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .snapshots()
        .get(&call.caller, call.part("snapshot_id"))
        .await?;
    one(&call, 200, &found)
}

async fn update(call: Call) -> Answer {
    let mut fields = call.object("snapshot")?;
    let (name, description) = (fields.name()?, fields.description()?);
    fields.finish()?;
    let snapshots = call.control().snapshots();
    let changed = snapshots
        .update(
            &call.caller,
            call.part("snapshot_id"),
            name.map(Some),
            description.map(Some),
            None,
        )
        .await?;
    one(&call, 200, &changed)
}

async fn delete(call: Call) -> Answer {
    call.control()
        .snapshots()
        .delete(&call.caller, call.part("snapshot_id"), false)
        .await?;
    empty(202)
}

async fn action(call: Call) -> Answer {
    let (name, parameters) = call.action()?;
    let (caller, id) = (&call.caller, call.part("snapshot_id"));
    let snapshots = call.control().snapshots();
    match name.as_str() {
        "os-reset_status" | "os-update_snapshot_status" => {
            let serde_json::Value::Object(members) = parameters else {
                return Err(Refusal::invalid("Malformed request body"));
            };
            let mut fields = Fields::over(members);
            let status = fields.required("status")?;
            snapshots
                .reset_status(caller, id, &status)
                .await
                .map(drop)?;
        }
        "os-unmanage" => snapshots.unmanage(caller, id).await?,
        "os-force_delete" => snapshots.delete(caller, id, true).await?,
        _ => return Err(Call::no_such_action(&name)),
    }
    empty(202)
}
