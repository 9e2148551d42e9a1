//! Snapshots of volumes.

use springform_control::snapshots::CreateSnapshot;
use springform_model::cloud::Snapshot;

use super::collection::asked;
use super::listing::{Kind, Known, listed};
use crate::http::{Answer, ApiError, Call, Fields, Keys, Page, Routes, empty, json};
use crate::views::{AnswerTo, Many, One, Reader, SnapshotView};

const KNOWN: &[Known] = &[
    ("id", "id", Kind::Text),
    ("name", "name", Kind::Text),
    ("display_name", "name", Kind::Text),
    ("display_description", "description", Kind::Text),
    ("status", "status", Kind::Text),
    ("volume_id", "volume_id", Kind::Text),
    ("user_id", "user_id", Kind::Text),
    ("volume_size", "size", Kind::Number),
    ("volume_type_id", "type_id", Kind::Text),
    ("group_snapshot_id", "group_snapshot_id", Kind::Text),
    ("consumes_quota", "consumes_quota", Kind::Truth),
    ("use_quota", "consumes_quota", Kind::Truth),
];
const KEYS: &[&str] = &[
    "id",
    "status",
    "size",
    "volume_size",
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

pub(super) fn routes(r: &mut Routes) {
    r.get("/snapshots", "volume:get_all_snapshots", list)
        .asks(ASKS)
        .says("Lists snapshots.")
        .returns::<Many<SnapshotView<'_>>>(200);
    r.get("/snapshots/detail", "volume:get_all_snapshots", detail)
        .asks(ASKS)
        .says("Lists snapshots in detail.")
        .returns::<Many<SnapshotView<'_>>>(200);
    r.post("/snapshots", "volume:create_snapshot", create)
        .says("Takes a snapshot of a volume.")
        .takes("{snapshot:{volume_id:id, name?:short?, description?:short?, metadata?:map?, force?:bool?}}")
        .returns::<One<SnapshotView<'_>>>(202);
    r.get("/snapshots/{snapshot_id}", "volume:get_snapshot", show)
        .says("Shows a snapshot.")
        .returns::<One<SnapshotView<'_>>>(200);
    r.put("/snapshots/{snapshot_id}", "volume:update_snapshot", update)
        .says("Changes name or description.")
        .takes("{snapshot:{name?:short?, description?:short?}}")
        .returns::<One<SnapshotView<'_>>>(200);
    r.delete("/snapshots/{snapshot_id}", "volume:delete_snapshot", delete)
        .says("Deletes a snapshot.")
        .ends(202);
    r.post("/snapshots/{snapshot_id}/action", "volume_extension:snapshot_actions", action)
        .says(
            "Says how far a snapshot is that is being made (`os-update_snapshot_status`). For administrators: resets \
            the status (`os-reset_status`), deletes by force (`os-force_delete`), or lets go (`os-unmanage`).",
        )
        .takes("{os-reset_status:{status:name}}|{os-force_delete:object?}|\
            {os-update_snapshot_status:{status:name, progress?:text}}|{os-unmanage:object?}")
        .ends(202);
}

/// What can be done to a snapshot.
const ACTIONS: [&str; 4] = [
    "os-reset_status",
    "os-update_snapshot_status",
    "os-force_delete",
    "os-unmanage",
];

/// Actions that only an administrator may ask for.
const ADMIN: &[&str] = &["os-reset_status", "os-force_delete", "os-unmanage"];

pub(super) fn one(call: &Call, status: u16, snapshot: &Snapshot, to: AnswerTo) -> Answer {
    let reader = Reader::of(call);
    json(status, &One(SnapshotView::new(snapshot, &reader, to)))
}

async fn read(call: &Call) -> Result<(Vec<Snapshot>, Page, Option<u64>), ApiError> {
    let maps: &[(&str, &str)] = match call.version.has(22) {
        true => &[("metadata", "metadata")],
        false => &[],
    };
    let mut asked = asked(call, KNOWN, KEYS, maps)?;
    let (host, zone) = (call.query.get("host"), call.query.get("availability_zone"));
    let host = host.filter(|_| call.caller.is_admin);
    if host.is_some() || zone.is_some() {
        let services = call.control().services().list().await?;
        let on = services
            .into_iter()
            .map(|found| found.service)
            .filter(|service| {
                let here = |host: &str| {
                    let whole = host.split('#').next().unwrap_or(host);
                    whole == service.host || service.host.split('@').next() == Some(whole)
                };
                host.is_none_or(here) && zone.is_none_or(|zone| zone == service.availability_zone)
            });
        let on: Vec<String> = on.map(|service| service.backend).collect();
        asked.query = asked.query.is_in("backend", on);
    }
    let count = asked.count::<Snapshot>(call).await?;
    if asked.page.rows() == 0 && asked.page.marker.is_none() {
        return Ok((Vec::new(), asked.page, count));
    }
    let snapshots = call.control().snapshots();
    let found = snapshots.list(&call.caller, asked.query, asked.all).await?;
    Ok((found, asked.page, count))
}

async fn page(call: Call, to: AnswerTo) -> Answer {
    let (found, page, count) = read(&call).await?;
    let reader = Reader::of(&call);
    let view = |snapshot| SnapshotView::new(snapshot, &reader, to);
    let last = found.last().map(|last| last.id.as_str());
    listed(&call, &page, &found, view, last, count)
}

async fn list(call: Call) -> Answer {
    page(call, AnswerTo::List).await
}

async fn detail(call: Call) -> Answer {
    page(call, AnswerTo::Show).await
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("snapshot")?;
    let display_name = fields.text("display_name", 0..=255)?;
    let display_name = display_name.map(|name| name.trim().to_owned());
    let force = fields.boolean("force")?;
    if call.version.has(66) && force == Some(false) {
        return Err(ApiError::invalid(
            "Invalid value for 'force': False. From microversion 3.66 on a snapshot of an attached volume is always taken.",
        ));
    }
    if !fields.contains("volume_id") {
        return Err(ApiError::invalid("'volume_id' is a required property"));
    }
    let Some(volume_id) = fields.uuid("volume_id")? else {
        return Err(ApiError::not_found("Volume None could not be found."));
    };
    let wanted = CreateSnapshot {
        volume_id,
        name: fields.name()?.or(display_name),
        description: fields.description()?.map(|text| text.trim().to_owned()),
        metadata: fields
            .pairs_or_null("metadata", Keys::Words)?
            .unwrap_or_default(),
        force: force.unwrap_or(false) || call.version.has(66),
    };
    fields.finish()?;
    let made = call
        .control()
        .snapshots()
        .create(&call.caller, wanted)
        .await?;
    one(&call, 202, &made, AnswerTo::Create)
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .snapshots()
        .get(&call.caller, call.part("snapshot_id"))
        .await?;
    one(&call, 200, &found, AnswerTo::Show)
}

async fn update(call: Call) -> Answer {
    let mut fields = call.object("snapshot")?;
    if fields.is_empty() {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute snapshot. Value: {}. {} is not valid under any of the given schemas",
        ));
    }
    let (old_name, old_description) = (
        fields.change("display_name")?,
        fields.change_printable("display_description")?,
    );
    let name = fields.change("name")?.or(old_name);
    let description = fields.change_printable("description")?.or(old_description);
    fields.finish()?;
    let snapshots = call.control().snapshots();
    let changed = snapshots
        .update(
            &call.caller,
            call.part("snapshot_id"),
            name,
            description,
            None,
        )
        .await?;
    one(&call, 200, &changed, AnswerTo::Update)
}

async fn delete(call: Call) -> Answer {
    call.control()
        .snapshots()
        .delete(&call.caller, call.part("snapshot_id"), false)
        .await?;
    empty(202)
}

/// What the body says of a status; nothing where the action is about none.
fn status_of(
    action: &str,
    parameters: serde_json::Value,
) -> Result<(String, Option<String>), ApiError> {
    let with_progress = match action {
        "os-reset_status" => false,
        "os-update_snapshot_status" => true,
        _ => return Ok(Default::default()),
    };
    let serde_json::Value::Object(members) = parameters else {
        return Err(ApiError::invalid("Malformed request body"));
    };
    let mut fields = Fields::over(members);
    let status = fields.required("status")?;
    let progress = match with_progress {
        true => fields.text("progress", 0..=255)?,
        false => None,
    };
    fields.finish()?;
    let percent = |text: &str| text.strip_suffix('%').map(str::parse::<u8>);
    let wrong = |text: &&String| !text.is_empty() && !matches!(percent(text), Some(Ok(0..=100)));
    match progress.as_ref().filter(wrong) {
        Some(_) => Err(ApiError::invalid(
            "Invalid input received: progress must be an integer percentage between 0 and 100",
        )),
        None => Ok((status, progress)),
    }
}

async fn action(call: Call) -> Answer {
    let (name, parameters) = call.action()?;
    let (caller, id) = (&call.caller, call.part("snapshot_id"));
    let snapshots = call.control().snapshots();
    if ADMIN.contains(&name.as_str()) && !caller.is_admin {
        let action = name.trim_start_matches("os-");
        let rule = format!("volume_extension:snapshot_admin_actions:{action}");
        return Err(ApiError::forbidden(&rule));
    }
    if !ACTIONS.contains(&name.as_str()) {
        return Err(Call::no_such_action(&name));
    }
    let (status, progress) = status_of(&name, parameters)?;
    snapshots.get(caller, id).await?;
    match name.as_str() {
        "os-reset_status" => {
            let status = status.to_ascii_lowercase();
            snapshots.reset_status(caller, id, &status).await?;
        }
        "os-update_snapshot_status" => {
            snapshots
                .update_status(caller, id, &status, progress)
                .await?;
        }
        "os-unmanage" => snapshots.unmanage(caller, id).await?,
        _ => snapshots.delete(caller, id, true).await?,
    }
    empty(202)
}
