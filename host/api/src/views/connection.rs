//! How to reach a volume, in the dialect of os-brick: a driver says paths, Cinder's clients want `target_portals`.

use serde_json::{Map, Value, json};
use springform_model::contract::{Connection, Path};

/// `connection_info` of `os-initialize_connection`: the keys are below `data`.
#[must_use]
pub fn volume_info(connection: &Connection, volume_id: &str, read_only: bool) -> Value {
    let mut data = data(connection, volume_id, read_only);
    data.insert("enforce_multipath".into(), json!(false));
    json!({"driver_volume_type": connection.driver_volume_type, "data": data, "enforce_multipath": false})
}

/// `connection_info` of an attachment: the same keys, flat.
#[must_use]
pub fn attachment_info(
    connection: &Connection,
    volume_id: &str,
    attachment_id: &str,
    read_only: bool,
) -> Value {
    let mut data = data(connection, volume_id, read_only);
    data.insert(
        "driver_volume_type".into(),
        json!(connection.driver_volume_type),
    );
    data.insert("attachment_id".into(), json!(attachment_id));
    data.insert("enforce_multipath".into(), json!(false));
    Value::Object(data)
}

fn data(connection: &Connection, volume_id: &str, read_only: bool) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("volume_id".into(), json!(volume_id));
    data.insert("target_discovered".into(), json!(false));
    data.insert("discard".into(), json!(connection.discard));
    match connection.driver_volume_type.as_str() {
        "fibre_channel" => fibre_channel(connection, &mut data),
        "nvmeof" => nvme(connection, &mut data),
        _ => iscsi(connection, &mut data),
    }
    if let Some(wwn) = &connection.wwn {
        data.insert("wwn".into(), json!(wwn));
    }
    for (key, value) in &connection.data {
        // A driver writes JSON where it means a list or a number; what is none is text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        data.insert(key.clone(), value);
    }
    data.insert("qos_specs".into(), Value::Null);
    data.insert(
        "access_mode".into(),
        json!(if read_only { "ro" } else { "rw" }),
    );
    data.insert("encrypted".into(), json!(false));
    data.insert("cacheable".into(), json!(false));
    data
}

/// Near paths first: os-brick tries them in this order.
fn ordered(connection: &Connection) -> Vec<&Path> {
    let mut paths: Vec<&Path> = connection.paths.iter().collect();
    paths.sort_by_key(|path| !path.preferred);
    paths
}

fn iscsi(connection: &Connection, data: &mut Map<String, Value>) {
    let paths: Vec<&Path> = ordered(connection)
        .into_iter()
        .filter(|path| path.portal.is_some())
        .collect();
    if let Some(first) = paths.first() {
        data.insert("target_portal".into(), json!(first.portal));
        data.insert("target_iqn".into(), json!(first.port));
        data.insert("target_lun".into(), json!(first.lun));
    }
    data.insert(
        "target_portals".into(),
        paths.iter().map(|path| json!(path.portal)).collect(),
    );
    data.insert(
        "target_iqns".into(),
        paths.iter().map(|path| json!(path.port)).collect(),
    );
    data.insert(
        "target_luns".into(),
        paths.iter().map(|path| json!(path.lun)).collect(),
    );
    if let Some(chap) = &connection.chap {
        data.insert("auth_method".into(), json!("CHAP"));
        data.insert("auth_username".into(), json!(chap.user));
        data.insert("auth_password".into(), json!(chap.password));
    }
}

fn fibre_channel(connection: &Connection, data: &mut Map<String, Value>) {
    let paths = ordered(connection);
    if let Some(first) = paths.first() {
        data.insert("target_lun".into(), json!(first.lun));
    }
    data.insert(
        "target_wwn".into(),
        paths.iter().map(|path| json!(path.port)).collect(),
    );
    data.insert(
        "target_wwns".into(),
        paths.iter().map(|path| json!(path.port)).collect(),
    );
    data.insert(
        "target_luns".into(),
        paths.iter().map(|path| json!(path.lun)).collect(),
    );
}

fn nvme(connection: &Connection, data: &mut Map<String, Value>) {
    let paths = ordered(connection);
    let transport = connection.transport.as_deref().unwrap_or("tcp");
    if let Some(first) = paths.first() {
        data.insert("target_nqn".into(), json!(first.port));
    }
    let portals = paths.iter().filter_map(|path| {
        let (address, port) = path.portal.as_deref()?.rsplit_once(':')?;
        Some(json!([address.trim_matches(['[', ']']), port, transport]))
    });
    data.insert("portals".into(), portals.collect());
    if let Some(nguid) = &connection.nguid {
        data.insert("volume_nguid".into(), json!(nguid));
    }
}
