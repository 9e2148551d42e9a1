//! `/host-groups`

use serde_json::{Value, json};

use super::page::list_values;
use super::request::{Reply, text};
use super::{Cx, show_space};
use crate::core::connection::Owner;
use crate::core::error::{ApiError, Refusals, Res};

fn show(cx: &Cx<'_>, name: &str) -> Res<Value> {
    let array = cx.array()?;
    let group = array
        .host_groups
        .get(name)
        .ok_or_else(|| ApiError::absent("Host group", name))?;
    let owner = Owner::Group(name.to_owned());
    let (mut count, mut provisioned, mut unique) = (0, 0, 0);
    for (volume, _) in array.connections.of(&owner) {
        let volume = cx.world.volume(volume)?;
        count += 1;
        provisioned += volume.size;
        unique += volume.image.written();
    }
    Ok(json!({
        "name": name,
        "connection_count": count,
        "destroyed": false,
        "host_count": group.hosts.len(),
        "is_local": true,
        "space": show_space(provisioned, unique, 0),
    }))
}

/// `GET /host-groups`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = match cx.query.list("names") {
        Some(names) => names,
        None => cx.array()?.host_groups.keys().cloned().collect(),
    };
    let items: Res<Vec<Value>> = names.iter().map(|name| show(cx, name)).collect();
    list_values(cx.query, cx.page(), items?)
}

/// `POST /host-groups`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = cx.names()?;
    for name in &names {
        cx.world.create_host_group(cx.ix, name)?;
    }
    list(cx)
}

/// `PATCH /host-groups` (name)
pub fn change(cx: &mut Cx<'_>) -> Res<Reply> {
    let mut items = Vec::new();
    for name in cx.names()? {
        show(cx, &name)?;
        match text(cx.body, &["name"]) {
            Some(to) if to != name => {
                cx.world.rename_host_group(cx.ix, &name, &to)?;
                items.push(show(cx, &to)?);
            }
            _ => items.push(show(cx, &name)?),
        }
    }
    Ok(Reply::items(items))
}

/// `DELETE /host-groups`
pub fn delete(cx: &mut Cx<'_>) -> Res<Reply> {
    for name in cx.names()? {
        cx.world.delete_host_group(cx.ix, &name)?;
    }
    Ok(Reply::empty())
}

/// `GET /host-groups/hosts`, `GET /hosts/host-groups`
pub fn of_hosts(cx: &mut Cx<'_>) -> Res<Reply> {
    let groups = cx.query.list("group_names");
    let members = cx.query.list("member_names");
    let mut items = Vec::new();
    for (name, group) in &cx.array()?.host_groups {
        if groups.as_ref().is_some_and(|names| !names.contains(name)) {
            continue;
        }
        for host in &group.hosts {
            if members.as_ref().is_none_or(|names| names.contains(host)) {
                items.push(json!({"group": {"name": name}, "member": {"name": host}}));
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

/// `POST /host-groups/hosts`, `POST /hosts/host-groups`
pub fn join(cx: &mut Cx<'_>, members: &str, groups: &str) -> Res<Reply> {
    let (groups, members) = (cx.query.need(groups)?, cx.query.need(members)?);
    let mut refusals = Refusals::default();
    let mut items = Vec::new();
    for group in &groups {
        for member in &members {
            let done = cx.world.join_host_group(cx.ix, group, member);
            if refusals.note(done).is_some() {
                items.push(json!({"group": {"name": group}, "member": {"name": member}}));
            }
        }
    }
    refusals.finish()?;
    Ok(Reply::items(items))
}

/// `DELETE /host-groups/hosts`, `DELETE /hosts/host-groups`
pub fn leave(cx: &mut Cx<'_>) -> Res<Reply> {
    let (groups, members) = (
        cx.query.need("group_names")?,
        cx.query.need("member_names")?,
    );
    for member in members {
        let host = cx.world.host(cx.ix, &member)?;
        if !host
            .group
            .as_ref()
            .is_some_and(|group| groups.contains(group))
        {
            return Err(ApiError::refuse(
                member,
                "Host is not in this host group: membership does not exist.",
            ));
        }
        cx.world.leave_host_group(cx.ix, &member)?;
    }
    Ok(Reply::empty())
}
