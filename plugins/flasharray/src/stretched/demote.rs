//! Takes machines away from an array that is not to serve any more.
//!
//! A stretched volume needs no fence: there is one copy of every byte, and the arrays see to it that a side which is not in
//! sync serves nobody. What is left is to end connections that lead nowhere.

use std::collections::BTreeSet;

use springform_sdk::types::{Failure, Outcome, Volume};

use crate::array::{Array, text};
use crate::arrays::Arrays;
use crate::demote::connected;
use crate::host;
use crate::layout;
use crate::query::Query;
use crate::volume::{array_name, placed};
use crate::{collections, pgroup};

/// Ends connections on an array. Where access is uniform, connections are paths in use, before a planned switch all of
/// them; what ends is what an array that was left behind has kept of machines that were disconnected meanwhile.
///
/// # Errors
/// When the array is not configured or cannot be reached.
pub fn demote(
    arrays: &Arrays<'_>,
    target: &str,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let on = arrays.named(target)?;
    let busy = connected(&on)?;
    let kept = if arrays.uniform() {
        arrays.partner(target).and_then(|far| hosts(&far).ok())
    } else {
        Some(BTreeSet::new())
    };
    let outcomes = volumes.iter().map(|volume| {
        let name = array_name(volume);
        let serves = volume
            .placement
            .as_ref()
            .is_some_and(|p| p.target == target);
        let ended = match &kept {
            _ if serves && arrays.uniform() => Ok(()),
            Some(kept) if busy.contains(&name) => end(&on, &name, kept),
            // Nobody is connected, or nobody knows which connections are in use: then they all stay.
            _ => Ok(()),
        };
        let serial = volume.placement.as_ref().and_then(|p| p.serial.clone());
        Outcome {
            id: volume.id.clone(),
            result: ended.map(|()| placed(&on, &name, serial, Some(layout::in_the_pod(volume)))),
        }
    });
    Ok(outcomes.collect())
}

/// Pairs of volume and host object that are connected on an array.
fn hosts(on: &Array<'_>) -> Result<BTreeSet<(String, String)>, Failure> {
    let found = on
        .list("/connections", &Query::new())
        .map_err(pgroup::unexpected)?;
    let pair = |c: &serde_json::Value| {
        Some((
            text(c, "/volume/name")?.to_owned(),
            text(c, "/host/name")?.to_owned(),
        ))
    };
    Ok(collections::set(found.iter().filter_map(pair)))
}

fn end(on: &Array<'_>, name: &str, kept: &BTreeSet<(String, String)>) -> Result<(), Failure> {
    for (volume, host) in hosts(on)? {
        if volume == name && !kept.contains(&(volume.clone(), host.clone())) {
            host::release(on, &host, name)?;
        }
    }
    Ok(())
}
