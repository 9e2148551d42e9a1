//! Protection groups: what is sent where, and which snapshots have arrived.

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode};

use crate::array::{Answer, Array, ArrayError, flag, number, text};
use crate::query::{self, Query};

/// Memberships of volumes.
const MEMBERS: &str = "/protection-groups/volumes";

/// A snapshot of a protection group on the array it was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// `<source>:<group>.<n>`.
    pub name: String,
    /// Milliseconds since the epoch.
    pub taken_at: u64,
    /// Whether all of it is there.
    pub complete: bool,
    /// Thousandths.
    pub permille: u64,
}

/// Name of a group of `source` (the array's own name) on the array it is sent to. A group inside a pod carries the pod's name only.
#[must_use]
pub fn name_on_target(source: &str, group: &str) -> String {
    match group.split_once("::") {
        Some((pod, inner)) => format!("{pod}:{inner}"),
        None => format!("{source}:{group}"),
    }
}

/// The group as it is, none where there is none.
///
/// # Errors
/// When the array cannot be asked.
pub fn read(array: &Array<'_>, group: &str) -> Result<Option<Value>, Failure> {
    let found = array
        .find("/protection-groups", &Query::new().name(group))
        .map_err(unexpected)?;
    Ok(found.into_iter().find(|g| text(g, "/name") == Some(group)))
}

/// Targets of a group: name and whether the target allows it.
///
/// # Errors
/// When the array cannot be asked.
pub fn targets(array: &Array<'_>, group: &str) -> Result<Vec<(String, bool)>, Failure> {
    let found = array
        .find(
            "/protection-groups/targets",
            &Query::new().one("group_names", group),
        )
        .map_err(unexpected)?;
    Ok(found
        .iter()
        .filter_map(|t| Some((text(t, "/member/name")?.to_owned(), flag(t, "/allowed"))))
        .collect())
}

/// Names of the volumes in a group.
///
/// # Errors
/// When the array cannot be asked.
pub fn members(array: &Array<'_>, group: &str) -> Result<Vec<String>, Failure> {
    let found = array
        .find(
            "/protection-groups/volumes",
            &Query::new().one("group_names", group),
        )
        .map_err(unexpected)?;
    Ok(found
        .iter()
        .filter_map(|m| text(m, "/member/name").map(str::to_owned))
        .collect())
}

/// Groups a volume is in.
///
/// # Errors
/// When the array cannot be asked.
pub fn groups_of(array: &Array<'_>, volume: &str) -> Result<Vec<String>, Failure> {
    let found = array
        .find(
            "/protection-groups/volumes",
            &Query::new().one("member_names", volume),
        )
        .map_err(unexpected)?;
    Ok(found
        .iter()
        .filter_map(|m| text(m, "/group/name").map(str::to_owned))
        .collect())
}

/// Puts volumes into a group. Members already: success.
///
/// # Errors
/// When one of them cannot be.
pub fn join(array: &Array<'_>, group: &str, volumes: &[&str]) -> Result<(), Failure> {
    join_each(array, group, volumes)?.into_iter().collect()
}

/// The same for each of them: one that cannot be a member does not hold up the others.
///
/// # Errors
/// When the array cannot be asked.
pub fn join_each(
    array: &Array<'_>,
    group: &str,
    volumes: &[&str],
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let sentence = "the volume cannot join its protection group";
    let mut joined = Vec::with_capacity(volumes.len());
    for chunk in query::chunks(volumes) {
        let query = Query::new()
            .one("group_names", group)
            .list("member_names", chunk);
        let refused = match array.send(Method::Post, MEMBERS, &query, None) {
            Ok(_) => {
                joined.extend(chunk.iter().map(|_| Ok(())));
                continue;
            }
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused) => refused.into_failure(FailureCode::FailedPrecondition, sentence),
        };
        // One member of the batch may be in it already, or be gone: read back, then add what is missing one by one.
        let present = members(array, group)?;
        let hopeless = present.is_empty() && (chunk.len() == 1 || read(array, group)?.is_none());
        for volume in chunk {
            if present.iter().any(|p| p == volume) {
                joined.push(Ok(()));
                continue;
            }
            if hopeless || chunk.len() == 1 {
                joined.push(Err(refused.clone()));
                continue;
            }
            let query = Query::new()
                .one("group_names", group)
                .one("member_names", volume);
            joined.push(match array.send(Method::Post, MEMBERS, &query, None) {
                Ok(_) => Ok(()),
                Err(ArrayError::Failed(failure)) => return Err(failure),
                Err(refused) => {
                    Err(refused.into_failure(FailureCode::FailedPrecondition, sentence))
                }
            });
        }
    }
    Ok(joined)
}

/// Takes volumes out of a group. Not in it: success.
///
/// # Errors
/// When one of them stays.
pub fn leave(array: &Array<'_>, group: &str, volumes: &[&str]) -> Result<(), Failure> {
    for volume in volumes {
        let query = Query::new()
            .one("group_names", group)
            .one("member_names", volume);
        match array.send(Method::Delete, "/protection-groups/volumes", &query, None) {
            Ok(_) => {}
            Err(trouble @ ArrayError::Refused { .. }) => {
                if groups_of(array, volume)?.iter().any(|g| g == group) {
                    return Err(trouble.into_failure(
                        FailureCode::FailedPrecondition,
                        "the volume cannot leave its protection group",
                    ));
                }
            }
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(())
}

/// Snapshots of a group that arrived at a target, newest first.
///
/// # Errors
/// When the target cannot be asked.
pub fn arrivals(target: &Array<'_>, group_there: &str) -> Result<Vec<Arrival>, Failure> {
    let query = Query::new()
        .name(group_there)
        .one("destroyed", "false")
        .one("sort", "started-");
    let found = target
        .find("/protection-group-snapshots/transfer", &query)
        .map_err(unexpected)?;
    let mut arrivals: Vec<Arrival> = Vec::with_capacity(found.len());
    for arrival in found.iter().filter_map(arrival) {
        // They come in this order, but for those of one moment.
        let newer = |a: &Arrival| (a.taken_at, &a.name) > (arrival.taken_at, &arrival.name);
        let place = arrivals.partition_point(newer);
        arrivals.insert(place, arrival);
    }
    Ok(arrivals)
}

fn arrival(transfer: &Value) -> Option<Arrival> {
    let progress = transfer.pointer("/progress").and_then(Value::as_f64);
    let progress = progress.unwrap_or(0.0);
    Some(Arrival {
        name: text(transfer, "/name")?.to_owned(),
        taken_at: number(transfer, "/started").unwrap_or(0),
        complete: progress >= 1.0,
        permille: (progress.clamp(0.0, 1.0) * 1000.0) as u64,
    })
}

/// Takes a snapshot of a group and sends it now. Taken already under this suffix: success. It goes with the schedule's own,
/// when its time has come.
///
/// # Errors
/// When it cannot be taken.
pub fn send_now(array: &Array<'_>, group: &str, suffix: &str) -> Result<(), Failure> {
    let query = Query::new().on("replicate_now").on("apply_retention");
    snapshot(array, query, group, suffix)
}

/// Takes a snapshot of a group and sends it now, once and for all: nothing but its sender takes it away. Taken already under this
/// suffix: success.
///
/// # Errors
/// When it cannot be taken.
pub fn send_once(array: &Array<'_>, group: &str, suffix: &str) -> Result<(), Failure> {
    snapshot(array, Query::new().on("replicate_now"), group, suffix)
}

/// Takes a snapshot of a group, which stays on its array. Taken already under this suffix: success.
///
/// # Errors
/// When it cannot be taken.
pub fn take(array: &Array<'_>, group: &str, suffix: &str) -> Result<(), Failure> {
    snapshot(array, Query::new(), group, suffix)
}

/// Whether a snapshot of a group is there and live.
///
/// # Errors
/// When the array cannot be asked.
pub fn is_taken(array: &Array<'_>, name: &str) -> Result<bool, Failure> {
    let found = array
        .find("/protection-group-snapshots", &Query::new().name(name))
        .map_err(unexpected)?;
    Ok(found
        .iter()
        .any(|s| text(s, "/name") == Some(name) && !flag(s, "/destroyed")))
}

fn snapshot(array: &Array<'_>, query: Query, group: &str, suffix: &str) -> Result<(), Failure> {
    match array.send(
        Method::Post,
        "/protection-group-snapshots",
        &query.one("source_names", group),
        Some(&json!({ "suffix": suffix })),
    ) {
        Ok(_) => Ok(()),
        Err(ArrayError::Failed(failure)) => Err(failure),
        Err(_) if is_taken(array, &format!("{group}.{suffix}"))? => Ok(()),
        Err(refused) => Err(refused.into_failure(
            FailureCode::FailedPrecondition,
            "a snapshot of the protection group cannot be taken",
        )),
    }
}

/// A trouble of a read: whatever was refused, the sentence is the same.
pub fn unexpected(trouble: ArrayError) -> Failure {
    trouble.into_failure(
        FailureCode::Protocol,
        "the array refused a question that it should answer",
    )
}

/// Whether an answer is fine, reading nothing back.
///
/// # Errors
/// The refusal, as a failed precondition with this sentence.
pub fn must(answer: Answer<Vec<Value>>, sentence: &str) -> Result<Vec<Value>, Failure> {
    answer.map_err(|t| t.into_failure(FailureCode::FailedPrecondition, sentence))
}
