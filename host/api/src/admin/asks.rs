//! What the verbs of replication take: a scope, a target, a mode, acknowledgements. Every field is asked for by name, and
//! one that a verb has no use for is refused rather than ignored: a wrong `to` at night must not pass in silence.

use serde_json::Value;
use springform_control::replication::{Ask, Consent, Scope};
use springform_model::contract::{FailoverMode, Role};
use springform_model::replication::relation::Acknowledge;

use crate::http::{ApiError, Call, Fields};

/// Volumes that one request may name.
const VOLUMES: usize = 1024;
/// Acknowledgements of one request.
const ACKNOWLEDGEMENTS: usize = 1024;

/// Fields of a verb beside its scope, `allow_attached` and `plan` among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// `to`.
    Target,
    /// `mode` and `point`.
    Mode,
    /// `plan`.
    Plan,
    /// `acknowledge`.
    Acknowledge,
    /// `allow_attached`.
    Attached,
    /// `dry_run`.
    DryRun,
    /// `reprotect`.
    Reprotect,
    /// `adopt`.
    Adopt,
    /// `minutes` and `point`.
    Minutes,
}

/// Reads a verb's request.
///
/// # Errors
/// 400 for what is missing, of a wrong type, or not taken by this verb.
pub(super) fn ask(call: &Call, takes: &[Takes]) -> Result<Ask, ApiError> {
    let mut fields = call.fields()?;
    let ask = read(&mut fields, takes)?;
    fields.finish()?;
    Ok(ask)
}

/// Reads the fields of a verb out of a body that has others too.
///
/// # Errors
/// 400.
pub(super) fn read(fields: &mut Fields, takes: &[Takes]) -> Result<Ask, ApiError> {
    let mut ask = Ask::about(scope(fields)?);
    for one in takes {
        match one {
            Takes::Target => ask.to = word(fields, "to")?,
            Takes::Mode => {
                ask.mode = mode(fields)?;
                ask.point = word(fields, "point")?;
            }
            Takes::Plan => ask.plan = word(fields, "plan")?,
            Takes::Acknowledge => ask.acknowledge = acknowledge(fields)?,
            Takes::Attached => {
                ask.allow_attached = fields.boolean_or_null("allow_attached")?.unwrap_or(true)
            }
            Takes::Reprotect => {
                ask.reprotect = fields.boolean_or_null("reprotect")?.unwrap_or(true)
            }
            Takes::DryRun => ask.dry_run = fields.boolean_or_null("dry_run")?.unwrap_or(false),
            Takes::Adopt => ask.adopt = fields.boolean_or_null("adopt")?.unwrap_or(false),
            Takes::Minutes => {
                ask.point = word(fields, "point")?;
                ask.minutes = fields
                    .integer("minutes", 1..=7 * 24 * 60)?
                    .and_then(|minutes| u32::try_from(minutes).ok());
            }
        }
    }
    Ok(ask)
}

fn word(fields: &mut Fields, name: &str) -> Result<Option<String>, ApiError> {
    fields.text(name, 1..=255)
}

fn scope(fields: &mut Fields) -> Result<Scope, ApiError> {
    let mut scope = fields.object("scope")?;
    let one_of = || {
        ApiError::invalid(
            "'scope' is exactly one of {\"backend\": name}, {\"volumes\": [ids]}, {\"group\": id}, {\"project\": id}",
        )
    };
    let backend = word(&mut scope, "backend")?;
    let group = word(&mut scope, "group")?;
    let project = word(&mut scope, "project")?;
    let volumes = match scope.take("volumes") {
        None | Some(Value::Null) => None,
        Some(list) => Some(ids(list)?),
    };
    scope.finish()?;
    match (backend, volumes, group, project) {
        (Some(name), None, None, None) => Ok(Scope::Backend(name)),
        (None, Some(ids), None, None) => Ok(Scope::Volumes(ids)),
        (None, None, Some(id), None) => Ok(Scope::Group(id)),
        (None, None, None, Some(id)) => Ok(Scope::Project(id)),
        _ => Err(one_of()),
    }
}

fn ids(list: Value) -> Result<Vec<String>, ApiError> {
    let wrong = || {
        ApiError::invalid(format!(
            "'volumes' is a list of 1 to {VOLUMES} ids of volumes, each once"
        ))
    };
    let ids: Vec<String> = serde_json::from_value(list).map_err(|_| wrong())?;
    let mut sorted: Vec<&String> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let usable = |id: &String| !id.is_empty() && id.len() <= 255 && !id.contains('\0');
    if ids.is_empty() || ids.len() > VOLUMES || sorted.len() != ids.len() || !ids.iter().all(usable)
    {
        return Err(wrong());
    }
    Ok(ids)
}

fn mode(fields: &mut Fields) -> Result<Option<FailoverMode>, ApiError> {
    match word(fields, "mode")?.as_deref() {
        None => Ok(None),
        Some("planned") => Ok(Some(FailoverMode::Planned)),
        Some("unplanned") => Ok(Some(FailoverMode::Unplanned)),
        Some(_) => Err(ApiError::invalid(
            "'mode' is planned (nothing is lost, or nothing is switched) or unplanned (what the target has is taken)",
        )),
    }
}

fn acknowledge(fields: &mut Fields) -> Result<Consent, ApiError> {
    let given = match fields.take("acknowledge") {
        None | Some(Value::Null) => return Ok(Consent::default()),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    if given.len() > ACKNOWLEDGEMENTS {
        return Err(ApiError::invalid(format!(
            "'acknowledge' has more than {ACKNOWLEDGEMENTS} entries"
        )));
    }
    given
        .into_iter()
        .map(acknowledged)
        .collect::<Result<_, _>>()
        .map(Consent)
}

fn acknowledged(one: Value) -> Result<Acknowledge, ApiError> {
    let Value::Object(members) = one else {
        return Err(ApiError::invalid(
            "'acknowledge' is {\"target\": name, \"role\": \"primary\" or \"secondary\", \"generation\": number}, or a list of these",
        ));
    };
    let mut fields = Fields::over(members);
    let target = fields.required("target")?;
    let role = match fields.required("role")?.as_str() {
        "primary" => Role::Primary,
        "secondary" => Role::Secondary,
        _ => {
            return Err(ApiError::invalid(
                "'role' in 'acknowledge' is primary (it can still be written) or secondary (it is fenced)",
            ));
        }
    };
    let generation = fields.required_integer("generation", 0..=i64::MAX)?;
    fields.finish()?;
    Ok(Acknowledge {
        target,
        role,
        generation: generation.unsigned_abs(),
    })
}
