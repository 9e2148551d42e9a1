//! Failover of asynchronous volumes: what has arrived at the target becomes the volume.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::replication::{FailoverPlan, RecoveryPoint};
use springform_sdk::types::{Failure, FailureCode, Outcome, ReplicationKind, Volume};

use crate::array::{Array, ArrayError};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::plan::{Token, point_of};
use crate::promoted::Promoted;
use crate::query::Query;
use crate::volume::{array_name, placed};
use crate::{async_leg, names, pgroup, restore, vgroup};

/// Makes a batch writable on the target. An outcome for each, in order.
///
/// The copy overwrites, so a volume that a machine is connected to is refused: what it writes is newer than any recovery
/// point. Repeating the call before that gives the same content again.
///
/// # Errors
/// When the plan is not one of this driver's.
pub fn fail_over(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let target = arrays.named(&plan.target)?;
    let names: Vec<_> = volumes
        .iter()
        .map(|v| async_leg::name_there(arrays, options, v, &target))
        .collect();
    let points: Vec<_> = volumes.iter().map(|v| point_of(plan, v)).collect();
    let restored = restore_together(plan, &target, &names, &points);
    let connected = if restored.len() == volumes.len() {
        BTreeSet::new()
    } else {
        async_leg::in_use(arrays, options, &target, volumes)?
    };
    let sources: Vec<_> = names
        .iter()
        .zip(&points)
        .map(|(name, point)| match point {
            _ if restored.contains_key(name) => Way::Restored,
            _ if connected.contains(name) => Way::InUse,
            Some(point) => Way::Copy(point),
            None => Way::Nowhere,
        })
        .collect();
    let copied = volumes.iter().zip(&names).zip(&sources);
    let copied = copied.filter(|(_, way)| matches!(way, Way::Copy(_)));
    vgroup::ensure_all(&target, copied.map(|(volume, _)| volume))?;
    let requests: Vec<_> = names
        .iter()
        .zip(&sources)
        .filter_map(|(name, way)| {
            let Way::Copy(point) = way else { return None };
            let body = json!({ "source": { "name": names::part(&point.id, name) } });
            let query = Query::new()
                .name(name)
                .on("overwrite")
                .one("with_default_protection", "false");
            Some(target.request(Method::Post, "/volumes", &query, Some(&body)))
        })
        .collect();
    let mut answers = target.send_all(requests).into_iter();
    let mut promoted = Promoted::default();
    let outcomes: Vec<_> = volumes.iter().zip(names.iter().zip(&sources)).map(|(volume, (name, way))| {
        let refuse = |sentence: String| Err(failure_on(target.name(), FailureCode::FailedPrecondition, sentence));
        let result = match way {
            Way::Restored => Ok(promoted.placed(&target, name, volume, restored.get(name).unwrap_or(&Value::Null))),
            Way::InUse => refuse(format!("a machine is connected to {name} on {}; a copy would overwrite what it has written", target.name())),
            Way::Nowhere => refuse("the plan has no recovery point for the volume".to_owned()),
            Way::Copy(point) => match answers.next() {
                Some(Ok(items)) => {
                    let made = items.first().unwrap_or(&Value::Null);
                    Ok(promoted.placed(&target, name, volume, made))
                }
                Some(Err(trouble @ ArrayError::Refused { .. })) => {
                    let sentence =
                        format!("recovery point {} does not give the volume back", point.id);
                    Err(trouble.into_failure(FailureCode::NotFound, &sentence))
                }
                Some(Err(ArrayError::Failed(failure))) => Err(failure),
                None => Err(failure_on(
                    target.name(),
                    FailureCode::Protocol,
                    "an answer is missing",
                )),
            },
        };
        Outcome {
            id: volume.id.clone(),
            result,
        }
    })
    .collect();
    promoted.limit(&target);
    async_leg::at_home(options, &target, volumes, outcomes)
}

/// Gives volumes back the role that they gave up on the array they are on: they are sent from there again, where they were.
///
/// # Errors
/// When the array is not configured or cannot be reached.
pub fn give_back(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    target: &str,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let on = arrays.named(target)?;
    let third = options.third_group();
    let group = |volume: &Volume| {
        let placement = volume.placement.as_ref()?;
        match (&placement.replication, names::pod_of(&placement.array_name)) {
            (Some(ReplicationKind::TriSync), Some(_)) => Some(third.as_str()),
            (Some(_), None) => Some(options.pgroup()),
            _ => None,
        }
    };
    let mut refused: BTreeMap<String, Failure> = BTreeMap::new();
    for wanted in [options.pgroup(), third.as_str()] {
        let sent = volumes.iter().filter(|v| group(v) == Some(wanted));
        let names: Vec<_> = sent.map(array_name).collect();
        if names.is_empty() {
            continue;
        }
        let members: Vec<_> = names.iter().map(String::as_str).collect();
        let joined = pgroup::join_each(&on, wanted, &members)?;
        for (name, joined) in names.into_iter().zip(joined) {
            if let Err(failure) = joined {
                refused.insert(name, failure);
            }
        }
    }
    let outcomes = volumes.iter().map(|volume| {
        let name = array_name(volume);
        let placement = volume.placement.clone();
        let stays = placement.unwrap_or_else(|| placed(&on, &name, None, None));
        Outcome {
            id: volume.id.clone(),
            result: refused.remove(&name).map_or(Ok(stays), Err),
        }
    });
    Ok(outcomes.collect())
}

/// How a volume comes to be on the target.
enum Way<'a> {
    /// It came with the whole recovery point.
    Restored,
    /// Its part of the recovery point is copied over it.
    Copy(&'a RecoveryPoint),
    /// Not at all: a machine writes to it there.
    InUse,
    /// Not at all: the plan has nothing for it.
    Nowhere,
}

/// The whole recovery point in one request, where the plan found that it holds nothing else.
fn restore_together(
    plan: &FailoverPlan,
    target: &Array<'_>,
    names: &[String],
    points: &[Option<RecoveryPoint>],
) -> restore::Restored {
    let group = Token::read(&plan.token).and_then(|token| token.restore);
    match (group, points.first()) {
        (Some(group), Some(Some(first))) if points.iter().all(|p| p.as_ref() == Some(first)) => {
            restore::point(target, &group, &first.id, names)
        }
        _ => restore::Restored::new(),
    }
}

/// What is left over of a failover is cleared away: the group of a recovery point that was restored as one.
///
/// # Errors
/// When the target is not configured.
pub fn finish(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    plan: &FailoverPlan,
) -> Result<(), Failure> {
    if let Some(group) = Token::read(&plan.token).and_then(|token| token.restore) {
        restore::clear_away(&arrays.named(&plan.target)?, &group, options.eradicate());
    }
    Ok(())
}

pub(crate) fn read_token(plan: &FailoverPlan) -> Result<Token, Failure> {
    Token::read(&plan.token).ok_or_else(|| {
        failure_on(
            &plan.target,
            FailureCode::InvalidArgument,
            "the plan was not made by this driver; plan again",
        )
    })
}
