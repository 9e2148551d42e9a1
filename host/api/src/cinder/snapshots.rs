//! Snapshots of volumes.

use serde_json::json as value;
use springform_control::snapshots::CreateSnapshot;
use springform_model::cloud::{Metadata, Snapshot};

use super::listing::{Kind, Known, listed, query};
use super::volumes::pairs_of;
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
        .takes("{os-reset_status:{status:name}}|{os-force_delete:object?}|{os-update_snapshot_status:{status:name}}")
        .ends(202);
    r.get(
        "/snapshots/{snapshot_id}/metadata",
        "volume:get_snapshot_metadata",
        metadata,
    )
    .says("Shows a snapshot's metadata.")
    .gives(200, "{metadata:map}");
    r.post(
        "/snapshots/{snapshot_id}/metadata",
        "volume:update_snapshot_metadata",
        merge,
    )
    .says("Adds or replaces entries.")
    .takes("{metadata:map}")
    .gives(200, "{metadata:map}");
    r.put(
        "/snapshots/{snapshot_id}/metadata",
        "volume:update_snapshot_metadata",
        replace,
    )
    .says("Replaces all metadata.")
    .takes("{metadata:map}")
    .gives(200, "{metadata:map}");
    r.delete(
        "/snapshots/{snapshot_id}/metadata/{key}",
        "volume:delete_snapshot_metadata",
        delete_entry,
    )
    .says("Takes one entry away.")
    .ends(200);
}

fn one(call: &Call, status: u16, snapshot: &Snapshot) -> Answer {
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
    let mut all = call.all_tenants()?;
    let (mut query, page) = query(call, KNOWN, KEYS)?;
    if let Some(text) = call.query.get("metadata").filter(|_| call.version.has(22)) {
        for (key, text) in pairs_of(text)? {
            query = query.entry("metadata", key, text);
        }
    }
    if let Some(project) = call
        .query
        .get("project_id")
        .filter(|_| call.caller.is_admin)
    {
        query = query.eq("project_id", project);
        all = true;
    }
    let counted = call.version.has(45) && call.query.flag("with_count")?;
    let count = match counted {
        true => Some(
            call.control()
                .store()
                .count::<Snapshot>(&call.caller.scope(query.clone(), all))
                .await
                .map_err(springform_control::ControlError::from)?,
        ),
        false => None,
    };
    if page.rows() == 0 {
        return Ok((Vec::new(), page, count));
    }
    Ok((
        call.control()
            .snapshots()
            .list(&call.caller, query, all)
            .await?,
        page,
        count,
    ))
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
        "os-force_delete" => snapshots.delete(caller, id, true).await?,
        _ => return Err(Call::no_such_action(&name)),
    }
    empty(202)
}

async fn metadata(call: Call) -> Answer {
    let found = call
        .control()
        .snapshots()
        .get(&call.caller, call.part("snapshot_id"))
        .await?;
    json(200, &value!({"metadata": found.metadata}))
}

/// Writes metadata and gives all there is then.
async fn set(call: &Call, entries: Metadata, replace: bool) -> Result<Metadata, Refusal> {
    let (snapshots, id) = (call.control().snapshots(), call.part("snapshot_id"));
    let mut all = if replace {
        Metadata::new()
    } else {
        snapshots.get(&call.caller, id).await?.metadata
    };
    all.extend(entries);
    Ok(snapshots
        .update(&call.caller, id, None, None, Some(all))
        .await?
        .metadata)
}

async fn write(call: Call, replace: bool) -> Answer {
    let entries = call.object("metadata")?.into_pairs("metadata")?;
    let all = set(&call, entries, replace).await?;
    json(200, &value!({"metadata": all}))
}

async fn merge(call: Call) -> Answer {
    write(call, false).await
}

async fn replace(call: Call) -> Answer {
    write(call, true).await
}

async fn delete_entry(call: Call) -> Answer {
    let (id, key) = (call.part("snapshot_id"), call.part("key"));
    let mut all = call
        .control()
        .snapshots()
        .get(&call.caller, id)
        .await?
        .metadata;
    if all.remove(key).is_none() {
        return Err(Refusal::not_found("Metadata item was not found"));
    }
    set(&call, all, true).await?;
    empty(200)
}
