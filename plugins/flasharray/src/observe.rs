//! Observes volumes: what is on the arrays, not what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use springform_sdk::interfaces::replication::{
    Link, LinkState, Observation, Protection, RecoveryPoint, Role,
};
use springform_sdk::types::{Context, Failure, ReplicationKind, Volume};

use crate::array::{Array, flag, number, text};
use crate::arrays::Arrays;
use crate::layout::Kind;
use crate::options::Options;
use crate::query::Query;
use crate::volume::array_name;
use crate::{demote, names, pgroup, sets, setup};

/// What one array says of the volumes it serves.
struct Side {
    present: BTreeSet<String>,
    members: BTreeSet<String>,
    links: Vec<Link>,
}

/// One observation for each volume, in order.
///
/// # Errors
/// None for arrays that cannot be reached: that is an observation too.
pub fn observe(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
) -> Result<Vec<Observation>, Failure> {
    let mut sides: BTreeMap<String, Option<Side>> = BTreeMap::new();
    for volume in volumes {
        if let Some(placement) = &volume.placement
            && !sides.contains_key(&placement.target)
        {
            let side = arrays
                .named(&placement.target)
                .and_then(|on| look(context, arrays, options, &on))
                .ok();
            sides.insert(placement.target.clone(), side);
        }
    }
    // An array that cannot be asked is not known to be stale; the host asks again when it is back.
    let elsewhere: Vec<_> = arrays
        .all()
        .filter(|array| array.target().reachable)
        .filter_map(|array| {
            let names = writable(&array, options).ok()?;
            Some((array.name().to_owned(), names))
        })
        .collect();
    Ok(volumes
        .iter()
        .map(|volume| {
            let mut seen = judge(context, volume, &sides);
            if let Some(placement) = &volume.placement {
                let name = array_name(volume);
                seen.stale_writable = elsewhere
                    .iter()
                    .filter(|(on, _)| *on != placement.target)
                    .filter(|(_, names)| names.contains(names::without_pod(&name)))
                    .map(|(on, _)| on.clone())
                    .collect();
            }
            seen
        })
        .collect())
}

/// Volumes which an array treats as its own to write: a machine is connected, or the array sends them elsewhere. Names
/// without their pod: what is stretched at home is not where the third site leads.
///
/// # Errors
/// When the array cannot be asked.
pub fn writable(array: &Array<'_>, options: &Options<'_>) -> Result<BTreeSet<String>, Failure> {
    let mut found = demote::connected(array)?;
    found.extend(pgroup::members(array, options.pgroup())?);
    if options.layout().kind == Kind::TriSync {
        found.extend(pgroup::members(array, &options.third_group())?);
    }
    let bare = |name: String| names::without_pod(&name).to_owned();
    Ok(sets::set(found.into_iter().map(bare)))
}

fn look(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    on: &Array<'_>,
) -> Result<Side, Failure> {
    let group = options.pgroup();
    let all = on
        .list("/volumes", &Query::new().filter("destroyed='false'"))
        .map_err(pgroup::unexpected)?;
    let names = all.iter().filter_map(|v| text(v, "/name"));
    let present = sets::set(names.map(str::to_owned));
    let Some(schedule) = pgroup::read(on, group)? else {
        return Ok(Side {
            present,
            members: BTreeSet::new(),
            links: Vec::new(),
        });
    };
    let enabled = flag(&schedule, "/replication_schedule/enabled");
    let interval = number(&schedule, "/replication_schedule/frequency").map(|ms| ms / 1000);
    let own_name = on.known_name().map_or_else(|| setup::identify(on), Ok)?;
    let allowed = pgroup::targets(on, group)?;
    let mut links = Vec::new();
    for target in arrays.others(on.name()) {
        if let Some(link) = link(
            context, &target, &own_name, group, enabled, interval, &allowed,
        ) {
            links.push(link);
        }
    }
    Ok(Side {
        present,
        members: sets::set(pgroup::members(on, group)?),
        links,
    })
}

fn link(
    context: &Context,
    target: &Array<'_>,
    own_name: &str,
    group: &str,
    enabled: bool,
    interval: Option<u64>,
    allowed: &[(String, bool)],
) -> Option<Link> {
    if allowed.is_empty() {
        return None;
    }
    let mut link = Link {
        target: target.name().to_owned(),
        kind: ReplicationKind::Async,
        state: LinkState::Unknown,
        last_point: None,
        interval_seconds: interval,
        lag_bytes: None,
        percent: None,
        detail: None,
    };
    let arrivals = match pgroup::arrivals(target, &pgroup::name_on_target(own_name, group)) {
        Ok(arrivals) => arrivals,
        Err(failure) => {
            link.state = LinkState::Down;
            link.detail = Some(failure.message);
            return Some(link);
        }
    };
    link.percent = arrivals
        .first()
        .filter(|a| !a.complete)
        .map(|a| u8::try_from(a.permille / 10).unwrap_or(100));
    link.last_point = arrivals.iter().find(|a| a.complete).map(|a| RecoveryPoint {
        id: a.name.clone(),
        taken_at: a.taken_at,
    });
    let lag = link
        .last_point
        .as_ref()
        .map(|p| context.now.saturating_sub(p.taken_at) / 1000);
    link.state = match (enabled, lag, interval) {
        (false, _, _) => LinkState::Paused,
        (true, Some(lag), Some(interval)) if lag > interval.saturating_mul(2) => {
            LinkState::Degraded
        }
        (true, _, _) => LinkState::Healthy,
    };
    Some(link)
}

fn judge(
    context: &Context,
    volume: &Volume,
    sides: &BTreeMap<String, Option<Side>>,
) -> Observation {
    let mut seen = Observation {
        volume_id: volume.id.clone(),
        target: None,
        role: Role::Unknown,
        protection: Protection::Unknown,
        links: Vec::new(),
        stale_writable: Vec::new(),
        tests: Vec::new(),
        problems: Vec::new(),
    };
    let Some(placement) = &volume.placement else {
        seen.problems
            .push("the volume has not been created".to_owned());
        return seen;
    };
    let name = array_name(volume);
    let Some(Some(side)) = sides.get(&placement.target) else {
        seen.problems
            .push(format!("{} cannot be asked", placement.target));
        return seen;
    };
    if !side.present.contains(&name) {
        seen.problems
            .push(format!("{name} is not on {}", placement.target));
        return seen;
    }
    seen.target = Some(placement.target.clone());
    seen.role = Role::Primary;
    if !side.members.contains(&name) || side.links.is_empty() {
        seen.protection = Protection::Unprotected;
        return seen;
    }
    seen.links.clone_from(&side.links);
    seen.protection = if side.links.iter().all(|l| l.last_point.is_none()) {
        Protection::Initialising
    } else if side.links.iter().any(|l| within_rpo(context, l)) {
        Protection::Protected
    } else {
        Protection::RpoExceeded
    };
    seen
}

/// A point is late from three intervals on: one to wait for the schedule, one to transfer, one of grace.
pub(crate) fn within_rpo(context: &Context, link: &Link) -> bool {
    let Some(point) = &link.last_point else {
        return false;
    };
    let age = context.now.saturating_sub(point.taken_at) / 1000;
    link.interval_seconds
        .is_none_or(|interval| age <= interval.saturating_mul(3))
}
