//! The second leg of stretched volumes: what the third site has of them, and how old that is.

use std::collections::{BTreeMap, BTreeSet};

use springform_sdk::interfaces::replication::{
    Link, LinkState, Observation, Protection, RecoveryPoint,
};
use springform_sdk::types::{Context, Failure, ReplicationKind, Volume};

use crate::array::{Array, flag, number};
use crate::arrays::Arrays;
use crate::copies::Copies;
use crate::layout::{self, Kind};
use crate::observe::{within_rpo, writable};
use crate::options::Options;
use crate::volume::array_name;
use crate::{collections, names, pgroup};

/// What the array that serves says of the pod's group.
struct Schedule {
    members: BTreeSet<String>,
    enabled: bool,
    interval: Option<u64>,
}

/// Adds the leg to the third site to what was seen of stretched volumes.
pub fn observe(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    seen: &mut [Observation],
) {
    if options.layout().kind != Kind::TriSync {
        return;
    }
    let mut schedules: BTreeMap<&str, Option<Schedule>> = BTreeMap::new();
    for volume in volumes {
        if let Some(placement) = &volume.placement {
            let read = || schedule(&arrays.named(&placement.target).ok()?, options).ok()?;
            schedules
                .entry(placement.target.as_str())
                .or_insert_with(read);
        }
    }
    for third in arrays.beyond_the_pod() {
        let group = pgroup::name_on_target("", &options.third_group());
        let names: Vec<String> = volumes
            .iter()
            .filter(|v| {
                v.placement.is_some() && layout::wanted(v) == Some(&ReplicationKind::TriSync)
            })
            .map(array_name)
            .collect();
        let copies = Copies::read(&third, &group, names.iter().map(String::as_str));
        // One that cannot be asked is not known to be stale; the host asks again when it is back.
        let stale = match &copies {
            Ok(_) => writable(&third, options).unwrap_or_default(),
            Err(_) => BTreeSet::new(),
        };
        for (volume, seen) in volumes.iter().zip(seen.iter_mut()) {
            let Some(placement) = &volume.placement else {
                continue;
            };
            let name = array_name(volume);
            if stale.contains(names::without_pod(&name)) {
                seen.stale_writable.push(third.name().to_owned());
            }
            if layout::wanted(volume) != Some(&ReplicationKind::TriSync) {
                continue;
            }
            let schedule = schedules
                .get(placement.target.as_str())
                .and_then(Option::as_ref);
            let link = link(context, options, &third, schedule, &copies, &name);
            if seen.protection != Protection::Unknown {
                judge(context, options, seen, schedule, &link, &name);
            }
            seen.links.push(link);
        }
    }
}

fn schedule(on: &Array<'_>, options: &Options<'_>) -> Result<Option<Schedule>, Failure> {
    let group = options.third_group();
    let Some(found) = pgroup::read(on, &group)? else {
        return Ok(None);
    };
    Ok(Some(Schedule {
        members: collections::set(pgroup::members(on, &group)?),
        enabled: flag(&found, "/replication_schedule/enabled"),
        interval: number(&found, "/replication_schedule/frequency").map(|ms| ms / 1000),
    }))
}

fn link(
    context: &Context,
    options: &Options<'_>,
    third: &Array<'_>,
    schedule: Option<&Schedule>,
    copies: &Result<Copies, Failure>,
    name: &str,
) -> Link {
    let mut link = Link {
        target: third.name().to_owned(),
        kind: ReplicationKind::Async,
        state: LinkState::Unknown,
        last_point: None,
        interval_seconds: schedule
            .and_then(|s| s.interval)
            .or_else(|| Some(options.interval())),
        lag_bytes: None,
        percent: None,
        detail: None,
    };
    let copies = match copies {
        Ok(copies) => copies,
        Err(failure) => {
            link.state = LinkState::Down;
            link.detail = Some(failure.message.clone());
            return link;
        }
    };
    link.percent = copies.percent;
    link.last_point = copies.of(name);
    let late = |point: &RecoveryPoint| {
        let lag = context.now.saturating_sub(point.taken_at) / 1000;
        link.interval_seconds
            .is_some_and(|interval| lag > interval.saturating_mul(2))
    };
    link.state = match (schedule, &link.last_point) {
        (None, _) => LinkState::Unknown,
        (Some(schedule), _) if !schedule.enabled || !schedule.members.contains(name) => {
            LinkState::Paused
        }
        (Some(_), None) => LinkState::Resyncing,
        (Some(_), Some(point)) if late(point) => LinkState::Degraded,
        (Some(_), Some(_)) => LinkState::Healthy,
    };
    link
}

/// The promise of three sites holds only while both legs keep theirs: the worse of them is said.
fn judge(
    context: &Context,
    options: &Options<'_>,
    seen: &mut Observation,
    schedule: Option<&Schedule>,
    link: &Link,
    name: &str,
) {
    let leg = if within_rpo(context, link) {
        Protection::Protected
    } else if link.last_point.is_none() && link.state == LinkState::Down {
        // It is dark: it may have a copy, and nobody knows how old that is.
        Protection::Unknown
    } else if link.last_point.is_none() && link.state == LinkState::Resyncing {
        Protection::Initialising
    } else {
        Protection::RpoExceeded
    };
    if schedule.is_some_and(|s| !s.members.contains(name)) {
        seen.problems.push(format!(
            "{name} is not in protection group {}; nothing of it is sent to {} until it is reprotected",
            options.third_group(),
            link.target
        ));
    }
    let rank = |protection: &Protection| match protection {
        Protection::Unprotected => 4,
        Protection::RpoExceeded => 3,
        Protection::Unknown => 2,
        Protection::Initialising => 1,
        _ => 0,
    };
    if rank(&leg) > rank(&seen.protection) {
        seen.protection = leg;
    }
}
