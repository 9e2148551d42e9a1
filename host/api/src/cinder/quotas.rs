//! Quota sets, quota classes, and the absolute limits of a project.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::{Answer, ApiError, Call, Routes, empty, json};
use crate::views::{LimitsView, NoItems, One, QuotaClass, QuotaUsage, QuotaView};

pub(super) fn routes(r: &mut Routes) {
    r.get("/limits", "limits_extension:used_limits", limits)
        .asks(&["project_id", "tenant_id"])
        .says("Shows what a project may have and has.")
        .returns::<One<LimitsView>>(200);
    r.get(
        "/os-quota-sets/{project}",
        "volume_extension:quotas:show",
        show,
    )
    .asks(&["usage"])
    .says("Shows the quota of a project.")
    .returns::<One<QuotaView<'_>>>(200)
    .returns::<One<QuotaUsage<'_>>>(200);
    r.get(
        "/os-quota-sets/{project}/defaults",
        "volume_extension:quotas:show",
        defaults,
    )
    .says("Shows the quota of projects that have none of their own.")
    .returns::<One<QuotaView<'_>>>(200);
    r.put(
        "/os-quota-sets/{project}",
        "volume_extension:quotas:update",
        set,
    )
    .admin()
    .says("Sets limits of a project; -1 is none.")
    .takes("{quota_set:object}")
    .returns::<One<QuotaView<'_>>>(200);
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
    .returns::<QuotaClass<'_>>(200);
    r.put(
        "/os-quota-class-sets/{class}",
        "volume_extension:quota_classes:update",
        set_class,
    )
    .admin()
    .says("Sets limits of the default class.")
    .takes("{quota_class_set:object}")
    .returns::<QuotaClass<'_>>(200);
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
    let limits = LimitsView {
        absolute: call
            .control()
            .limits()
            .of(project)
            .await?
            .into_iter()
            .collect(),
        rate: NoItems,
    };
    json(200, &One(limits))
}

async fn show(call: Call) -> Answer {
    let project = entitled(&call, call.part("project"))?;
    let quotas = call.control().quotas();
    if call.query.flag("usage")? {
        let usage = quotas.usage_of(project).await?;
        return json(200, &One(QuotaUsage::of(project, usage)));
    }
    let limits = quotas.limits_of(project).await?;
    json(200, &One(QuotaView::of(project, limits)))
}

async fn defaults(call: Call) -> Answer {
    let project = entitled(&call, call.part("project"))?;
    let limits = call.control().quotas().defaults().await?;
    json(200, &One(QuotaView::of(project, limits)))
}

/// A limit: a whole number from -1 on. Of a class, digits in a text are one, too.
fn limit(name: &str, value: &Value, of_class: bool) -> Result<i64, ApiError> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if of_class && digits(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number @ -1..=0x7fff_ffff) => Ok(number),
        Some(..-1) => Err(ApiError::invalid(format!("{name} must be >= -1"))),
        Some(_) => Err(ApiError::invalid(format!("{name} must be <= 2147483647"))),
        None => Err(ApiError::invalid(format!("{name} must be an integer"))),
    }
}

/// Every member of the body as a limit. Of a project's, `tenant_id` and `id` are none.
fn limits_in(call: &Call, key: &str) -> Result<BTreeMap<String, i64>, ApiError> {
    let fields = call.object(key)?;
    let of_project = key == "quota_set";
    if of_project && fields.is_empty() {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute quota_set. Value: {}. {} does not have enough properties",
        ));
    }
    let members = fields.into_members().into_iter();
    let members =
        members.filter(|(name, _)| !(of_project && matches!(&**name, "tenant_id" | "id")));
    let one = |(name, value): (String, Value)| Ok((limit(&name, &value, !of_project)?, name));
    let limits: Result<Vec<_>, ApiError> = members.map(one).collect();
    Ok(limits?
        .into_iter()
        .map(|(limit, name)| (name, limit))
        .collect())
}

async fn set(call: Call) -> Answer {
    let limits = limits_in(&call, "quota_set")?;
    let project = call.part("project");
    let all = call.control().quotas().set(project, limits).await?;
    json(200, &One(QuotaView::set(all)))
}

async fn reset(call: Call) -> Answer {
    call.control().quotas().reset(call.part("project")).await?;
    empty(200)
}

async fn class(call: Call) -> Answer {
    let limits = call.control().quotas().defaults().await?;
    let quota_class_set = QuotaView::of(call.part("class"), limits);
    json(200, &QuotaClass { quota_class_set })
}

async fn set_class(call: Call) -> Answer {
    let limits = limits_in(&call, "quota_class_set")?;
    if call.part("class") != "default" {
        return Err(ApiError::invalid(
            "Invalid input received: The only quota class is 'default'.",
        ));
    }
    let all = call.control().quotas().set_defaults(limits).await?;
    let quota_class_set = QuotaView::set(all);
    json(200, &QuotaClass { quota_class_set })
}
