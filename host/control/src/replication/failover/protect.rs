//! The last step of a failback: the volumes are replicated again from where they are now.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use springform_model::cloud::ReplicationStatus;
use springform_model::contract::{Call, Placement};
use springform_model::operation::OperationError;

use super::Failover;
use crate::replication::env::{Member, ReplicationError};
use crate::replication::members::Change;
use crate::replication::operation_run::journalled;
use crate::replication::{members, plan};

impl Failover<'_> {
    /// Protects what this operation moved, and says what is not protected although it shall be. The volumes have moved all the
    /// same. Where nobody wants it, they say that they are not replicated.
    pub(super) async fn protect(&self) -> Result<Option<OperationError>, ReplicationError> {
        if !self.input.overwrite_first {
            return Ok(None);
        }
        let mut first: Option<(String, OperationError)> = None;
        let (mut bare, mut all) = (0_u64, 0_u64);
        let mut after: Option<String> = None;
        loop {
            let page = self
                .run
                .env()
                .members(
                    &self.input.order.scope,
                    &self.view.name,
                    after.as_deref(),
                    plan::PAGE,
                )
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.volume.id.clone());
            let moved: Vec<_> = page
                .into_iter()
                .filter(|m| m.movable() && m.relation.wanted && self.moved_by_this(m))
                .collect();
            if moved.is_empty() {
                continue;
            }
            if !self.input.protect {
                self.say(moved, ReplicationStatus::Disabled).await?;
                continue;
            }
            if all == 0 {
                let waits = "the volumes to be replicated from where they are now".to_owned();
                self.run.enter("protecting", Some(waits)).await?;
            }
            all += moved.len() as u64;
            for chunk in members::batches(moved, self.view.batch) {
                for (id, why) in self.protect_batch(chunk).await? {
                    bare += 1;
                    first.get_or_insert((id, why));
                }
            }
        }
        let Some((id, mut why)) = first else {
            return Ok(None);
        };
        why.message = format!(
            "{bare} of {all} volumes have moved and are not protected; volume {id}: {}. See to it and run `springform \
             reprotect` for them",
            why.message
        );
        self.run.fail_step(why.clone()).await;
        Ok(Some(why))
    }

    async fn protect_batch(
        &self,
        chunk: Vec<Member>,
    ) -> Result<Vec<(String, OperationError)>, ReplicationError> {
        let backend = &self.view.name;
        let (held, busy) = members::hold_replicated(&self.run, backend, chunk).await?;
        let mut failed = Vec::new();
        for (member, refusal) in busy {
            let why =
                crate::replication::operation_run::problem("busy", refusal.to_string(), backend);
            failed.push((member.volume.id.clone(), why));
        }
        // An array that was left behind is not overwritten without leave; the others are sent copies all the same.
        let (free, owing): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|m| m.relation.debts.is_empty());
        failed.extend(self.send_to(None, free).await?);
        let mut goals: Vec<(Vec<String>, Vec<Member>)> = Vec::new();
        for member in owing {
            let open = self.view.targets.iter().map(|t| &t.name);
            let open = open.filter(|t| {
                member.relation.debt(t).is_none() && member.relation.serving.as_ref() != Some(t)
            });
            let open: Vec<String> = open.cloned().collect();
            match goals.iter_mut().find(|(known, _)| *known == open) {
                Some((_, some)) => some.push(member),
                None => goals.push((open, vec![member])),
            }
        }
        for (open, some) in goals {
            match open.first() {
                Some(to) => failed.extend(self.send_to(Some(to.clone()), some).await?),
                None => {
                    let why = "every other array was left behind and may hold writes of its own";
                    let why = crate::replication::operation_run::problem(
                        "failed-precondition",
                        why,
                        backend,
                    );
                    let ids = some.iter().map(|m| (m.volume.id.clone(), why.clone()));
                    failed.extend(ids.collect::<Vec<_>>());
                    self.say(some, ReplicationStatus::Disabled).await?;
                }
            }
        }
        Ok(failed)
    }

    /// Lets the array that serves these volumes send them. The first copy is not waited for: the observer tells when it is
    /// there.
    async fn send_to(
        &self,
        to: Option<String>,
        some: Vec<Member>,
    ) -> Result<Vec<(String, OperationError)>, ReplicationError> {
        if some.is_empty() {
            return Ok(Vec::new());
        }
        let call = Call::Reprotect {
            volumes: some.iter().map(|m| (*m.spec).clone()).collect(),
            to,
            discard: false,
            wait: false,
        };
        let outcomes = self.run.batch(&self.view.name, &call, &some).await;
        let mut failed = Vec::new();
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let mut placements: Vec<Placement> = Vec::new();
        for (member, outcome) in some.into_iter().zip(outcomes) {
            let sent = outcome
                .map_err(|e| journalled(&self.view.name, &e))
                .and_then(|o| self.result(o));
            match sent {
                Ok(placement) => {
                    placements.push(placement);
                    good.push(member);
                }
                Err(why) => {
                    failed.push((member.volume.id.clone(), why));
                    bad.push(member);
                }
            }
        }
        self.say(bad, ReplicationStatus::Error).await?;
        let placed: std::collections::BTreeMap<_, _> = good
            .iter()
            .map(|m| m.volume.id.clone())
            .zip(placements)
            .collect();
        let home = self.view.primary().map(|t| t.name.clone());
        members::change(self.run.env(), good, |m| {
            if let Some(placement) = placed.get(&m.volume.id) {
                m.volume.place(placement);
            }
            m.volume.replication_status = Some(if m.relation.serving == home {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::FailedOver
            });
            members::unlock(&self.run, m);
            Ok(Change::Write)
        })
        .await?;
        Ok(failed)
    }

    /// What Cinder says of volumes, whose turn is given back with it.
    async fn say(
        &self,
        members: Vec<Member>,
        status: ReplicationStatus,
    ) -> Result<(), ReplicationError> {
        members::change(self.run.env(), members, |m| {
            m.volume.replication_status = Some(status);
            members::unlock(&self.run, m);
            Ok(Change::Write)
        })
        .await?;
        Ok(())
    }
}
