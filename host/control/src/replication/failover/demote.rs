//! Planned: the last writes, then the role of the source.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;

use springform_model::contract::{Call, FailoverPlan, Reply};
use springform_model::operation::OperationError;
use springform_model::replication::failover::Phase;
use springform_model::replication::relation::{Event, MoveStep, Phase as Stand};

use super::Failover;
use super::proof::{self, Seen};
use crate::replication::env::{Member, ReplicationError};
use crate::replication::members;
use crate::replication::members::Change;
use crate::replication::operation_run::{journalled, problem};

/// Key under which a driver is told, when it demotes a volume for a planned move, where the move goes.
const MOVING_TO: &str = "springform/moving-to";

pub(super) fn demoting(member: &Member) -> bool {
    matches!(&member.relation.phase, Stand::Moving(m) if m.step == MoveStep::Demoting)
}

impl Failover<'_> {
    /// Planned: the last writes, then the role. Volumes of which the last writes did not arrive go on where they are: an array
    /// that gave its role up for nothing is given it back.
    pub(super) async fn hand_over(
        &self,
        made: &mut FailoverPlan,
        members: Vec<Member>,
    ) -> Result<Result<Vec<Member>, OperationError>, ReplicationError> {
        let mut seen = Seen::default();
        seen.note(made);
        let ready = match self.first_transfer(made, members).await? {
            Ok(ready) => ready,
            Err(stopped) => return Ok(Err(stopped)),
        };
        seen.note(made);
        self.run.enter(Phase::Demoting.as_str(), None).await?;
        let silent = self.demote(made, ready).await?;
        self.last_transfer(made, &seen, silent).await
    }

    /// What has been written until now, while hosts go on writing: the one after the demotion has little left to copy.
    async fn first_transfer(
        &self,
        made: &mut FailoverPlan,
        members: Vec<Member>,
    ) -> Result<Result<Vec<Member>, OperationError>, ReplicationError> {
        let env = self.run.env();
        let id = self.run.id().to_owned();
        self.run
            .enter(
                Phase::FinalSync.as_str(),
                Some(format!("the last writes to arrive on {}", made.target)),
            )
            .await?;
        let (syncing, further): (Vec<_>, Vec<_>) = members.into_iter().partition(
            |m| matches!(&m.relation.phase, Stand::Moving(x) if x.step == MoveStep::Syncing),
        );
        let mut ready = further;
        if syncing.is_empty() {
            return Ok(Ok(ready));
        }
        if let Err(why) = self.transfer(made, &syncing).await {
            for member in syncing {
                self.lost(member, why.clone()).await?;
            }
            return Ok(if ready.is_empty() {
                Err(why)
            } else {
                Ok(ready)
            });
        }
        // The last moment at which nothing has changed on any array.
        if let Some(stopped) = self.run.stopped(&self.view.name).await {
            return Ok(Err(stopped));
        }
        let mut sent = Vec::with_capacity(syncing.len());
        for member in syncing {
            match proof::transferred(made, &member.volume.id) {
                Ok(_) => sent.push(member),
                Err(why) => {
                    let why = problem("failed-precondition", why, &self.view.name);
                    self.lost(member, why).await?;
                }
            }
        }
        for chunk in members::chunks(sent, self.view.batch) {
            let (done, _) = members::change(env, chunk, |m| {
                *m.relation = m.relation.step(Event::Synced(id.clone()), env.now())?.0;
                Ok(Change::Write)
            })
            .await?;
            ready.extend(done);
        }
        Ok(Ok(ready))
    }

    /// Takes the role from the sources. What is left is silent, and nobody serves it.
    async fn demote(
        &self,
        made: &FailoverPlan,
        ready: Vec<Member>,
    ) -> Result<Vec<Member>, ReplicationError> {
        let env = self.run.env();
        let id = self.run.id().to_owned();
        // Nobody is known to serve what was stranded, but hosts may still reach it where its record says: that array too
        // has to be silent before the last writes are fetched from it.
        let mut silent = Vec::new();
        let mut by_source: BTreeMap<String, Vec<Member>> = BTreeMap::new();
        for member in ready {
            match self.source(&member).filter(|s| *s != made.target) {
                Some(source) => by_source.entry(source).or_default().push(member),
                None => silent.push(member),
            }
        }
        let mut refused = Vec::new();
        for (source, members) in by_source {
            for chunk in members::chunks(members, self.view.batch) {
                // On some layouts only the goal says what the source must give up: paths may stay in use, or may not.
                let leaving = |m: &Member| {
                    let mut spec = (*m.spec).clone();
                    spec.extensions
                        .push((MOVING_TO.to_owned(), made.target.clone()));
                    spec
                };
                let call = Call::Demote {
                    target: source.clone(),
                    volumes: chunk.iter().map(leaving).collect(),
                };
                let outcomes = self.run.batch(&self.view.name, &call, &chunk).await;
                let mut good = Vec::new();
                for (member, outcome) in chunk.into_iter().zip(outcomes) {
                    match outcome
                        .map_err(|e| journalled(&self.view.name, &e))
                        .and_then(|o| self.result(o))
                    {
                        Ok(_) => good.push(member),
                        Err(why) => refused.push((member, why)),
                    }
                }
                let (done, _) = members::change(env, good, |m| {
                    let event = if demoting(m) {
                        Event::Demoted(id.clone())
                    } else {
                        Event::Fenced {
                            target: source.clone(),
                        }
                    };
                    *m.relation = m.relation.step(event, env.now())?.0;
                    Ok(Change::Write)
                })
                .await?;
                silent.extend(done);
            }
        }
        // An array that refuses may have begun to give the role up: a machine that it cut off is connected again.
        self.give_back(made, refused).await?;
        Ok(silent)
    }

    /// Hosts wrote until the demotion: what came after the first transfer follows now that nobody writes any more. Volumes
    /// that did not follow, as far as the driver can prove it, are given back to where they were.
    async fn last_transfer(
        &self,
        made: &mut FailoverPlan,
        seen: &Seen,
        silent: Vec<Member>,
    ) -> Result<Result<Vec<Member>, OperationError>, ReplicationError> {
        let (follow, mut ready): (Vec<_>, Vec<_>) = silent.into_iter().partition(|m| {
            let source = m.spec.placement.as_ref().map(|p| p.target.as_str());
            m.relation.serving.is_none() && source != Some(made.target.as_str())
        });
        if follow.is_empty() {
            return Ok(Ok(ready));
        }
        if let Err(mut why) = self.transfer(made, &follow).await {
            let back = follow.into_iter().map(|m| (m, why.clone())).collect();
            self.give_back(made, back).await?;
            for member in ready {
                self.lost(member, why.clone()).await?;
            }
            why.message = format!(
                "{}; the volumes were not moved, and each says which array serves it",
                why.message
            );
            return Ok(Err(why));
        }
        let mut unproven = Vec::new();
        for member in follow {
            match proof::followed(&self.view, made, seen, &member) {
                Ok(()) => ready.push(member),
                Err(why) => {
                    unproven.push((member, problem("failed-precondition", why, &self.view.name)))
                }
            }
        }
        self.give_back(made, unproven).await?;
        ready.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
        Ok(Ok(ready))
    }

    /// One transfer. The plan is renewed by what the driver answers about these volumes, and by nothing else.
    async fn transfer(
        &self,
        made: &mut FailoverPlan,
        members: &[Member],
    ) -> Result<(), OperationError> {
        let call = Call::FinalSync {
            plan: made.clone(),
            volumes: members.iter().map(|m| (*m.spec).clone()).collect(),
        };
        let answer = self.run.call(&self.view.name, &call).await;
        let synced = answer
            .and_then(Reply::into_plan)
            .map_err(|error| journalled(&self.view.name, &error))?;
        let asked = members.iter().map(|m| m.volume.id.as_str()).collect();
        proof::renew(made, synced, &asked).map_err(|why| problem("protocol", why, &self.view.name))
    }

    /// The array on which hosts may still write.
    pub(super) fn source(&self, member: &Member) -> Option<String> {
        if demoting(member) {
            return member.relation.serving.clone();
        }
        let placed = member.volume.placement.as_ref().map(|p| p.target.clone());
        placed.filter(|_| member.relation.serving.is_none())
    }
}
