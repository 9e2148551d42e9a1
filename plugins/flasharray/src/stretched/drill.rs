//! Drills of stretched volumes: one snapshot of all of them at one moment, and writable copies of it outside the pod, on the
//! other array only. The pod goes on replicating; nothing of the copies does.

use serde_json::json;
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::replication::{RecoveryPoint, TestCopy};
use springform_sdk::types::{Context, Failure, FailureCode, Volume};

use super::failover::pods;
use crate::array::{Array, ArrayError, flag, number, text};
use crate::arrays::Arrays;
use crate::pgroup;
use crate::query::{self, Query};
use crate::volume::{array_name, placed, read};
use crate::{names, pod};

/// Makes the copies, from a snapshot taken now or from one that is there.
///
/// # Errors
/// See the contract's `replication.start-test`.
pub fn start(
    context: &Context,
    arrays: &Arrays<'_>,
    test: &str,
    target: &str,
    point: Option<&str>,
    volumes: &[Volume],
) -> Result<Vec<TestCopy>, Failure> {
    let on = arrays.named(target)?;
    for pod in pods(volumes) {
        pod::online(&on, &pod)?;
    }
    let sources: Vec<_> = volumes.iter().map(array_name).collect();
    let suffix = match point {
        Some(point) => point.to_owned(),
        None => {
            let suffix = names::drill_snapshot(test);
            take(&on, &sources, &suffix)?;
            suffix
        }
    };
    let taken_at = sources
        .first()
        .map(|s| taken(&on, &names::snapshot(s, &suffix)))
        .transpose()?
        .flatten()
        .unwrap_or(context.now);
    let requests = sources.iter().map(|source| {
        let body = json!({ "source": { "name": names::snapshot(source, &suffix) } });
        let query = Query::new().name(&names::test_copy(source, test));
        on.request(Method::Post, "/volumes", &query, Some(&body))
    });
    let answers = on.send_all(requests.collect());
    let mut copies = Vec::with_capacity(volumes.len());
    for ((volume, source), answer) in volumes.iter().zip(&sources).zip(answers) {
        let copy = names::test_copy(source, test);
        let serial = |v: &serde_json::Value| text(v, "/serial").map(str::to_owned);
        let result = match answer {
            Ok(items) => Ok(placed(&on, &copy, items.first().and_then(serial), None)),
            Err(ArrayError::Failed(failure)) => Err(failure),
            // Made by an earlier attempt of this operation, or there is no such snapshot.
            Err(refused @ ArrayError::Refused { .. }) => match read(&on, &copy)? {
                Some(found) if !flag(&found, "/destroyed") => {
                    Ok(placed(&on, &copy, serial(&found), None))
                }
                _ => Err(refused.into_failure(
                    FailureCode::NotFound,
                    &format!("there is no snapshot {suffix} of the volume"),
                )),
            },
        };
        copies.push(TestCopy {
            volume_id: volume.id.clone(),
            result,
            point: Some(RecoveryPoint {
                id: suffix.clone(),
                taken_at,
            }),
        });
    }
    Ok(copies)
}

/// One request for all of them is one moment for all of them.
fn take(on: &Array<'_>, sources: &[String], suffix: &str) -> Result<(), Failure> {
    let body = json!({ "suffix": suffix });
    let snap = |names: &[String]| {
        let query = Query::new().list("source_names", names);
        on.send(Method::Post, "/volume-snapshots", &query, Some(&body))
    };
    for chunk in query::chunks(sources) {
        match snap(chunk) {
            Ok(_) => continue,
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(ArrayError::Refused { .. }) => {}
        }
        // An earlier attempt took them, or one of the volumes is gone: those that can be had are taken.
        for source in chunk {
            if taken(on, &names::snapshot(source, suffix))?.is_none()
                && let Err(ArrayError::Failed(failure)) = snap(std::slice::from_ref(source))
            {
                return Err(failure);
            }
        }
    }
    Ok(())
}

/// When a snapshot was taken; none where there is none.
fn taken(on: &Array<'_>, snapshot: &str) -> Result<Option<u64>, Failure> {
    let found = on
        .find("/volume-snapshots", &Query::new().name(snapshot))
        .map_err(pgroup::unexpected)?;
    let live = found
        .iter()
        .find(|s| text(s, "/name") == Some(snapshot) && !flag(s, "/destroyed"));
    Ok(live.map(|s| number(s, "/created").unwrap_or(0)))
}

/// Throws the drill's snapshots away; the copies go as every drill's do. Gone is success.
///
/// # Errors
/// When one stays.
pub fn forget(
    arrays: &Arrays<'_>,
    test: &str,
    target: &str,
    volumes: &[Volume],
) -> Result<(), Failure> {
    let on = arrays.named(target)?;
    let suffix = names::drill_snapshot(test);
    for volume in volumes {
        let name = names::snapshot(&array_name(volume), &suffix);
        let query = Query::new().name(&name);
        let body = json!({ "destroyed": true });
        match on.send(Method::Patch, "/volume-snapshots", &query, Some(&body)) {
            Ok(_) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                if taken(&on, &name)?.is_some() {
                    return Err(refused.into_failure(
                        FailureCode::FailedPrecondition,
                        "a snapshot of the drill cannot be thrown away",
                    ));
                }
            }
        }
        match on.send(Method::Delete, "/volume-snapshots", &query, None) {
            Ok(_) | Err(ArrayError::Refused { .. }) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(())
}

/// Refuses a drill on the array that serves: it is no drill of anything.
///
/// # Errors
/// When one of the volumes is served there.
pub fn elsewhere(target: &str, volumes: &[Volume]) -> Result<(), Failure> {
    let here = |v: &Volume| v.placement.as_ref().is_some_and(|p| p.target == target);
    match volumes.iter().find(|v| here(v)) {
        None => Ok(()),
        Some(volume) => Err(failure_on(
            target,
            FailureCode::InvalidArgument,
            format!(
                "{target} serves {} itself; drill on the other array",
                volume.name
            ),
        )),
    }
}
