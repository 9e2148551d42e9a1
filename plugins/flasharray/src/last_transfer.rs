//! The last transfer of a planned failover: what has been written until now, on the target before anything moves.

use serde_json::{Value, json};
use springform_sdk::interfaces::replication::{FailoverPlan, RecoveryPoint, VolumePlan};
use springform_sdk::types::{Context, Error, Failure, Pending, Volume};

use crate::array::{Array, text};
use crate::arrays::Arrays;
use crate::plan::{contents, source_of};
use crate::volume::array_name;
use crate::{collections, names, pgroup};

/// How long a transfer is given before it is looked at again, in milliseconds.
const ARRIVES: u32 = 1000;

/// Volumes that one group sends.
pub struct Leg {
    /// The group on the array that serves them.
    pub here: String,
    /// Its name on the target.
    pub there: String,
    /// Which.
    pub volumes: Vec<Volume>,
}

/// What a transfer that is under way must carry from call to call.
struct Underway {
    suffix: String,
    /// For each leg, volumes that were not in the group, and are not to be in it again.
    lent: Vec<Vec<String>>,
}

impl Underway {
    fn write(&self) -> Vec<u8> {
        crate::json::bytes(&json!({ "suffix": self.suffix, "lent": self.lent }))
    }

    fn read(cursor: &[u8]) -> Option<Self> {
        let underway = crate::json::value(cursor)?;
        let lent = underway.get("lent")?.as_array()?;
        let names = |leg: &Value| {
            let names = leg.as_array().into_iter().flatten();
            names
                .filter_map(|name| text(name, "").map(str::to_owned))
                .collect()
        };
        Some(Self {
            suffix: text(&underway, "/suffix")?.to_owned(),
            lent: lent.iter().map(names).collect(),
        })
    }
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
    plan: &FailoverPlan,
    legs: &[Leg],
) -> Result<FailoverPlan, Error> {
    let target = arrays.named(&plan.target)?;
    let mut sources = Vec::with_capacity(legs.len());
    for leg in legs {
        sources.push(source_of(arrays, &leg.volumes)?);
    }
    let Some(underway) = Underway::read(&context.cursor) else {
        let suffix = format!("{}-{}", suffix(&context.operation_id), context.now);
        let mut lent = Vec::with_capacity(legs.len());
        for (leg, source) in legs.iter().zip(&sources) {
            lent.push(send(source, leg, &suffix)?);
        }
        return Err(on_its_way(plan, &Underway { suffix, lent }, Some(0)));
    };
    let mut points = Vec::with_capacity(legs.len());
    for leg in legs {
        let name = format!("{}.{}", leg.there, underway.suffix);
        let arrived = pgroup::arrivals(&target, &leg.there)?
            .into_iter()
            .find(|a| a.name == name);
        let Some(arrived) = arrived.as_ref().filter(|a| a.complete) else {
            let percent = arrived.map_or(0, |a| a.permille / 10);
            return Err(on_its_way(plan, &underway, u8::try_from(percent).ok()));
        };
        points.push(RecoveryPoint {
            id: arrived.name.clone(),
            taken_at: arrived.taken_at,
        });
    }
    for ((leg, source), lent) in legs.iter().zip(&sources).zip(&underway.lent) {
        let lent: Vec<_> = lent.iter().map(String::as_str).collect();
        pgroup::leave(source, &leg.here, &lent)?;
    }
    let mut renewed = plan.clone();
    for (leg, point) in legs.iter().zip(points) {
        let held = contents(&target, &point.id)?;
        let sent = leg.volumes.iter().map(|v| {
            let name = array_name(v);
            (v.id.clone(), held.contains_key(names::without_pod(&name)))
        });
        let sent = collections::table(sent);
        let asked = |entry: &&mut VolumePlan| entry.possible;
        for entry in renewed.volumes.iter_mut().filter(asked) {
            match sent.get(&entry.volume_id) {
                None => {}
                Some(true) => {
                    entry.point = Some(point.clone());
                    entry.loss_seconds = Some(0);
                    entry.loss_bytes = Some(0);
                }
                // It is gone from its array, or cannot be in the group: it stays, and does not hold up the others.
                Some(false) => {
                    entry.possible = false;
                    entry.point = None;
                    entry.reason = Some(format!("recovery point {} does not hold it", point.id));
                }
            }
        }
    }
    Ok(renewed)
}

/// Takes the snapshot and sends it. Gives back which volumes the group holds for that long only; one that cannot be a member
/// is not in the snapshot.
fn send(source: &Array<'_>, leg: &Leg, suffix: &str) -> Result<Vec<String>, Failure> {
    let group = &leg.here;
    let members = collections::set(pgroup::members(source, group)?);
    let lent: Vec<_> = leg
        .volumes
        .iter()
        .map(array_name)
        .filter(|name| !members.contains(name))
        .collect();
    let wanted: Vec<_> = lent.iter().map(String::as_str).collect();
    let joined = pgroup::join_each(source, group, &wanted)?;
    pgroup::send_now(source, group, suffix)?;
    let joined = lent.into_iter().zip(joined);
    Ok(joined
        .filter_map(|(name, done)| done.is_ok().then_some(name))
        .collect())
}

fn on_its_way(plan: &FailoverPlan, underway: &Underway, percent: Option<u8>) -> Error {
    Error::Pending(Pending {
        waiting_for: format!("the final snapshot to reach {}", plan.target),
        percent,
        poll_after_ms: ARRIVES,
        cursor: underway.write(),
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
