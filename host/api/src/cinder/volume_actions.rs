//! What is done to one volume: the actions of `POST /volumes/<id>/action`.

use serde_json::{Map, Value};
use springform_control::volumes::{Migration, UpdateVolume};
use springform_model::cloud::VolumeStatus;
use springform_model::contract::Connector;

use crate::http::{Answer, ApiError, Call, Fields, Routes, Shape, empty, json};
use crate::views::{AllMetadata, ConnectionInfo, One};

pub(super) fn routes(r: &mut Routes) {
    r.post("/volumes/{volume_id}/action", "volume_extension:volume_actions", action)
        .says("Does something to a volume; the one member of the body names it. Some actions are for administrators.")
        .takes(ACTIONS)
        .ends(202)
        .returns::<One<ConnectionInfo<'_>>>(200)
        .returns::<AllMetadata<'_>>(200)
        .ends(200);
}

/// What the body may be.
const ACTIONS: Shape = "{os-extend:{new_size:size}}|{os-retype:{new_type:name, migration_policy?:'never'|'on-demand'}}|\
    {revert:{snapshot_id:id}}|{os-reserve:object?}|{os-unreserve:object?}|{os-begin_detaching:object?}|\
    {os-roll_detaching:object?}|{os-set_bootable:{bootable:bool}}|{os-update_readonly_flag:{readonly:bool}}|\
    {os-reset_status:{status?:name?, attach_status?:name?, migration_status?:name?}}|{os-force_delete:object?}|\
    {os-unmanage:object?}|{os-initialize_connection:{connector:@Connector}}|\
    {os-terminate_connection:{connector:@Connector?}}|\
    {os-attach:{instance_uuid?:id, host_name?:short, mountpoint:name, mode?:'rw'|'ro'}}|\
    {os-detach:{attachment_id?:id?}}|{os-force_detach:{attachment_id?:id?, connector?:@Connector?}}|\
    {os-set_image_metadata:{metadata:map}}|{os-unset_image_metadata:{key:name}}|\
    {os-extend_volume_completion:{error?:bool}}|{os-show_image_metadata:object?}";

/// What `os-reset_status` takes for `attach_status`.
const ATTACH_STATUSES: &[&str] = &[
    "attached",
    "attaching",
    "detached",
    "reserved",
    "error_attaching",
    "error_detaching",
    "deleted",
];

/// What `os-reset_status` takes for `migration_status`.
const MIGRATION_STATUSES: &[&str] = &[
    "migrating",
    "error",
    "success",
    "completing",
    "none",
    "starting",
];

/// Refuses a word that is not on the list.
fn known(name: &str, word: Option<&str>, words: &[&str]) -> Result<(), ApiError> {
    match word {
        Some(word) if !words.contains(&word.to_ascii_lowercase().as_str()) => {
            let allowed = words.join(", ");
            Err(ApiError::invalid(format!(
                "Invalid input for field/attribute {name}. Value: {word}. It must be one of {allowed}"
            )))
        }
        _ => Ok(()),
    }
}

/// Actions that only an administrator may ask for.
const ADMIN: &[&str] = &[
    "os-reset_status",
    "os-force_delete",
    "os-force_detach",
    "os-migrate_volume",
    "os-migrate_volume_completion",
    "os-unmanage",
    "os-extend_volume_completion",
];

/// A connector as Nova and os-brick send it: what a driver knows by name, and the rest as it came.
pub(super) fn connector(value: Value) -> Result<Connector, ApiError> {
    Connector::from_cinder(value)
        .ok_or_else(|| ApiError::invalid("Invalid input received: Connector is not valid."))
}

/// Actions of which Cinder does not look at what the body says beside the name.
const BARE: &[&str] = &[
    "os-reserve",
    "os-unreserve",
    "os-begin_detaching",
    "os-roll_detaching",
    "os-force_delete",
    "os-unmanage",
    "os-show_image_metadata",
];

/// A connector as far as the schema knows one: an object, a text or null.
fn named_connector(fields: &mut Fields) -> Result<Value, ApiError> {
    match fields.take("connector") {
        Some(from) if from.is_object() || from.is_string() || from.is_null() => Ok(from),
        Some(_) => Err(ApiError::invalid(
            "Invalid input for field/attribute connector. It is not of type 'object', 'string'",
        )),
        None => Err(ApiError::invalid("'connector' is a required property")),
    }
}

/// Whether a connector is one: null, no text and no member say nothing, as in Cinder.
fn says_something(from: &Value) -> bool {
    match from {
        Value::Null => false,
        Value::Object(members) => !members.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn members(name: &str, parameters: Value) -> Result<Fields, ApiError> {
    match parameters {
        Value::Object(members) => Ok(Fields::over(members)),
        _ if BARE.contains(&name) => Ok(Fields::over(Map::new())),
        Value::Null if name == "os-detach" => Ok(Fields::over(Map::new())),
        _ => Err(ApiError::invalid(format!(
            "Invalid input for field/attribute {name}. It is not of type 'object'"
        ))),
    }
}

async fn action(call: Call) -> Answer {
    let (name, parameters) = call.action()?;
    if ADMIN.contains(&name.as_str()) && !call.caller.is_admin {
        return Err(ApiError::forbidden(&format!(
            "volume_extension:volume_admin_actions:{}",
            name.trim_start_matches("os-")
        )));
    }
    let fields = members(&name, parameters)?;
    match name.as_str() {
        "os-initialize_connection"
        | "os-terminate_connection"
        | "os-attach"
        | "os-detach"
        | "os-force_detach" => connection(&call, &name, fields).await,
        "os-set_image_metadata" | "os-unset_image_metadata" | "os-show_image_metadata" => {
            super::metadata::image_action(&call, &name, fields).await
        }
        "os-reset_status" | "os-force_delete" | "os-unmanage" => {
            administer(&call, &name, fields).await
        }
        _ => change(&call, &name, fields).await,
    }
}

async fn change(call: &Call, name: &str, mut fields: Fields) -> Answer {
    let (caller, id) = (&call.caller, call.part("volume_id"));
    let volumes = call.control().volumes();
    match name {
        "os-extend" => {
            let size = fields.required_integer("new_size", 1..=0x7fff_ffff)?;
            fields.finish()?;
            let status = volumes.get(caller, id).await?.status;
            if !call.version.has(42) && status == VolumeStatus::InUse {
                return Err(ApiError::invalid(format!(
                    "Invalid volume: Volume {id} status must be available to extend current status is: {status}."
                )));
            }
            volumes.extend(caller, id, size.unsigned_abs()).await?;
        }
        "os-retype" => {
            let wanted = fields.string("new_type", 0..=65_536)?;
            let wanted =
                wanted.ok_or_else(|| ApiError::invalid("'new_type' is a required property"))?;
            let policy = fields.word("migration_policy", &["on-demand", "never"])?;
            fields.finish()?;
            let migration = match policy.as_deref() {
                Some("on-demand") => Migration::OnDemand,
                _ => Migration::Never,
            };
            volumes.retype(caller, id, &wanted, migration).await?;
        }
        "revert" => {
            call.since(40)?;
            let snapshot = fields.text("snapshot_id", 0..=65_536)?;
            volumes.get(caller, id).await?;
            let snapshot = snapshot.ok_or_else(|| {
                ApiError::invalid(format!(
                    "Specified snapshot None is None or not the latest one of volume {id}."
                ))
            })?;
            volumes.revert(caller, id, &snapshot).await?;
        }
        "os-reserve" => drop(volumes.reserve(caller, id).await?),
        "os-unreserve" => drop(volumes.unreserve(caller, id).await?),
        "os-begin_detaching" => drop(volumes.begin_detaching(caller, id).await?),
        "os-roll_detaching" => drop(volumes.roll_detaching(caller, id).await?),
        "os-set_bootable" => {
            let bootable = fields.required_boolean("bootable")?;
            fields.finish()?;
            let wanted = UpdateVolume {
                bootable: Some(bootable),
                ..UpdateVolume::default()
            };
            volumes.update(caller, id, wanted).await?;
            return empty(200);
        }
        "os-update_readonly_flag" => {
            let readonly = fields.required_boolean("readonly")?;
            fields.finish()?;
            let wanted = UpdateVolume {
                readonly: Some(readonly),
                ..UpdateVolume::default()
            };
            volumes.update(caller, id, wanted).await?;
        }
        "os-volume_upload_image" | "os-reimage" => {
            volumes.get(caller, id).await?;
            return Err(ApiError::invalid(
                "Invalid input received: this service is not connected to an image service.",
            ));
        }
        "os-extend_volume_completion" => {
            call.since(71)?;
            let error = fields.take("error").unwrap_or_default();
            fields.finish()?;
            if !(error.is_null() || error.is_string() || error.is_boolean()) {
                return Err(ApiError::invalid(
                    "Invalid input for field/attribute error. It is not of type 'string', 'null', 'boolean'",
                ));
            }
            // The array is done before an extension ends here, so none waits for what Nova has to say.
            let status = volumes.get(caller, id).await?.status;
            return Err(ApiError::invalid(format!(
                "Invalid volume: Volume {id} does not wait for an extension to be completed; its status is {status}."
            )));
        }
        "os-migrate_volume" => {
            volumes.get(caller, id).await?;
            return Err(ApiError::invalid(
                "Invalid input received: volumes are not copied between backends by this service; use replication verbs to move them.",
            ));
        }
        other => return Err(Call::no_such_action(other)),
    }
    empty(202)
}

async fn administer(call: &Call, name: &str, mut fields: Fields) -> Answer {
    let (caller, id) = (&call.caller, call.part("volume_id"));
    let volumes = call.control().volumes();
    match name {
        "os-reset_status" => {
            let status = fields.text("status", 0..=64)?;
            let attached = fields.text("attach_status", 0..=64)?;
            let migration = fields.text("migration_status", 0..=64)?;
            fields.finish()?;
            let said = |text: Option<String>| text.filter(|text| !text.is_empty());
            let (status, attached, migration) = (said(status), said(attached), said(migration));
            known("attach_status", attached.as_deref(), ATTACH_STATUSES)?;
            known("migration_status", migration.as_deref(), MIGRATION_STATUSES)?;
            if status.is_none() && attached.is_none() && migration.is_none() {
                return Err(ApiError::invalid(
                    "Invalid input received: Must specify 'status', 'attach_status' or 'migration_status' for update.",
                ));
            }
            volumes
                .reset_status(
                    caller,
                    id,
                    status.as_deref(),
                    attached.as_deref(),
                    migration.as_deref(),
                )
                .await?;
        }
        "os-unmanage" => volumes.unmanage(caller, id).await?,
        _ => volumes.delete(caller, id, false, true).await?,
    }
    empty(202)
}

async fn connection(call: &Call, name: &str, mut fields: Fields) -> Answer {
    let (caller, id) = (&call.caller, call.part("volume_id"));
    let volumes = call.control().volumes();
    match name {
        "os-initialize_connection" => {
            let from = named_connector(&mut fields)?;
            if from.is_null() {
                return Err(ApiError::invalid(
                    "Invalid input for field/attribute connector. Value: None. None is not of type 'object', 'string'",
                ));
            }
            fields.finish()?;
            volumes.get(caller, id).await?;
            let found = volumes
                .initialize_connection(caller, id, connector(from)?)
                .await?;
            let read_only = volumes
                .get(caller, id)
                .await?
                .admin_metadata
                .get("readonly")
                .is_some_and(|flag| flag == "True");
            return json(200, &One(ConnectionInfo::new(&found, id, read_only)));
        }
        "os-terminate_connection" => {
            let from = named_connector(&mut fields)?;
            fields.finish()?;
            volumes.get(caller, id).await?;
            let from = Some(from).filter(says_something);
            let from = from.map(connector).transpose()?;
            volumes.terminate_connection(caller, id, from).await?;
        }
        "os-attach" => {
            let instance = fields.id("instance_uuid")?;
            let host = fields.string("host_name", 0..=255)?;
            let mountpoint = fields.required("mountpoint").map(Some)?;
            let mode = fields.word("mode", &["rw", "ro"])?;
            let mode = mode.unwrap_or_else(|| "rw".to_owned());
            fields.finish()?;
            if instance.is_none() && host.is_none() {
                return Err(ApiError::invalid(
                    "Invalid request to attach volume to an invalid target",
                ));
            }
            volumes
                .attach(caller, id, instance, host, mountpoint, Some(mode))
                .await?;
        }
        _ => {
            let forced = name == "os-force_detach";
            let attachment = match forced {
                // Of any length: Cinder looks for it and finds none.
                true => fields.text("attachment_id", 0..=usize::MAX)?,
                false => fields.uuid("attachment_id")?,
            };
            let from = match forced && fields.contains("connector") {
                true => Some(named_connector(&mut fields)?).filter(says_something),
                false => None,
            };
            fields.finish()?;
            volumes.get(caller, id).await?;
            if let Some(from) = from {
                volumes
                    .terminate_connection(caller, id, Some(connector(from)?))
                    .await?;
            }
            volumes.detach(caller, id, attachment.as_deref()).await?;
        }
    }
    empty(202)
}
