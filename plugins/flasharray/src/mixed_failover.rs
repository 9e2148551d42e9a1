//! A failover of volumes whose layouts differ: one target for all of them, each layout's own reasons.

use springform_sdk::interfaces::replication::{FailoverPlan, PlanRequest, VolumePlan};
use springform_sdk::types::{Context, Error, Failure, FailureCode, Volume};

use crate::arrays::Arrays;
use crate::last_transfer::{self, Leg};
use crate::options::Options;
use crate::{async_leg, failover, pgroup, plan, stretched};

/// Says what a failover would do.
///
/// # Errors
/// See the contract's `replication.plan-failover`.
pub fn plan(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    request: &PlanRequest,
) -> Result<FailoverPlan, Failure> {
    let layout = options.layout();
    let (inside, single): (Vec<_>, Vec<_>) = request
        .volumes
        .iter()
        .cloned()
        .partition(|v| layout.is_stretched(v));
    let part = |volumes: Vec<Volume>, to: Option<String>| PlanRequest {
        volumes,
        to,
        mode: request.mode.clone(),
        point: request.point.clone(),
    };
    if inside.is_empty() {
        return plan::plan(context, arrays, options, options.pgroup(), request);
    }
    let mut plan =
        async_leg::plan::plan(context, arrays, options, &part(inside, request.to.clone()))?;
    if single.is_empty() {
        return Ok(plan);
    }
    let copied = part(single, Some(plan.target.clone()));
    match plan::plan(context, arrays, options, options.pgroup(), &copied) {
        Ok(other) => {
            plan.volumes.extend(other.volumes);
            plan.interrupts.extend(other.interrupts);
            plan.token = other.token;
        }
        // Stretched volumes do not stay behind because others have no copy there.
        Err(failure) if failure.code == FailureCode::FailedPrecondition => {
            let left = copied.volumes.iter().map(|v| VolumePlan {
                volume_id: v.id.clone(),
                source: v.placement.as_ref().map(|p| p.target.clone()),
                point: None,
                possible: false,
                reason: Some(failure.message.clone()),
                loss_seconds: None,
                loss_bytes: None,
                warnings: Vec::new(),
            });
            plan.volumes.extend(left);
        }
        Err(failure) => return Err(failure),
    }
    in_order(&mut plan.volumes, &request.volumes);
    Ok(plan)
}

/// By looking for each, not by a table: it is there at once where the order is right already, and a table that gives
/// entries away weighs as much as a verb.
fn in_order(planned: &mut Vec<VolumePlan>, volumes: &[Volume]) {
    let mut left = std::mem::take(planned);
    left.reverse();
    planned.extend(volumes.iter().filter_map(|volume| {
        let place = left.iter().rposition(|plan| plan.volume_id == volume.id)?;
        Some(left.remove(place))
    }));
}

/// Brings the target up to date, where it is not by itself.
///
/// # Errors
/// See the contract's `replication.final-sync`.
pub fn final_sync(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<FailoverPlan, Error> {
    let layout = options.layout();
    let (inside, single): (Vec<_>, Vec<_>) = volumes
        .iter()
        .cloned()
        .partition(|v| layout.is_stretched(v));
    let mut legs = Vec::new();
    if !inside.is_empty() && async_leg::is_beyond(arrays, options, &plan.target) {
        let here = options.third_group();
        let there = pgroup::name_on_target("", &here);
        legs.push(Leg {
            here,
            there,
            volumes: inside,
        });
    } else if !inside.is_empty() {
        stretched::failover::final_sync(arrays, plan, &inside)?;
    }
    if !single.is_empty() {
        legs.push(Leg {
            here: options.pgroup().to_owned(),
            there: failover::read_token(plan)?.group,
            volumes: single,
        });
    }
    if legs.is_empty() {
        let mut renewed = plan.clone();
        for entry in renewed.volumes.iter_mut().filter(|v| v.possible) {
            if let Some(point) = &mut entry.point {
                point.taken_at = context.now;
            }
        }
        return Ok(renewed);
    }
    last_transfer::final_sync(context, arrays, plan, &legs)
}
