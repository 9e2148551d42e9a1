//! The whole world as JSON, in a stable order: what the arrays would answer,
//! and what they would not say.

use serde_json::{Map, Value, json};

use crate::core::array::Array;
use crate::core::error::Res;
use crate::core::world::World;
use crate::rest::{Query, Reply, Request, Verb, handle};

const LISTS: [(&str, &str); 9] = [
    ("volumes", "volumes"),
    ("volume_groups", "volume-groups"),
    ("volume_snapshots", "volume-snapshots"),
    ("protection_groups", "protection-groups"),
    ("protection_group_targets", "protection-groups/targets"),
    ("protection_group_snapshots", "protection-group-snapshots"),
    ("pods", "pods"),
    ("hosts", "hosts"),
    ("connections", "connections"),
];

fn list(world: &mut World, array: &Array, path: &str, session: &str) -> Value {
    let request = Request {
        verb: Verb::Get,
        path: format!(
            "/api/{}/{path}",
            array.rest_versions.last().map_or("2.0", String::as_str)
        ),
        query: Query::default(),
        session: Some(session.to_owned()),
        api_token: None,
        body: Value::Null,
    };
    let Reply { body, .. } = handle(world, array.ix, &request);
    body.and_then(|body| body.get("items").cloned())
        .unwrap_or(Value::Null)
}

/// Dumps the world.
pub fn dump(world: &World) -> Res<Value> {
    // The REST handlers want to change things (sessions); a copy is cheap
    // because bytes are shared.
    let mut copy = world.clone();
    copy.settings.page = usize::MAX;
    let now = copy.now();
    let mut arrays = Map::new();
    for array in world.arrays() {
        let session = "dump";
        copy.array_mut(array.ix)?
            .sessions
            .open(session.to_owned(), now);
        let mut item = Map::new();
        item.insert("id".into(), json!(array.id));
        item.insert("powered".into(), json!(array.powered));
        item.insert("version".into(), json!(array.purity));
        item.insert("capacity".into(), json!(array.capacity));
        item.insert("ballast".into(), json!(array.ballast));
        item.insert("volume_limit".into(), json!(array.volume_limit));
        item.insert("sessions".into(), json!(array.sessions.count()));
        for (name, path) in LISTS {
            item.insert(name.into(), list(&mut copy, array, path, session));
        }
        item.insert(
            "members".into(),
            list(&mut copy, array, "protection-groups/volumes", session),
        );
        item.insert(
            "transfers".into(),
            list(
                &mut copy,
                array,
                "protection-group-snapshots/transfer",
                session,
            ),
        );
        let mut bytes = Map::new();
        for (name, key) in &array.volumes {
            let volume = world.volume(*key)?;
            bytes.insert(
                name.clone(),
                json!({"written": volume.image.written(), "digest": format!("{:016x}", volume.image.digest())}),
            );
        }
        item.insert("bytes".into(), Value::Object(bytes));
        let mut tags = Map::new();
        for (name, key) in &array.volumes {
            let volume = world.volume(*key)?;
            if !volume.tags.is_empty() {
                tags.insert(name.clone(), json!(volume.tags));
            }
        }
        item.insert("tags".into(), Value::Object(tags));
        arrays.insert(array.name.clone(), Value::Object(item));
    }
    let links: Vec<Value> = world
        .links()
        .iter()
        .map(|link| {
            let name = |ix| world.array(ix).map(|array| array.name.clone()).ok();
            json!({"a": name(link.a), "b": name(link.b), "type": link.kind, "up": link.up, "bandwidth": link.bandwidth})
        })
        .collect();
    Ok(json!({"now_ms": now, "arrays": arrays, "links": links}))
}
