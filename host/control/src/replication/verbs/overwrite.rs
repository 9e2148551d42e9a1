//! Copying from the serving side over whatever another array holds.

use std::collections::BTreeMap;

use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{Call, CallError};
use springform_model::operation::OperationError;
use springform_model::replication::relation::Event;

use crate::replication::consent::Consent;
use crate::replication::env::{BackendView, Member, ReplicationError};
use crate::replication::members::Change;
use crate::replication::operation_run::{OperationRun, journalled, problem};
use crate::replication::{fence, members};

/// Why there is nothing to copy to: every goal is an array that was left behind and is not fenced.
fn left_behind(member: &Member, goals: &[String]) -> Option<String> {
    let owes = |goal: &&String| member.relation.owed().any(|debt| debt.target == **goal);
    let first = goals.first()?;
    goals.iter().all(|goal| owes(&goal)).then(|| {
        format!(
            "array {first} was left behind and does not answer, or does not let itself be fenced; nothing was copied over \
             it; try again when it answers"
        )
    })
}

/// What was overwritten, and what was not and why.
pub type Overwritten = (Vec<Member>, Vec<(Member, OperationError)>);

/// Copies from the serving side to one target, or to every other one. Fences a left-behind copy before it is overwritten.
/// Returns what was overwritten and what failed; what has left replication is neither. The volumes' turn is held meanwhile, so that none is moved to the array that is being overwritten;
/// `keep` leaves it with the operation for those that were overwritten.
pub async fn overwrite(
    run: &OperationRun<'_>,
    view: &BackendView,
    to: Option<&str>,
    acknowledge: &Consent,
    chunk: Vec<Member>,
    once: bool,
    keep: bool,
) -> Result<Overwritten, ReplicationError> {
    let env = run.env();
    let now = env.now();
    let mut failed = Vec::new();
    let mut able = Vec::new();
    let goals = |m: &Member| -> Vec<String> {
        let others = view.targets.iter().map(|t| t.name.clone());
        match to {
            Some(to) => vec![to.to_owned()],
            None => others
                .filter(|t| m.relation.serving.as_ref() != Some(t))
                .collect(),
        }
    };
    let listed = chunk.len();
    let (held, busy) = members::hold_replicated(run, &view.name, chunk).await?;
    members::fewer(run, listed - held.len() - busy.len()).await;
    for (member, refusal) in busy {
        let mut why = problem("busy", refusal.to_string(), &view.name);
        why.retryable = true;
        failed.push((member, why));
    }
    for member in held {
        let refusal = goals(&member).into_iter().find_map(|to| {
            let event = Event::Reprotect {
                from: None,
                acknowledge: acknowledge.about(&member.relation, &to).cloned(),
                to,
            };
            member.relation.step(event, now).err()
        });
        match refusal {
            Some(refusal) => failed.push((
                member,
                problem("failed-precondition", refusal.to_string(), &view.name),
            )),
            None => able.push(member),
        }
    }
    // Whoever looks after the arrays may not know yet that one answers again: where it is to be overwritten it is asked.
    let mut asked = view.clone();
    for target in &mut asked.targets {
        target.reachable |= to.is_none_or(|to| to == target.name);
    }
    let fenced = fence::pay(run, &asked, able, true).await?;
    let mut able = Vec::new();
    for member in fenced {
        // Copied over what is still writable, it would be worth nothing with the next write there.
        match left_behind(&member, &goals(&member)) {
            Some(why) => {
                let mut why = problem("unavailable", why, &view.name);
                why.retryable = true;
                failed.push((member, why));
            }
            None => able.push(member),
        }
    }
    let discard = !acknowledge.is_empty();
    let volumes = able.iter().map(|m| (*m.spec).clone()).collect();
    let call = match (to, once) {
        (Some(to), true) => Call::Resync {
            target: to.to_owned(),
            volumes,
            discard,
        },
        (to, _) => Call::Reprotect {
            volumes,
            to: to.map(str::to_owned),
            discard,
            wait: true,
        },
    };
    let outcomes = run.batch(&view.name, &call, &able).await;
    let mut good = Vec::new();
    let mut placements = BTreeMap::new();
    for (member, outcome) in able.into_iter().zip(outcomes) {
        match outcome.and_then(|o| o.result.map_err(CallError::Failed)) {
            Ok(placement) => {
                placements.insert(member.volume.id.clone(), placement);
                good.push(member);
            }
            Err(error) => failed.push((member, journalled(&view.name, &error))),
        }
    }
    let (done, lost) = (good.len() as u64, failed.len() as u64);
    run.note(|o| {
        o.progress.done += done;
        o.progress.failed += lost;
    })
    .await;
    let home = view.primary().map(|t| t.name.clone());
    let (good, _) = members::change(env, good, |m| {
        for target in goals(m) {
            *m.relation = m.relation.step(Event::Resynced { target }, now)?.0;
        }
        m.relation.wanted = true;
        if let Some(placement) = placements.get(&m.volume.id) {
            m.volume.place(placement);
        }
        if m.relation.serving == home {
            m.volume.replication_status = Some(ReplicationStatus::Enabled);
        }
        if !keep {
            members::unlock(run, m);
        }
        Ok(Change::Write)
    })
    .await?;
    Ok((good, failed))
}
