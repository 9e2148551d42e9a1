//! The last transfer of a planned failover: what has been written until now, on the target before anything moves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use springform_sdk::fail::failure_on;
use springform_sdk::interfaces::replication::{FailoverPlan, RecoveryPoint};
use springform_sdk::types::{Context, Error, Failure, FailureCode, Pending, Volume};

use crate::array::{Array, Arrays};
use crate::failover::{contents, read_token};
use crate::options::Options;
use crate::pgroup;
use crate::volume::array_name;

/// How long a transfer is given before it is looked at again, in milliseconds.
const ARRIVES: u32 = 1000;

/// What a transfer that is under way must carry from call to call.
#[derive(Serialize, Deserialize)]
struct Underway {
    suffix: String,
    /// Volumes that were in no group, and are to be in none again.
    lent: Vec<String>,
}

/// Brings the target up to date; `pending` until the last snapshot has arrived.
///
/// Every call that does not go on with a transfer begins a new one: an operation syncs before and after the demotion, and
/// only the snapshot taken after it holds everything. Demoted volumes are lent to the group for that long.
///
/// # Errors
/// See the contract's `replication.final-sync`.
pub fn final_sync(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<FailoverPlan, Error> {
    let token = read_token(plan)?;
    let source = arrays.named(&token.source)?;
    let target = arrays.named(&plan.target)?;
    let Ok(underway) = serde_json::from_slice::<Underway>(&context.cursor) else {
        return Err(send(context, &source, options, plan, volumes)?);
    };
    let name = format!("{}.{}", token.group, underway.suffix);
    let arrived = pgroup::arrivals(&target, &token.group)?
        .into_iter()
        .find(|a| a.name == name);
    let Some(arrived) = arrived.as_ref().filter(|a| a.complete) else {
        let percent = arrived.map_or(0, |a| a.permille / 10);
        return Err(on_its_way(plan, &underway, u8::try_from(percent).ok()));
    };
    let lent: Vec<_> = underway.lent.iter().map(String::as_str).collect();
    pgroup::leave(&source, options.pgroup(), &lent)?;
    let point = RecoveryPoint {
        id: arrived.name.clone(),
        taken_at: arrived.taken_at,
    };
    if contents(&target, &point.id)?.is_empty() {
        return Err(failure_on(
            target.name(),
            FailureCode::FailedPrecondition,
            "the final snapshot holds no volume",
        )
        .into());
    }
    let mut renewed = plan.clone();
    for entry in renewed.volumes.iter_mut().filter(|v| v.possible) {
        entry.point = Some(point.clone());
        entry.loss_seconds = Some(0);
        entry.loss_bytes = Some(0);
    }
    Ok(renewed)
}

/// Takes the snapshot and sends it; what is answered is the wait for it.
fn send(
    context: &Context,
    source: &Array<'_>,
    options: &Options<'_>,
    plan: &FailoverPlan,
    volumes: &[Volume],
) -> Result<Error, Failure> {
    let group = options.pgroup();
    let members: BTreeSet<_> = pgroup::members(source, group)?.into_iter().collect();
    let lent: Vec<_> = volumes
        .iter()
        .map(array_name)
        .filter(|name| !members.contains(name))
        .collect();
    pgroup::join(
        source,
        group,
        &lent.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    let suffix = format!("{}-{}", suffix(&context.operation_id), context.now);
    pgroup::send_now(source, group, &suffix)?;
    Ok(on_its_way(plan, &Underway { suffix, lent }, Some(0)))
}

fn on_its_way(plan: &FailoverPlan, underway: &Underway, percent: Option<u8>) -> Error {
    Error::Pending(Pending {
        waiting_for: format!("the final snapshot to reach {}", plan.target),
        percent,
        poll_after_ms: ARRIVES,
        cursor: serde_json::to_vec(underway).unwrap_or_default(),
    })
}

/// A suffix for a snapshot that belongs to an operation: letters and digits, as an array allows.
fn suffix(operation: &str) -> String {
    format!(
        "sf-{}",
        operation
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(24)
            .collect::<String>()
    )
}
