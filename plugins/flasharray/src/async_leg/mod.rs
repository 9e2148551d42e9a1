//! The third site: an array beyond the pod, which a protection group *in* the pod keeps sending copies to, whichever of the
//! pod's two arrays is alive. What it adds to stretched volumes; everything else is theirs or that of single ones.
//!
//! Out there a volume is a single one and has no pod in its name. Home again, it becomes its stretched self.

pub mod demote;
pub mod leftover;
pub mod observe;
pub mod plan;
pub mod protect;

use std::collections::BTreeSet;

use springform_sdk::types::{Failure, Outcome, ReplicationKind, Volume};

use crate::array::Array;
use crate::arrays::Arrays;
use crate::layout::{Kind, wanted, wants_pod};
use crate::options::Options;
use crate::pod::{self, Status};
use crate::volume::array_name;
use crate::{connection, names, pgroup};

/// Whether an array is one that the pod's volumes are copied to.
#[must_use]
pub fn is_beyond(arrays: &Arrays<'_>, options: &Options<'_>, target: &str) -> bool {
    options.layout().kind == Kind::TriSync && !arrays.hold_pod(target)
}

/// Whether a volume that moves to this array comes back into the pod.
#[must_use]
pub fn comes_home(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volume: &Volume,
    to: &Array<'_>,
) -> bool {
    let away = |target: &str| is_beyond(arrays, options, target);
    let from = volume.placement.as_ref().map(|p| p.target.as_str());
    from.is_some_and(away) && arrays.hold_pod(to.name()) && wants_pod(wanted(volume))
}

/// Whether a volume is on the pod's two arrays and, by its type, sent to none beyond them.
#[must_use]
pub fn stays_in_the_pod(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volume: &Volume,
    to: &Array<'_>,
) -> bool {
    is_beyond(arrays, options, to.name()) && wanted(volume) == Some(&ReplicationKind::Sync)
}

/// What a volume is called on an array to which it moves.
#[must_use]
pub fn name_there(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volume: &Volume,
    to: &Array<'_>,
) -> String {
    let name = array_name(volume);
    if is_beyond(arrays, options, to.name()) {
        names::without_pod(&name).to_owned()
    } else if comes_home(arrays, options, volume, to) {
        names::in_pod(options.layout().pod, names::without_pod(&name))
    } else {
        name
    }
}

/// Why volumes cannot come back into the pod on this array now; none where they can, or where that is not the question.
///
/// # Errors
/// When the array cannot be asked.
pub fn way_home_closed(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    from: &Array<'_>,
    to: &Array<'_>,
) -> Result<Option<String>, Failure> {
    if !is_beyond(arrays, options, from.name()) || !arrays.hold_pod(to.name()) {
        return Ok(None);
    }
    let pod = options.layout().pod;
    let on = to.name();
    Ok(match pod::read(to, pod)? {
        Some(seen) if !seen.destroyed => match seen.status(&pod::own_name(to)?) {
            Status::Online => None,
            other => Some(format!(
                "pod {pod} is {} on {on}, so the volume cannot be written there; its other array may serve it",
                other.word()
            )),
        },
        _ => Some(format!("pod {pod} is not on {on}; reconcile the backend")),
    })
}

/// Volumes that a machine is connected to where they would be overwritten: for those that come home, on either array of
/// the pod.
///
/// # Errors
/// When the array cannot be asked.
pub fn in_use(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    to: &Array<'_>,
    volumes: &[Volume],
) -> Result<BTreeSet<String>, Failure> {
    let mut found = crate::demote::connected(to)?;
    if volumes.iter().any(|v| comes_home(arrays, options, v, to))
        && let Some(far) = arrays.partner(to.name())
    {
        match crate::demote::connected(&far) {
            Ok(more) => found.extend(more),
            // Nobody writes through an array that is gone.
            Err(failure) if connection::is_gone(&far, &failure) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Volumes that have just come back into the pod are sent to the third site again. Where that does not succeed they are
/// stretched all the same, and `reprotect` is left to do it.
///
/// # Errors
/// None; in the shape of its callers.
pub fn at_home(
    options: &Options<'_>,
    on: &Array<'_>,
    volumes: &[Volume],
    mut outcomes: Vec<Outcome>,
) -> Result<Vec<Outcome>, Failure> {
    let home = |outcome: &Outcome| match &outcome.result {
        Ok(placement) => names::pod_of(&placement.array_name).map(|_| placement.array_name.clone()),
        Err(_) => None,
    };
    let back: Vec<_> = volumes
        .iter()
        .zip(&outcomes)
        .filter(|(volume, _)| wanted(volume) == Some(&ReplicationKind::TriSync))
        .filter_map(|(_, outcome)| home(outcome))
        .collect();
    let names: Vec<_> = back.iter().map(String::as_str).collect();
    let sent = !names.is_empty() && pgroup::join(on, &options.third_group(), &names).is_ok();
    for outcome in &mut outcomes {
        let inside = home(outcome);
        if let (Some(name), Ok(placement)) = (inside, &mut outcome.result) {
            placement.replication = Some(if sent && back.contains(&name) {
                ReplicationKind::TriSync
            } else {
                ReplicationKind::Sync
            });
        }
    }
    Ok(outcomes)
}
