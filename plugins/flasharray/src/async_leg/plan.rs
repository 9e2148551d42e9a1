//! Where volumes in the pod can go: to its other array, which has every byte, or beyond it, where copies are.

use springform_sdk::interfaces::replication::{FailoverMode, FailoverPlan, PlanRequest};
use springform_sdk::types::{Context, Failure};

use super::is_beyond;
use crate::arrays::Arrays;
use crate::layout::Kind;
use crate::options::Options;
use crate::pod;
use crate::{plan, stretched};

/// Says what a failover of stretched volumes would do. Without a named target it is the pod's other array, and an array
/// beyond the pod only where that one cannot serve.
///
/// # Errors
/// See the contract's `replication.plan-failover`.
pub fn plan(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    request: &PlanRequest,
) -> Result<FailoverPlan, Failure> {
    match &request.to {
        Some(to) if is_beyond(arrays, options, to) => {
            let mut plan = beyond(context, arrays, options, request)?;
            advise(arrays, options, request, &mut plan);
            return Ok(plan);
        }
        _ => {}
    }
    let near = stretched::failover::plan(context, arrays, &options.layout(), request);
    let serves = |plan: &FailoverPlan| plan.volumes.iter().any(|v| v.possible);
    if request.to.is_some()
        || options.layout().kind != Kind::TriSync
        || near.as_ref().is_ok_and(serves)
    {
        return near;
    }
    let newest = |plan: &FailoverPlan| {
        let points = plan.volumes.iter().filter_map(|v| v.point.as_ref());
        points.map(|p| p.taken_at).max()
    };
    let far = arrays
        .beyond_the_pod()
        .filter_map(|third| {
            let request = PlanRequest {
                to: Some(third.name().to_owned()),
                ..request.clone()
            };
            beyond(context, arrays, options, &request).ok()
        })
        .filter(serves)
        .max_by_key(newest);
    far.map_or(near, Ok)
}

fn beyond(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    request: &PlanRequest,
) -> Result<FailoverPlan, Failure> {
    plan::plan(context, arrays, options, &options.third_group(), request)
}

/// Whoever names the third site and would lose something there hears of an array where nothing would be lost.
fn advise(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    request: &PlanRequest,
    plan: &mut FailoverPlan,
) {
    if request.mode == FailoverMode::Planned {
        return;
    }
    let Some(better) = in_step(arrays, options, request) else {
        return;
    };
    let advice = format!(
        "{better} has every acknowledged write of the volume; a failover to it would lose nothing"
    );
    for volume in plan.volumes.iter_mut().filter(|v| v.possible) {
        volume.warnings.push(advice.clone());
    }
}

/// The pod's other array, where it could serve.
fn in_step<'a>(
    arrays: &Arrays<'a>,
    options: &Options<'_>,
    request: &PlanRequest,
) -> Option<&'a str> {
    let source = plan::source_of(arrays, &request.volumes).ok()?;
    let partner = arrays.partner(source.name())?;
    let online = partner.target().reachable && pod::online(&partner, options.layout().pod).is_ok();
    online.then(|| partner.name())
}
