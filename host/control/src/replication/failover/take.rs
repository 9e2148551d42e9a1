//! Before anything moves: a failback overwrites its goal, then each volume begins its move and gives its turn.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeSet;
use std::time::Duration;

use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{FailoverMode, FailoverPlan};
use springform_model::operation::{OperationError, Progress};
use springform_model::replication::Refusal;
use springform_model::replication::relation::{Event, Phase as Stand};

use super::Failover;
use crate::replication::env::{Member, ReplicationError};
use crate::replication::members::Change;
use crate::replication::operation_run::problem;
use crate::replication::{members, plan, verbs};

/// Volumes whose turns are taken in one commit; no array is asked, so it need not be a batch of the driver's.
const TOGETHER: usize = plan::PAGE;
impl Failover<'_> {
    /// A failback overwrites the array it goes back to, before anything moves. What cannot be overwritten stays where it is.
    pub(super) async fn bring_up(
        &self,
        to: Option<&str>,
        pending: Vec<Member>,
    ) -> Result<Result<Vec<Member>, OperationError>, ReplicationError> {
        if !self.input.overwrite_first {
            return Ok(Ok(pending));
        }
        self.run
            .enter(
                "reprotect",
                Some("the array it goes back to to be overwritten".to_owned()),
            )
            .await?;
        let (settled, mut ready): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|m| m.relation.phase == Stand::Settled);
        let before = self.run.note(|o| o.progress).await;
        let batch = async |chunk: Vec<Member>| {
            verbs::overwrite(
                &self.run,
                &self.view,
                to,
                &self.input.acknowledge,
                chunk,
                false,
                true,
            )
            .await
        };
        let (done, stopped) = members::each(&self.run, &self.view, settled, batch).await?;
        // What was overwritten has not moved yet; what has left replication will not.
        self.run
            .note(|o| {
                let total = o.progress.total;
                o.progress = Progress { total, ..before };
            })
            .await;
        for (good, lost) in done {
            ready.extend(good);
            for (member, why) in lost {
                self.lost(member, why).await?;
            }
        }
        if let Some(stopped) = stopped {
            return Ok(Err(stopped));
        }
        ready.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
        Ok(self
            .run
            .stopped(&self.view.name)
            .await
            .map_or(Ok(ready), Err))
    }

    /// Begins the move of each volume and takes its turn, in one commit for each batch.
    pub(super) async fn take(
        &self,
        able: Vec<Member>,
        made: &FailoverPlan,
    ) -> Result<Vec<Member>, ReplicationError> {
        let env = self.run.env();
        let mut taken = Vec::with_capacity(able.len());
        let mut waits = 0;
        let mut queue = able;
        // Operations that do their work again: nobody waits for an array that may never answer.
        let mut ways = BTreeSet::new();
        while !queue.is_empty() {
            let mut busy = Vec::new();
            for chunk in members::chunks(queue, TOGETHER) {
                let (begun, refused) = members::change(env, chunk, |member| {
                    let lock = member.volume.operation.as_ref();
                    // What is only being made has no place yet from which it could be moved.
                    let placed = member.volume.placement.is_some();
                    if !placed || !lock.is_some_and(|holder| ways.contains(holder)) {
                        members::free(&self.run, member)?;
                    }
                    // Its tenant was faster: since the plan it was taken out of replication, and no array has a copy.
                    if !member.movable() && member.relation.phase == Stand::Settled {
                        return Err(Refusal::NotReplicated);
                    }
                    if let Stand::Moving(m) = &member.relation.phase
                        && let Ok(mut resumed) = self.resumed.lock()
                    {
                        resumed.insert(member.volume.id.clone(), m.step);
                    }
                    let event = Event::Begin {
                        operation: self.run.id().to_owned(),
                        to: made.target.clone(),
                        mode: made.mode.clone(),
                        expected: None,
                        acknowledge: self
                            .input
                            .acknowledge
                            .about(&member.relation, &made.target)
                            .cloned(),
                        drill: self.input.drill.clone(),
                    };
                    let (relation, _) = member.relation.step(event, env.now())?;
                    member.volume.generation = relation.generation;
                    member.spec.generation = relation.generation;
                    *member.relation = relation;
                    member.volume.operation = Some(self.run.id().to_owned());
                    member.volume.replication_status = Some(ReplicationStatus::FailingOver);
                    Ok(Change::Write)
                })
                .await?;
                // One that this operation moved before a restart, and nobody has since, has nothing to begin.
                let (moving, there): (Vec<_>, Vec<_>) = begun
                    .into_iter()
                    .partition(|m| matches!(m.relation.phase, Stand::Moving(_)));
                taken.extend(moving);
                self.run
                    .note(|o| o.progress.done += there.len() as u64)
                    .await;
                members::release(&self.run, there).await?;
                for (member, refusal) in refused {
                    if matches!(refusal, Refusal::Busy { .. }) {
                        busy.push(member);
                        continue;
                    }
                    if refusal == Refusal::NotReplicated && !member.movable() {
                        members::fewer(&self.run, 1).await;
                        continue;
                    }
                    let why = problem("failed-precondition", refusal.to_string(), &self.view.name);
                    self.lost(member, why).await?;
                }
            }
            if busy.is_empty() {
                break;
            }
            waits += 1;
            if waits > members::BUSY_WAITS {
                for member in busy {
                    let holder = member.volume.operation.clone().unwrap_or_default();
                    let mut why = problem(
                        "busy",
                        format!(
                            "operation {holder} holds it; fail it over again when that is over"
                        ),
                        &self.view.name,
                    );
                    why.retryable = true;
                    self.lost(member, why).await?;
                }
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            queue = members::again(env, &self.view.name, busy).await?;
            if made.mode != FailoverMode::Planned {
                let holders = queue.iter().filter_map(|m| m.volume.operation.clone());
                ways.extend(env.give_way(holders.collect()).await?);
            }
        }
        taken.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
        Ok(taken)
    }
}
