//! `/protection-groups/targets`

use serde_json::{Value, json};

use super::Cx;
use super::page::list_values;
use super::request::{Reply, truth};
use crate::core::error::{ApiError, Res};
use crate::core::key::PgKey;
use crate::core::pgroup::{Place, Target};

fn line(cx: &Cx<'_>, key: PgKey, target: &Target) -> Res<Value> {
    let group = cx.world.pgroup(key)?;
    let member = match &target.place {
        Place::Array(ix) => {
            let array = cx.world.array(*ix)?;
            json!({"id": array.id, "name": array.name, "resource_type": "arrays"})
        }
        Place::Offload(name) => json!({"name": name, "resource_type": "offloads"}),
    };
    Ok(json!({
        "allowed": cx.world.target_allowed(target),
        "group": {"id": group.id, "name": group.name},
        "member": member,
    }))
}

/// What a group's lines are: on its source one for each target, on a target one for itself.
fn lines(cx: &Cx<'_>, key: PgKey) -> Res<Vec<Value>> {
    let group = cx.world.pgroup(key)?;
    match &group.upstream {
        Some(upstream) => {
            let array = cx.array()?;
            Ok(vec![json!({
                "allowed": upstream.allowed,
                "group": {"id": group.id, "name": group.name},
                "member": {"id": array.id, "name": array.name, "resource_type": "arrays"},
            })])
        }
        None => group
            .targets
            .iter()
            .map(|target| line(cx, key, target))
            .collect(),
    }
}

/// `GET /protection-groups/targets`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let members = cx.query.list("member_names");
    let keys: Vec<PgKey> = match cx.query.list("group_names") {
        Some(names) => names
            .iter()
            .map(|name| cx.world.find_pgroup(cx.ix, name))
            .collect::<Res<_>>()?,
        None => cx.array()?.pgroups.values().copied().collect(),
    };
    let mut items = Vec::new();
    for key in keys {
        items.extend(lines(cx, key)?.into_iter().filter(|item| {
            let name = item.pointer("/member/name").and_then(Value::as_str);
            members
                .as_ref()
                .is_none_or(|wanted| name.is_some_and(|name| wanted.iter().any(|w| w == name)))
        }));
    }
    list_values(cx.query, cx.page(), items)
}

/// `POST /protection-groups/targets`
pub fn add(cx: &mut Cx<'_>) -> Res<Reply> {
    let (groups, members) = (
        cx.query.need("group_names")?,
        cx.query.need("member_names")?,
    );
    for group in &groups {
        for member in &members {
            cx.world.add_target(cx.ix, group, member)?;
        }
    }
    list(cx)
}

/// `PATCH /protection-groups/targets`: on the target array
pub fn allow(cx: &mut Cx<'_>) -> Res<Reply> {
    let groups = cx.query.need("group_names")?;
    let allowed = truth(cx.body, "allowed")?
        .ok_or_else(|| ApiError::bad("Missing required field: allowed."))?;
    let mut items = Vec::new();
    for group in &groups {
        cx.world.allow_target(cx.ix, group, allowed)?;
        items.extend(lines(cx, cx.world.find_pgroup(cx.ix, group)?)?);
    }
    Ok(Reply::items(items))
}

/// `DELETE /protection-groups/targets`
pub fn remove(cx: &mut Cx<'_>) -> Res<Reply> {
    let (groups, members) = (
        cx.query.need("group_names")?,
        cx.query.need("member_names")?,
    );
    for group in &groups {
        for member in &members {
            cx.world.remove_target(cx.ix, group, member)?;
        }
    }
    Ok(Reply::empty())
}
