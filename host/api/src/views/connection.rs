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
        data.insert("auth_password".into(), json!(*chap.password));
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
        let port: u16 = port.parse().ok()?;
        Some(json!([address.trim_matches(['[', ']']), port, transport]))
    });
    data.insert("portals".into(), portals.collect());
    if let Some(nguid) = &connection.nguid {
        data.insert("volume_nguid".into(), json!(nguid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(kind: &str, paths: &[(&str, Option<&str>)]) -> Connection {
        let paths = paths.iter().map(|(port, portal)| Path {
            target: "pure1".to_owned(),
            portal: portal.map(str::to_owned),
            port: (*port).to_owned(),
            lun: 1,
            preferred: true,
        });
        Connection {
            driver_volume_type: kind.to_owned(),
            paths: paths.collect(),
            wwn: None,
            nguid: None,
            discard: true,
            chap: None,
            transport: None,
            data: Vec::new(),
            extensions: Vec::new(),
        }
    }

    #[test]
    fn fibre_channel_is_told_as_cinders_driver_tells_it() {
        let mut paths = connection("fibre_channel", &[("524A930000000001", None)]);
        paths.wwn = Some("3624a937012".to_owned());
        paths.data = vec![
            (
                "initiator_target_map".to_owned(),
                r#"{"2100":["524A930000000001"]}"#.to_owned(),
            ),
            ("target_discovered".to_owned(), "true".to_owned()),
            ("addressing_mode".to_owned(), "SAM2".to_owned()),
        ];
        let info = volume_info(&paths, "v", false);
        assert_eq!(info["driver_volume_type"], "fibre_channel");
        let told = json!({
            "target_discovered": true, "target_lun": 1, "target_luns": [1],
            "target_wwn": ["524A930000000001"], "target_wwns": ["524A930000000001"],
            "initiator_target_map": {"2100": ["524A930000000001"]},
            "discard": true, "addressing_mode": "SAM2", "wwn": "3624a937012",
        });
        for (key, value) in told.as_object().into_iter().flatten() {
            assert_eq!(&info["data"][key], value, "{key}");
        }
    }

    #[test]
    fn nvme_is_told_with_the_port_as_a_number() {
        let mut paths = connection("nvmeof", &[("nqn.a", Some("10.1.0.8:4420"))]);
        paths.transport = Some("tcp".to_owned());
        paths.nguid = Some("00aa".to_owned());
        let info = volume_info(&paths, "v", false);
        assert_eq!(info["data"]["portals"], json!([["10.1.0.8", 4420, "tcp"]]));
        assert_eq!(info["data"]["target_nqn"], "nqn.a");
        assert_eq!(info["data"]["volume_nguid"], "00aa");
    }
}
