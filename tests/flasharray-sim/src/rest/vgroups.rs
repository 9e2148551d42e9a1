//! `/volume-groups`

use serde_json::{Value, json};

use super::page::{list_index, list_values};
use super::request::{Reply, text, truth};
use super::{Cx, pod_of, read_qos, show_qos, show_space};
use crate::core::error::Res;
use crate::core::key::VgKey;
use crate::core::world::World;

fn show(world: &World, key: VgKey) -> Res<Value> {
    let group = world.vgroup(key)?;
    let (mut provisioned, mut unique, mut count) = (0, 0, 0);
    for volume in group
        .volumes
        .iter()
        .filter_map(|key| world.volume(*key).ok())
    {
        // Destroyed volumes still take space, but no longer count.
        provisioned += volume.size;
        count += usize::from(volume.doom.is_none());
        unique += volume.image.written();
    }
    let mut item = json!({
        "id": group.id,
        "name": group.name,
        "destroyed": group.doom.is_some(),
        "pod": pod_of(world, group.home),
        "qos": show_qos(group.qos),
        "priority_adjustment": {"priority_adjustment_operator": "+", "priority_adjustment_value": 0},
        "space": show_space(provisioned, unique, 0),
        "volume_count": count,
    });
    if let (Some(map), Some(left)) = (item.as_object_mut(), world.remaining(group.doom)) {
        map.insert("time_remaining".into(), json!(left));
    }
    Ok(item)
}

fn answer(cx: &Cx<'_>, keys: &[VgKey]) -> Res<Reply> {
    let items: Res<Vec<Value>> = keys.iter().map(|key| show(cx.world, *key)).collect();
    Ok(Reply::items(items?))
}

/// `GET /volume-groups`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    list_index(
        cx.query,
        cx.page(),
        "Volume group",
        &cx.array()?.vgroups,
        |key| show(world, key),
    )
}

/// `POST /volume-groups`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let qos = read_qos(cx.body)?.unwrap_or_default();
    let names = cx.names()?;
    let keys = cx.batch(
        &names,
        |_, _, name| qos.check(name).map(|_| ()),
        |world, ix, name| world.create_vgroup(ix, name, qos),
    )?;
    answer(cx, &keys)
}

/// `PATCH /volume-groups`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let qos = read_qos(cx.body)?;
    let destroyed = truth(cx.body, "destroyed")?;
    let contents = cx.query.is_set("destroy_contents")?;
    let rename = text(cx.body, &["name"]);
    let keys = cx.batch(
        &names,
        |world, ix, name| world.find_vgroup(ix, name).map(|_| ()),
        |world, ix, name| {
            let mut key = world.find_vgroup(ix, name)?;
            if destroyed == Some(false) {
                key = world.recover_vgroup(ix, name)?;
            }
            if let Some(qos) = qos {
                key = world.limit_vgroup(ix, name, qos.check(name)?)?;
            }
            if let Some(to) = &rename {
                key = world.rename_vgroup(ix, name, to)?;
            }
            if destroyed == Some(true) {
                let name = world.vgroup(key)?.name.clone();
                key = world.destroy_vgroup(ix, &name, contents)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `DELETE /volume-groups`
pub fn eradicate(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    cx.batch(
        &names,
        |world, ix, name| world.find_vgroup(ix, name).map(|_| ()),
        |world, ix, name| world.eradicate_vgroup(ix, name),
    )?;
    Ok(Reply::empty())
}

/// `GET /volume-groups/volumes`
pub fn volumes(cx: &mut Cx<'_>) -> Res<Reply> {
    pairs(cx, "group", "member")
}

/// `GET /volumes/volume-groups`
pub fn members(cx: &mut Cx<'_>) -> Res<Reply> {
    pairs(cx, "group", "member")
}

fn pairs(cx: &mut Cx<'_>, group_field: &str, member_field: &str) -> Res<Reply> {
    let groups = cx.query.list("group_names");
    let wanted = cx.query.list("member_names");
    let mut items = Vec::new();
    for key in cx.array()?.vgroups.values() {
        let group = cx.world.vgroup(*key)?;
        if groups
            .as_ref()
            .is_some_and(|names| !names.contains(&group.name))
        {
            continue;
        }
        for volume in &group.volumes {
            let volume = cx.world.volume(*volume)?;
            if wanted
                .as_ref()
                .is_none_or(|names| names.contains(&volume.name))
            {
                items.push(json!({
                    group_field: {"id": group.id, "name": group.name},
                    member_field: {"id": volume.id, "name": volume.name},
                }));
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

/// `GET /volume-groups/space`
pub fn space(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    list_index(
        cx.query,
        cx.page(),
        "Volume group",
        &cx.array()?.vgroups,
        |key| {
            Ok(super::router::only(
                &show(world, key)?,
                &["id", "name", "space", "destroyed"],
            ))
        },
    )
}
