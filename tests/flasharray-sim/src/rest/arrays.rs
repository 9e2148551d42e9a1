//! The array itself, its space, and its connections to others.

use serde_json::{Value, json};

use super::page::list_values;
use super::request::{Reply, text};
use super::{Cx, idle_performance, show_space};
use crate::core::array::Array;
use crate::core::error::{ApiError, Res};
use crate::core::key::ArrayIx;
use crate::core::link::LinkKind;
use crate::core::name;

fn show(cx: &Cx<'_>) -> Res<Value> {
    let array = cx.array()?;
    let manual = if array.eradication_disabled {
        "all-disabled"
    } else {
        "all-enabled"
    };
    let usage = cx.world.usage(cx.ix)?;
    let mut space = show_space(
        usage.provisioned,
        usage.unique + array.ballast,
        usage.snapshots,
    );
    if let Some(map) = space.as_object_mut() {
        map.insert("total_reduction".into(), json!(5.0));
        map.insert("data_reduction".into(), json!(3.0));
    }
    Ok(json!({
        "id": array.id,
        "name": array.name,
        "as_of": cx.world.now(),
        "banner": "",
        "capacity": array.capacity,
        "console_lock_enabled": false,
        "eradication_config": {"eradication_delay": cx.world.settings.eradication_ms, "manual_eradication": manual},
        "idle_timeout": cx.world.settings.session_ms,
        "ntp_servers": [],
        "os": "Purity//FA",
        "parity": 1.0,
        "scsi_timeout": 60_000,
        "space": space,
        "time_zone": "UTC",
        "version": array.purity,
    }))
}

/// `GET /arrays`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let item = show(cx)?;
    list_values(cx.query, cx.page(), vec![item])
}

/// `PATCH /arrays` (name)
pub fn rename(cx: &mut Cx<'_>) -> Res<Reply> {
    if let Some(to) = text(cx.body, &["name"]) {
        name::check("Array", &to)?;
        if cx.world.find_array(&to).is_some_and(|ix| ix != cx.ix) {
            return Err(ApiError::exists("Array", to));
        }
        cx.world.array_mut(cx.ix)?.name = to;
    }
    list(cx)
}

/// `GET /arrays/space`
pub fn space(cx: &mut Cx<'_>) -> Res<Reply> {
    let item = show(cx)?;
    let item = super::router::only(
        &item,
        &["id", "name", "capacity", "parity", "space", "as_of"],
    );
    let mut item = item;
    if let (Some(map), now) = (item.as_object_mut(), cx.world.now()) {
        map.insert("time".into(), json!(now));
    }
    list_values(cx.query, cx.page(), vec![item])
}

/// `GET /arrays/performance`
pub fn performance(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let mut item = idle_performance();
    item.insert("id".into(), json!(array.id));
    item.insert("name".into(), json!(array.name));
    item.insert("queue_depth".into(), json!(0));
    item.insert("local_queue_usec_per_op".into(), json!(0));
    item.insert("time".into(), json!(cx.world.now()));
    for (field, value) in [("usec_per_read_op", 250), ("usec_per_write_op", 300)] {
        item.insert(field.into(), json!(value));
    }
    list_values(cx.query, cx.page(), vec![Value::Object(item)])
}

fn address(ix: ArrayIx) -> String {
    format!("10.{}.0.10", ix.0 + 10)
}

fn show_links(cx: &Cx<'_>) -> Res<Vec<Value>> {
    let mut items = Vec::new();
    for link in cx.world.links() {
        let Some(other) = link.other(cx.ix) else {
            continue;
        };
        let remote = cx.world.array(other)?;
        let status = if cx.world.reaches(cx.ix, other) {
            "connected"
        } else {
            "connecting"
        };
        items.push(json!({
            "id": link.id,
            "name": remote.name,
            "management_address": address(other),
            "os": "Purity//FA",
            "remote": {"id": remote.id, "name": remote.name, "resource_type": "arrays"},
            "replication_addresses": [address(other)],
            "replication_transport": "ip",
            "status": status,
            "throttle": {},
            "type": link.kind.word(),
            "version": remote.purity,
        }));
    }
    items.sort_by_key(|item| item.get("name").map(ToString::to_string));
    Ok(items)
}

/// `GET /array-connections`
pub fn connections(cx: &mut Cx<'_>) -> Res<Reply> {
    let mut items = show_links(cx)?;
    if let Some(names) = cx.query.list("names") {
        items.retain(|item| {
            names
                .iter()
                .any(|name| item.get("name") == Some(&json!(name)))
        });
        if items.len() < names.len() {
            return Err(ApiError::absent("Array connection", names.join(",")));
        }
    }
    list_values(cx.query, cx.page(), items)
}

/// `POST /array-connections`: the management address is the other array's name or
/// address, the key is what that array gives out.
pub fn connect(cx: &mut Cx<'_>) -> Res<Reply> {
    let to = text(cx.body, &["management_address"])
        .ok_or_else(|| ApiError::bad("Missing required field: management_address."))?;
    let other = cx
        .world
        .arrays()
        .iter()
        .find(|array| array.name == to || address(array.ix) == to)
        .map(|array| array.ix)
        .ok_or_else(|| ApiError::refuse(to.as_str(), "Array cannot be reached."))?;
    let key = text(cx.body, &["connection_key"]);
    if key != Some(connection_key_of(cx.world.array(other)?)) {
        return Err(ApiError::refuse(to, "Invalid connection key."));
    }
    let kind = match text(cx.body, &["type"]).as_deref() {
        Some("sync-replication") => LinkKind::Sync,
        _ => LinkKind::Async,
    };
    if cx.world.link(cx.ix, other).is_some() {
        let name = cx.world.array(other)?.name.clone();
        return Err(ApiError::exists("Array connection", name));
    }
    cx.world.connect_arrays(cx.ix, other, kind);
    connections(cx)
}

/// `DELETE /array-connections`
pub fn disconnect(cx: &mut Cx<'_>) -> Res<Reply> {
    for name in cx.names()? {
        let other = cx
            .world
            .find_array(&name)
            .ok_or_else(|| ApiError::absent("Array connection", name))?;
        cx.world.disconnect_arrays(cx.ix, other)?;
    }
    Ok(Reply::empty())
}

/// `GET /array-connections/path`
pub fn paths(cx: &mut Cx<'_>) -> Res<Reply> {
    let items = show_links(cx)?
        .iter()
        .map(|item| {
            let mut path =
                super::router::only(item, &["id", "name", "status", "replication_transport"]);
            if let Some(map) = path.as_object_mut() {
                map.insert("local_address".into(), json!(address(cx.ix)));
                map.insert("local_port".into(), json!("ct0.eth2"));
                map.insert("remote_port".into(), json!("ct0.eth2"));
            }
            path
        })
        .collect();
    list_values(cx.query, cx.page(), items)
}

fn connection_key_of(array: &Array) -> String {
    format!("{:016x}", array.seed())
}

/// `GET /array-connections/connection-key`
pub fn connection_key(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let item = json!({"connection_key": connection_key_of(array), "created": array.created});
    list_values(cx.query, cx.page(), vec![item])
}

/// `GET /remote-arrays`
pub fn remote(cx: &mut Cx<'_>) -> Res<Reply> {
    let mut items = Vec::new();
    for link in cx.world.links() {
        if let Some(other) = link.other(cx.ix) {
            let array = cx.world.array(other)?;
            items.push(json!({"id": array.id, "name": array.name, "is_local": false}));
        }
    }
    list_values(cx.query, cx.page(), items)
}
