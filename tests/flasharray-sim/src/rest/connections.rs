//! `/connections`

use serde_json::{Value, json};

use super::Cx;
use super::page::list_values;
use super::request::{Reply, number};
use crate::core::connection::{Connection, Owner};
use crate::core::error::{ApiError, Refusals, Res};
use crate::core::key::VolumeKey;

fn show(cx: &Cx<'_>, owner: &Owner, volume: VolumeKey, connection: Connection) -> Res<Vec<Value>> {
    let array = cx.array()?;
    let volume = cx.world.volume(volume)?;
    let (hosts, group): (Vec<&str>, Option<&str>) = match owner {
        Owner::Host(name) => (vec![name], None),
        Owner::Group(name) => (
            array
                .host_groups
                .get(name)
                .map(|group| group.hosts.iter().map(String::as_str).collect())
                .unwrap_or_default(),
            Some(name),
        ),
    };
    let line = |host: Option<&str>| {
        let nvme = host
            .and_then(|host| array.hosts.get(host))
            .is_some_and(|host| !host.nqns.is_empty() && array.purity_at_least([6, 6, 0]));
        let mut item = json!({
            "host": host.map_or_else(|| json!({}), |name| json!({"name": name})),
            "host_group": group.map_or_else(|| json!({}), |name| json!({"name": name})),
            "protocol_endpoint": {},
            "volume": {"id": volume.id, "name": volume.name},
        });
        if let Some(map) = item.as_object_mut() {
            if nvme {
                map.insert("nsid".into(), json!(connection.nsid));
            } else {
                map.insert("lun".into(), json!(connection.lun));
            }
        }
        item
    };
    Ok(if hosts.is_empty() {
        vec![line(None)]
    } else {
        hosts.into_iter().map(|host| line(Some(host))).collect()
    })
}

fn owners(cx: &Cx<'_>) -> Option<Vec<Owner>> {
    let hosts = cx.query.list("host_names");
    let groups = cx.query.list("host_group_names");
    if hosts.is_none() && groups.is_none() {
        return None;
    }
    let hosts = hosts.into_iter().flatten().map(Owner::Host);
    let groups = groups.into_iter().flatten().map(Owner::Group);
    Some(hosts.chain(groups).collect())
}

/// `GET /connections`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let array = cx.array()?;
    let mut refusals = Refusals::default();
    let volumes: Option<Vec<VolumeKey>> = cx.query.list("volume_names").map(|names| {
        names
            .iter()
            .filter_map(|name| refusals.note(cx.world.find_volume(cx.ix, name)))
            .collect()
    });
    let wanted = owners(cx);
    for owner in wanted.iter().flatten() {
        let known = match owner {
            Owner::Host(name) if !array.hosts.contains_key(name) => {
                Err(ApiError::absent("Host", name))
            }
            Owner::Group(name) if !array.host_groups.contains_key(name) => {
                Err(ApiError::absent("Host group", name))
            }
            _ => Ok(()),
        };
        refusals.note(known);
    }
    refusals.finish()?;
    let mut items = Vec::new();
    match (&wanted, &volumes) {
        (Some(wanted), _) => {
            for owner in wanted {
                let mut found: Vec<(Owner, VolumeKey, Connection)> = array
                    .connections
                    .of(owner)
                    .map(|(volume, connection)| (owner.clone(), volume, connection))
                    .collect();
                // A host also sees what its group sees.
                let group = match owner {
                    Owner::Host(name) => array.hosts.get(name).and_then(|host| host.group.clone()),
                    Owner::Group(_) => None,
                };
                if let Some(group) = group.map(Owner::Group) {
                    let shared: Vec<_> = array.connections.of(&group).collect();
                    found.extend(shared.into_iter().map(|(v, c)| (group.clone(), v, c)));
                }
                for (via, volume, connection) in found {
                    if volumes.as_ref().is_some_and(|keys| !keys.contains(&volume)) {
                        continue;
                    }
                    let lines = show(cx, &via, volume, connection)?;
                    items.extend(lines.into_iter().filter(|line| match owner {
                        Owner::Host(name) => line.pointer("/host/name") == Some(&json!(name)),
                        Owner::Group(_) => true,
                    }));
                }
            }
        }
        (None, Some(volumes)) => {
            for volume in volumes {
                for owner in array.connections.owners(*volume) {
                    if let Some(connection) = array.connections.get(owner, *volume) {
                        items.extend(show(cx, owner, *volume, connection)?);
                    }
                }
            }
        }
        (None, None) => {
            for (owner, volume, connection) in array.connections.all() {
                items.extend(show(cx, owner, volume, connection)?);
            }
        }
    }
    list_values(cx.query, cx.page(), items)
}

fn pairs(cx: &Cx<'_>) -> Res<Vec<(Owner, String)>> {
    let owners = owners(cx)
        .filter(|owners| !owners.is_empty())
        .ok_or_else(|| {
            ApiError::bad("Missing required query parameter: host_names or host_group_names.")
        })?;
    let volumes = cx.query.need("volume_names")?;
    Ok(owners
        .iter()
        .flat_map(|owner| {
            volumes
                .iter()
                .map(move |volume| (owner.clone(), volume.clone()))
        })
        .collect())
}

/// `POST /connections`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let lun = number(cx.body, "lun")?
        .map(|lun| u32::try_from(lun).map_err(|_| ApiError::bad("Invalid LUN.")))
        .transpose()?;
    let pairs = pairs(cx)?;
    let mut refusals = Refusals::default();
    for (owner, volume) in &pairs {
        refusals.note(cx.world.check_connect(cx.ix, owner, volume));
    }
    refusals.finish()?;
    let mut items = Vec::new();
    for (owner, volume) in pairs {
        let connection = cx.world.connect(cx.ix, &owner, &volume, lun)?;
        let key = cx.world.live_volume(cx.ix, &volume)?;
        items.extend(show(cx, &owner, key, connection)?);
    }
    Ok(Reply::items(items))
}

/// `DELETE /connections`
pub fn delete(cx: &mut Cx<'_>) -> Res<Reply> {
    let pairs = pairs(cx)?;
    let mut refusals = Refusals::default();
    for (owner, volume) in &pairs {
        refusals.note(cx.world.check_disconnect(cx.ix, owner, volume));
    }
    refusals.finish()?;
    for (owner, volume) in pairs {
        cx.world.disconnect(cx.ix, &owner, &volume)?;
    }
    Ok(Reply::empty())
}
