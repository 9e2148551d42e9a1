//! `/protection-groups`

use serde_json::{Value, json};

use super::page::{list_index, list_values};
use super::request::{Reply, number, text, truth};
use super::{Cx, pod_of, show_space};
use crate::core::error::{ApiError, Res};
use crate::core::key::PgKey;
use crate::core::pgroup::Place;
use crate::core::retention::Retention;
use crate::core::schedule::{Schedule, ScheduleChange};
use crate::core::world::World;

fn show_schedule(schedule: &Schedule, with_blackout: bool) -> Value {
    let mut item = json!({
        "at": schedule.at,
        "enabled": schedule.enabled,
        "frequency": schedule.frequency,
    });
    if let (true, Some(map)) = (with_blackout, item.as_object_mut()) {
        let blackout = schedule.blackout.map_or_else(
            || json!({}),
            |(start, end)| json!({"start": start, "end": end}),
        );
        map.insert("blackout".into(), blackout);
    }
    item
}

fn show_retention(retention: Retention) -> Value {
    json!({
        "all_for_sec": retention.all_for_sec,
        "days": retention.days,
        "per_day": retention.per_day,
    })
}

fn show(world: &World, key: PgKey) -> Res<Value> {
    let group = world.pgroup(key)?;
    let source = match (&group.upstream, world.holders(group.home).first()) {
        (Some(upstream), _) => json!({
            "name": upstream.source,
            "id": world.find_array(&upstream.source).and_then(|ix| world.array(ix).ok()).map(|a| a.id.as_str()),
        }),
        (None, Some(ix)) => {
            let array = world.array(*ix)?;
            json!({"name": array.name, "id": array.id})
        }
        (None, None) => json!({}),
    };
    // Volumes of a counterpart are those of the source.
    let volumes = match &group.upstream {
        Some(upstream) => world.pgroup(upstream.group).map_or(0, |g| g.volumes.len()),
        None => group.volumes.len(),
    };
    let mut item = json!({
        "id": group.id,
        "name": group.name,
        "created": group.created,
        "destroyed": group.doom.is_some(),
        "eradication_config": {"manual_eradication": "enabled"},
        "host_count": group.hosts.len(),
        "host_group_count": group.host_groups.len(),
        "is_local": group.upstream.is_none(),
        "pod": pod_of(world, group.home),
        "replication_schedule": show_schedule(&group.replication, true),
        "retention_lock": if group.ratcheted { "ratcheted" } else { "unlocked" },
        "snapshot_schedule": show_schedule(&group.snapshots, false),
        "source": source,
        "source_retention": show_retention(group.source_retention),
        // What a group takes is its snapshots, and they share blocks with the volumes.
        "space": show_space(0, 0, 0),
        "target_count": group.targets.len(),
        "target_retention": show_retention(group.target_retention),
        "volume_count": volumes,
    });
    if let (Some(map), Some(left)) = (item.as_object_mut(), world.remaining(group.doom)) {
        map.insert("time_remaining".into(), json!(left));
    }
    Ok(item)
}

fn answer(cx: &Cx<'_>, keys: &[PgKey]) -> Res<Reply> {
    let items: Res<Vec<Value>> = keys.iter().map(|key| show(cx.world, *key)).collect();
    Ok(Reply::items(items?))
}

/// `GET /protection-groups`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    list_index(
        cx.query,
        cx.page(),
        "Protection group",
        &cx.array()?.pgroups,
        |key| show(world, key),
    )
}

/// `POST /protection-groups`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    if let Some(sources) = cx
        .query
        .list("source_names")
        .filter(|list| !list.is_empty())
    {
        let overwrite = cx.query.is_set("overwrite")?;
        if sources.len() != names.len() {
            return Err(ApiError::bad("Give one source for each protection group."));
        }
        let keys: Res<Vec<PgKey>> = sources
            .iter()
            .zip(&names)
            .map(|(source, to)| cx.world.copy_pgroup(cx.ix, source, to, overwrite))
            .collect();
        return answer(cx, &keys?);
    }
    let keys = cx.batch(
        &names,
        |world, ix, name| match world.find_pgroup(ix, name) {
            Ok(_) => Err(ApiError::exists("Protection group", name)),
            Err(_) => Ok(()),
        },
        |world, ix, name| world.create_pgroup(ix, name),
    )?;
    answer(cx, &keys)
}

fn read_retention(body: &Value, field: &str, old: Retention) -> Res<Option<Retention>> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(part) => Ok(Some(Retention {
            all_for_sec: number(part, "all_for_sec")?.unwrap_or(old.all_for_sec),
            per_day: number(part, "per_day")?.unwrap_or(old.per_day),
            days: number(part, "days")?.unwrap_or(old.days),
        })),
    }
}

fn read_schedule(body: &Value, field: &str) -> Res<Option<ScheduleChange>> {
    let part = match body.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(part) => part,
    };
    let blackout = match part.get("blackout") {
        None | Some(Value::Null) => None,
        Some(window) => Some(match (number(window, "start")?, number(window, "end")?) {
            (Some(start), Some(end)) => Some((start, end)),
            _ => None,
        }),
    };
    Ok(Some(ScheduleChange {
        enabled: truth(part, "enabled")?,
        frequency: number(part, "frequency")?,
        at: number(part, "at")?,
        blackout,
    }))
}

/// `PATCH /protection-groups`
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    let body = cx.body;
    let destroyed = truth(body, "destroyed")?;
    let rename = text(body, &["name"]);
    let replication = read_schedule(body, "replication_schedule")?;
    let snapshots = read_schedule(body, "snapshot_schedule")?;
    let lock = text(body, &["retention_lock"]);
    let keys = cx.batch(
        &names,
        |world, ix, name| match destroyed {
            Some(false) => world.find_pgroup(ix, name).map(|_| ()),
            _ => world.live_pgroup(ix, name).map(|_| ()),
        },
        |world, ix, name| {
            let mut key = world.find_pgroup(ix, name)?;
            if destroyed == Some(false) {
                key = world.recover_pgroup(ix, name)?;
            }
            let group = world.pgroup(key)?;
            let source = read_retention(body, "source_retention", group.source_retention)?;
            let target = read_retention(body, "target_retention", group.target_retention)?;
            if source.is_some() || target.is_some() || lock.is_some() {
                let ratchet = lock.as_deref() == Some("ratcheted");
                world.set_retention(ix, name, source, target, ratchet)?;
            }
            if let Some(change) = replication {
                world.set_replication(ix, name, change)?;
            }
            if let Some(change) = snapshots {
                world.set_snapshots(ix, name, change)?;
            }
            if let Some(to) = &rename {
                key = world.rename_pgroup(ix, name, to)?;
            }
            if destroyed == Some(true) {
                let name = world.pgroup(key)?.name.clone();
                key = world.destroy_pgroup(ix, &name)?;
            }
            Ok(key)
        },
    )?;
    answer(cx, &keys)
}

/// `DELETE /protection-groups`
pub fn eradicate(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    cx.batch(
        &names,
        |world, ix, name| world.find_pgroup(ix, name).map(|_| ()),
        |world, ix, name| world.eradicate_pgroup(ix, name),
    )?;
    Ok(Reply::empty())
}

/// `GET /protection-groups/space`
pub fn space(cx: &mut Cx<'_>) -> Res<Reply> {
    let world = &*cx.world;
    list_index(
        cx.query,
        cx.page(),
        "Protection group",
        &cx.array()?.pgroups,
        |key| {
            Ok(super::router::only(
                &show(world, key)?,
                &["id", "name", "space", "destroyed"],
            ))
        },
    )
}

/// `GET /remote-protection-groups`: the counterparts of this array's groups.
pub fn remote(cx: &mut Cx<'_>) -> Res<Reply> {
    let mut items = Vec::new();
    for key in cx.array()?.pgroups.values() {
        for target in &cx.world.pgroup(*key)?.targets {
            let (Place::Array(to), Some(remote)) = (&target.place, target.remote) else {
                continue;
            };
            if !cx.world.reaches(cx.ix, *to) {
                continue;
            }
            let array = cx.world.array(*to)?;
            let mut item = show(cx.world, remote)?;
            if let Some(map) = item.as_object_mut() {
                let name = format!("{}:{}", array.name, cx.world.pgroup(remote)?.name);
                map.insert("name".into(), json!(name));
                map.insert("remote".into(), json!({"id": array.id, "name": array.name}));
            }
            items.push(item);
        }
    }
    list_values(cx.query, cx.page(), items)
}
