//! Drills: writable copies of the replicas, thrown away afterwards, while replication goes on.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::replication::{FailoverPlan, RecoveryPoint, TestCopy};
use springform_sdk::types::{Context, Failure, FailureCode, Outcome, Volume};

use crate::array::{ArrayError, flag, text};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::promoted::Promoted;
use crate::query::Query;
use crate::volume::{array_name, placed, read};
use crate::{async_leg, host, names, pgroup, plan, vgroup};

/// Makes the copies, of what this group of the serving array has sent.
///
/// # Errors
/// See the contract's `replication.start-test`.
pub fn start(
    context: &Context,
    arrays: &Arrays<'_>,
    group: &str,
    test: &str,
    target: &str,
    point: Option<&str>,
    volumes: &[Volume],
) -> Result<Vec<TestCopy>, Failure> {
    let source = plan::source_of(arrays, volumes)?;
    let on = arrays.named(target)?;
    let group = plan::group_on(context, &source, &on, group)?;
    let arrivals = pgroup::arrivals(&on, &group)?;
    let chosen = arrivals
        .iter()
        .find(|a| a.complete && point.is_none_or(|p| a.name == p))
        .ok_or_else(|| {
            failure_on(
                target,
                FailureCode::FailedPrecondition,
                "there is no such complete recovery point on the target",
            )
        })?;
    let names: Vec<_> = volumes
        .iter()
        .map(|v| (array_name(v), names::test_copy(&array_name(v), test)))
        .collect();
    let requests = names
        .iter()
        .map(|(volume, copy)| {
            let body = json!({ "source": { "name": names::part(&chosen.name, volume) } });
            on.request(
                Method::Post,
                "/volumes",
                &Query::new().name(copy),
                Some(&body),
            )
        })
        .collect();
    let answers = on.send_all(requests);
    let mut copies = Vec::with_capacity(volumes.len());
    for ((volume, (_, copy)), answer) in volumes.iter().zip(&names).zip(answers) {
        let result = match answer {
            Ok(items) => Ok(placed(
                &on,
                copy,
                items
                    .first()
                    .and_then(|v| text(v, "/serial"))
                    .map(str::to_owned),
                None,
            )),
            Err(ArrayError::Failed(failure)) => Err(failure),
            // Made by an earlier attempt of this operation, or not in the recovery point.
            Err(refused @ ArrayError::Refused { .. }) => match read(&on, copy)? {
                Some(found) if !flag(&found, "/destroyed") => Ok(placed(
                    &on,
                    copy,
                    text(&found, "/serial").map(str::to_owned),
                    None,
                )),
                _ => Err(refused.into_failure(
                    FailureCode::NotFound,
                    "the recovery point does not hold the volume",
                )),
            },
        };
        let point = Some(RecoveryPoint {
            id: chosen.name.clone(),
            taken_at: chosen.taken_at,
        });
        copies.push(TestCopy {
            volume_id: volume.id.clone(),
            result,
            point,
        });
    }
    Ok(copies)
}

/// Throws the copies away. Gone is success.
///
/// # Errors
/// When one stays.
pub fn stop(
    arrays: &Arrays<'_>,
    test: &str,
    target: &str,
    volumes: &[Volume],
) -> Result<(), Failure> {
    let on = arrays.named(target)?;
    for volume in volumes {
        let copy = names::test_copy(&array_name(volume), test);
        host::release_all(&on, &copy)?;
        let query = Query::new().name(&copy);
        if let Err(trouble) = on.send(
            Method::Patch,
            "/volumes",
            &query,
            Some(&json!({ "destroyed": true })),
        ) {
            match trouble {
                ArrayError::Failed(failure) => return Err(failure),
                refused @ ArrayError::Refused { .. } => {
                    if read(&on, &copy)?.is_some_and(|v| !flag(&v, "/destroyed")) {
                        return Err(refused.into_failure(
                            FailureCode::FailedPrecondition,
                            "a copy of the drill cannot be thrown away",
                        ));
                    }
                }
            }
        }
        match on.send(Method::Delete, "/volumes", &query, None) {
            Ok(_) | Err(ArrayError::Refused { .. }) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(())
}

/// Makes the copies of a drill the real volumes; what was written in the drill is kept.
///
/// # Errors
/// When the target is not configured.
pub fn commit(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    test: &str,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<Vec<Outcome>, Failure> {
    let on = arrays.named(&plan.target)?;
    let there = |v: &Volume| async_leg::name_there(arrays, options, v, &on);
    let names: Vec<_> = volumes.iter().map(there).collect();
    vgroup::ensure_all(&on, volumes.iter().zip(&names))?;
    let requests = names
        .iter()
        .map(|name| {
            let body = json!({ "source": { "name": names::test_copy(name, test) } });
            on.request(
                Method::Post,
                "/volumes",
                &Query::new().name(name).on("overwrite"),
                Some(&body),
            )
        })
        .collect();
    let answers = on.send_all(requests);
    let mut promoted = Promoted::default();
    let outcomes: Vec<_> = volumes
        .iter()
        .zip(&names)
        .zip(answers)
        .map(|((volume, name), answer)| {
            let result = answer
                .map(|items| {
                    let made = items.first().unwrap_or(&Value::Null);
                    promoted.placed(&on, name, volume, made)
                })
                .map_err(|t| {
                    t.into_failure(FailureCode::NotFound, "the drill has no copy of the volume")
                });
            Outcome {
                id: volume.id.clone(),
                result,
            }
        })
        .collect();
    promoted.limit(&on);
    async_leg::at_home(options, &on, volumes, outcomes)
}
