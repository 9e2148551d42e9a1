//! Replication of a volume is switched on or off.

use std::collections::BTreeMap;

use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{Call, CallError, ReplicationKind};
use springform_model::replication::relation::Event;

use super::Work;
use crate::replication::env::{Lead, Member, ReplicationError};
use crate::replication::members;
use crate::replication::members::Change;
use crate::replication::operation_run::{OperationRun, journalled, problem};

impl Work<'_, '_> {
    pub(super) async fn switch(
        &self,
        chunk: Vec<Member>,
        on: bool,
    ) -> Result<(), ReplicationError> {
        let env = self.run.env();
        let now = env.now();
        let listed = chunk.len();
        // Whatever has no copy can be given one; only what has one can lose it.
        let (held, busy) = match on {
            true => members::hold_soon(self.run, &self.view.name, chunk).await?,
            false => members::hold_replicated(self.run, &self.view.name, chunk).await?,
        };
        members::fewer(self.run, listed - held.len() - busy.len()).await;
        let mut failed = Vec::new();
        for (member, refusal) in busy {
            let mut why = problem("busy", refusal.to_string(), &self.view.name);
            why.retryable = true;
            failed.push((member, why));
        }
        let mut able = Vec::with_capacity(held.len());
        for member in held {
            match member.relation.step(Event::Want(on), now) {
                Ok(_) => able.push(member),
                Err(refusal) => {
                    let why = problem("failed-precondition", refusal.to_string(), &self.view.name);
                    failed.push((member, why));
                }
            }
        }
        let volumes = able.iter().map(|m| (*m.spec).clone()).collect();
        let call = if on {
            Call::Enable { volumes }
        } else {
            Call::Disable { volumes }
        };
        let outcomes = self.run.batch(&self.view.name, &call, &able).await;
        let mut placements = BTreeMap::new();
        let mut good = Vec::new();
        for (member, outcome) in able.into_iter().zip(outcomes) {
            match outcome.and_then(|o| o.result.map_err(CallError::Failed)) {
                Ok(placement) => {
                    placements.insert(member.volume.id.clone(), placement);
                    good.push(member);
                }
                Err(error) => failed.push((member, journalled(&self.view.name, &error))),
            }
        }
        let done = good.len() as u64;
        let lost = failed.len() as u64;
        for (member, why) in &failed {
            let id = &member.volume.id;
            self.run.keep_failure(id, why.clone()).await;
        }
        let failed = failed.into_iter().map(|(member, _)| member).collect();
        members::release(self.run, failed).await?;
        self.run
            .note(|o| {
                o.progress.done += done;
                o.progress.failed += lost;
            })
            .await;
        let (switched, _) = members::change(env, good, |m| {
            *m.relation = m.relation.step(Event::Want(on), now)?.0;
            if let Some(placement) = placements.get(&m.volume.id) {
                m.volume.place(placement);
            }
            m.volume.replication_status = Some(if on {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::Disabled
            });
            members::unlock(self.run, m);
            Ok(Change::Write)
        })
        .await?;
        lead_to_both(self.run, &self.view.name, switched).await
    }
}

/// Machines lost their ways to one array of a pair when their volume left it or the array was lost, and have them again: a failover
/// does not connect those that were told both.
pub(in crate::replication) async fn lead_to_both(
    run: &OperationRun<'_>,
    backend: &str,
    switched: Vec<Member>,
) -> Result<(), ReplicationError> {
    let paired = |m: &Member| {
        let at = m.volume.placement.as_ref();
        let kind = at.and_then(|at| at.replication.as_ref());
        kind.is_some_and(ReplicationKind::is_paired)
    };
    let paired: Vec<Member> = switched.into_iter().filter(paired).collect();
    let used = run.env().followed(paired).await?;
    if !used.is_empty() {
        run.env()
            .reconnect(backend, run.id(), &used, Lead::Both)
            .await;
    }
    Ok(())
}
