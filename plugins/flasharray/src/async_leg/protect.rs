//! The leg from the pod to the third site: set up, joined and left by volumes, made anew after a failover.

use std::collections::BTreeMap;

use springform_sdk::fail::{failure, failure_on, pending};
use springform_sdk::types::{
    Context, Error, Failure, FailureCode, Outcome, ReplicationKind, Volume,
};

use super::comes_home;
use crate::array::Array;
use crate::arrays::Arrays;
use crate::layout::{self, Kind};
use crate::options::Options;
use crate::pod::{self, Status};
use crate::reprotect::{Goal, Way, send};
use crate::setup::Setup;
use crate::volume::{Volumes, array_name, placed};
use crate::{collections, pgroup, plan, stretched};

/// How long to wait before looking at a resync again, in milliseconds.
const LOOK: u32 = 1000;

impl<'a> Setup<'a> {
    /// Lets the pod's own group send to every array beyond the pod.
    ///
    /// # Errors
    /// `pending` while the group has not appeared there.
    pub(crate) fn third_site(&mut self, on: &Array<'a>, own_name: &str) -> Result<(), Error> {
        let third: Vec<_> = self.arrays.beyond_the_pod().collect();
        if third.is_empty() {
            self.warnings.push(
                "no replication_device of type async is configured: volumes of three sites are on two".to_owned(),
            );
            return Ok(());
        }
        self.protect(on, own_name, &third, &self.options.third_group())
    }
}

impl<'a> Volumes<'a> {
    /// Gives a volume in the pod its leg to the third site, or takes it away. Says what replicates the volume now.
    ///
    /// # Errors
    /// `failed-precondition`, when it cannot join or leave.
    pub(crate) fn third_leg(
        &self,
        on: &Array<'a>,
        name: &str,
        wanted: Option<&ReplicationKind>,
    ) -> Result<ReplicationKind, Failure> {
        if self.options.layout().kind != Kind::TriSync {
            return Ok(ReplicationKind::Sync);
        }
        let group = self.options.third_group();
        if wanted != Some(&ReplicationKind::TriSync) {
            pgroup::leave(on, &group, &[name])?;
            return Ok(ReplicationKind::Sync);
        }
        if self.arrays.beyond_the_pod().next().is_none() {
            // Two sites are all there are; set-up warns of it.
            return Ok(ReplicationKind::Sync);
        }
        pgroup::join(on, &group, &[name])?;
        Ok(ReplicationKind::TriSync)
    }
}

/// Protects volumes in the pod: on its other array, and beyond it.
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
    let (three, two): (Vec<_>, Vec<_>) = volumes
        .iter()
        .cloned()
        .partition(|v| layout::wanted(v) == Some(&ReplicationKind::TriSync));
    let third: Vec<_> = match goal.to {
        Some(to) if arrays.hold_pod(to) => Vec::new(),
        Some(to) => vec![arrays.named(to)?],
        None => arrays.beyond_the_pod().collect(),
    };
    let beyond_only = goal.to.is_some() && !third.is_empty();
    let mut sent: BTreeMap<String, Result<(), Failure>> = BTreeMap::new();
    if !third.is_empty() && !three.is_empty() {
        let way = Way {
            from: &from,
            targets: &third,
            group: &options.third_group(),
        };
        let outcomes = send(context, arrays, options, &way, &three, goal)?;
        sent = collections::table(three.iter().map(|v| v.id.clone()).zip(outcomes));
    }
    let stretched = if beyond_only {
        volumes.iter().map(|v| stays(&from, v)).collect()
    } else {
        stretched::reprotect::reprotect(context, arrays, volumes, goal.to, goal.wait)?
    };
    let outcomes = stretched.into_iter().map(|mut outcome| {
        let is_two = two.iter().any(|v| v.id == outcome.id);
        match (sent.remove(&outcome.id), &mut outcome.result) {
            _ if is_two && beyond_only => outcome.result = Err(of_two_sites(&from)),
            (Some(Ok(())), Ok(placement)) => {
                placement.replication = Some(ReplicationKind::TriSync);
            }
            (Some(Err(failure)), Ok(_)) => outcome.result = Err(failure),
            _ => {}
        }
        outcome
    });
    Ok(outcomes.collect())
}

fn stays(on: &Array<'_>, volume: &Volume) -> Outcome {
    let serial = volume.placement.as_ref().and_then(|p| p.serial.clone());
    Outcome {
        id: volume.id.clone(),
        result: Ok(placed(
            on,
            &array_name(volume),
            serial,
            Some(layout::in_the_pod(volume)),
        )),
    }
}

fn of_two_sites(on: &Array<'_>) -> Failure {
    failure_on(
        on.name(),
        FailureCode::FailedPrecondition,
        "the volume's type replicates to two sites; retype it to one that replicates to three",
    )
}

/// Waits where an array of the pod, to which volumes are to come home, still catches up with the other one.
///
/// # Errors
/// `pending` while it does.
pub fn settled(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    targets: &[Array<'_>],
    volumes: &[Volume],
) -> Result<(), Error> {
    let pod = options.layout().pod;
    let home = |to: &&Array<'_>| {
        let comes = |v: &Volume| comes_home(arrays, options, v, to);
        volumes.iter().any(comes)
    };
    for to in targets.iter().filter(home) {
        // One that does not answer has had its copy refused already; another one has it.
        let Ok(Some(seen)) = pod::read(to, pod) else {
            continue;
        };
        let own_name = pod::own_name(to)?;
        if let Some(side) = seen.side(&own_name)
            && side.status == Status::Resyncing
        {
            return Err(pending(
                format!("pod {pod} to come online on {}", to.name()),
                side.percent,
                LOOK,
            ));
        }
    }
    Ok(())
}

/// Refuses to change whether a volume is stretched while the third site leads it.
///
/// # Errors
/// `failed-precondition`, saying what to do.
pub fn not_away(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    on: &Array<'_>,
    before: Option<&ReplicationKind>,
    after: Option<&ReplicationKind>,
) -> Result<(), Failure> {
    let away = super::is_beyond(arrays, options, on.name());
    if !away || layout::wants_pod(before) == layout::wants_pod(after) {
        return Ok(());
    }
    Err(failure(
        FailureCode::FailedPrecondition,
        format!(
            "{} serves the volume, and its pod is elsewhere; fail it back before it is put into the pod or taken out of it",
            on.name()
        ),
    ))
}
