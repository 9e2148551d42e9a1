//! Takes the writable role from volumes on an array: no machine is connected to them, and the array sends them nowhere.
//!
//! The volume itself stays as it is, under its name: it is what a failback overwrites, and until then the last copy of
//! what was written there.

use std::collections::BTreeSet;

use serde_json::Value;
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode, Outcome, Volume};

use crate::array::{Array, ArrayError, text};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::query::{self, Query};
use crate::volume::{array_name, placed};
use crate::{collections, host, pgroup};

/// Demotes volumes. A few requests for all of them; one by one only where the array refuses a batch.
///
/// # Errors
/// When the array is not configured or cannot be reached.
pub fn demote(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    target: &str,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let names: Vec<_> = volumes.iter().map(array_name).collect();
    under(arrays, options, target, volumes, &names)
}

/// The same for volumes that have other names there than where they are served: their copies beyond a pod.
///
/// # Errors
/// When the array is not configured or cannot be reached.
pub fn under(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    target: &str,
    volumes: &[Volume],
    names: &[String],
) -> Result<Vec<Outcome>, Failure> {
    let on = arrays.named(target)?;
    let group = options.pgroup();
    let busy = connected_of(&on, names)?;
    let free = |name: &String| match busy.contains(name) {
        true => host::release_all(&on, name).map(drop),
        false => Ok(()),
    };
    let freed: Vec<_> = names.iter().map(free).collect();
    // Whoever is still written to stays a member: what is written there is not to be lost as well.
    let silent = names.iter().zip(&freed).filter(|(_, freed)| freed.is_ok());
    let silent: Vec<_> = silent.map(|(name, _)| name.clone()).collect();
    let together = leave(&on, group, &silent)?;
    let outcomes = volumes.iter().zip(names).zip(freed);
    let outcomes = outcomes.map(|((volume, name), freed)| {
        let left = freed.and_then(|()| match together {
            true => Ok(()),
            false => pgroup::leave(&on, group, &[name]),
        });
        Outcome {
            id: volume.id.clone(),
            result: left.map(|()| placed(&on, name, None, None)),
        }
    });
    Ok(outcomes.collect())
}

/// Takes all members out at once; false when the array refuses a batch (one of them is not a member).
pub(crate) fn leave(on: &Array<'_>, group: &str, names: &[String]) -> Result<bool, Failure> {
    for chunk in query::chunks(names) {
        let query = Query::new()
            .one("group_names", group)
            .list("member_names", chunk);
        match on.send(Method::Delete, "/protection-groups/volumes", &query, None) {
            Ok(_) => {}
            Err(ArrayError::Refused { .. }) => return Ok(false),
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(true)
}

/// Those of these volumes that a machine is connected to. What else the array is connected to is not asked for, where all of
/// them are there.
fn connected_of(on: &Array<'_>, names: &[String]) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for chunk in query::chunks(names) {
        match on.list("/connections", &Query::new().list("volume_names", chunk)) {
            Ok(some) => found.extend(of_volumes(&some)),
            Err(ArrayError::Refused { .. }) => return connected(on),
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(found)
}

/// Names of the volumes on an array that a machine is connected to.
///
/// # Errors
/// When the array cannot be asked.
pub fn connected(on: &Array<'_>) -> Result<BTreeSet<String>, Failure> {
    let found = on.list("/connections", &Query::new()).map_err(|trouble| {
        trouble.into_failure(
            FailureCode::Protocol,
            "the array does not list its connections",
        )
    })?;
    Ok(of_volumes(&found))
}

fn of_volumes(connections: &[Value]) -> BTreeSet<String> {
    let names = connections.iter().filter_map(|c| text(c, "/volume/name"));
    collections::set(names.map(str::to_owned))
}
