//! Reverse replication: volumes are protected from where they are now.

use springform_sdk::fail::{failure_on, pending};
use springform_sdk::types::{
    Context, Error, Failure, FailureCode, Outcome, ReplicationKind, Volume,
};

use crate::array::{Array, Arrays};
use crate::options::Options;
use crate::setup::{self, Setup};
use crate::volume::{array_name, placed};
use crate::{failover, observe, pgroup};

/// How long the first copy is given before it is looked at again, in milliseconds.
const ARRIVES: u32 = 1000;

/// Makes the group on the array which serves, with the volumes in it and the other arrays as its targets.
///
/// # Errors
/// See the contract's `replication.reprotect`.
pub fn reprotect(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    to: Option<&str>,
    discard: bool,
    wait: bool,
) -> Result<Vec<Outcome>, Error> {
    let from = failover::source_of(arrays, volumes)?;
    let own_name = setup::identify(&from)?;
    let targets = match to {
        Some(name) => vec![arrays.named(name)?],
        None => arrays.others(from.name()).collect(),
    };
    let names: Vec<_> = volumes.iter().map(array_name).collect();
    if !discard {
        for target in &targets {
            refuse_independent(target, options, &names)?;
        }
    }
    let mut work = Setup::new(context, *arrays, *options);
    work.protect(&from, &own_name, &targets)?;
    let (_, warnings) = work.into_parts();
    if warnings.len() == targets.len() && !targets.is_empty() {
        return Err(failure_on(from.name(), FailureCode::Unavailable, warnings.join("; ")).into());
    }
    pgroup::join(
        &from,
        options.pgroup(),
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    if wait {
        arrived(context, &from, &own_name, options, &targets)?;
    }
    Ok(volumes
        .iter()
        .zip(&names)
        .map(|(v, name)| Outcome {
            id: v.id.clone(),
            result: Ok(protected(v, &from, name)),
        })
        .collect())
}

/// A target on which a machine still writes to one of the volumes, or which still sends them, holds data of its own.
fn refuse_independent(
    target: &Array<'_>,
    options: &Options<'_>,
    names: &[String],
) -> Result<(), Failure> {
    // One that cannot be asked cannot be overwritten either; set-up warns of it.
    let Ok(writable) = observe::writable(target, options.pgroup()) else {
        return Ok(());
    };
    match names.iter().find(|name| writable.contains(*name)) {
        None => Ok(()),
        Some(name) => Err(failure_on(
            target.name(),
            FailureCode::FailedPrecondition,
            format!(
                "{name} can still be written on {}; demote it there, or acknowledge that its content there is discarded",
                target.name()
            ),
        )),
    }
}

/// The first copy under this operation's own snapshot.
fn arrived(
    context: &Context,
    from: &Array<'_>,
    own_name: &str,
    options: &Options<'_>,
    targets: &[Array<'_>],
) -> Result<(), Error> {
    let digits: String = context
        .operation_id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(24)
        .collect();
    let suffix = format!("sf-{digits}");
    let group = pgroup::name_on_target(own_name, options.pgroup());
    let name = format!("{group}.{suffix}");
    for target in targets {
        let found = pgroup::arrivals(target, &group)?
            .into_iter()
            .find(|a| a.name == name);
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
                pgroup::send_now(from, options.pgroup(), &suffix)?;
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
        let result = failover::source_of(arrays, std::slice::from_ref(volume)).and_then(|array| {
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
