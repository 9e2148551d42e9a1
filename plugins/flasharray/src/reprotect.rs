//! Reverse replication: volumes are protected from where they are now.

use std::collections::BTreeMap;

use springform_sdk::fail::{failure_on, pending};
use springform_sdk::types::{
    Context, Error, Failure, FailureCode, Outcome, ReplicationKind, Volume,
};

use crate::array::{Array, is_away};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::setup::{self, Setup};
use crate::volume::{array_name, placed};
use crate::{async_leg, collections, names, observe, pgroup, plan};

/// How long the first copy is given before it is looked at again, in milliseconds.
const ARRIVES: u32 = 1000;

/// What a reprotection is to reach.
#[derive(Debug, Clone, Copy)]
pub struct Goal<'g> {
    /// One target; every other array where none is named.
    pub to: Option<&'g str>,
    /// What the targets hold of their own may go.
    pub discard: bool,
    /// The first copy has to arrive.
    pub wait: bool,
}

/// Which group of which array sends to whom.
pub(crate) struct Way<'w, 'a> {
    pub(crate) from: &'w Array<'a>,
    pub(crate) targets: &'w [Array<'a>],
    pub(crate) group: &'w str,
}

/// Makes the group on the array which serves, with the volumes in it and the other arrays as its targets.
///
/// # Errors
/// See the contract's `replication.reprotect`.
pub fn reprotect(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    goal: Goal<'_>,
) -> Result<Vec<Outcome>, Error> {
    let from = plan::source_of(arrays, volumes)?;
    let targets: Vec<_> = match goal.to {
        Some(name) => vec![arrays.named(name)?],
        None => arrays.others(from.name()).collect(),
    };
    let way = Way {
        from: &from,
        targets: &targets,
        group: options.pgroup(),
    };
    let sent = send(context, arrays, options, &way, volumes, goal)?;
    if goal.wait {
        async_leg::protect::settled(arrays, options, &targets, volumes)?;
    }
    Ok(volumes
        .iter()
        .zip(sent)
        .map(|(v, sent)| Outcome {
            id: v.id.clone(),
            result: sent.map(|()| protected(v, &from, &array_name(v))),
        })
        .collect())
}

/// Lets a group of an array send these volumes to targets. One of which a target holds data of its own, or that cannot be sent,
/// does not hold up the others.
///
/// # Errors
/// When none of the targets can be reached; `pending` while the first copy is under way.
pub(crate) fn send(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    way: &Way<'_, '_>,
    volumes: &[Volume],
    goal: Goal<'_>,
) -> Result<Vec<Result<(), Failure>>, Error> {
    let Way {
        from,
        targets,
        group,
    } = *way;
    let own_name = setup::identify(from)?;
    let names: Vec<_> = volumes.iter().map(array_name).collect();
    let mut independent = BTreeMap::new();
    if !goal.discard {
        for target in targets {
            independent.extend(written_there(target, options, &names));
        }
    }
    let mut work = Setup::new(context, *arrays, *options);
    work.protect(from, &own_name, targets, group)?;
    let (_, warnings) = work.into_parts();
    if warnings.len() == targets.len() && !targets.is_empty() {
        return Err(failure_on(from.name(), FailureCode::Unavailable, warnings.join("; ")).into());
    }
    let free = names.iter().filter(|name| !independent.contains_key(*name));
    let members: Vec<_> = free.map(String::as_str).collect();
    let mut joined = pgroup::join_each(from, group, &members)?.into_iter();
    let outcomes: Vec<_> = names
        .iter()
        .map(|name| match independent.remove(name) {
            Some(failure) => Err(failure),
            None => joined.next().unwrap_or(Ok(())),
        })
        .collect();
    let mut refused = outcomes.iter().filter_map(|o| o.as_ref().err());
    if let Some(first) = refused.next()
        && outcomes.iter().all(Result::is_err)
    {
        return Err(first.clone().into());
    }
    if goal.wait && outcomes.iter().any(Result::is_ok) {
        let there = pgroup::name_on_target(&own_name, group);
        arrived(context, way, &there, volumes)?;
    }
    Ok(outcomes)
}

/// A target on which a machine still writes to one of the volumes, or which still sends them, holds data of its own.
fn written_there(
    target: &Array<'_>,
    options: &Options<'_>,
    names: &[String],
) -> BTreeMap<String, Failure> {
    // One that cannot be asked cannot be overwritten either; set-up warns of it.
    let writable = observe::writable(target, options).unwrap_or_default();
    let independent = |name: &&String| writable.contains(names::without_pod(name));
    let refused = |name: &String| {
        let sentence = format!(
            "{name} can still be written on {}; demote it there, or acknowledge that its content there is discarded",
            target.name()
        );
        let failure = failure_on(target.name(), FailureCode::FailedPrecondition, sentence);
        (name.clone(), failure)
    };
    collections::table(names.iter().filter(independent).map(refused))
}

/// The first copy under a snapshot of this operation's and this batch's own.
fn arrived(
    context: &Context,
    way: &Way<'_, '_>,
    there: &str,
    volumes: &[Volume],
) -> Result<(), Error> {
    let short = |text: &str, most: usize| -> String {
        let kept = text.chars().filter(char::is_ascii_alphanumeric);
        kept.take(most).collect()
    };
    // The end of an id: its beginning is the time at which the volume was made, which two batches may have in common.
    let end = |v: &Volume| short(v.id.rsplit('-').next().unwrap_or_default(), 12);
    let batch = volumes.first().map_or_else(String::new, end);
    let suffix = format!("sf-{}-{batch}", short(&context.operation_id, 24));
    let name = format!("{there}.{suffix}");
    for target in way.targets {
        let arrivals = match pgroup::arrivals(target, there) {
            // Another target is reached, or set-up would have refused.
            Err(failure) if way.targets.len() > 1 && is_away(&failure) => {
                continue;
            }
            found => found?,
        };
        let found = arrivals.into_iter().find(|a| a.name == name);
        match found {
            Some(arrival) if arrival.complete => {}
            Some(arrival) => {
                let percent = u8::try_from(arrival.permille / 10).ok();
                return Err(pending(
                    format!("the first copy to reach {}", target.name()),
                    percent,
                    ARRIVES,
                ));
            }
            None => {
                pgroup::send_now(way.from, way.group, &suffix)?;
                return Err(pending(
                    format!("the first copy to reach {}", target.name()),
                    Some(0),
                    ARRIVES,
                ));
            }
        }
    }
    Ok(())
}

/// Turns replication of volumes on or off: in the group, or not in it.
///
/// # Errors
/// When the arrays that serve them are not configured.
pub fn switch(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    on: bool,
) -> Result<Vec<Outcome>, Failure> {
    let outcomes = volumes.iter().map(|volume| {
        let name = array_name(volume);
        let result = plan::source_of(arrays, std::slice::from_ref(volume)).and_then(|array| {
            if on {
                pgroup::join(&array, options.pgroup(), &[&name])?;
                Ok(protected(volume, &array, &name))
            } else {
                pgroup::leave(&array, options.pgroup(), &[&name])?;
                Ok(placed(&array, &name, serial(volume), None))
            }
        });
        Outcome {
            id: volume.id.clone(),
            result,
        }
    });
    Ok(outcomes.collect())
}

fn protected(volume: &Volume, on: &Array<'_>, name: &str) -> springform_sdk::types::Placement {
    placed(on, name, serial(volume), Some(ReplicationKind::Async))
}

fn serial(volume: &Volume) -> Option<String> {
    volume.placement.as_ref().and_then(|p| p.serial.clone())
}
