//! A group's own record, where the scope of a verb is a group: its turn, how it is said to be replicated, who serves it.
//! And the two verbs that an array which keeps groups carries out for the group as one.

use std::collections::BTreeMap;

use springform_model::cloud::{Group, ReplicationStatus};
use springform_model::contract::{
    Call, CallError, Failure, FailureCode, GroupSpec, Placement, ReplicationKind,
};
use springform_model::operation::{Operation, OperationError, OperationState, Verb};
use springform_model::replication::relation::Event;

use super::Scope;
use super::env::{BackendView, Member, ReplicationEnv, ReplicationError};
use super::members::{self, Change};
use super::operation_run::{OperationRun, journalled, problem};
use super::plan::PAGE;
use super::verbs::lead_to_both;

/// A group as the env gives it.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// The record.
    pub group: Group,
    /// Its row's revision.
    pub revision: u64,
    /// What a driver is told of it.
    pub spec: GroupSpec,
}

/// Whether replication of the group as one was ever switched on: only then is its word for it kept.
fn on(group: &Group) -> bool {
    !matches!(
        group.replication_status,
        ReplicationStatus::Disabled | ReplicationStatus::NotCapable
    )
}

/// Takes the turn of the group that a verb is about.
pub(super) async fn take(
    env: &dyn ReplicationEnv,
    scope: &Scope,
    verb: Verb,
    operation: &str,
) -> Result<Option<(Group, u64)>, ReplicationError> {
    let Scope::Group(id) = scope else {
        return Ok(None);
    };
    let Some(GroupView {
        mut group,
        revision,
        ..
    }) = env.group(id).await?
    else {
        return Ok(None);
    };
    if let Some(holder) = &group.operation {
        return Err(ReplicationError::Conflict {
            message: format!("operation {holder} holds group {id}; wait for it or cancel it"),
            operation: Some(holder.clone()),
        });
    }
    group.operation = Some(operation.to_owned());
    group.replication_status = match verb {
        Verb::Enable => ReplicationStatus::Enabling,
        Verb::Disable => ReplicationStatus::Disabling,
        Verb::Failover | Verb::Failback if on(&group) => ReplicationStatus::FailingOver,
        _ => group.replication_status,
    };
    Ok(Some((group, revision)))
}

/// Ends the turn, with what came of the operation.
pub(super) async fn release(
    env: &dyn ReplicationEnv,
    operation: &Operation,
) -> Result<Option<(Group, u64)>, ReplicationError> {
    if operation.subject_kind != "group" {
        return Ok(None);
    }
    let Some(GroupView {
        mut group,
        revision,
        ..
    }) = env.group(&operation.subject).await?
    else {
        return Ok(None);
    };
    if group.operation.as_deref() != Some(&operation.id) {
        return Ok(None);
    }
    group.operation = None;
    group.updated_at = Some(env.now());
    let done = operation.state == OperationState::Succeeded;
    match operation.verb {
        Verb::Enable if done => group.replication_status = ReplicationStatus::Enabled,
        Verb::Disable if done => group.replication_status = ReplicationStatus::Disabled,
        Verb::Enable | Verb::Disable => group.replication_status = ReplicationStatus::Error,
        Verb::Failover | Verb::Failback => {
            let members = if done {
                None
            } else {
                Some(common(env, operation).await?)
            };
            moved(&mut group, operation, members);
        }
        _ => {}
    }
    Ok(Some((group, revision)))
}

/// What all members of the group are said to be, after a failover that did not succeed; they differ: `failover-error`.
async fn common(
    env: &dyn ReplicationEnv,
    operation: &Operation,
) -> Result<ReplicationStatus, ReplicationError> {
    let scope = Scope::Group(operation.subject.clone());
    let backend = operation.backend.clone().unwrap_or_default();
    let mut all: Option<ReplicationStatus> = None;
    let mut after: Option<String> = None;
    loop {
        let page = env
            .members(&scope, &backend, after.as_deref(), PAGE)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.volume.id.clone());
        for member in &page {
            let own = member.volume.replication_status;
            match (all, own) {
                (None, Some(own)) => all = Some(own),
                (Some(all), Some(own)) if all == own => {}
                _ => return Ok(ReplicationStatus::FailoverError),
            }
        }
    }
    Ok(all.unwrap_or(ReplicationStatus::FailoverError))
}

/// `members`: what they say where the operation did not succeed.
fn moved(group: &mut Group, operation: &Operation, members: Option<ReplicationStatus>) {
    if members.is_none() {
        let target = operation.result.get("target").and_then(|to| to.as_str());
        group.target = target.map(str::to_owned);
        group.generation += 1;
    }
    if !on(group) {
        return;
    }
    group.replication_status = match members {
        Some(ReplicationStatus::FailedOver) => ReplicationStatus::FailedOver,
        Some(ReplicationStatus::Enabled) => ReplicationStatus::Enabled,
        Some(_) => ReplicationStatus::FailoverError,
        None if group.target.is_some() => ReplicationStatus::FailedOver,
        None => ReplicationStatus::Enabled,
    };
}

/// Switches replication of a group as one. All of its members, or none.
pub(super) async fn switch(
    run: &OperationRun<'_>,
    view: &BackendView,
    known: &GroupView,
    enable: bool,
) -> Result<Result<(), OperationError>, ReplicationError> {
    let env = run.env();
    let now = env.now();
    let scope = Scope::Group(known.group.id.clone());
    let mut all: Vec<Member> = Vec::new();
    loop {
        let after = all.last().map(|member| member.volume.id.clone());
        let page = env
            .members(&scope, &view.name, after.as_deref(), PAGE)
            .await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all.retain(|member| member.volume.placement.is_some());
    let total = all.len() as u64;
    let count = |done, failed| springform_model::operation::Progress {
        done,
        failed,
        total,
    };
    // All of them, so that nobody renames, moves or deletes one meanwhile. What ends early gives them back.
    let (all, busy) = members::hold_soon(run, &view.name, all).await?;
    if let Some((member, refusal)) = busy.first() {
        run.note(|o| o.progress = count(0, total)).await;
        let id = &member.volume.id;
        let why = format!("volume {id}: {refusal}; nothing of the group was switched");
        let mut why = problem("busy", why, &view.name);
        why.retryable = true;
        return Ok(Err(why));
    }
    for member in &all {
        if let Err(refusal) = member.relation.step(Event::Want(enable), now) {
            run.note(|o| o.progress = count(0, total)).await;
            let id = &member.volume.id;
            let failure = Failure::new(
                FailureCode::FailedPrecondition,
                format!("volume {id}: {refusal}; nothing of the group was switched"),
            );
            return Ok(Err(journalled(&view.name, &CallError::Failed(failure))));
        }
    }
    let volumes = all.iter().map(|member| (*member.spec).clone()).collect();
    let group = known.spec.clone();
    let call = if enable {
        Call::EnableGroupReplication { group, volumes }
    } else {
        Call::DisableGroupReplication { group, volumes }
    };
    if let Err(error) = run.call(&view.name, &call).await {
        run.note(|o| o.progress = count(0, total)).await;
        return Ok(Err(journalled(&view.name, &error)));
    }
    for chunk in members::chunks(all, view.batch.clamp(1, PAGE)) {
        let placements = placements(run, view, &chunk, enable).await;
        let (switched, _) = members::change(env, chunk, |member| {
            *member.relation = member.relation.step(Event::Want(enable), now)?.0;
            let kind = enable.then(|| kind_of(member)).flatten();
            if let Some(placement) = &mut member.volume.placement {
                placement.replication = kind;
            }
            if let Some(placement) = placements.get(&member.volume.id) {
                member.volume.place(placement);
            }
            member.volume.replication_status = Some(if enable {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::Disabled
            });
            members::unlock(run, member);
            Ok(Change::Write)
        })
        .await?;
        lead_to_both(run, &view.name, switched).await?;
    }
    run.note(|o| o.progress = count(total, 0)).await;
    Ok(Ok(()))
}

/// Where the volumes of a group are that was switched. What enters a pair of arrays or leaves it gets another name, and the answer
/// about the group has none: each volume is asked to be what it is. One that cannot say keeps the name that it had.
async fn placements(
    run: &OperationRun<'_>,
    view: &BackendView,
    members: &[Member],
    enable: bool,
) -> BTreeMap<String, Placement> {
    let paired = |m: &Member| kind_of(m).is_some_and(|kind| kind.is_paired());
    if !members.iter().any(paired) {
        return BTreeMap::new();
    }
    let volumes = members.iter().map(|m| (*m.spec).clone()).collect();
    let call = match enable {
        true => Call::Enable { volumes },
        false => Call::Disable { volumes },
    };
    let outcomes = run.batch(&view.name, &call, members).await;
    let told = outcomes.into_iter().filter_map(Result::ok);
    told.filter_map(|told| Some((told.id, told.result.ok()?)))
        .collect()
}

fn kind_of(member: &Member) -> Option<ReplicationKind> {
    let kind = member.spec.volume_type.as_ref();
    kind.and_then(|kind| kind.replication.clone())
}
