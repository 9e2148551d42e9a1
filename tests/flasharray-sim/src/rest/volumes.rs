//! `/volumes`

use serde_json::{Value, json};

use super::page::list_index;
use super::request::{Reply, number, text, truth};
use super::{Cx, idle_performance, pod_of, read_qos, show_qos, show_space};
use crate::core::error::{ApiError, Res};
use crate::core::key::{ArrayIx, VolumeKey};
use crate::core::name;
use crate::core::volume::NewVolume;
use crate::core::world::World;

/// A volume as the array shows it.
pub fn show(world: &World, ix: ArrayIx, key: VolumeKey) -> Res<Value> {
    let volume = world.volume(key)?;
    let group = match volume.vgroup.map(|key| world.vgroup(key)) {
        Some(Ok(group)) => json!({"id": group.id, "name": group.name}),
        _ => json!({}),
    };
    let source = match &volume.source {
        Some(origin) => json!({"id": origin.id, "name": origin.name}),
        None => json!({}),
    };
    let mut item = json!({
        "id": volume.id,
        "name": volume.name,
        "connection_count": world.connection_count(ix, key),
        "created": volume.created,
        "destroyed": volume.doom.is_some(),
        "host_encryption_key_status": "none",
        "priority": 0,
        "priority_adjustment": {"priority_adjustment_operator": "+", "priority_adjustment_value": 0},
        "promotion_status": "promoted",
        "provisioned": volume.size,
        "requested_promotion_state": "promoted",
        "serial": volume.serial,
        "subtype": "regular",
        "volume_group": group,
        "source": source,
    });
    if let Some(map) = item.as_object_mut() {
        map.insert("qos".into(), show_qos(volume.qos));
        map.insert("pod".into(), pod_of(world, volume.home));
        map.insert(
            "space".into(),
            show_space(volume.size, volume.image.written(), 0),
        );
        if let Some(left) = world.remaining(volume.doom) {
            map.insert("time_remaining".into(), json!(left));
        }
    }
    Ok(item)
}

fn answer(cx: &Cx<'_>, keys: &[VolumeKey]) -> Res<Reply> {
    let items: Res<Vec<Value>> = keys.iter().map(|key| show(cx.world, cx.ix, *key)).collect();
    Ok(Reply::items(items?))
}

/// `GET /volumes`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let (world, ix) = (&*cx.world, cx.ix);
    list_index(cx.query, cx.page(), "Volume", &cx.array()?.volumes, |key| {
        show(world, ix, key)
    })
}

/// `POST /volumes`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let mut groups = cx
        .query
        .list("add_to_protection_group_names")
        .unwrap_or_default();
    let overwrite = cx.query.is_set("overwrite")?;
    let source = text(cx.body, &["source", "name"]);
    let source = match (source, text(cx.body, &["source", "id"])) {
        (None, Some(id)) => Some(name_of_id(cx.world, cx.ix, &id)?),
        (source, _) => source,
    };
    let defaults = cx.query.flag("with_default_protection")?;
    let extra = defaults.unwrap_or(source.is_none());
    let first = names.first().map(String::as_str).unwrap_or_default();
    if extra && !overwrite {
        let pod = name::parts(first).pod.unwrap_or_default();
        let lists = &cx.array()?.default_protections;
        groups.extend(lists.get(pod).into_iter().flatten().cloned());
    }
    let new = NewVolume {
        size: number(cx.body, "provisioned")?,
        source,
        qos: read_qos(cx.body)?.unwrap_or_default().check(first)?,
        overwrite,
        groups,
    };
    let fresh = names
        .iter()
        .filter(|name| {
            cx.array()
                .is_ok_and(|array| !array.volumes.contains_key(*name))
        })
        .count();
    cx.world.volume_allowed(cx.ix, fresh)?;
    let keys = cx.batch(
        &names,
        |world, ix, name| world.check_new_volume(ix, name, &new),
        |world, ix, name| world.create_volume(ix, name, &new),
    )?;
    answer(cx, &keys)
}

fn name_of_id(world: &World, ix: ArrayIx, id: &str) -> Res<String> {
    let array = world.array(ix)?;
    for (name, key) in &array.volumes {
        if world.volume(*key)?.id == id {
            return Ok(name.clone());
        }
    }
    for (name, key) in &array.snaps {
        if world.snap(*key)?.id == id {
            return Ok(name.clone());
        }
    }
    Err(ApiError::absent("Source", id))
}

/// `PATCH /volumes`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = match cx.query.list("ids") {
        Some(ids) => ids
            .iter()
            .map(|id| name_of_id(cx.world, cx.ix, id))
            .collect::<Res<Vec<_>>>()?,
        None => cx.names()?,
    };
    let body = cx.body;
    let destroyed = truth(body, "destroyed")?;
    let rename = text(body, &["name"]);
    if rename.is_some() && names.len() > 1 {
        return Err(ApiError::bad("Only one volume can be renamed at a time."));
    }
    let size = number(body, "provisioned")?;
    let qos = read_qos(body)?;
    let truncate = cx.query.is_set("truncate")?;
    let pod = text(body, &["pod", "name"]);
    let vgroup = text(body, &["volume_group", "name"]);
    let add = cx
        .query
        .list("add_to_protection_group_names")
        .unwrap_or_default();
    let remove = cx
        .query
        .list("remove_from_protection_group_names")
        .unwrap_or_default();
    let keys = cx.batch(
        &names,
        |world, ix, name| match destroyed {
            Some(false) => world.find_volume(ix, name).map(|_| ()),
            _ => world.live_volume(ix, name).map(|_| ()),
        },
        |world, ix, name| {
            let mut key = world.find_volume(ix, name)?;
            if destroyed == Some(false) {
                key = world.recover_volume(ix, name)?;
            }
            if let Some(size) = size {
                key = world.resize_volume(ix, name, size, truncate)?;
            }
            if let Some(qos) = qos {
                key = world.limit_volume(ix, name, qos)?;
            }
            match &pod {
                Some(pod) => key = world.move_volume(ix, name, pod, &remove)?,
                None => {
                    for group in &remove {
                        world.remove_member(ix, group, name)?;
                    }
                }
            }
            let mut current = world.volume(key)?.name.clone();
            if let Some(vgroup) = &vgroup {
                key = world.regroup_volume(ix, &current, vgroup)?;
                current.clone_from(&world.volume(key)?.name);
            }
            for group in &add {
                world.add_member(ix, group, &current)?;
            }
            if let Some(to) = &rename {
                key = world.rename_volume(ix, &current, to)?;
                current.clone_from(&world.volume(key)?.name);
            }
            if destroyed == Some(true) {
                key = world.destroy_volume(ix, &current)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `DELETE /volumes`
pub fn eradicate(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    cx.batch(
        &names,
        |world, ix, name| world.check_eradicate_volume(ix, name).map(|_| ()),
        |world, ix, name| world.eradicate_volume(ix, name),
    )?;
    Ok(Reply::empty())
}

/// `GET /volumes/space`
pub fn space(cx: &mut Cx<'_>) -> Res<Reply> {
    let (world, ix) = (&*cx.world, cx.ix);
    let now = world.now();
    list_index(cx.query, cx.page(), "Volume", &cx.array()?.volumes, |key| {
        let item = show(world, ix, key)?;
        let mut item = super::router::only(&item, &["id", "name", "space", "destroyed", "pod"]);
        if let Some(map) = item.as_object_mut() {
            map.insert("time".into(), json!(now));
        }
        Ok(item)
    })
}

/// `GET /volumes/performance`
pub fn performance(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    list_index(cx.query, cx.page(), "Volume", &cx.array()?.volumes, |key| {
        let volume = world.volume(key)?;
        let mut item = idle_performance();
        item.insert("id".into(), json!(volume.id));
        item.insert("name".into(), json!(volume.name));
        item.insert("time".into(), json!(world.now()));
        Ok(Value::Object(item))
    })
}

/// `GET /volumes/diff`: the first block that differs from a base is not something
/// we keep track of; the whole volume is reported as one range.
pub fn diff(cx: &mut Cx<'_>) -> Res<Reply> {
    let mut items = Vec::new();
    for name in cx.names()? {
        let key = cx.world.live_volume(cx.ix, &name)?;
        let size = cx.world.volume(key)?.size;
        items.push(json!({"offset": 0, "length": size}));
    }
    Ok(Reply::items(items))
}
