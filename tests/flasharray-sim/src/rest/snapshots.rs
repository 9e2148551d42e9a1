//! `/volume-snapshots`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::page::{list_index, list_shown, list_values};
use super::pgsnaps;
use super::request::{Reply, text, truth};
use super::{Cx, pod_of, show_space};
use crate::core::error::{ApiError, Res};
use crate::core::key::{ArrayIx, SnapKey};
use crate::core::name;
use crate::core::world::World;

fn show(world: &World, key: SnapKey) -> Res<Value> {
    let snap = world.snap(key)?;
    let suffix = match snap.pgsnap.and_then(|key| world.pgsnap(key).ok()) {
        Some(group) => format!("{}.{}", group.suffix, snap.suffix),
        None => snap.suffix.clone(),
    };
    let mut item = json!({
        "id": snap.id,
        "name": snap.name,
        "created": snap.created,
        "destroyed": snap.doom.is_some(),
        "pod": pod_of(world, snap.home),
        "provisioned": snap.size,
        "serial": snap.serial,
        "source": {"id": snap.source.id, "name": source_name(world, key)?},
        "space": show_space(snap.size, snap.image.written(), 0),
        "suffix": suffix,
    });
    if let (Some(map), Some(left)) = (item.as_object_mut(), world.remaining(snap.doom)) {
        map.insert("time_remaining".into(), json!(left));
    }
    Ok(item)
}

/// The name of the volume a snapshot was taken of; on a replication target it
/// carries the name of the source.
fn source_name(world: &World, key: SnapKey) -> Res<String> {
    let snap = world.snap(key)?;
    let group = snap.pgsnap.and_then(|key| world.pgsnap(key).ok());
    let upstream = group
        .and_then(|snap| world.pgroup(snap.group).ok())
        .and_then(|group| group.upstream.as_ref());
    Ok(match upstream {
        Some(upstream) => {
            format!(
                "{}:{}",
                upstream.source,
                name::without_pod(&snap.source.name)
            )
        }
        None => snap.source.name.clone(),
    })
}

fn answer(cx: &Cx<'_>, keys: &[SnapKey]) -> Res<Reply> {
    let items: Res<Vec<Value>> = keys.iter().map(|key| show(cx.world, *key)).collect();
    Ok(Reply::items(items?))
}

/// `GET /volume-snapshots`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let sources = cx.query.list("source_names");
    let shown = |key: SnapKey| match &sources {
        None => true,
        Some(names) => source_name(world, key).is_ok_and(|name| names.contains(&name)),
    };
    if let Some(names) = &sources {
        for name in names.iter().filter(|name| !name.contains(':')) {
            world.find_volume(cx.ix, name)?;
        }
    }
    list_shown(
        cx.query,
        cx.page(),
        "Volume snapshot",
        &cx.array()?.snaps,
        shown,
        |key| show(world, key),
    )
}

/// `POST /volume-snapshots`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.query.need("source_names")?;
    let suffix = text(cx.body, &["suffix"]).or_else(|| text(cx.body, &["name"]));
    let suffix = suffix.as_deref();
    let keys = cx.batch(
        &names,
        |world, ix, name| world.check_new_snap(ix, name, suffix),
        |world, ix, name| world.create_snap(ix, name, suffix),
    )?;
    answer(cx, &keys)
}

/// `PATCH /volume-snapshots`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let destroyed = truth(cx.body, "destroyed")?;
    let rename = text(cx.body, &["name"]);
    let keys = cx.batch(
        &names,
        |world, ix, name| world.find_snap(ix, name).map(|_| ()),
        |world, ix, name| {
            let mut key = world.find_snap(ix, name)?;
            if destroyed == Some(false) {
                key = world.recover_snap(ix, name)?;
            }
            if let Some(to) = &rename {
                key = world.rename_snap(ix, name, to)?;
            }
            if destroyed == Some(true) {
                let name = world.snap(key)?.name.clone();
                key = world.destroy_snap(ix, &name)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `DELETE /volume-snapshots`
pub fn eradicate(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    cx.batch(
        &names,
        |world, ix, name| world.find_snap(ix, name).map(|_| ()),
        |world, ix, name| world.eradicate_snap(ix, name),
    )?;
    Ok(Reply::empty())
}

fn transfer(world: &World, key: SnapKey) -> Res<Value> {
    let snap = world.snap(key)?;
    let group = snap
        .pgsnap
        .ok_or_else(|| ApiError::absent("Transfer", snap.name.clone()))?;
    let mut item = pgsnaps::transfer(world, group)?;
    if let Some(map) = item.as_object_mut() {
        map.insert("id".into(), json!(snap.id));
        map.insert("name".into(), json!(snap.name));
        map.insert("data_transferred".into(), json!(snap.image.written()));
    }
    Ok(item)
}

fn arrived(world: &World, key: SnapKey) -> bool {
    world
        .snap(key)
        .ok()
        .and_then(|snap| snap.pgsnap)
        .and_then(|key| world.pgsnap(key).ok())
        .is_some_and(|snap| snap.arrival.is_some())
}

/// `GET /volume-snapshots/transfer`: those that were replicated to this array,
/// and those on their way, which can be seen nowhere else yet.
pub fn transfers(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let names = cx.query.list("names");
    let sources = cx.query.list("source_names");
    let mut items = BTreeMap::new();
    for key in cx.array()?.pgsnaps.values() {
        let group = world.pgsnap(*key)?;
        let Some(arrival) = &group.arrival else {
            continue;
        };
        for part in &group.parts {
            let source = source_name(world, *part)?;
            items.insert(
                world.snap(*part)?.name.clone(),
                (source, transfer(world, *part)?),
            );
        }
        for part in &arrival.pending {
            let mut item = pgsnaps::transfer(world, *key)?;
            if let Some(map) = item.as_object_mut() {
                map.insert("id".into(), json!(part.id));
                map.insert("name".into(), json!(part.name));
            }
            let prefix = match &world.pgroup(group.group)?.upstream {
                Some(upstream) => format!("{}:", upstream.source),
                None => String::new(),
            };
            let source = format!("{prefix}{}", name::without_pod(&part.source.name));
            items.insert(part.name.clone(), (source, item));
        }
    }
    if let Some(missing) = names
        .iter()
        .flatten()
        .find(|name| !items.contains_key(*name))
    {
        return Err(ApiError::absent("Volume snapshot", missing));
    }
    let wanted = |list: &Option<Vec<String>>, name: &String| {
        list.as_ref().is_none_or(|list| list.contains(name))
    };
    let items = items
        .into_iter()
        .filter(|(name, (source, _))| wanted(&names, name) && wanted(&sources, source))
        .map(|(_, (_, item))| item)
        .collect();
    list_values(cx.query, cx.page(), items)
}

/// The snapshots of other arrays that came from this one, by `<array>:<name>`.
fn remotes(world: &World, ix: ArrayIx) -> Res<BTreeMap<String, (ArrayIx, SnapKey)>> {
    let mut found = BTreeMap::new();
    for group in pgsnaps::remote_groups(world, ix)? {
        let target = &world.array(group.target)?;
        for (name, key) in &target.snaps {
            if arrived(world, *key) && name.starts_with(&format!("{}.", group.name)) {
                found.insert(format!("{}:{}", target.name, name), (target.ix, *key));
            }
        }
    }
    Ok(found)
}

/// `GET /remote-volume-snapshots`
pub fn remote(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let index = remotes(world, cx.ix)?;
    list_index(
        cx.query,
        cx.page(),
        "Remote volume snapshot",
        &index,
        |(target, key)| pgsnaps::seen_from_afar(world, target, show(world, key)?),
    )
}

/// `GET /remote-volume-snapshots/transfer`
pub fn remote_transfers(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let index = remotes(world, cx.ix)?;
    list_index(
        cx.query,
        cx.page(),
        "Remote volume snapshot",
        &index,
        |(target, key)| pgsnaps::seen_from_afar(world, target, transfer(world, key)?),
    )
}
