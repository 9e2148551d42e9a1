//! Turns protection of volumes on or off where a pod is involved: volumes travel into the pod, or out of it.

use springform_sdk::types::{
    Context, Error, Failure, FailureCode, Outcome, Pending, Placement, Volume,
};

use super::pod_migration::PodMigration;
use crate::arrays::Arrays;
use crate::layout::{wanted, wants_pod};
use crate::options::Options;
use crate::volume::{Volumes, array_name, placed};
use crate::{async_leg, names, plan, reprotect};

/// An outcome for each volume, in order. All that have to wait wait together.
///
/// # Errors
/// `pending` while one of them is on its way.
pub fn switch(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    on: bool,
) -> Result<Vec<Outcome>, Error> {
    let mut waiting: Option<Pending> = None;
    let mut outcomes = Vec::with_capacity(volumes.len());
    for volume in volumes {
        let result = match one(context, arrays, options, volume, on) {
            Ok(placement) => Ok(placement),
            Err(Error::Pending(pending)) => {
                waiting.get_or_insert(pending);
                continue;
            }
            Err(Error::Failed(failure)) => Err(failure),
        };
        outcomes.push(Outcome {
            id: volume.id.clone(),
            result,
        });
    }
    match waiting {
        Some(pending) => Err(Error::Pending(pending)),
        None => Ok(outcomes),
    }
}

fn one(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volume: &Volume,
    on: bool,
) -> Result<Placement, Error> {
    let inside = options.layout().is_stretched(volume);
    let from = plan::source_of(arrays, std::slice::from_ref(volume))?;
    // Where a third site leads, the pod is elsewhere: there it is copied like any other.
    let away = async_leg::is_beyond(arrays, options, from.name());
    let into = on && !away && wants_pod(wanted(volume));
    if !inside && !into {
        let alone = std::slice::from_ref(volume);
        let outcome = reprotect::switch(arrays, options, alone, on)?;
        let first = outcome.into_iter().next().map(|o| o.result);
        return first
            .unwrap_or_else(|| Err(unanswered()))
            .map_err(Error::from);
    }
    let name = array_name(volume);
    let journey = PodMigration::new(context, arrays, *options, from, &name, &volume.id)?;
    let serial = volume.placement.as_ref().and_then(|p| p.serial.clone());
    if on {
        // Also where the record says that it is in the pod: a switch that was cut off may have left it elsewhere.
        let name = match names::pod_of(&name) {
            Some(pod) if pod != options.layout().pod => name,
            _ => journey.enter()?,
        };
        let volumes = Volumes {
            arrays: *arrays,
            options: *options,
        };
        let kind = volumes.third_leg(&from, &name, wanted(volume))?;
        return Ok(placed(&from, &name, serial, Some(kind)));
    }
    let pod = names::pod_of(&name).unwrap_or(options.layout().pod);
    let name = journey.leave(pod)?;
    Ok(placed(&from, &name, serial, None))
}

fn unanswered() -> Failure {
    springform_sdk::fail::failure(FailureCode::Protocol, "an answer is missing")
}
