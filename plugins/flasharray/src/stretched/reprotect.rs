//! Protection after a failover: the array that was lost is brought up to date by the arrays themselves; the driver sees
//! that the pod is stretched, and waits where it is asked to.

use springform_sdk::fail::{failure_on, pending};
use springform_sdk::types::{Context, Error, Failure, FailureCode, Outcome, Volume};

use super::failover::pods;
use super::setup::{partner, stretch};
use crate::array::Array;
use crate::arrays::Arrays;
use crate::layout;
use crate::plan;
use crate::pod::{self, Pod, Status};
use crate::setup::identify;
use crate::volume::{array_name, placed};

/// How long to wait before looking at a resync again, in milliseconds.
const LOOK: u32 = 1000;

/// Protects stretched volumes towards the other array of their pod.
///
/// # Errors
/// See the contract's `replication.reprotect`.
pub fn reprotect(
    _context: &Context,
    arrays: &Arrays<'_>,
    volumes: &[Volume],
    to: Option<&str>,
    wait: bool,
) -> Result<Vec<Outcome>, Error> {
    let from = plan::source_of(arrays, volumes)?;
    let second = partner(arrays, &from)?;
    if let Some(to) = to.filter(|to| *to != second.name()) {
        return Err(failure_on(
            to,
            FailureCode::FailedPrecondition,
            format!(
                "volumes in a pod are protected on its other array, {}",
                second.name()
            ),
        )
        .into());
    }
    for pod in pods(volumes) {
        protect(&from, &second, &pod, wait)?;
    }
    let outcomes = volumes.iter().map(|volume| {
        let serial = volume.placement.as_ref().and_then(|p| p.serial.clone());
        Outcome {
            id: volume.id.clone(),
            result: Ok(placed(
                &from,
                &array_name(volume),
                serial,
                Some(layout::in_the_pod(volume)),
            )),
        }
    });
    Ok(outcomes.collect())
}

fn protect(from: &Array<'_>, second: &Array<'_>, pod: &str, wait: bool) -> Result<(), Error> {
    let own_name = pod::own_name(from)?;
    let mut seen = pod::online(from, pod)?;
    if seen.beyond(&own_name).is_none() {
        stretch(from, pod, second, &identify(second)?)?;
        seen = pod::need(from, pod)?;
    }
    let far = far(&seen, &own_name, pod, second)?;
    match far.status {
        Status::Online => Ok(()),
        Status::Resyncing if !wait => Ok(()),
        Status::Resyncing => Err(pending(
            format!("pod {pod} to come online on {}", second.name()),
            far.percent,
            LOOK,
        )),
        // The arrays have not met again. Whether that is because the other one is still gone is its own answer.
        Status::Offline | Status::Unknown => {
            identify(second)?;
            Err(failure_on(
                second.name(),
                FailureCode::FailedPrecondition,
                format!(
                    "pod {pod} is {} on {} although it answers; see to the replication link between the two arrays",
                    far.status.word(),
                    second.name()
                ),
            )
            .into())
        }
    }
}

fn far<'p>(
    seen: &'p Pod,
    own_name: &str,
    pod: &str,
    second: &Array<'_>,
) -> Result<&'p pod::Side, Failure> {
    seen.beyond(own_name).ok_or_else(|| {
        failure_on(
            second.name(),
            FailureCode::FailedPrecondition,
            format!("pod {pod} is on one array only"),
        )
    })
}
