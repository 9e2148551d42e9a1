//! `/protection-group-snapshots`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::page::{list_index, list_shown};
use super::request::{Reply, text, truth};
use super::{Cx, pod_of, show_space};
use crate::core::error::{ApiError, Res};
use crate::core::key::{ArrayIx, PgSnapKey};
use crate::core::pgroup::Place;
use crate::core::pgsnap::NewPgSnap;
use crate::core::world::World;

fn show(world: &World, key: PgSnapKey) -> Res<Value> {
    let snap = world.pgsnap(key)?;
    let source = match world.pgroup(snap.group) {
        Ok(group) => json!({"id": group.id, "name": group.name}),
        Err(_) => json!({}),
    };
    let (mut size, mut unique) = (0, 0);
    for part in snap.parts.iter().filter_map(|key| world.snap(*key).ok()) {
        size += part.size;
        unique += part.image.written();
    }
    let mut item = json!({
        "id": snap.id,
        "name": snap.name,
        "created": snap.created,
        "destroyed": snap.doom.is_some(),
        "eradication_config": {"manual_eradication": "enabled"},
        "pod": pod_of(world, snap.home),
        "source": source,
        "space": show_space(size, unique, 0),
        "suffix": snap.suffix,
    });
    if let (Some(map), Some(left)) = (item.as_object_mut(), world.remaining(snap.doom)) {
        map.insert("time_remaining".into(), json!(left));
    }
    Ok(item)
}

fn answer(cx: &Cx<'_>, keys: &[PgSnapKey]) -> Res<Reply> {
    let items: Res<Vec<Value>> = keys.iter().map(|key| show(cx.world, *key)).collect();
    Ok(Reply::items(items?))
}

/// Names of the groups a request is limited to; all must exist.
fn sources(cx: &Cx<'_>) -> Res<Option<Vec<String>>> {
    let names = cx.query.list("source_names");
    for name in names.iter().flatten() {
        cx.world.find_pgroup(cx.ix, name)?;
    }
    Ok(names)
}

fn of_sources(world: &World, key: PgSnapKey, sources: Option<&Vec<String>>) -> bool {
    sources.is_none_or(|names| {
        world
            .pgsnap(key)
            .and_then(|snap| world.pgroup(snap.group))
            .is_ok_and(|group| names.contains(&group.name))
    })
}

/// `GET /protection-group-snapshots`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let sources = sources(cx)?;
    list_shown(
        cx.query,
        cx.page(),
        "Protection group snapshot",
        &cx.array()?.pgsnaps,
        |key| of_sources(world, key, sources.as_ref()),
        |key| show(world, key),
    )
}

/// `POST /protection-group-snapshots`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.query.need("source_names")?;
    let q = cx.query;
    let new = NewPgSnap {
        suffix: text(cx.body, &["suffix"]).filter(|suffix| !suffix.is_empty()),
        replicate: q.is_set("replicate_now")?
            || q.is_set("replicate")?
            || q.is_set("for_replication")?,
        scheduled: q.is_set("apply_retention")?,
    };
    let keys = cx.batch(
        &names,
        |world, ix, name| {
            world.check_new_pgsnap(ix, name, new.suffix.as_deref())?;
            let group = world.pgroup(world.find_pgroup(ix, name)?)?;
            let sends = group
                .targets
                .iter()
                .any(|target| world.target_allowed(target));
            if new.replicate && !sends {
                return Err(ApiError::refuse(
                    name,
                    "Protection group has no target that allows it.",
                ));
            }
            Ok(())
        },
        |world, ix, name| world.create_pgsnap(ix, name, &new),
    )?;
    answer(cx, &keys)
}

/// `PATCH /protection-group-snapshots`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let destroyed = truth(cx.body, "destroyed")?;
    let rename = text(cx.body, &["name"]).or_else(|| text(cx.body, &["suffix"]));
    let keys = cx.batch(
        &names,
        |world, ix, name| world.find_pgsnap(ix, name).map(|_| ()),
        |world, ix, name| {
            let mut key = world.find_pgsnap(ix, name)?;
            if destroyed == Some(false) {
                key = world.recover_pgsnap(ix, name)?;
            }
            if let Some(to) = &rename {
                key = world.rename_pgsnap(ix, name, to)?;
            }
            if destroyed == Some(true) {
                let name = world.pgsnap(key)?.name.clone();
                key = world.destroy_pgsnap(ix, &name)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `DELETE /protection-group-snapshots`
pub fn eradicate(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    cx.batch(
        &names,
        |world, ix, name| world.find_pgsnap(ix, name).map(|_| ()),
        |world, ix, name| world.eradicate_pgsnap(ix, name),
    )?;
    Ok(Reply::empty())
}

/// How the replication of a snapshot to this array went or goes.
pub fn transfer(world: &World, key: PgSnapKey) -> Res<Value> {
    let snap = world.pgsnap(key)?;
    let arrival = snap
        .arrival
        .as_ref()
        .ok_or_else(|| ApiError::absent("Transfer", snap.name.clone()))?;
    let (bytes, progress) = match (arrival.completed, world.transfer_of(key)) {
        (Some(_), _) => (arrival.bytes, 1.0),
        (None, Some(running)) => {
            let done = world.transferred(running);
            let share = if running.total == 0 {
                0.0
            } else {
                done as f64 / running.total as f64
            };
            // Complete is what has been completed, not what is about to be.
            (done, share.min(0.999))
        }
        (None, None) => (arrival.bytes, 0.0),
    };
    Ok(json!({
        "id": snap.id,
        "name": snap.name,
        "completed": arrival.completed,
        "data_transferred": bytes,
        "destroyed": snap.doom.is_some(),
        "physical_bytes_written": bytes,
        "progress": progress,
        "started": arrival.started,
    }))
}

/// `GET /protection-group-snapshots/transfer`: `names` are groups or snapshots.
pub fn transfers(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let array = cx.array()?;
    let mut groups: Vec<String> = cx.query.list("source_names").unwrap_or_default();
    let mut snaps: Vec<String> = Vec::new();
    for name in cx.query.list("names").unwrap_or_default() {
        if array.pgsnaps.contains_key(&name) {
            snaps.push(name);
        } else if array.pgroups.contains_key(&name) {
            groups.push(name);
        } else {
            return Err(ApiError::absent("Protection group snapshot", name));
        }
    }
    let all = groups.is_empty() && snaps.is_empty();
    let mut items = Vec::new();
    for (name, key) in &array.pgsnaps {
        let snap = world.pgsnap(*key)?;
        if snap.arrival.is_none() {
            continue;
        }
        let group = world.pgroup(snap.group)?;
        if all || snaps.contains(name) || groups.contains(&group.name) {
            items.push(transfer(world, *key)?);
        }
    }
    super::page::list_values(cx.query, cx.page(), items)
}

/// A counterpart of one of this array's groups.
pub struct RemoteGroup {
    /// Where it is.
    pub target: ArrayIx,
    /// Its name there.
    pub name: String,
}

/// The counterparts of an array's groups that can be reached.
pub fn remote_groups(world: &World, ix: ArrayIx) -> Res<Vec<RemoteGroup>> {
    let mut found = Vec::new();
    for key in world.array(ix)?.pgroups.values() {
        for target in &world.pgroup(*key)?.targets {
            if let (Place::Array(to), Some(remote)) = (&target.place, target.remote)
                && world.reaches(ix, *to)
            {
                found.push(RemoteGroup {
                    target: *to,
                    name: world.pgroup(remote)?.name.clone(),
                });
            }
        }
    }
    Ok(found)
}

fn remotes(world: &World, ix: ArrayIx) -> Res<BTreeMap<String, (ArrayIx, PgSnapKey)>> {
    let mut found = BTreeMap::new();
    for group in remote_groups(world, ix)? {
        let target = world.array(group.target)?;
        for (name, key) in &target.pgsnaps {
            let snap = world.pgsnap(*key)?;
            if snap.arrival.is_some() && world.pgroup(snap.group)?.name == group.name {
                found.insert(format!("{}:{}", target.name, name), (target.ix, *key));
            }
        }
    }
    Ok(found)
}

/// `GET /remote-protection-group-snapshots`
pub fn remote(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let index = remotes(world, cx.ix)?;
    list_index(
        cx.query,
        cx.page(),
        "Remote protection group snapshot",
        &index,
        |(target, key)| seen_from_afar(world, target, show(world, key)?),
    )
}

/// An item of another array, with the name it has here.
pub fn seen_from_afar(world: &World, target: ArrayIx, mut item: Value) -> Res<Value> {
    let array = world.array(target)?;
    if let Some(map) = item.as_object_mut() {
        let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = format!("{}:{name}", array.name);
        map.insert("name".into(), json!(name));
        map.insert("is_local".into(), json!(false));
        map.insert("remote".into(), json!({"id": array.id, "name": array.name}));
    }
    Ok(item)
}

/// `GET /remote-protection-group-snapshots/transfer`
pub fn remote_transfers(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    let index = remotes(world, cx.ix)?;
    list_index(
        cx.query,
        cx.page(),
        "Remote protection group snapshot",
        &index,
        |(target, key)| seen_from_afar(world, target, transfer(world, key)?),
    )
}
