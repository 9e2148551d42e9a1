//! How to reach a volume, in the dialect of os-brick: a driver says paths, Cinder's clients want `target_portals`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use springform_model::cloud::Attachment;
use springform_model::contract::{Connection, Path};
use utoipa::ToSchema;

use super::{Members, Single};

/// What a host needs to reach a volume: which members there are depends on the protocol.
#[derive(Default, Serialize, ToSchema)]
pub struct ConnectionData<'a> {
    /// `rw` or `ro`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    access_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attachment_id: Option<&'a str>,
    /// `CHAP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cacheable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    discard: Option<bool>,
    /// `iscsi`, `fibre_channel` or `nvmeof`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    driver_volume_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    enforce_multipath: Option<bool>,
    /// NVMe: address, port, transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    portals: Option<Vec<(&'a str, u16, &'a str)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qos_specs: Option<Option<BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_discovered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_iqn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_iqns: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_lun: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_luns: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_nqn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_portal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_portals: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_wwn: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_wwns: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    volume_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    volume_nguid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    wwn: Option<&'a str>,
    /// What the driver adds.
    #[serde(flatten)]
    more: BTreeMap<&'a str, Value>,
}

/// Members that a driver cannot set.
const OURS: [&str; 5] = [
    "access_mode",
    "cacheable",
    "encrypted",
    "enforce_multipath",
    "qos_specs",
];

impl<'a> ConnectionData<'a> {
    fn new(connection: &'a Connection, volume_id: &'a str, read_only: bool) -> Self {
        let common = Self {
            access_mode: Some(if read_only { "ro" } else { "rw" }),
            cacheable: Some(false),
            discard: Some(connection.discard),
            encrypted: Some(false),
            enforce_multipath: Some(false),
            qos_specs: Some(None),
            target_discovered: Some(false),
            volume_id: Some(volume_id),
            wwn: connection.wwn.as_deref(),
            ..Self::default()
        };
        match connection.driver_volume_type.as_str() {
            "fibre_channel" => common.fibre_channel(connection),
            "nvmeof" => common.nvme(connection),
            _ => common.iscsi(connection),
        }
    }

    fn iscsi(self, connection: &'a Connection) -> Self {
        let reachable = |path: &'a Path| path.portal.as_deref().map(|portal| (portal, path));
        let paths: Vec<_> = ordered(connection)
            .into_iter()
            .filter_map(reachable)
            .collect();
        let first = paths.first();
        let chap = connection.chap.as_ref();
        Self {
            target_portal: first.map(|(portal, _)| *portal),
            target_iqn: first.map(|(_, path)| path.port.as_str()),
            target_lun: first.map(|(_, path)| path.lun),
            target_portals: Some(paths.iter().map(|(portal, _)| *portal).collect()),
            target_iqns: Some(paths.iter().map(|(_, path)| path.port.as_str()).collect()),
            target_luns: Some(paths.iter().map(|(_, path)| path.lun).collect()),
            auth_method: chap.map(|_| "CHAP"),
            auth_username: chap.map(|chap| chap.user.as_str()),
            auth_password: chap.map(|chap| chap.password.as_str()),
            ..self
        }
    }

    fn fibre_channel(self, connection: &'a Connection) -> Self {
        let paths = ordered(connection);
        let ports: Vec<&str> = paths.iter().map(|path| path.port.as_str()).collect();
        Self {
            target_lun: paths.first().map(|path| path.lun),
            target_wwn: Some(ports.clone()),
            target_wwns: Some(ports),
            target_luns: Some(paths.iter().map(|path| path.lun).collect()),
            ..self
        }
    }

    fn nvme(self, connection: &'a Connection) -> Self {
        let paths = ordered(connection);
        let transport = connection.transport.as_deref().unwrap_or("tcp");
        let portals = paths.iter().filter_map(|path| {
            let (address, port) = path.portal.as_deref()?.rsplit_once(':')?;
            Some((
                address.trim_matches(['[', ']']),
                port.parse().ok()?,
                transport,
            ))
        });
        Self {
            target_nqn: paths.first().map(|path| path.port.as_str()),
            portals: Some(portals.collect()),
            volume_nguid: connection.nguid.as_deref(),
            ..self
        }
    }

    /// With the driver's own members in place of ours.
    fn merged(&self, connection: &Connection) -> Members {
        let attached = self.attachment_id.is_some();
        let ours = |key: &str| {
            let of_attachments = matches!(key, "attachment_id" | "driver_volume_type");
            OURS.contains(&key) || attached && of_attachments
        };
        let theirs = connection.data.iter().filter(|(key, _)| !ours(key));
        // A driver writes JSON where it means a list or a number; what is none is text.
        let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        Members::new(self, theirs.map(|(key, text)| (key.as_str(), read(text))))
    }

    /// `connection_info` of an attachment: everything is in one object, which is empty before there is a connection.
    pub(super) fn of(attachment: &Attachment) -> Members {
        let Some(connection) = &attachment.connection else {
            return Members::default();
        };
        let read_only = attachment.mode.as_deref() == Some("ro");
        let data = ConnectionData {
            attachment_id: Some(&attachment.id),
            driver_volume_type: Some(&connection.driver_volume_type),
            ..ConnectionData::new(connection, &attachment.volume_id, read_only)
        };
        data.merged(connection)
    }
}

/// Near paths first: os-brick tries them in this order.
fn ordered(connection: &Connection) -> Vec<&Path> {
    let mut paths: Vec<&Path> = connection.paths.iter().collect();
    paths.sort_by_key(|path| !path.preferred);
    paths
}

/// `connection_info` of `os-initialize_connection`: how to reach the volume is below `data`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionInfo<'a> {
    #[schema(value_type = ConnectionData<'a>)]
    data: Members,
    /// `iscsi`, `fibre_channel` or `nvmeof`.
    driver_volume_type: &'a str,
    enforce_multipath: bool,
}

impl Single for ConnectionInfo<'_> {
    const KEY: &'static str = "connection_info";
}

impl<'a> ConnectionInfo<'a> {
    /// How to reach a volume.
    #[must_use]
    pub fn new(connection: &'a Connection, volume_id: &'a str, read_only: bool) -> Self {
        let data = ConnectionData::new(connection, volume_id, read_only);
        Self {
            data: data.merged(connection),
            driver_volume_type: &connection.driver_volume_type,
            enforce_multipath: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let info = json!(ConnectionInfo::new(&paths, "v", false));
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
        let info = json!(ConnectionInfo::new(&paths, "v", false));
        assert_eq!(info["data"]["portals"], json!([["10.1.0.8", 4420, "tcp"]]));
        assert_eq!(info["data"]["target_nqn"], "nqn.a");
        assert_eq!(info["data"]["volume_nguid"], "00aa");
    }
}
