//! What a failover of asynchronous volumes would do: from which array, to which, with which recovery point.

use std::collections::BTreeMap;

use serde_json::json;
use springform_sdk::fail::failure_on;
use springform_sdk::interfaces::replication::{
    FailoverMode, FailoverPlan, PlanRequest, RecoveryPoint, VolumePlan,
};
use springform_sdk::types::{Context, Failure, FailureCode, Volume};

use crate::array::{Array, text};
use crate::arrays::Arrays;
use crate::copies::{Copies, Point};
use crate::options::Options;
use crate::query::Query;
use crate::volume::array_name;
use crate::{async_leg, collections, names, pgroup, restore, setup};

/// What a plan must carry from call to call.
pub(crate) struct Token {
    /// `<source>:<group>` on the target.
    pub(crate) group: String,
    /// Array from which the volumes come, by its configured name.
    pub(crate) source: String,
    /// The group into which the recovery point may be restored as one.
    pub(crate) restore: Option<String>,
}

impl Token {
    fn write(&self) -> Vec<u8> {
        crate::json::bytes(&json!({
            "group": self.group,
            "source": self.source,
            "restore": self.restore,
        }))
    }

    pub(crate) fn read(token: &[u8]) -> Option<Self> {
        let token = crate::json::value(token)?;
        Some(Self {
            group: text(&token, "/group")?.to_owned(),
            source: text(&token, "/source")?.to_owned(),
            restore: text(&token, "/restore").map(str::to_owned),
        })
    }
}

/// Says what a failover of volumes that this group of their array sends elsewhere would do.
///
/// # Errors
/// See the contract's `replication.plan-failover`.
pub fn plan(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    group: &str,
    request: &PlanRequest,
) -> Result<FailoverPlan, Failure> {
    let source = source_of(arrays, &request.volumes)?;
    let target = match &request.to {
        Some(name) => arrays.named(name)?,
        None => best(context, arrays, &source, group)?,
    };
    let group = group_on(context, &source, &target, group)?;
    let copies = match request.point.as_deref() {
        Some(wanted) => Copies::at(&target, &group, wanted)?,
        None => {
            let names: Vec<_> = request.volumes.iter().map(array_name).collect();
            Copies::read(&target, &group, names.iter().map(String::as_str))?
        }
    };
    let closed = async_leg::way_home_closed(arrays, options, &source, &target)?;
    let volumes: Vec<_> = request
        .volumes
        .iter()
        .map(|v| {
            let closed = closed
                .as_deref()
                .filter(|_| async_leg::comes_home(arrays, options, v, &target));
            let sent = !async_leg::stays_in_the_pod(arrays, options, v, &target);
            let mut one = plan_one(context, v, &target, &copies, sent, closed);
            // A planned move sends what is there now.
            if one.possible && request.mode != FailoverMode::Planned {
                let point = copies.holding(&array_name(v));
                one.warnings.extend(point.and_then(|p| grown(v, p)));
            }
            one
        })
        .collect();
    let restore = restore::group_for(
        &context.operation_id,
        arrays,
        options,
        request,
        &target,
        copies
            .newest()
            .map_or(&Contents::new(), |point| &point.holds),
    );
    let token = Token {
        group,
        source: source.name().to_owned(),
        restore: restore.filter(|_| volumes.iter().all(|v: &VolumePlan| v.possible)),
    };
    Ok(FailoverPlan {
        target: target.name().to_owned(),
        mode: request.mode.clone(),
        volumes,
        interrupts: Vec::new(),
        token: token.write(),
    })
}

/// What is different of a volume at a recovery point.
fn grown(volume: &Volume, point: &Point) -> Option<String> {
    let then = point.size(&array_name(volume))??;
    let added = volume.size.checked_sub(then).filter(|more| *more > 0)?;
    let gib = |bytes: u64| {
        let tenths = bytes.saturating_mul(10).div_ceil(1 << 30);
        match tenths % 10 {
            0 => format!("{} GiB", tenths / 10),
            rest => format!("{}.{rest} GiB", tenths / 10),
        }
    };
    let were = if added == 1 << 30 { "was" } else { "were" };
    Some(format!(
        "it has {} at the recovery point; {} {were} added after it",
        gib(then),
        gib(added)
    ))
}

fn plan_one(
    context: &Context,
    volume: &Volume,
    target: &Array<'_>,
    copies: &Copies,
    sent: bool,
    closed: Option<&str>,
) -> VolumePlan {
    let holding = copies.holding(&array_name(volume));
    let point = holding.or(copies.newest()).map(|point| &point.at);
    let served_by = volume.placement.as_ref().map(|p| p.target.clone());
    let reason = match (&served_by, point) {
        (None, _) => Some("the volume has not been created".to_owned()),
        (Some(on), _) if on == target.name() => {
            Some(format!("{} serves the volume already", target.name()))
        }
        _ if !sent && holding.is_none() => Some(format!(
            "it is replicated synchronously only, so no copy of it is sent to {}; the pod's other array has every write of it",
            target.name()
        )),
        (_, None) => Some(format!(
            "no replication has completed on {} yet",
            target.name()
        )),
        (_, Some(point)) if holding.is_none() => Some(format!(
            "recovery point {} does not hold the volume (it was created or protected later)",
            point.id
        )),
        _ => closed.map(str::to_owned),
    };
    let possible = reason.is_none();
    VolumePlan {
        volume_id: volume.id.clone(),
        source: served_by,
        point: point.filter(|_| possible).cloned(),
        possible,
        reason,
        loss_seconds: point
            .filter(|_| possible)
            .map(|p| context.now.saturating_sub(p.taken_at) / 1000),
        loss_bytes: None,
        warnings: Vec::new(),
    }
}

/// Names of the volumes that a replicated snapshot holds, without their pod, and their sizes in it.
pub type Contents = BTreeMap<String, Option<u64>>;

/// What a replicated snapshot holds.
///
/// # Errors
/// When the array cannot be asked.
pub fn contents(target: &Array<'_>, point: &str) -> Result<Contents, Failure> {
    let found = target
        .sizes(
            "/volume-snapshots",
            &Query::new().filter(&format!("name='{point}.*'")),
        )
        .map_err(pgroup::unexpected)?;
    let prefix = format!("{point}.");
    let inside = |(name, size): (String, Option<u64>)| {
        let name = name.strip_prefix(&prefix)?.to_owned();
        Some((name, size))
    };
    Ok(collections::table(found.into_iter().filter_map(inside)))
}

/// The recovery point of one volume in a plan.
#[must_use]
pub fn point_of(plan: &FailoverPlan, volume: &Volume) -> Option<RecoveryPoint> {
    plan.volumes
        .iter()
        .find(|p| p.volume_id == volume.id && p.possible)
        .and_then(|p| p.point.clone())
}

/// Name of the source's group on the target. A source that is dead cannot tell its own name: the target knows it.
///
/// # Errors
/// When neither can be asked, or nothing was ever sent.
pub fn group_on(
    context: &Context,
    source: &Array<'_>,
    target: &Array<'_>,
    group: &str,
) -> Result<String, Failure> {
    if names::pod_of(group).is_some() {
        // It is called after its pod, whichever of the pod's arrays sends it.
        return Ok(pgroup::name_on_target("", group));
    }
    let own_name = source.known_name().or_else(|| {
        let may_answer = source.target().reachable && context.deadline_ms > 0;
        may_answer.then(|| setup::identify(source).ok()).flatten()
    });
    if let Some(own_name) = own_name {
        return Ok(pgroup::name_on_target(&own_name, group));
    }
    let suffix = format!(":{group}");
    let found = target
        .list(
            "/protection-groups",
            &Query::new().filter(&format!("name='*{suffix}'")),
        )
        .map_err(pgroup::unexpected)?;
    let mut names = found
        .iter()
        .filter_map(|g| text(g, "/name"))
        .filter(|n| n.ends_with(&suffix));
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        (None, _) => Err(failure_on(
            target.name(),
            FailureCode::FailedPrecondition,
            "nothing has been replicated to this array",
        )),
        (Some(_), Some(_)) => Err(failure_on(
            target.name(),
            FailureCode::FailedPrecondition,
            "several arrays replicate a protection group of this name here and the source cannot be asked for its name",
        )),
    }
}

/// The array that serves these volumes: one for all of them.
///
/// # Errors
/// When they are served by several.
pub fn source_of<'a>(arrays: &Arrays<'a>, volumes: &[Volume]) -> Result<Array<'a>, Failure> {
    let mut on = volumes
        .iter()
        .filter_map(|v| v.placement.as_ref())
        .map(|p| p.target.as_str());
    let Some(first) = on.next() else {
        return arrays.primary();
    };
    if let Some(other) = on.find(|t| *t != first) {
        return Err(failure_on(
            other,
            FailureCode::InvalidArgument,
            "the volumes are served by several arrays; plan each array's apart",
        ));
    }
    arrays.named(first)
}

/// The target with the newest complete point.
fn best<'a>(
    context: &Context,
    arrays: &Arrays<'a>,
    source: &Array<'a>,
    group: &str,
) -> Result<Array<'a>, Failure> {
    let newest = |array: &Array<'a>| {
        let group = group_on(context, source, array, group).ok()?;
        pgroup::arrivals(array, &group)
            .ok()?
            .into_iter()
            .find(|a| a.complete)
            .map(|a| a.taken_at)
    };
    arrays
        .others(source.name())
        .filter_map(|a| newest(&a).map(|at| (at, a)))
        .max_by_key(|(at, _)| *at)
        .map(|(_, a)| a)
        .ok_or_else(|| {
            failure_on(
                source.name(),
                FailureCode::FailedPrecondition,
                "no other array can be reached that holds a complete copy",
            )
        })
}
