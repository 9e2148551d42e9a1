//! Quota sets, quota classes, and the absolute limits of a project.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json as value};

use crate::http::{Answer, ApiError, Call, Routes, empty, json};

const SET: &str = "{quota_set:object}";

pub(super) fn routes(r: &mut Routes) {
    r.get("/limits", "limits_extension:used_limits", limits)
        .asks(&["project_id", "tenant_id"])
        .says("Shows what a project may have and has.")
        .gives(200, "{limits:{rate:[object], absolute:object}}");
    r.get(
        "/os-quota-sets/{project}",
        "volume_extension:quotas:show",
        show,
    )
    .asks(&["usage"])
    .says("Shows the quota of a project.")
    .gives(200, SET);
    r.get(
        "/os-quota-sets/{project}/defaults",
        "volume_extension:quotas:show",
        defaults,
    )
    .says("Shows the quota of projects that have none of their own.")
    .gives(200, SET);
    r.put(
        "/os-quota-sets/{project}",
        "volume_extension:quotas:update",
        set,
    )
    .admin()
    .says("Sets limits of a project; -1 is none.")
    .takes("{quota_set:object}")
    .gives(200, SET);
    r.delete(
        "/os-quota-sets/{project}",
        "volume_extension:quotas:delete",
        reset,
    )
    .admin()
    .says("Gives a project the default quota again.")
    .ends(200);
    r.get(
        "/os-quota-class-sets/{class}",
        "volume_extension:quota_classes:get",
        class,
    )
    .admin()
    .says("Shows the quota of a class; `default` is the only one.")
    .gives(200, "{quota_class_set:object}");
    r.put(
        "/os-quota-class-sets/{class}",
        "volume_extension:quota_classes:update",
        set_class,
    )
    .admin()
    .says("Sets limits of the default class.")
    .takes("{quota_class_set:object}")
    .gives(200, "{quota_class_set:object}");
}

/// The project asked about: an administrator's choice, everybody else's own.
fn entitled<'a>(call: &'a Call, project: &'a str) -> Result<&'a str, ApiError> {
    if call.caller.is_admin || project == call.caller.project_id {
        return Ok(project);
    }
    Err(ApiError::forbidden("volume_extension:quotas:show"))
}

async fn limits(call: Call) -> Answer {
    let asked = call
        .query
        .get("project_id")
        .or_else(|| call.query.get("tenant_id"));
    let project = asked
        .filter(|_| call.caller.is_admin && call.version.has(39))
        .unwrap_or(&call.caller.project_id);
    let absolute: Map<String, Value> = call
        .control()
        .limits()
        .of(project)
        .await?
        .into_iter()
        .map(|(key, number)| (key.to_owned(), value!(number)))
        .collect();
    json(200, &value!({"limits": {"rate": [], "absolute": absolute}}))
}

async fn show(call: Call) -> Answer {
    let project = entitled(&call, call.part("project"))?;
    let quotas = call.control().quotas();
    let mut set: Map<String, Value> = Map::new();
    if call.query.flag("usage")? {
        for (key, usage) in quotas.usage_of(project).await? {
            set.insert(
                key,
                value!({"limit": usage.limit, "in_use": usage.in_use, "reserved": 0}),
            );
        }
    } else {
        set.extend(
            quotas
                .limits_of(project)
                .await?
                .into_iter()
                .map(|(key, limit)| (key, value!(limit))),
        );
    }
    set.insert("id".into(), value!(project));
    json(200, &value!({"quota_set": set}))
}

async fn defaults(call: Call) -> Answer {
    let project = entitled(&call, call.part("project"))?;
    let mut set = value!(call.control().quotas().defaults().await?);
    if let Some(fields) = set.as_object_mut() {
        fields.insert("id".into(), value!(project));
    }
    json(200, &value!({"quota_set": set}))
}

fn limits_in(call: &Call, key: &str) -> Result<BTreeMap<String, i64>, ApiError> {
    let mut fields = call.object(key)?;
    // Clients send these beside the limits.
    for name in ["tenant_id", "force", "skip_validation", "class_name", "id"] {
        fields.take(name);
    }
    let members = fields.into_members();
    let names: Vec<String> = members.keys().cloned().collect();
    let mut fields = crate::http::Fields::over(members);
    let mut limits = BTreeMap::new();
    for name in names {
        if let Some(limit) = fields.integer(&name, -1..=0x7fff_ffff)? {
            limits.insert(name, limit);
        }
    }
    Ok(limits)
}

async fn set(call: Call) -> Answer {
    let limits = limits_in(&call, "quota_set")?;
    let all = call
        .control()
        .quotas()
        .set(call.part("project"), limits)
        .await?;
    json(200, &value!({"quota_set": all}))
}

async fn reset(call: Call) -> Answer {
    call.control().quotas().reset(call.part("project")).await?;
    empty(200)
}

async fn class(call: Call) -> Answer {
    let mut set = value!(call.control().quotas().defaults().await?);
    if let Some(fields) = set.as_object_mut() {
        fields.insert("id".into(), value!(call.part("class")));
    }
    json(200, &value!({"quota_class_set": set}))
}

async fn set_class(call: Call) -> Answer {
    let limits = limits_in(&call, "quota_class_set")?;
    if call.part("class") != "default" {
        return Err(ApiError::invalid(
            "Invalid input received: The only quota class is 'default'.",
        ));
    }
    let all = call.control().quotas().set_defaults(limits).await?;
    json(200, &value!({"quota_class_set": all}))
}
