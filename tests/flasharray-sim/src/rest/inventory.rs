//! Controllers, ports and network interfaces. Every array has two controllers,
//! each with two iSCSI ports, two Fibre Channel ports, one NVMe/TCP port and one
//! NVMe/RoCE port; names and addresses follow from the array.

use serde_json::{Value, json};

use super::Cx;
use super::page::list_values;
use super::request::Reply;
use crate::core::array::Array;
use crate::core::error::{ApiError, Res};

/// `GET /controllers`
pub fn controllers(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let items = [("CT0", "primary"), ("CT1", "secondary")]
        .map(|(name, mode)| {
            json!({
                "name": name,
                "mode": mode,
                "mode_since": array.created,
                "model": "FA-X70R4",
                "status": "ready",
                "type": "array_controller",
                "version": array.purity,
            })
        })
        .to_vec();
    list_values(cx.query, cx.page(), by_names(cx, items, "Controller")?)
}

fn by_names(cx: &Cx<'_>, items: Vec<Value>, kind: &str) -> Res<Vec<Value>> {
    let Some(names) = cx.query.list("names") else {
        return Ok(items);
    };
    let mut found = Vec::new();
    for name in names {
        let item = items
            .iter()
            .find(|item| item.get("name").and_then(Value::as_str) == Some(&name))
            .ok_or_else(|| ApiError::absent(kind, name))?;
        found.push(item.clone());
    }
    Ok(found)
}

/// What an Ethernet port is for, by its number.
const ETHERNET: [(u32, &str); 4] = [
    (4, "iscsi"),
    (5, "iscsi"),
    (8, "nvme-tcp"),
    (12, "nvme-roce"),
];

fn ip(array: &Array, controller: u64, port: u32) -> String {
    format!("10.{}.{controller}.{port}", array.ix.0 + 10)
}

fn iqn(array: &Array) -> String {
    format!(
        "iqn.2010-06.com.purestorage:flasharray.{:016x}",
        array.seed()
    )
}

fn nqn(array: &Array) -> String {
    format!(
        "nqn.2010-06.com.purestorage:flasharray.{:016x}",
        array.seed()
    )
}

fn wwn(array: &Array, controller: u64, port: u64) -> String {
    let low = array.seed() & 0x00ff_ffff_ffff;
    crate::core::name::printed_wwn(&format!(
        "524A937{:09X}",
        (low << 8 | controller << 4 | port) & 0x000f_ffff_ffff
    ))
}

/// `GET /ports`
pub fn ports(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let mut items = Vec::new();
    for controller in 0..2 {
        for (port, service) in ETHERNET {
            let name = format!("CT{controller}.ETH{port}");
            let address = ip(array, controller, port);
            items.push(match service {
                "iscsi" => {
                    json!({"name": name, "iqn": iqn(array), "portal": format!("{address}:3260")})
                }
                _ => json!({"name": name, "nqn": nqn(array), "portal": format!("{address}:4420")}),
            });
        }
        for port in 0..2 {
            items.push(json!({
                "name": format!("CT{controller}.FC{port}"),
                "wwn": wwn(array, controller, port),
            }));
        }
    }
    let items = by_names(cx, items, "Port")?;
    list_values(cx.query, cx.page(), items)
}

/// `GET /network-interfaces`
pub fn interfaces(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let mut items = Vec::new();
    for controller in 0..2 {
        let mac = |port: u32| {
            format!(
                "52:54:30:{:02x}:{controller:02x}:{port:02x}",
                array.ix.0 & 0xff
            )
        };
        let eth = |port: u32, service: &str| {
            json!({
                "name": format!("ct{controller}.eth{port}"),
                "enabled": true,
                "interface_type": "eth",
                "speed": 25_000_000_000_u64,
                "services": [service],
                "eth": {
                    "address": ip(array, controller, port),
                    "gateway": null,
                    "mac_address": mac(port),
                    "mtu": 9000,
                    "netmask": "255.255.0.0",
                    "subinterfaces": [],
                    "subtype": "physical",
                    "vlan": null,
                },
            })
        };
        items.push(eth(0, "management"));
        items.push(eth(2, "replication"));
        items.extend(ETHERNET.map(|(port, service)| eth(port, service)));
        for port in 0..2 {
            items.push(json!({
                "name": format!("ct{controller}.fc{port}"),
                "enabled": true,
                "interface_type": "fc",
                "speed": 32_000_000_000_u64,
                "services": ["scsi-fc"],
                "fc": {"wwn": wwn(array, controller, port)},
            }));
        }
    }
    let items = by_names(cx, items, "Network interface")?;
    list_values(cx.query, cx.page(), items)
}
