//! What is held against each kind of answer: the targets that were named to the driver, the members that were asked for, the
//! sizes and names that something on an array can have.

use std::collections::{BTreeMap, BTreeSet};

use springform_model::contract::{
    Call, CallError, Connection, Context, FailoverPlan, Failure, Fault, Observation, Outcome,
    Pending, Placement, RecoveryPoint, Reply, SnapshotPlacement, Statistics, VolumeSpec,
};

use super::connection;
use super::rules::{Rules, shorten, shorten_all};

/// Pools of one backend.
const MOST_POOLS: usize = 1024;
/// Entries of one page of what could be managed.
const MOST_MANAGEABLE: usize = 100_000;

/// What was asked, as far as an answer is held against it.
pub struct Asked {
    targets: BTreeSet<String>,
    /// User of the CHAP pair that the driver was given.
    pub chap: Option<String>,
}

impl Asked {
    /// What this call asks.
    #[must_use]
    pub fn of(context: &Context, call: &Call) -> Self {
        let mut targets: BTreeSet<String> =
            context.targets.iter().map(|t| t.name.clone()).collect();
        // A volume may be on an array that the configuration has lost: then its driver may go on saying so.
        for volume in volumes(call) {
            targets.extend(volume.placement.iter().map(|p| p.target.clone()));
        }
        let chap = match call {
            Call::Connect { connector, .. } => connector.chap.as_ref(),
            Call::Disconnect { connector, .. } => connector.as_ref().and_then(|c| c.chap.as_ref()),
            _ => None,
        };
        Self {
            targets,
            chap: chap.map(|chap| chap.user.clone()),
        }
    }

    /// Refuses a target that was not named to the driver.
    pub fn target(&self, rules: Rules, field: &str, name: &str) -> Result<(), Fault> {
        if self.targets.contains(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        Err(rules.refuse(
            field,
            &format!(
                "is {:.64?}, which is no target of the backend (its targets are {})",
                name,
                known.join(", ")
            ),
        ))
    }
}

fn volumes(call: &Call) -> Vec<&VolumeSpec> {
    match call {
        Call::CreateVolume { volume }
        | Call::DeleteVolume { volume }
        | Call::ExtendVolume { volume, .. }
        | Call::CreateSnapshot { volume, .. }
        | Call::DeleteSnapshot { volume, .. }
        | Call::Revert { volume, .. }
        | Call::Retype { volume, .. }
        | Call::Manage { volume, .. }
        | Call::Unmanage { volume }
        | Call::ManageSnapshot { volume, .. }
        | Call::UnmanageSnapshot { volume, .. }
        | Call::Connect { volume, .. }
        | Call::Disconnect { volume, .. }
        | Call::OfferVolume { volume, .. }
        | Call::SendVolume { volume, .. }
        | Call::ReleaseVolume { volume, .. } => vec![volume],
        Call::CreateFromSnapshot {
            volume,
            source_volume: source,
            ..
        }
        | Call::CloneVolume { volume, source } => vec![volume, source],
        Call::Observe { volumes }
        | Call::FinalSync { volumes, .. }
        | Call::Demote { volumes, .. }
        | Call::FailOver { volumes, .. }
        | Call::FinishFailover { volumes, .. }
        | Call::Reprotect { volumes, .. }
        | Call::Resync { volumes, .. }
        | Call::Enable { volumes }
        | Call::Disable { volumes }
        | Call::StartTest { volumes, .. }
        | Call::StopTest { volumes, .. }
        | Call::CommitTest { volumes, .. }
        | Call::Reconcile { volumes, .. }
        | Call::CreateGroupSnapshot { volumes, .. }
        | Call::EnableGroupReplication { volumes, .. }
        | Call::DisableGroupReplication { volumes, .. } => volumes.iter().collect(),
        Call::PlanFailover { request } => request.volumes.iter().collect(),
        Call::UpdateGroup { add, remove, .. } => add.iter().chain(remove).collect(),
        Call::CreateGroupFrom {
            volumes,
            source_volumes,
            ..
        } => volumes.iter().chain(source_volumes).collect(),
        _ => Vec::new(),
    }
}

/// Looks at a reply; words for people are shortened in place.
pub fn reply(rules: Rules, asked: &Asked, reply: &mut Reply) -> Result<(), Fault> {
    match reply {
        Reply::Done | Reply::State(_) | Reply::Parcel(_) => Ok(()),
        Reply::Name(name) => rules.name("name", name),
        Reply::Size(bytes) => rules.size("size", *bytes),
        Reply::Setup(report) => {
            for change in &mut report.changes {
                // A sentence for people; nothing hangs on where it says that it was.
                if asked.target(rules, "target", &change.target).is_err() {
                    change.target.clear();
                }
                shorten(&mut change.text);
            }
            shorten_all(&mut report.warnings);
            Ok(())
        }
        Reply::Check(all) => all.iter_mut().try_for_each(|health| {
            asked.target(rules, "target", &health.target)?;
            for text in [
                &health.array_id,
                &health.array_name,
                &health.api_version,
                &health.array_version,
            ] {
                rules.maybe("what is known of the array", text.as_ref())?;
            }
            shorten_all(&mut health.problems);
            Ok(())
        }),
        Reply::Stats(statistics) => stats(rules, statistics),
        Reply::Placement(place) => placement(rules, asked, place),
        Reply::Snapshot(place) => snapshot(rules, place),
        Reply::Adopted(adopted) => {
            rules.size("size", adopted.size)?;
            placement(rules, asked, &adopted.placement)
        }
        Reply::AdoptedSnapshot(adopted) => {
            rules.size("size", adopted.size)?;
            snapshot(rules, &adopted.placement)
        }
        Reply::Manageable(page) => {
            rules.count("items", page.items.len(), MOST_MANAGEABLE)?;
            rules.maybe("next", page.next.as_ref())?;
            page.items.iter_mut().try_for_each(|item| {
                rules.pairs("reference", &item.reference.keys)?;
                item.reason_not_safe.iter_mut().for_each(shorten);
                rules.extensions(&item.extensions)
            })
        }
        Reply::Connection(way) => connection::check(rules, asked, way),
        Reply::Disconnected(done) => done.connection.as_ref().map_or(Ok(()), |way: &Connection| {
            connection::check(rules, asked, way)
        }),
        Reply::Observations(all) => all
            .iter_mut()
            .try_for_each(|seen| observation(rules, asked, seen)),
        Reply::Plan(made) => plan(rules, asked, made),
        Reply::Outcomes(all) => outcomes(rules, asked, all),
        Reply::Tests(all) => all.iter_mut().try_for_each(|test| {
            point(rules, test.point.as_ref())?;
            match &mut test.result {
                Ok(place) => placement(rules, asked, place),
                Err(error) => failure(rules, asked, error),
            }
        }),
        Reply::GroupSnapshot(all) => all.iter_mut().try_for_each(|one| match &mut one.result {
            Ok(place) => snapshot(rules, place),
            Err(error) => failure(rules, asked, error),
        }),
    }
}

/// Looks at what a driver said instead of an answer.
pub fn error(rules: Rules, asked: &Asked, error: &mut CallError) -> Result<(), Fault> {
    match error {
        CallError::Pending(Pending {
            waiting_for,
            percent,
            ..
        }) => {
            shorten(waiting_for);
            *percent = percent.filter(|percent| *percent <= 100);
            Ok(())
        }
        CallError::Failed(what) => failure(rules, asked, what),
        CallError::Fault(_) => Ok(()),
    }
}

/// A failure is worth more than its form: what is not in order is left out, and the rest told.
fn failure(rules: Rules, asked: &Asked, failure: &mut Failure) -> Result<(), Fault> {
    shorten(&mut failure.message);
    failure.detail.iter_mut().for_each(shorten);
    let known = |name: &String| asked.target(rules, "target", name).is_ok();
    failure.target = failure.target.take().filter(known);
    rules.extensions(&failure.extensions)
}

fn placement(rules: Rules, asked: &Asked, place: &Placement) -> Result<(), Fault> {
    asked.target(rules, "the target of a placement", &place.target)?;
    rules.name("array-name", &place.array_name)?;
    rules.maybe("serial", place.serial.as_ref())?;
    rules.pairs("metadata", &place.metadata)?;
    rules.extensions(&place.extensions)
}

fn snapshot(rules: Rules, place: &SnapshotPlacement) -> Result<(), Fault> {
    rules.name("array-name", &place.array_name)?;
    rules.pairs("metadata", &place.metadata)?;
    rules.extensions(&place.extensions)
}

/// No two members of a batch are the same object: the deletion of one would be the end of the other.
fn outcomes(rules: Rules, asked: &Asked, all: &mut [Outcome]) -> Result<(), Fault> {
    let mut placed = BTreeMap::new();
    for outcome in all {
        match &mut outcome.result {
            Ok(place) => {
                placement(rules, asked, place)?;
                let object = (place.target.clone(), place.array_name.clone());
                if let Some(other) = placed.insert(object, outcome.id.clone()) {
                    return Err(rules.refuse(
                        "array-name",
                        &format!("of {} and of {other} is the same", outcome.id),
                    ));
                }
            }
            Err(error) => failure(rules, asked, error)?,
        }
    }
    Ok(())
}

fn point(rules: Rules, point: Option<&RecoveryPoint>) -> Result<(), Fault> {
    point.map_or(Ok(()), |point| {
        rules.name("id of a recovery point", &point.id)
    })
}

fn observation(rules: Rules, asked: &Asked, seen: &mut Observation) -> Result<(), Fault> {
    let own = seen.target.iter();
    let named = own.chain(&seen.stale_writable).chain(&seen.tests);
    for target in named.chain(seen.links.iter().map(|link| &link.target)) {
        asked.target(rules, "a target of an observation", target)?;
    }
    for link in &mut seen.links {
        point(rules, link.last_point.as_ref())?;
        link.percent = link.percent.filter(|percent| *percent <= 100);
        link.detail.iter_mut().for_each(shorten);
    }
    shorten_all(&mut seen.problems);
    Ok(())
}

fn plan(rules: Rules, asked: &Asked, plan: &mut FailoverPlan) -> Result<(), Fault> {
    asked.target(rules, "the target of a plan", &plan.target)?;
    shorten_all(&mut plan.interrupts);
    for volume in &mut plan.volumes {
        point(rules, volume.point.as_ref())?;
        if let Some(source) = &volume.source {
            asked.target(rules, "the source of a plan", source)?;
        }
        volume.reason.iter_mut().for_each(shorten);
        shorten_all(&mut volume.warnings);
    }
    Ok(())
}

fn stats(rules: Rules, statistics: &Statistics) -> Result<(), Fault> {
    for text in [
        &statistics.vendor,
        &statistics.driver_version,
        &statistics.protocol,
    ] {
        rules.text("what the statistics are of", text, 255)?;
    }
    rules.count("pools", statistics.pools.len(), MOST_POOLS)?;
    let mut names = BTreeSet::new();
    for pool in &statistics.pools {
        rules.name("the name of a pool", &pool.name)?;
        if !names.insert(&pool.name) {
            return Err(rules.refuse("pools", &format!("has the name {:?} twice", pool.name)));
        }
        rules.pairs("capabilities", &pool.capabilities)?;
    }
    rules.count(
        "replication-targets",
        statistics.replication_targets.len(),
        1024,
    )?;
    rules.count("replication-types", statistics.replication_types.len(), 64)?;
    rules.extensions(&statistics.extensions)
}
