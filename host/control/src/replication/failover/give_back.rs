//! A role that was given up for nothing is given back: hosts write on the source again, and nothing has moved.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;

use springform_model::cloud::{ReplicationStatus, VolumeStatus};
use springform_model::contract::{Call, FailoverPlan, VolumePlan};
use springform_model::operation::OperationError;
use springform_model::replication::relation::{Event, Phase as Stand};

use super::Failover;
use crate::replication::env::{Lead, Member, ReplicationError};
use crate::replication::members;
use crate::replication::members::Change;
use crate::replication::operation_run::{journalled, problem};

/// The array that gave its role up for this move, where no other may have been asked to take it.
fn silenced(member: &Member) -> Option<String> {
    let Stand::Moving(m) = &member.relation.phase else {
        return None;
    };
    let gave_up = m.silenced.as_ref().or(m.from.as_ref());
    gave_up.filter(|_| !m.half_there).cloned()
}

impl Failover<'_> {
    /// Gives volumes back to the arrays that gave their role up, and connects their hosts there again. Each has failed, and
    /// says why and where it is; one that cannot be given back is stranded.
    pub(super) async fn give_back(
        &self,
        made: &FailoverPlan,
        failed: Vec<(Member, OperationError)>,
    ) -> Result<(), ReplicationError> {
        self.give_back_where(made, failed, |member| {
            self.may_be_promoted(&member.volume.id)
        })
        .await
    }

    /// The same for volumes that the goal was asked to promote, and refused: it is told not to serve them all the same.
    pub(super) async fn give_back_refused(
        &self,
        made: &FailoverPlan,
        failed: Vec<(Member, OperationError)>,
    ) -> Result<(), ReplicationError> {
        self.give_back_where(made, failed, |_| true).await
    }

    /// `doubtful`: whether the goal may have been promoted.
    async fn give_back_where(
        &self,
        made: &FailoverPlan,
        failed: Vec<(Member, OperationError)>,
        doubtful: impl Fn(&Member) -> bool + Copy + Send + Sync,
    ) -> Result<(), ReplicationError> {
        let mut by_source: BTreeMap<String, Vec<(Member, OperationError)>> = BTreeMap::new();
        for (member, why) in failed {
            match silenced(&member) {
                Some(source) => by_source.entry(source).or_default().push((member, why)),
                None => self.lost(member, why).await?,
            }
        }
        for (source, mut failed) in by_source {
            while !failed.is_empty() {
                let rest = failed.split_off(failed.len().min(self.view.batch.max(1)));
                self.give_back_to(&source, made, failed, doubtful).await?;
                failed = rest;
            }
        }
        Ok(())
    }

    /// The goal may have been asked to promote some of them: it is told not to serve them, or they stay where they stopped.
    async fn not_promoted(
        &self,
        made: &FailoverPlan,
        failed: Vec<(Member, OperationError)>,
        doubtful: impl Fn(&Member) -> bool,
    ) -> Result<Vec<(Member, OperationError)>, ReplicationError> {
        let (doubtful, mut sure): (Vec<_>, Vec<_>) =
            failed.into_iter().partition(|(member, _)| doubtful(member));
        if doubtful.is_empty() {
            return Ok(sure);
        }
        let (members, reasons): (Vec<_>, Vec<_>) = doubtful.into_iter().unzip();
        let call = Call::Demote {
            target: made.target.clone(),
            volumes: members.iter().map(|m| (*m.spec).clone()).collect(),
        };
        let outcomes = self.run.batch(&self.view.name, &call, &members).await;
        for ((member, why), outcome) in members.into_iter().zip(reasons).zip(outcomes) {
            match outcome {
                Ok(outcome) if outcome.result.is_ok() => sure.push((member, why)),
                _ => self.lost(member, why).await?,
            }
        }
        sure.sort_by(|(a, _), (b, _)| a.volume.id.cmp(&b.volume.id));
        Ok(sure)
    }

    async fn give_back_to(
        &self,
        source: &str,
        made: &FailoverPlan,
        failed: Vec<(Member, OperationError)>,
        doubtful: impl Fn(&Member) -> bool,
    ) -> Result<(), ReplicationError> {
        let env = self.run.env();
        let failed = self.not_promoted(made, failed, doubtful).await?;
        if failed.is_empty() {
            return Ok(());
        }
        let mut reasons = BTreeMap::new();
        let mut members = Vec::with_capacity(failed.len());
        for (member, why) in failed {
            reasons.insert(member.volume.id.clone(), why);
            members.push(member);
        }
        let mut why_of = |member: &Member| {
            let why = reasons.remove(&member.volume.id);
            why.unwrap_or_else(|| problem("failed", "it was not moved", &self.view.name))
        };
        let id = self.run.id().to_owned();
        let (members, refused) = members::change(env, members, |m| {
            let event = Event::Returning(id.clone());
            *m.relation = m.relation.step(event, env.now())?.0;
            Ok(Change::Write)
        })
        .await?;
        for (member, _) in refused {
            let why = why_of(&member);
            self.lost(member, why).await?;
        }
        let mut plan = made.of(members.iter().map(|m| stays(m, source)).collect());
        source.clone_into(&mut plan.target);
        let call = Call::FailOver {
            plan,
            volumes: members.iter().map(|m| (*m.spec).clone()).collect(),
        };
        let outcomes = self.run.batch(&self.view.name, &call, &members).await;
        let mut good = Vec::with_capacity(members.len());
        for (member, outcome) in members.into_iter().zip(outcomes) {
            let mut why = why_of(&member);
            let given = outcome
                .map_err(|e| journalled(&self.view.name, &e))
                .and_then(|o| self.result(o));
            match given {
                Ok(_) => {
                    why.message = format!("{}; it was not moved, {source} serves it", why.message);
                    self.run.keep_failure(&member.volume.id, why).await;
                    good.push(member);
                }
                Err(error) => {
                    why.message = format!(
                        "{}; and {source} did not take its role back: {}",
                        why.message, error.message
                    );
                    self.lost(member, why).await?;
                }
            }
        }
        let count = good.len() as u64;
        self.run.note(|o| o.progress.failed += count).await;
        let home = self.view.primary().map(|t| t.name.clone());
        let (back, _) = members::change(env, good, |m| {
            let event = Event::Returned {
                operation: id.clone(),
                target: source.to_owned(),
            };
            *m.relation = m.relation.step(event, env.now())?.0;
            m.volume.operation = None;
            m.volume.replication_status = Some(if m.relation.serving == home {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::FailedOver
            });
            if m.volume.status == VolumeStatus::Error
                && let Some(previous) = m.volume.previous_status.take()
            {
                m.volume.status = previous;
            }
            Ok(Change::Write)
        })
        .await?;
        let used = env.followed(back).await?;
        if !used.is_empty() {
            env.reconnect(&self.view.name, self.run.id(), &used, Lead::All)
                .await;
        }
        Ok(())
    }
}

fn stays(member: &Member, source: &str) -> VolumePlan {
    VolumePlan {
        volume_id: member.volume.id.clone(),
        source: Some(source.to_owned()),
        point: None,
        possible: true,
        reason: None,
        loss_seconds: Some(0),
        loss_bytes: Some(0),
        warnings: Vec::new(),
    }
}
