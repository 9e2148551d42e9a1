//! Backups as Cinder answers without a backup service: the lists are empty, no id is known, none can be made. Clients that
//! walk over everything of a project ask for them first.

use springform_model::cloud::{SnapshotStatus, VolumeStatus};

use super::listing::{Kind, Known, query};
use crate::http::{Answer, ApiError, Call, Keys, Routes, json};
use crate::views::Backups;

const KNOWN: &[Known] = &[
    ("id", "id", Kind::Text),
    ("name", "name", Kind::Text),
    ("status", "status", Kind::Text),
    ("volume_id", "volume_id", Kind::Text),
    ("snapshot_id", "snapshot_id", Kind::Text),
    ("user_id", "user_id", Kind::Text),
];
const ASKS: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "all_tenants",
    "with_count",
    "name",
    "status",
    "volume_id",
];

pub(super) fn routes(r: &mut Routes) {
    for path in ["/backups", "/backups/detail"] {
        r.get(path, "backup:get_all", list)
            .asks(ASKS)
            .says("Lists backups: there is no service that makes any.")
            .returns::<Backups>(200);
    }
    r.post("/backups", "backup:create", create)
        .says("Refused: there is no service that makes backups.")
        .takes(
            "{backup:{volume_id:id, container?:short?, name?:short?, description?:short?, incremental?:bool?, \
            force?:bool?, snapshot_id?:id?, metadata?:map?, availability_zone?:name?}}",
        )
        .refuses();
    r.post("/backups/import_record", "backup:backup-import", import)
        .admin()
        .says("Refused: there is no service that keeps backups.")
        .takes("{backup-record:{backup_service:name, backup_url:text}}")
        .refuses();
    r.get("/backups/{backup_id}", "backup:get", none)
        .says("Shows a backup: there is none.")
        .refuses();
    r.put("/backups/{backup_id}", "backup:update", update)
        .says("Changes a backup: there is none.")
        .takes("{backup:object}")
        .refuses();
    r.delete("/backups/{backup_id}", "backup:delete", none)
        .says("Deletes a backup: there is none.")
        .refuses();
    r.get(
        "/backups/{backup_id}/export_record",
        "backup:export-import",
        none,
    )
    .admin()
    .says("Exports a backup: there is none.")
    .refuses();
    r.post("/backups/{backup_id}/restore", "backup:restore", restore)
        .says("Restores a backup: there is none.")
        .takes("{restore:object}")
        .refuses();
    r.post(
        "/backups/{backup_id}/action",
        "backup:backup_project_attribute",
        action,
    )
    .admin()
    .says("Does something to a backup: there is none.")
    .takes("object")
    .refuses();
}

async fn list(call: Call) -> Answer {
    // Filters, keys and pages that Cinder refuses are refused here, too.
    let keys = ["id", "name", "status", "size", "created_at", "updated_at"];
    let (_, page) = query(&call, KNOWN, &keys)?;
    call.all_tenants()?;
    if let Some(marker) = page.marker {
        return Err(ApiError::not_found(format!(
            "Backup {marker} could not be found."
        )));
    }
    let counts = call.version.has(45) && call.query.flag("with_count")?;
    json(200, &Backups::new(counts))
}

fn no_service() -> ApiError {
    ApiError::new(
        http::StatusCode::SERVICE_UNAVAILABLE,
        "Service cinder-backup could not be found.",
    )
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("backup")?;
    let volume = fields.required_uuid("volume_id")?;
    let snapshot = fields.uuid("snapshot_id")?;
    let force = fields.boolean("force")?.unwrap_or(false);
    fields.boolean("incremental")?;
    fields.name()?;
    fields.description()?;
    fields.text("container", 0..=255)?;
    if call.version.has(43) {
        fields.pairs_or_null("metadata", Keys::Words)?;
    }
    if call.version.has(51) {
        fields.text("availability_zone", 0..=255)?;
    }
    fields.finish()?;
    let volume = call.control().volumes().get(&call.caller, &volume).await?;
    let refused = match snapshot {
        Some(id) => {
            let snapshot = call.control().snapshots().get(&call.caller, &id).await?;
            snapshot.volume_id != volume.id || snapshot.status != SnapshotStatus::Available
        }
        None => match volume.status {
            VolumeStatus::Available => false,
            VolumeStatus::InUse => !force,
            _ => true,
        },
    };
    if refused {
        return Err(ApiError::invalid(format!(
            "Invalid volume: Volume to be backed up must be available, or in-use with the force flag, and its snapshot \
             available; volume {} is {}.",
            volume.id, volume.status
        )));
    }
    Err(no_service())
}

async fn import(call: Call) -> Answer {
    let mut fields = call.object("backup-record")?;
    let missing = |name: &str| ApiError::invalid(format!("'{name}' is a required property"));
    fields
        .string("backup_service", 0..=255)?
        .ok_or_else(|| missing("backup_service"))?;
    fields
        .string("backup_url", 1..=65_536)?
        .ok_or_else(|| missing("backup_url"))?;
    fields.finish()?;
    Err(no_service())
}

async fn update(call: Call) -> Answer {
    let mut fields = call.object("backup")?;
    fields.name()?;
    fields.description()?;
    if call.version.has(43) {
        fields.pairs("metadata", Keys::Words)?;
    }
    fields.finish()?;
    none(call).await
}

async fn restore(call: Call) -> Answer {
    let mut fields = call.object("restore")?;
    fields.name()?;
    fields.uuid("volume_id")?;
    fields.finish()?;
    none(call).await
}

async fn action(call: Call) -> Answer {
    let (name, _) = call.action()?;
    match name.as_str() {
        "os-reset_status" => {
            let mut fields = call.object(&name)?;
            let status = fields.string("status", 0..=255)?;
            fields.finish()?;
            let status = status.map(|status| status.to_ascii_lowercase());
            if !matches!(status.as_deref(), Some("available" | "error")) {
                return Err(ApiError::invalid(
                    "Invalid input for field/attribute status. It must be one of available, error",
                ));
            }
        }
        "os-force_delete" => {}
        _ => return Err(Call::no_such_action(&name)),
    }
    none(call).await
}

async fn none(call: Call) -> Answer {
    let id = call.part("backup_id");
    Err(ApiError::not_found(format!(
        "Backup {id} could not be found."
    )))
}
