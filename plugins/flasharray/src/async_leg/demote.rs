//! Takes the role from a pod whose volumes are, or are to be, served beyond it: no machine on either of its arrays, and
//! nothing is sent to the third site any more.
//!
//! A move inside the pod is not this: there the other array goes on with the same volume, and its paths are in use.

use std::collections::BTreeSet;

use springform_sdk::types::{Failure, FailureCode, Outcome, ReplicationKind, Volume};

use super::{comes_home, is_beyond};
use crate::array::{Array, is_away};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::pod::{self, Status};
use crate::volume::{array_name, placed};
use crate::{connection, demote, host, names, pgroup, plan};

/// Key under which the host says, when it demotes a volume for a planned move, where that move goes.
pub const MOVING_TO: &str = "springform/moving-to";

/// Whether a volume that is demoted is about to leave the pod.
#[must_use]
pub fn leaves(arrays: &Arrays<'_>, options: &Options<'_>, volume: &Volume) -> bool {
    let mut extensions = volume.extensions.iter();
    extensions.any(|(key, to)| key == MOVING_TO && is_beyond(arrays, options, to))
}

/// Demotes volumes in the pod. An outcome for each, in order.
///
/// # Errors
/// When the array is not configured or cannot be reached.
pub fn demote(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    target: &str,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let on = arrays.named(target)?;
    let names: Vec<_> = volumes.iter().map(|v| stretched(options, v)).collect();
    let here = demote::connected(&on)?;
    let far = match arrays.partner(target) {
        Some(far) => busy(&far)?.map(|busy| (far, busy)),
        None => None,
    };
    let group = options.third_group();
    // The group is the same on both arrays, and changed through one on which its pod is online.
    let through = match &far {
        Some((far, _)) if !online(&on, options)? => far,
        _ => &on,
    };
    let together = demote::leave(through, &group, &names)?;
    let outcomes = volumes.iter().zip(&names).map(|(volume, name)| {
        let mut done = end(&on, &here, name);
        if let Some((far, busy)) = &far {
            done = done.and_then(|()| end(far, busy, name));
        }
        if !together {
            done = done.and_then(|()| leave(through, options, &group, name));
        }
        let serial = volume.placement.as_ref().and_then(|p| p.serial.clone());
        Outcome {
            id: volume.id.clone(),
            result: done.map(|()| placed(&on, name, serial, Some(ReplicationKind::Sync))),
        }
    });
    Ok(outcomes.collect())
}

/// Demotes single volumes on an array of the pod: those that an array beyond it serves give up their stretched selves, all
/// others are what they are. An outcome for each, in order.
///
/// # Errors
/// When the array is not configured or cannot be reached.
pub fn apart(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    target: &str,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let on = arrays.named(target)?;
    let (home, plain): (Vec<_>, Vec<_>) = volumes
        .iter()
        .cloned()
        .partition(|v| comes_home(arrays, options, v, &on));
    let mut home = demote(arrays, options, target, &home)?.into_iter();
    let mut rest = Vec::new().into_iter();
    if !plain.is_empty() {
        rest = demote::demote(arrays, options, target, &plain)?.into_iter();
    }
    let ordered = volumes.iter().filter_map(|v| {
        if comes_home(arrays, options, v, &on) {
            home.next()
        } else {
            rest.next()
        }
    });
    Ok(ordered.collect())
}

/// Ends the connections of stretched volumes on the array of the pod that nobody asked to give them up, before an array
/// beyond it takes them over: the host demotes the one it knows to serve, and the other one may be alive. One that does
/// not answer at once is not waited for; `observe` finds it when it does.
///
/// # Errors
/// When it answers and a connection stays.
pub fn cut_off(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
) -> Result<(), Failure> {
    let names: Vec<_> = volumes.iter().map(|v| stretched(options, v)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let source = plan::source_of(arrays, volumes)?;
    let Some(far) = arrays.partner(source.name()) else {
        return Ok(());
    };
    if !far.target().reachable {
        return Ok(());
    }
    let busy = match demote::connected(&far) {
        Err(failure) if is_away(&failure) => return Ok(()),
        busy => busy?,
    };
    for name in &names {
        end(&far, &busy, name)?;
    }
    Ok(())
}

/// What a volume is called in the pod, wherever it is now.
fn stretched(options: &Options<'_>, volume: &Volume) -> String {
    let name = array_name(volume);
    match names::pod_of(&name) {
        Some(_) => name,
        None => names::in_pod(options.layout().pod, &name),
    }
}

/// Volumes with connections on an array; none where it is gone.
fn busy(on: &Array<'_>) -> Result<Option<BTreeSet<String>>, Failure> {
    if !on.target().reachable {
        return Ok(None);
    }
    match demote::connected(on) {
        Ok(busy) => Ok(Some(busy)),
        Err(failure) if connection::is_gone(on, &failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn end(on: &Array<'_>, busy: &BTreeSet<String>, name: &str) -> Result<(), Failure> {
    if busy.contains(name) {
        host::release_all(on, name)?;
    }
    Ok(())
}

/// A pod that is not online on an array sends nothing from it and lets nothing be changed there.
fn leave(on: &Array<'_>, options: &Options<'_>, group: &str, name: &str) -> Result<(), Failure> {
    match pgroup::leave(on, group, &[name]) {
        Err(failure)
            if failure.code == FailureCode::FailedPrecondition && !online(on, options)? =>
        {
            Ok(())
        }
        done => done,
    }
}

fn online(on: &Array<'_>, options: &Options<'_>) -> Result<bool, Failure> {
    Ok(match pod::read(on, options.layout().pod)? {
        Some(seen) => seen.status(&pod::own_name(on)?) == Status::Online,
        None => false,
    })
}
