//! Takes the writable role from volumes on an array: no machine is connected to them, and the array sends them nowhere.
//!
//! The volume itself stays as it is, under its name: it is what a failback overwrites, and until then the last copy of
//! what was written there.

use std::collections::BTreeSet;

use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode, Outcome, Volume};

use crate::array::{Array, Arrays, Trouble, text};
use crate::options::Options;
use crate::query::Query;
use crate::volume::{array_name, placed};
use crate::{host, pgroup, sets};

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
    let on = arrays.named(target)?;
    let group = options.pgroup();
    let names: Vec<_> = volumes.iter().map(array_name).collect();
    let busy = connected(&on)?;
    let together = names.iter().all(|name| !busy.contains(name)) && leave(&on, group, &names)?;
    let outcomes = volumes.iter().zip(&names).map(|(volume, name)| Outcome {
        id: volume.id.clone(),
        result: if together {
            Ok(placed(&on, name, None, None))
        } else {
            alone(&on, group, name, busy.contains(name)).map(|()| placed(&on, name, None, None))
        },
    });
    Ok(outcomes.collect())
}

fn alone(on: &Array<'_>, group: &str, name: &str, busy: bool) -> Result<(), Failure> {
    if busy {
        host::release_all(on, name)?;
    }
    pgroup::leave(on, group, &[name])
}

/// Takes all members out at once; false when the array refuses a batch (one of them is not a member).
pub(crate) fn leave(on: &Array<'_>, group: &str, names: &[String]) -> Result<bool, Failure> {
    for chunk in names.chunks(pgroup::NAMES) {
        let query = Query::new()
            .one("group_names", group)
            .list("member_names", chunk);
        match on.send(Method::Delete, "/protection-groups/volumes", &query, None) {
            Ok(_) => {}
            Err(Trouble::Refused { .. }) => return Ok(false),
            Err(Trouble::Failed(failure)) => return Err(failure),
        }
    }
    Ok(true)
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
    let names = found.iter().filter_map(|c| text(c, "/volume/name"));
    Ok(sets::set(names.map(str::to_owned)))
}
