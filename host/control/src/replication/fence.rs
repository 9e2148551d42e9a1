//! Paying debts: whoever was left behind is demoted as soon as it answers, and is not trusted before.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use springform_model::contract::{Call, Reply};
use springform_model::replication::relation::Event;

use super::env::{BackendView, Member, ReplicationError};
use super::members::{self, Change};
use super::operation_run::OperationRun;

/// Demotes left-behind copies on every array that answers. An array that does not answer stays a debt.
///
/// The volumes' turn is held meanwhile: an array that is being fenced must not be made the one that serves. It is given
/// back at the end, except where `keep` says that the caller goes on with it. Volumes of another operation are left to it.
pub async fn pay(
    run: &OperationRun<'_>,
    view: &BackendView,
    members: Vec<Member>,
    keep: bool,
) -> Result<Vec<Member>, ReplicationError> {
    let settleable = |m: &Member| due(view, m).next().is_some();
    let (owing, mut rest): (Vec<_>, Vec<_>) = members.into_iter().partition(settleable);
    let chunks = members::chunks(owing, view.batch).into_iter();
    let mut running = stream::iter(chunks.map(|chunk| hold_and_fence(run, view, chunk, keep)))
        .buffer_unordered(view.parallel.max(1));
    while let Some(done) = running.next().await {
        rest.extend(done?);
    }
    drop(running);
    if !keep {
        rest = members::release(run, rest).await?;
    }
    Ok(rest)
}

async fn hold_and_fence(
    run: &OperationRun<'_>,
    view: &BackendView,
    chunk: Vec<Member>,
    keep: bool,
) -> Result<Vec<Member>, ReplicationError> {
    let (held, busy) = members::hold(run, chunk).await?;
    let mut all = batch(run, view, held, keep).await?;
    all.extend(busy.into_iter().map(|(member, _)| member));
    Ok(all)
}

/// Arrays that can be fenced now.
pub fn due<'a>(view: &'a BackendView, member: &'a Member) -> impl Iterator<Item = &'a str> {
    let answers = |target: &str| view.target(target).is_some_and(|t| t.reachable);
    // A record that is older than the arrays does not know whom to fence.
    let current = member.relation.overtaken().is_none();
    let owed = member.relation.owed().map(|d| d.target.as_str());
    owed.filter(move |t| current && answers(t))
}

async fn batch(
    run: &OperationRun<'_>,
    view: &BackendView,
    mut held: Vec<Member>,
    keep: bool,
) -> Result<Vec<Member>, ReplicationError> {
    let targets: BTreeSet<String> = held
        .iter()
        .flat_map(|m| due(view, m).map(str::to_owned))
        .collect();
    for target in targets {
        let (owing, mut others): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|m| due(view, m).any(|t| t == target));
        let call = Call::Demote {
            target: target.clone(),
            volumes: owing.iter().map(|m| (*m.spec).clone()).collect(),
        };
        // One attempt: this array may be the very reason of the failover. The observer tries again.
        let answer = run.env().call(&view.name, run.id(), Vec::new(), call).await;
        let outcomes = answer
            .and_then(Reply::into_outcomes)
            .ok()
            .filter(|outcomes| outcomes.len() == owing.len())
            .unwrap_or_default();
        let demoted: BTreeSet<String> = outcomes
            .into_iter()
            .filter(|o| o.result.is_ok())
            .map(|o| o.id)
            .collect();
        let now = run.env().now();
        let (fenced, unfenced): (Vec<_>, Vec<_>) = owing
            .into_iter()
            .partition(|m| demoted.contains(&m.volume.id));
        let (fenced, _) = members::change(run.env(), fenced, |m| {
            let event = Event::Fenced {
                target: target.clone(),
            };
            *m.relation = m.relation.step(event, now)?.0;
            if !keep && due(view, m).next().is_none() {
                members::unlock(run, m);
            }
            Ok(Change::Write)
        })
        .await?;
        others.extend(fenced);
        others.extend(unfenced);
        held = others;
    }
    Ok(held)
}
