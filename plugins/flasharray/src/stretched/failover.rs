//! Failover of stretched volumes: the other array has every acknowledged byte already. Whether it may serve is its own
//! answer; the array that is left is not asked, because it may be the reason.

use springform_sdk::fail::{failure_on, pending};
use springform_sdk::interfaces::replication::{
    FailoverPlan, PlanRequest, RecoveryPoint, VolumePlan,
};
use springform_sdk::types::{Context, Error, Failure, FailureCode, Outcome, Volume};

use crate::array::Array;
use crate::arrays::Arrays;
use crate::layout::{self, Layout};
use crate::pod::{self, Status};
use crate::volume::{array_name, placed};
use crate::{collections, names, plan, whereabouts};

/// How long to wait before looking at a resync again, in milliseconds.
const LOOK: u32 = 1000;

/// How long what a plan has seen of a pod holds, in milliseconds: as long as it takes to act on it at once.
const FRESH: u64 = 2000;

/// Says what a failover would do.
///
/// # Errors
/// When the target is not configured, not one of the pod's arrays, or cannot be asked.
pub fn plan(
    context: &Context,
    arrays: &Arrays<'_>,
    layout: &Layout<'_>,
    request: &PlanRequest,
) -> Result<FailoverPlan, Failure> {
    let source = plan::source_of(arrays, &request.volumes)?;
    let target = match &request.to {
        Some(name) => arrays.named(name)?,
        None => super::setup::partner(arrays, &source)?,
    };
    if !arrays.stretched().iter().any(|a| a.name() == target.name()) {
        return Err(failure_on(
            target.name(),
            FailureCode::InvalidArgument,
            format!(
                "pod {} is not stretched to {}; volumes in it can only move to its other array",
                layout.pod,
                target.name()
            ),
        ));
    }
    let pod = request
        .volumes
        .iter()
        .find_map(|v| names::pod_of(&v.placement.as_ref()?.array_name).map(str::to_owned))
        .unwrap_or_else(|| layout.pod.to_owned());
    let seen = pod::read(&target, &pod)?;
    let status = match &seen {
        Some(seen) if !seen.destroyed => seen.status(&pod::own_name(&target)?),
        _ => Status::Unknown,
    };
    let present = match &seen {
        Some(_) => pod::volumes(&target, &pod)?,
        None => std::collections::BTreeMap::new(),
    };
    let not_now = match (&seen, status) {
        (_, Status::Online) => None,
        (None, _) => Some(format!("pod {pod} is not on {}", target.name())),
        (Some(_), status) => Some(format!(
            "pod {pod} is {} on {}, which has not every acknowledged write",
            status.word(),
            target.name()
        )),
    };
    let volumes = request.volumes.iter().map(|volume| {
        let served_by = volume.placement.as_ref().map(|p| p.target.clone());
        let reason = match &served_by {
            None => Some("the volume has not been created".to_owned()),
            Some(on) if on == target.name() => {
                Some(format!("{} serves the volume already", target.name()))
            }
            Some(_) => not_now.clone().or_else(|| {
                let name = array_name(volume);
                (!present.contains_key(&name)).then(|| absent(&source, volume, &name, &target))
            }),
        };
        possible(context, volume, served_by, &pod, reason)
    });
    Ok(FailoverPlan {
        target: target.name().to_owned(),
        mode: request.mode.clone(),
        volumes: volumes.collect(),
        interrupts: Vec::new(),
        token: Vec::new(),
    })
}

/// Why a volume that the pod does not hold cannot move, and what to do.
fn absent(source: &Array<'_>, volume: &Volume, name: &str, target: &Array<'_>) -> String {
    let there = format!("{name} is not in the pod on {}", target.name());
    let serial = volume.placement.as_ref().and_then(|p| p.serial.as_deref());
    let base = names::without_pod(name);
    match whereabouts::now_at(source, base, serial) {
        Ok(Some(now)) if now != name => format!(
            "{there}: it is {now} on {}, where a switch of its replication left it half-way; run `springform reconcile`, \
             which brings it back",
            source.name()
        ),
        _ => format!("{there}; `springform reconcile --dry-run` says where it is"),
    }
}

fn possible(
    context: &Context,
    volume: &Volume,
    source: Option<String>,
    pod: &str,
    reason: Option<String>,
) -> VolumePlan {
    let possible = reason.is_none();
    VolumePlan {
        volume_id: volume.id.clone(),
        source,
        point: possible.then(|| RecoveryPoint {
            id: pod.to_owned(),
            taken_at: context.now,
        }),
        possible,
        reason,
        loss_seconds: possible.then_some(0),
        loss_bytes: possible.then_some(0),
        warnings: Vec::new(),
    }
}

/// Nothing is transferred: what is acknowledged is on both arrays. While the target resyncs it is not.
///
/// # Errors
/// `pending` while it resyncs; `failed-precondition` when it does not.
pub fn final_sync(
    arrays: &Arrays<'_>,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<(), Error> {
    let target = arrays.named(&plan.target)?;
    for pod in pods(volumes) {
        let seen = pod::need(&target, &pod)?;
        let own_name = pod::own_name(&target)?;
        match seen.status(&own_name) {
            Status::Online => {}
            Status::Resyncing => {
                let percent = seen.side(&own_name).and_then(|s| s.percent);
                return Err(pending(
                    format!("pod {pod} to come online on {}", plan.target),
                    percent,
                    LOOK,
                ));
            }
            Status::Offline | Status::Unknown => {
                pod::online(&target, &pod)?;
            }
        }
    }
    Ok(())
}

/// Serves a batch from the plan's target. An outcome for each, in order.
///
/// The plan has seen the pod online there with these volumes in it, and nothing is changed on the arrays: while that is
/// fresh it is not asked again, and a failover of very many volumes does not ask once for each batch.
///
/// # Errors
/// When the pod is not online there any more, or the target cannot be asked.
pub fn fail_over(
    context: &Context,
    arrays: &Arrays<'_>,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let target = arrays.named(&plan.target)?;
    let mut present = std::collections::BTreeMap::new();
    let seen = |volume: &Volume| seen_just_now(context, plan, volume);
    for pod in pods(volumes) {
        let inside = |v: &&Volume| names::pod_of(&array_name(v)) == Some(&pod);
        let known: Option<Vec<_>> = volumes.iter().filter(inside).map(seen).collect();
        if let Some(known) = known {
            present.extend(known);
            continue;
        }
        pod::online(&target, &pod)?;
        present.extend(pod::volumes(&target, &pod)?);
    }
    let outcomes = volumes.iter().map(|volume| {
        let name = array_name(volume);
        let result = match present.get(&name) {
            Some(serial) => Ok(placed(
                &target,
                &name,
                serial.clone(),
                // A group in the pod goes on sending, whichever array serves.
                Some(layout::in_the_pod(volume)),
            )),
            None => Err(failure_on(
                target.name(),
                FailureCode::NotFound,
                format!("{name} is not in the pod on {}", target.name()),
            )),
        };
        Outcome {
            id: volume.id.clone(),
            result,
        }
    });
    Ok(outcomes.collect())
}

/// Name and serial of a volume that the plan has seen on its target a moment ago. The serial is the same on both arrays.
fn seen_just_now(
    context: &Context,
    plan: &FailoverPlan,
    volume: &Volume,
) -> Option<(String, Option<String>)> {
    let placement = volume.placement.as_ref()?;
    let at = plan::point_of(plan, volume)?.taken_at;
    let fresh = at <= context.now && context.now - at <= FRESH;
    let known = fresh && placement.serial.is_some();
    known.then(|| (placement.array_name.clone(), placement.serial.clone()))
}

/// The pods that volumes are in, each once.
pub(crate) fn pods(volumes: &[Volume]) -> std::collections::BTreeSet<String> {
    let inside = |v: &Volume| {
        let placement = v.placement.as_ref()?;
        names::pod_of(&placement.array_name).map(str::to_owned)
    };
    collections::set(volumes.iter().filter_map(inside))
}
