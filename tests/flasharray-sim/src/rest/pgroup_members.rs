//! `/protection-groups/volumes`, `/hosts` and `/host-groups`, both ways round.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Cx;
use super::page::list_values;
use super::request::Reply;
use crate::core::error::{ApiError, Refusals, Res};
use crate::core::key::PgKey;

fn pair(cx: &Cx<'_>, group: &str, volume: &str) -> Res<Value> {
    let group = cx.world.pgroup(cx.world.find_pgroup(cx.ix, group)?)?;
    let volume = cx.world.volume(cx.world.find_volume(cx.ix, volume)?)?;
    Ok(json!({
        "group": {"id": group.id, "name": group.name},
        "member": {"id": volume.id, "name": volume.name},
    }))
}

/// `GET /protection-groups/volumes`: members that are in no group give an empty list.
pub fn volumes(cx: &mut Cx<'_>) -> Res<Reply> {
    let groups = cx.query.list("group_names");
    let members = cx.query.list("member_names");
    if let Some(names) = &groups {
        for name in names {
            cx.world.find_pgroup(cx.ix, name)?;
        }
    }
    let mut items = Vec::new();
    let wanted = |name: &String| groups.as_ref().is_none_or(|names| names.contains(name));
    match &members {
        Some(members) => {
            for member in members {
                let key = cx.world.find_volume(cx.ix, member)?;
                for group in &cx.world.volume(key)?.pgroups {
                    let group = cx.world.pgroup(*group)?;
                    if wanted(&group.name) {
                        items.push(pair(cx, &group.name, member)?);
                    }
                }
            }
        }
        None => {
            let keys: Vec<PgKey> = match &groups {
                Some(names) => names
                    .iter()
                    .map(|name| cx.world.find_pgroup(cx.ix, name))
                    .collect::<Res<_>>()?,
                None => cx.array()?.pgroups.values().copied().collect(),
            };
            for key in keys {
                let group = cx.world.pgroup(key)?;
                for volume in &group.volumes {
                    items.push(pair(cx, &group.name, &cx.world.volume(*volume)?.name)?);
                }
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

/// `GET /volumes/protection-groups`: the same relation; `member_names` are volumes.
pub fn of_volumes(cx: &mut Cx<'_>) -> Res<Reply> {
    volumes(cx)
}

fn lists(cx: &Cx<'_>) -> Res<(Vec<String>, Vec<String>)> {
    Ok((
        cx.query.need("group_names")?,
        cx.query.need("member_names")?,
    ))
}

/// `POST /protection-groups/volumes`
pub fn add_volumes(cx: &mut Cx<'_>) -> Res<Reply> {
    let (groups, members) = lists(cx)?;
    let mut refusals = Refusals::default();
    for group in &groups {
        for member in &members {
            refusals.note(cx.world.check_add_member(cx.ix, group, member));
        }
    }
    refusals.finish()?;
    let mut items = Vec::new();
    for group in &groups {
        for member in &members {
            cx.world.add_member(cx.ix, group, member)?;
            items.push(pair(cx, group, member)?);
        }
    }
    Ok(Reply::items(items))
}

/// `DELETE /protection-groups/volumes`
pub fn remove_volumes(cx: &mut Cx<'_>) -> Res<Reply> {
    let (groups, members) = lists(cx)?;
    let mut refusals = Refusals::default();
    for group in &groups {
        for member in &members {
            refusals.note(cx.world.check_remove_member(cx.ix, group, member));
        }
    }
    refusals.finish()?;
    for group in &groups {
        for member in &members {
            cx.world.remove_member(cx.ix, group, member)?;
        }
    }
    Ok(Reply::empty())
}

/// `POST /volumes/protection-groups`
pub fn add_volumes_reversed(cx: &mut Cx<'_>) -> Res<Reply> {
    add_volumes(cx)
}

/// `DELETE /volumes/protection-groups`
pub fn remove_volumes_reversed(cx: &mut Cx<'_>) -> Res<Reply> {
    remove_volumes(cx)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    HostGroups,
}

fn members_of<'a>(cx: &'a Cx<'_>, key: PgKey, kind: Kind) -> Res<&'a BTreeSet<String>> {
    let group = cx.world.pgroup(key)?;
    Ok(match kind {
        Kind::Hosts => &group.hosts,
        Kind::HostGroups => &group.host_groups,
    })
}

fn named(cx: &mut Cx<'_>, kind: Kind) -> Res<Reply> {
    let groups = cx.query.list("group_names");
    let members = cx.query.list("member_names");
    let mut items = Vec::new();
    for (name, key) in &cx.array()?.pgroups {
        if groups.as_ref().is_some_and(|names| !names.contains(name)) {
            continue;
        }
        for member in members_of(cx, *key, kind)? {
            if members.as_ref().is_none_or(|names| names.contains(member)) {
                items.push(json!({
                    "group": {"id": cx.world.pgroup(*key)?.id, "name": name},
                    "member": {"name": member},
                }));
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

fn change_named(cx: &mut Cx<'_>, kind: Kind, add: bool) -> Res<Reply> {
    let (groups, members) = lists(cx)?;
    let array = cx.array()?;
    for member in &members {
        let known = match kind {
            Kind::Hosts => array.hosts.contains_key(member),
            Kind::HostGroups => array.host_groups.contains_key(member),
        };
        if !known {
            let word = if kind == Kind::Hosts {
                "Host"
            } else {
                "Host group"
            };
            return Err(ApiError::absent(word, member));
        }
    }
    let mut items = Vec::new();
    for group in &groups {
        for member in &members {
            cx.world
                .change_named_member(cx.ix, group, member, kind == Kind::Hosts, add)?;
            items.push(json!({"group": {"name": group}, "member": {"name": member}}));
        }
    }
    Ok(if add {
        Reply::items(items)
    } else {
        Reply::empty()
    })
}

/// `GET /protection-groups/hosts`
pub fn hosts(cx: &mut Cx<'_>) -> Res<Reply> {
    named(cx, Kind::Hosts)
}

/// `GET /hosts/protection-groups`
pub fn of_hosts(cx: &mut Cx<'_>) -> Res<Reply> {
    named(cx, Kind::Hosts)
}

/// `POST /protection-groups/hosts`
pub fn add_hosts(cx: &mut Cx<'_>) -> Res<Reply> {
    change_named(cx, Kind::Hosts, true)
}

/// `DELETE /protection-groups/hosts`
pub fn remove_hosts(cx: &mut Cx<'_>) -> Res<Reply> {
    change_named(cx, Kind::Hosts, false)
}

/// `GET /protection-groups/host-groups`
pub fn host_groups(cx: &mut Cx<'_>) -> Res<Reply> {
    named(cx, Kind::HostGroups)
}

/// `POST /protection-groups/host-groups`
pub fn add_host_groups(cx: &mut Cx<'_>) -> Res<Reply> {
    change_named(cx, Kind::HostGroups, true)
}

/// `DELETE /protection-groups/host-groups`
pub fn remove_host_groups(cx: &mut Cx<'_>) -> Res<Reply> {
    change_named(cx, Kind::HostGroups, false)
}
