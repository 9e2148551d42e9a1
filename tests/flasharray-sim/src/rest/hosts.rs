//! `/hosts`

use serde_json::{Value, json};

use super::filter::Filter;
use super::page::list_index;
use super::request::{Reply, text};
use super::{Cx, idle_performance, show_space};
use crate::core::connection::Owner;
use crate::core::error::{ApiError, Res};
use crate::core::host::HostChange;
use crate::core::key::ArrayIx;
use crate::core::name::normal_initiator;
use crate::core::world::World;

fn show(world: &World, ix: ArrayIx, name: &str) -> Res<Value> {
    let host = world.host(ix, name)?;
    let connections = &world.array(ix)?.connections;
    let owner = Owner::Host(name.to_owned());
    let shared = host.group.clone().map(Owner::Group);
    let (mut count, mut provisioned, mut unique) = (0, 0, 0);
    for owner in std::iter::once(&owner).chain(&shared) {
        for (volume, _) in connections.of(owner) {
            let volume = world.volume(volume)?;
            count += 1;
            provisioned += volume.size;
            unique += volume.image.written();
        }
    }
    let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "****");
    let group = match &host.group {
        Some(group) => json!({"name": group}),
        None => json!({}),
    };
    let preferred: Vec<Value> = host
        .preferred_arrays
        .iter()
        .map(|name| {
            let id = world
                .find_array(name)
                .and_then(|ix| world.array(ix).ok())
                .map(|a| a.id.as_str());
            json!({"id": id, "name": name})
        })
        .collect();
    let initiators = host.iqns.len() + host.nqns.len() + host.wwns.len();
    Ok(json!({
        "name": name,
        "chap": {
            "host_user": host.chap.host_user,
            "host_password": hidden(&host.chap.host_password),
            "target_user": host.chap.target_user,
            "target_password": hidden(&host.chap.target_password),
        },
        "connection_count": count,
        "host_group": group,
        "iqns": host.iqns,
        "is_local": true,
        "nqns": host.nqns,
        "personality": host.personality,
        "port_connectivity": {
            "details": if initiators == 0 { "None" } else { "Redundant" },
            "status": if initiators == 0 { "critical" } else { "healthy" },
        },
        "preferred_arrays": preferred,
        "space": show_space(provisioned, unique, 0),
        "vlan": host.vlan.as_deref().unwrap_or("any"),
        "wwns": host.wwns,
    }))
}

fn index(cx: &Cx<'_>) -> Res<std::collections::BTreeMap<String, usize>> {
    Ok(cx
        .array()?
        .hosts
        .keys()
        .enumerate()
        .map(|(n, name)| (name.clone(), n))
        .collect())
}

/// The hosts that can match a filter which names an initiator; none if it does not.
fn by_initiator(cx: &Cx<'_>) -> Res<Option<Vec<String>>> {
    let filter = match cx.query.text("filter") {
        Some(text) if !text.is_empty() => Filter::parse(text)?,
        _ => return Ok(None),
    };
    let array = cx.array()?;
    Ok(filter.initiator_hint().map(|initiator| {
        let host = array.initiators.get(&normal_initiator(initiator));
        host.into_iter().cloned().collect()
    }))
}

/// `GET /hosts`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    // One host, by name or by initiator, is by far the most common question.
    let by_name = cx.query.list("names").filter(|names| !names.is_empty());
    if let Some(names) = by_name.or(by_initiator(cx)?) {
        let mut index = std::collections::BTreeMap::new();
        for (n, name) in names.iter().enumerate() {
            if cx.array()?.hosts.contains_key(name) {
                index.insert(name.clone(), n);
            }
        }
        return list_index(cx.query, cx.page(), "Host", &index, |n| {
            names.get(n).map_or_else(
                || Err(ApiError::inconsistent("host")),
                |name| show(cx.world, cx.ix, name),
            )
        });
    }
    let index = index(cx)?;
    let names: Vec<&String> = index.keys().collect();
    list_index(cx.query, cx.page(), "Host", &index, |n| {
        match names.get(n) {
            Some(name) => show(cx.world, cx.ix, name),
            None => Err(ApiError::inconsistent("host")),
        }
    })
}

fn read(body: &Value) -> Res<HostChange> {
    if body.is_null() {
        return Ok(HostChange::default());
    }
    let mut change: HostChange = serde_json::from_value(body.clone())
        .map_err(|error| ApiError::bad(format!("Invalid body: {error}.")))?;
    change.host_group = text(body, &["host_group", "name"]);
    change.preferred_arrays = body
        .get("preferred_arrays")
        .and_then(Value::as_array)
        .map(|list| {
            list.iter()
                .filter_map(|item| text(item, &["name"]))
                .collect()
        });
    Ok(change)
}

/// `POST /hosts`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let change = HostChange {
        name: None,
        ..read(cx.body)?
    };
    let items = cx.batch(
        &names,
        |world, ix, name| match world.host(ix, name) {
            Ok(_) => Err(ApiError::exists("Host", name)),
            Err(_) => Ok(()),
        },
        |world, ix, name| {
            world.create_host(ix, name, &change)?;
            show(world, ix, name)
        },
    )?;
    Ok(Reply::items(items))
}

/// `PATCH /hosts`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let change = read(cx.body)?;
    let items = cx.batch(
        &names,
        |world, ix, name| world.host(ix, name).map(|_| ()),
        |world, ix, name| {
            let name = world.change_host(ix, name, &change)?;
            show(world, ix, &name)
        },
    )?;
    Ok(Reply::items(items))
}

/// `DELETE /hosts`
pub fn delete(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    cx.batch(
        &names,
        |world, ix, name| world.host(ix, name).map(|_| ()),
        |world, ix, name| world.delete_host(ix, name),
    )?;
    Ok(Reply::empty())
}

/// `GET /hosts/space`
pub fn space(cx: &mut Cx<'_>) -> Res<Reply> {
    let reply = list(cx)?;
    Ok(narrow(reply, &["name", "space"]))
}

/// `GET /hosts/performance`
pub fn performance(cx: &mut Cx<'_>) -> Res<Reply> {
    let now = cx.world.now();
    let mut reply = narrow(list(cx)?, &["name"]);
    let items = reply.body.as_mut().and_then(|body| body.get_mut("items"));
    for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(map) = item.as_object_mut() {
            map.extend(idle_performance());
            map.insert("time".into(), json!(now));
        }
    }
    Ok(reply)
}

fn narrow(mut reply: Reply, fields: &[&str]) -> Reply {
    let items = reply.body.as_mut().and_then(|body| body.get_mut("items"));
    for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
        *item = super::router::only(item, fields);
    }
    reply
}
