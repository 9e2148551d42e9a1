//! Observes volumes: what is on the arrays, not what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use springform_sdk::interfaces::replication::{Link, LinkState, Observation, Protection, Role};
use springform_sdk::types::{Context, Failure, ReplicationKind, Volume};

use crate::array::{Array, flag, number, text};
use crate::arrays::Arrays;
use crate::copies::Copies;
use crate::layout::Kind;
use crate::options::Options;
use crate::query::Query;
use crate::volume::array_name;
use crate::{collections, demote, names, pgroup, plan, setup};

/// What is known of the volumes that one array serves.
struct Side {
    /// None where it cannot be asked, and why.
    here: Result<Here, String>,
    ways: Vec<Way>,
}

/// What the array says itself.
struct Here {
    present: BTreeSet<String>,
    members: BTreeSet<String>,
}

/// The way to one target.
struct Way {
    /// As it is for a volume of which no copy has arrived.
    link: Link,
    /// None where the target cannot be asked.
    copies: Option<Copies>,
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
    let mut sides: BTreeMap<String, Side> = BTreeMap::new();
    for volume in volumes {
        if let Some(placement) = &volume.placement
            && !sides.contains_key(&placement.target)
        {
            let served: Vec<String> = volumes
                .iter()
                .filter(|v| {
                    v.placement
                        .as_ref()
                        .is_some_and(|p| p.target == placement.target)
                })
                .map(array_name)
                .collect();
            let side = arrays.named(&placement.target).and_then(|on| {
                let seen = look(arrays, options, &on, &served);
                seen.or_else(|failure| {
                    Ok(from_beyond(context, arrays, options, &on, &served, failure))
                })
            });
            let nothing = |failure: Failure| Side {
                here: Err(failure.message),
                ways: Vec::new(),
            };
            sides.insert(placement.target.clone(), side.unwrap_or_else(nothing));
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
    Ok(collections::set(found.into_iter().map(bare)))
}

fn look(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    on: &Array<'_>,
    served: &[String],
) -> Result<Side, Failure> {
    let group = options.pgroup();
    let all = on
        .list("/volumes", &Query::new().filter("destroyed='false'"))
        .map_err(pgroup::unexpected)?;
    let names = all.iter().filter_map(|v| text(v, "/name"));
    let mut here = Here {
        present: collections::set(names.map(str::to_owned)),
        members: BTreeSet::new(),
    };
    let mut ways = Vec::new();
    if let Some(schedule) = pgroup::read(on, group)? {
        let enabled = flag(&schedule, "/replication_schedule/enabled");
        let interval = number(&schedule, "/replication_schedule/frequency").map(|ms| ms / 1000);
        let own_name = on.known_name().map_or_else(|| setup::identify(on), Ok)?;
        let there = pgroup::name_on_target(&own_name, group);
        let state = match enabled {
            true => LinkState::Healthy,
            false => LinkState::Paused,
        };
        here.members = collections::set(pgroup::members(on, group)?);
        if !pgroup::targets(on, group)?.is_empty() {
            let members = || served.iter().filter(|name| here.members.contains(*name));
            ways = arrays
                .others(on.name())
                .map(|target| {
                    let copies = Copies::read(&target, &there, members().map(String::as_str));
                    way(&target, state.clone(), interval, copies)
                })
                .collect();
        }
    }
    Ok(Side {
        here: Ok(here),
        ways,
    })
}

/// The array that serves cannot be asked; those it sent copies to know what has arrived, and nothing arrives now.
fn from_beyond(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    on: &Array<'_>,
    served: &[String],
    failure: Failure,
) -> Side {
    let ways = arrays.others(on.name()).map(|target| {
        let copies = plan::group_on(context, on, &target, options.pgroup())
            .and_then(|there| Copies::read(&target, &there, served.iter().map(String::as_str)));
        let interval = Some(options.interval());
        let mut way = way(&target, LinkState::Down, interval, copies);
        let why = format!("{}: {}", on.name(), failure.message);
        way.link.detail.get_or_insert(why);
        way
    });
    Side {
        ways: ways.collect(),
        here: Err(failure.message.clone()),
    }
}

fn way(
    target: &Array<'_>,
    state: LinkState,
    interval: Option<u64>,
    copies: Result<Copies, Failure>,
) -> Way {
    let mut link = Link {
        target: target.name().to_owned(),
        kind: ReplicationKind::Async,
        state,
        last_point: None,
        interval_seconds: interval,
        lag_bytes: None,
        percent: None,
        detail: None,
    };
    match &copies {
        Ok(copies) => link.percent = copies.percent,
        Err(failure) => {
            link.state = LinkState::Down;
            link.detail = Some(failure.message.clone());
        }
    }
    Way {
        link,
        copies: copies.ok(),
    }
}

impl Way {
    /// The link of one volume.
    fn of(&self, context: &Context, name: &str) -> Link {
        let mut link = self.link.clone();
        link.last_point = self.copies.as_ref().and_then(|copies| copies.of(name));
        let lag = link
            .last_point
            .as_ref()
            .map(|p| context.now.saturating_sub(p.taken_at) / 1000);
        if let (LinkState::Healthy, Some(lag), Some(interval)) =
            (&link.state, lag, link.interval_seconds)
            && lag > interval.saturating_mul(2)
        {
            link.state = LinkState::Degraded;
        }
        link
    }
}

fn judge(context: &Context, volume: &Volume, sides: &BTreeMap<String, Side>) -> Observation {
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
    let Some(side) = sides.get(&placement.target) else {
        return seen;
    };
    match &side.here {
        Err(why) => seen
            .problems
            .push(format!("{} cannot be asked: {why}", placement.target)),
        Ok(here) if !here.present.contains(&name) => {
            seen.problems
                .push(format!("{name} is not on {}", placement.target));
            return seen;
        }
        Ok(here) => {
            seen.target = Some(placement.target.clone());
            seen.role = Role::Primary;
            if !here.members.contains(&name) || side.ways.is_empty() {
                seen.protection = Protection::Unprotected;
                return seen;
            }
        }
    }
    seen.links = side.ways.iter().map(|way| way.of(context, &name)).collect();
    // How old the copies are is known from whoever has them; what the volume is meanwhile nobody can say.
    let dark = |way: &Way| way.copies.is_none();
    seen.protection = if side.here.is_err() {
        Protection::Unknown
    } else if seen.links.iter().any(|l| within_rpo(context, l)) {
        Protection::Protected
    } else if seen.links.iter().any(|l| l.last_point.is_some()) {
        Protection::RpoExceeded
    } else if side.ways.iter().any(dark) {
        // It may have a copy, and nobody can be asked.
        Protection::Unknown
    } else {
        Protection::Initialising
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
