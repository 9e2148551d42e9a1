//! Attachments, with what their machines were told.

use serde_json::{Map, Value};
use springform_control::attachments::Secret;
use springform_model::cloud::{AttachStatus, Attachment, VolumeAttachment};
use springform_model::contract::{Chap, Connection, Connector, Path};
use springform_store::Record;

use super::records::{Reader, Records, state};

const COLUMNS: &[&str] = &[
    "id",
    "volume_id",
    "instance_uuid",
    "attached_host",
    "mountpoint",
    "attach_time",
    "detach_time",
    "attach_status",
    "attach_mode",
    "connection_info",
    "connector",
    "created_at",
    "updated_at",
];

/// What the API adds by itself to what a machine is told.
const ADDED: &[&str] = &[
    "volume_id",
    "attachment_id",
    "auth_method",
    "auth_username",
    "auth_password",
    "driver_volume_type",
    "enforce_multipath",
    "qos_specs",
    "access_mode",
    "encrypted",
    "cacheable",
    "discard",
    "wwn",
    "volume_nguid",
    "target_discovered",
    "target_portal",
    "target_iqn",
    "target_lun",
    "target_portals",
    "target_iqns",
    "target_luns",
    "target_wwn",
    "target_wwns",
    "target_nqn",
    "portals",
];

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    for row in reader.source.live("volume_attachment", COLUMNS).await? {
        let id = row.text("id");
        let volume_id = row.text("volume_id");
        let Some(volume) = records.volume(&volume_id) else {
            continue;
        };
        let Some(status) =
            state::<AttachStatus>(reader.report, &row, "attach_status", "attachment")
        else {
            continue;
        };
        if matches!(status, AttachStatus::Deleted | AttachStatus::Detached) {
            continue;
        }
        let json = |column: &str| {
            row.opt(column)
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        let info = json("connection_info").and_then(flat);
        let connector = json("connector").and_then(Connector::from_cinder);
        let serving = volume
            .placement
            .as_ref()
            .map(|p| p.target.clone())
            .unwrap_or_default();
        let backend = volume.backend.clone().unwrap_or_default();
        let attachment = Attachment {
            project_id: volume.project_id.clone(),
            instance_id: row.owned("instance_uuid"),
            host_name: row.owned("attached_host"),
            device: row.owned("mountpoint"),
            status,
            // What says `null` there was never told.
            mode: row.owned("attach_mode").filter(|mode| mode != "null"),
            legacy: connector.is_none() && status == AttachStatus::Attached,
            connection: info.as_ref().and_then(|info| connection(info, &serving)),
            connector,
            made_by: None,
            outdated: None,
            operation: None,
            attached_at: row.time("attach_time"),
            detached_at: row.time("detach_time"),
            created_at: row.created(),
            updated_at: row.time("updated_at"),
            volume_id,
            id,
        };
        if let Some(secret) = info.and_then(|info| password(&info, &backend, &attachment))
            && records
                .secrets
                .iter()
                .all(|known| known.id() != secret.id())
        {
            records.secrets.push(secret);
        }
        records.attachments.push(attachment);
    }
    records
        .attachments
        .sort_by_key(|attachment| attachment.created_at);
    for attachment in &records.attachments {
        let found = records
            .volumes
            .binary_search_by(|v| v.id.cmp(&attachment.volume_id));
        let volume = found.ok().and_then(|at| records.volumes.get_mut(at));
        if let Some(volume) = volume.filter(|_| attachment.status == AttachStatus::Attached) {
            volume.attachments.push(VolumeAttachment {
                attachment_id: attachment.id.clone(),
                server_id: attachment.instance_id.clone(),
                host_name: attachment.host_name.clone(),
                device: attachment.device.clone(),
                attached_at: attachment.attached_at,
            });
        }
    }
    Ok(())
}

/// The CHAP password that the machine was told.
fn password(info: &Map<String, Value>, backend: &str, attachment: &Attachment) -> Option<Secret> {
    let password = info.get("auth_password")?.as_str()?;
    let initiator = attachment.connector.as_ref()?.initiator.as_ref()?;
    Some(Secret::taken_over(backend, initiator, password))
}

/// What stands flat in Cinder's database; older rows have it below `data`.
fn flat(info: Value) -> Option<Map<String, Value>> {
    let Value::Object(mut info) = info else {
        return None;
    };
    if let Some(Value::Object(data)) = info.remove("data") {
        info.extend(data);
    }
    (!info.is_empty()).then_some(info)
}

fn texts(info: &Map<String, Value>, keys: &[&str]) -> Vec<String> {
    let found = keys.iter().find_map(|key| info.get(*key)?.as_array());
    let words = found.into_iter().flatten();
    words
        .filter_map(|word| Some(word.as_str()?.to_owned()))
        .collect()
}

/// The paths of a connection. Which array a path leads to is not said; `serving` does as well as any until it is attached anew.
fn connection(info: &Map<String, Value>, serving: &str) -> Option<Connection> {
    let kind = info.get("driver_volume_type")?.as_str()?.to_owned();
    let text = |key: &str| info.get(key).and_then(Value::as_str).map(str::to_owned);
    let luns: Vec<u32> = match info.get("target_luns").and_then(Value::as_array) {
        Some(luns) => luns
            .iter()
            .filter_map(|lun| u32::try_from(lun.as_u64()?).ok())
            .collect(),
        None => Vec::new(),
    };
    let one = info
        .get("target_lun")
        .and_then(Value::as_u64)
        .and_then(|lun| u32::try_from(lun).ok());
    let path = |at: usize, portal: Option<String>, port: String| Path {
        target: serving.to_owned(),
        portal,
        port,
        lun: luns.get(at).copied().or(one).unwrap_or(0),
        preferred: true,
    };
    let mut transport = None;
    let paths: Vec<Path> = match kind.as_str() {
        "fibre_channel" => {
            let ports = texts(info, &["target_wwns", "target_wwn"]);
            ports
                .into_iter()
                .enumerate()
                .map(|(at, port)| path(at, None, port))
                .collect()
        }
        "nvmeof" => {
            let nqn = text("target_nqn").unwrap_or_default();
            let portals = info.get("portals").and_then(Value::as_array);
            let portals = portals.into_iter().flatten().filter_map(|portal| {
                let [address, port, kind] = portal.as_array()?.as_slice() else {
                    return None;
                };
                transport = kind.as_str().map(str::to_owned);
                Some(format!("{}:{port}", address.as_str()?))
            });
            let portals: Vec<String> = portals.collect();
            portals
                .into_iter()
                .enumerate()
                .map(|(at, portal)| path(at, Some(portal), nqn.clone()))
                .collect()
        }
        _ => {
            let mut portals = texts(info, &["target_portals"]);
            let mut ports = texts(info, &["target_iqns"]);
            if portals.is_empty() {
                portals.extend(text("target_portal"));
                ports.extend(text("target_iqn"));
            }
            let both = portals.into_iter().zip(ports).enumerate();
            both.map(|(at, (portal, port))| path(at, Some(portal), port))
                .collect()
        }
    };
    let data = info
        .iter()
        .filter(|(key, _)| !ADDED.contains(&key.as_str()));
    let data = data.map(|(key, value)| match value {
        Value::String(text) => (key.clone(), text.clone()),
        other => (key.clone(), other.to_string()),
    });
    Some(Connection {
        driver_volume_type: kind,
        paths,
        wwn: text("wwn"),
        nguid: text("volume_nguid"),
        discard: info
            .get("discard")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        // Its password is kept apart, for the machine.
        chap: text("auth_username").map(|user| Chap {
            user,
            password: String::new().into(),
        }),
        transport,
        data: data.collect(),
        extensions: Vec::new(),
    })
}
