//! `/pods` and what hangs off them.

use serde_json::{Value, json};

use super::page::{list_index, list_values};
use super::request::{Reply, number, text, truth};
use super::{Cx, idle_performance, show_space};
use crate::core::error::{ApiError, Res};
use crate::core::key::{ArrayIx, PodKey};
use crate::core::pod::SideStatus;
use crate::core::totals::Totals;
use crate::core::world::World;

fn show_side(world: &World, ix: ArrayIx, key: PodKey, side: ArrayIx) -> Res<Value> {
    let pod = world.pod(key)?;
    let array = world.array(side)?;
    let status = world.status_seen(key, ix, side)?;
    let known = pod.side(side);
    let progress = match known.and_then(|side| side.resync) {
        Some((from, until)) if status == SideStatus::Resyncing && until > from => {
            let done = world.now().saturating_sub(from) as f64 / (until - from) as f64;
            json!(done.min(0.99))
        }
        _ => Value::Null,
    };
    let mediator = match status {
        SideStatus::Unknown => "unknown",
        _ if world.mediator_reachable(side) => "online",
        _ => "unreachable",
    };
    Ok(json!({
        "id": array.id,
        "name": array.name,
        "frozen_at": known.and_then(|side| side.frozen_at),
        "mediator_status": mediator,
        "member": {"id": array.id, "name": array.name, "resource_type": "arrays"},
        "pre_elected": pod.pre_elected == Some(side),
        "progress": progress,
        "status": status.word(),
    }))
}

fn show(world: &World, ix: ArrayIx, key: PodKey) -> Res<Value> {
    let pod = world.pod(key)?;
    let arrays: Res<Vec<Value>> = pod
        .sides
        .iter()
        .map(|side| show_side(world, ix, key, side.array))
        .collect();
    let arrays = arrays?;
    let Totals {
        provisioned,
        written,
    } = pod.totals;
    let preferences: Vec<Value> = pod
        .preferences
        .iter()
        .filter_map(|ix| world.array(*ix).ok())
        .map(|array| json!({"id": array.id, "name": array.name}))
        .collect();
    let mut item = json!({
        "id": pod.id,
        "name": pod.name,
        "array_count": arrays.len(),
        "arrays": arrays.clone(),
        "created": pod.created,
        "destroyed": pod.doom.is_some(),
        "failover_preferences": preferences,
        "footprint": provisioned,
        "link_source_count": 0,
        "link_target_count": 0,
        "mediator": "purestorage",
        "mediator_version": "1.0",
        "members": arrays,
        "promotion_status": "promoted",
        "quota_limit": pod.quota,
        "requested_promotion_state": "promoted",
        "source": {},
        "space": show_space(provisioned, written, 0),
    });
    if let (Some(map), Some(left)) = (item.as_object_mut(), world.remaining(pod.doom)) {
        map.insert("time_remaining".into(), json!(left));
    }
    Ok(item)
}

fn answer(cx: &Cx<'_>, keys: &[PodKey]) -> Res<Reply> {
    let items: Res<Vec<Value>> = keys.iter().map(|key| show(cx.world, cx.ix, *key)).collect();
    Ok(Reply::items(items?))
}

/// `GET /pods`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let (world, ix) = (&*cx.world, cx.ix);
    list_index(cx.query, cx.page(), "Pod", &cx.array()?.pods, |key| {
        show(world, ix, key)
    })
}

fn preferences(body: &Value) -> Option<Vec<String>> {
    body.get("failover_preferences")
        .and_then(Value::as_array)
        .map(|list| {
            list.iter()
                .filter_map(|item| text(item, &["name"]))
                .collect()
        })
}

/// `POST /pods`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let source = text(cx.body, &["source", "name"]);
    let preferences = preferences(cx.body);
    let quota = number(cx.body, "quota_limit")?;
    let keys = cx.batch(
        &names,
        |world, ix, name| match world.find_pod(ix, name) {
            Ok(_) => Err(ApiError::exists("Pod", name)),
            Err(_) => Ok(()),
        },
        |world, ix, name| {
            let key = match &source {
                Some(source) => world.clone_pod(ix, source, name)?,
                None => world.create_pod(ix, name)?,
            };
            if let Some(arrays) = &preferences {
                world.prefer(ix, name, arrays)?;
            }
            if quota.is_some() {
                world.set_pod_quota(ix, name, quota)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `PATCH /pods`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let destroyed = truth(cx.body, "destroyed")?;
    let contents = cx.query.is_set("destroy_contents")?;
    let rename = text(cx.body, &["name"]);
    let preferences = preferences(cx.body);
    let quota = number(cx.body, "quota_limit")?;
    let keys = cx.batch(
        &names,
        |world, ix, name| world.find_pod(ix, name).map(|_| ()),
        |world, ix, name| {
            let mut key = world.find_pod(ix, name)?;
            if destroyed == Some(false) {
                key = world.recover_pod(ix, name)?;
            }
            if let Some(arrays) = &preferences {
                key = world.prefer(ix, name, arrays)?;
            }
            if quota.is_some() {
                key = world.set_pod_quota(ix, name, quota)?;
            }
            if let Some(to) = &rename {
                key = world.rename_pod(ix, name, to)?;
            }
            if destroyed == Some(true) {
                let name = world.pod(key)?.name.clone();
                key = world.destroy_pod(ix, &name, contents)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `DELETE /pods`
pub fn eradicate(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let contents = cx.query.is_set("eradicate_contents")?;
    cx.batch(
        &names,
        |world, ix, name| world.find_pod(ix, name).map(|_| ()),
        |world, ix, name| world.eradicate_pod(ix, name, contents),
    )?;
    Ok(Reply::empty())
}

fn lists(cx: &Cx<'_>) -> Res<(Vec<String>, Vec<String>)> {
    let pods = match cx.query.list("group_names") {
        Some(pods) if !pods.is_empty() => pods,
        _ => cx.query.need("pod_names")?,
    };
    Ok((pods, cx.query.need("member_names")?))
}

fn show_pair(cx: &Cx<'_>, pod: &str, array: &str) -> Res<Value> {
    let key = cx.world.find_pod(cx.ix, pod)?;
    let ix = cx
        .world
        .find_array(array)
        .ok_or_else(|| ApiError::absent("Array", array))?;
    let array = cx.world.array(ix)?;
    Ok(json!({
        "group": {"id": cx.world.pod(key)?.id, "name": pod},
        "pod": {"id": cx.world.pod(key)?.id, "name": pod},
        "member": {"id": array.id, "name": array.name, "resource_type": "arrays"},
    }))
}

/// `GET /pods/arrays`
pub fn arrays(cx: &mut Cx<'_>) -> Res<Reply> {
    let pods = cx
        .query
        .list("group_names")
        .or_else(|| cx.query.list("pod_names"));
    let members = cx.query.list("member_names");
    let names: Vec<String> = match pods {
        Some(pods) => pods,
        None => cx.array()?.pods.keys().cloned().collect(),
    };
    let mut items = Vec::new();
    for name in names {
        let key = cx.world.find_pod(cx.ix, &name)?;
        for side in &cx.world.pod(key)?.sides {
            let array = &cx.world.array(side.array)?.name;
            if members.as_ref().is_none_or(|wanted| wanted.contains(array)) {
                items.push(show_pair(cx, &name, array)?);
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

/// `POST /pods/arrays`
pub fn stretch(cx: &mut Cx<'_>) -> Res<Reply> {
    let (pods, members) = lists(cx)?;
    let mut items = Vec::new();
    for pod in &pods {
        for member in &members {
            cx.world.stretch_pod(cx.ix, pod, member)?;
            items.push(show_pair(cx, pod, member)?);
        }
    }
    Ok(Reply::items(items))
}

/// `DELETE /pods/arrays`
pub fn unstretch(cx: &mut Cx<'_>) -> Res<Reply> {
    let (pods, members) = lists(cx)?;
    let unknown = cx.query.is_set("with_unknown")?;
    for pod in &pods {
        for member in &members {
            cx.world.unstretch_pod(cx.ix, pod, member, unknown)?;
        }
    }
    Ok(Reply::empty())
}

/// `GET /pods/space`
pub fn space(cx: &mut Cx<'_>) -> Res<Reply> {
    let (world, ix) = (&*cx.world, cx.ix);
    list_index(cx.query, cx.page(), "Pod", &cx.array()?.pods, |key| {
        Ok(super::router::only(
            &show(world, ix, key)?,
            &["id", "name", "space", "destroyed"],
        ))
    })
}

/// `GET /pods/performance`
pub fn performance(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    list_index(cx.query, cx.page(), "Pod", &cx.array()?.pods, |key| {
        let pod = world.pod(key)?;
        let mut item = idle_performance();
        item.insert("id".into(), json!(pod.id));
        item.insert("name".into(), json!(pod.name));
        item.insert("time".into(), json!(world.now()));
        Ok(Value::Object(item))
    })
}

/// `GET /remote-pods`: the pods of connected arrays.
pub fn remote(cx: &mut Cx<'_>) -> Res<Reply> {
    let mut items = Vec::new();
    for link in cx.world.links() {
        let Some(other) = link
            .other(cx.ix)
            .filter(|other| cx.world.reaches(cx.ix, *other))
        else {
            continue;
        };
        let array = cx.world.array(other)?;
        for key in array.pods.values() {
            let pod = cx.world.pod(*key)?;
            items.push(json!({
                "id": pod.id,
                "name": format!("{}:{}", array.name, pod.name),
                "is_local": pod.holders.contains(&cx.ix),
                "remotes": [{"id": array.id, "name": array.name}],
            }));
        }
    }
    list_values(cx.query, cx.page(), items)
}

/// `GET /container-default-protections`: containers are the array and its pods.
pub fn default_protections(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let own = array.name.clone();
    let containers: Vec<String> = match cx.query.list("names") {
        Some(names) => names,
        None => std::iter::once(own.clone())
            .chain(array.pods.keys().cloned())
            .collect(),
    };
    let mut items = Vec::new();
    for container in containers {
        let (key, kind) = if container == own || container.is_empty() {
            ("", "array")
        } else {
            cx.world.find_pod(cx.ix, &container)?;
            (container.as_str(), "pod")
        };
        let groups: Vec<Value> = array
            .default_protections
            .get(key)
            .into_iter()
            .flatten()
            .map(|group| {
                let id = cx
                    .world
                    .find_pgroup(cx.ix, group)
                    .and_then(|key| cx.world.pgroup(key))
                    .map(|g| g.id.as_str())
                    .ok();
                json!({"id": id, "name": group, "type": "protection_group"})
            })
            .collect();
        items.push(json!({"name": container, "type": kind, "default_protections": groups}));
    }
    list_values(cx.query, cx.page(), items)
}

/// `PATCH /container-default-protections`
pub fn set_default_protections(cx: &mut Cx<'_>) -> Res<Reply> {
    let own = cx.array()?.name.clone();
    let groups: Vec<String> = cx
        .body
        .get("default_protections")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| text(item, &["name"]))
        .collect();
    for group in &groups {
        cx.world.live_pgroup(cx.ix, group)?;
    }
    for container in cx.query.list("names").unwrap_or_else(|| vec![own.clone()]) {
        let key = if container == own {
            String::new()
        } else {
            container
        };
        if !key.is_empty() {
            cx.world.find_pod(cx.ix, &key)?;
        }
        cx.world
            .array_mut(cx.ix)?
            .default_protections
            .insert(key, groups.clone());
    }
    default_protections(cx)
}
