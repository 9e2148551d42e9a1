//! `/volumes/tags`

use serde_json::{Value, json};

use super::Cx;
use super::page::list_values;
use super::request::Reply;
use crate::core::error::{ApiError, Res};
use crate::core::key::VolumeKey;
use crate::core::tag::Tag;
use crate::core::world::World;

fn show(world: &World, key: VolumeKey, tag: &Tag) -> Res<Value> {
    let volume = world.volume(key)?;
    Ok(json!({
        "copyable": tag.copyable,
        "key": tag.key,
        "namespace": tag.namespace,
        "resource": {"id": volume.id, "name": volume.name},
        "value": tag.value,
    }))
}

/// `GET /volumes/tags`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.query.list("resource_names");
    let namespaces = cx.query.list("namespaces");
    let keys = match names {
        Some(names) => names
            .iter()
            .map(|name| cx.world.find_volume(cx.ix, name))
            .collect::<Res<Vec<_>>>()?,
        None => cx.array()?.volumes.values().copied().collect(),
    };
    let mut items = Vec::new();
    for key in keys {
        for tag in &cx.world.volume(key)?.tags {
            let wanted = match &namespaces {
                Some(wanted) => wanted.contains(&tag.namespace),
                // Without a namespace the array shows those of users only.
                None => tag.namespace == "default",
            };
            if wanted {
                items.push(show(cx.world, key, tag)?);
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

fn read(item: &Value) -> Res<Tag> {
    let word = |field: &str| item.get(field).and_then(Value::as_str).map(str::to_owned);
    Ok(Tag {
        namespace: word("namespace").unwrap_or_else(|| "default".to_owned()),
        key: word("key").ok_or_else(|| ApiError::bad("Missing required field: key."))?,
        value: word("value").unwrap_or_default(),
        copyable: item
            .get("copyable")
            .and_then(Value::as_bool)
            .unwrap_or(true),
    })
}

/// `PUT /volumes/tags/batch`
pub fn set(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.query.need("resource_names")?;
    let tags = cx
        .body
        .as_array()
        .ok_or_else(|| ApiError::bad("Invalid body: expected a list of tags."))?
        .iter()
        .map(read)
        .collect::<Res<Vec<Tag>>>()?;
    let keys = cx.batch(
        &names,
        |world, ix, name| world.live_volume(ix, name).map(|_| ()),
        |world, ix, name| world.set_tags(ix, name, &tags),
    )?;
    let mut items = Vec::new();
    for key in keys {
        for tag in &tags {
            items.push(show(cx.world, key, tag)?);
        }
    }
    Ok(Reply::items(items))
}

/// `DELETE /volumes/tags`
pub fn remove(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.query.need("resource_names")?;
    let namespaces = cx.query.list("namespaces");
    let keys = cx.query.list("keys");
    let gone = |tag: &Tag| {
        namespaces
            .as_ref()
            .map_or(tag.namespace == "default", |list| {
                list.contains(&tag.namespace)
            })
            && keys.as_ref().is_none_or(|list| list.contains(&tag.key))
    };
    cx.batch(
        &names,
        |world, ix, name| world.find_volume(ix, name).map(|_| ()),
        |world, ix, name| world.remove_tags(ix, name, gone),
    )?;
    Ok(Reply::empty())
}
