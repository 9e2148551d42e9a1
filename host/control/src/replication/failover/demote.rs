//! Planned: the last writes, then the role of the source.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;

use springform_model::contract::{Call, FailoverPlan, Reply};
use springform_model::operation::OperationError;
use springform_model::replication::failover::Phase;
use springform_model::replication::relation::{Event, MoveStep, Phase as Stand};

use super::Failover;
use crate::replication::ground::{Member, Problem};
use crate::replication::ledger::journalled;
use crate::replication::members;
use crate::replication::members::Change;

/// Key under which a driver is told, when it demotes a volume for a planned move, where the move goes.
const MOVING_TO: &str = "springform/moving-to";

pub(super) fn demoting(member: &Member) -> bool {
    matches!(&member.relation.phase, Stand::Moving(m) if m.step == MoveStep::Demoting)
}

impl Failover<'_> {
    /// Planned: the last writes, then the role. Volumes of which the last writes did not arrive are not touched.
    pub(super) async fn hand_over(
        &self,
        made: &mut FailoverPlan,
        members: Vec<Member>,
    ) -> Result<Result<Vec<Member>, OperationError>, Problem> {
        let ground = self.ledger.ground();
        let id = self.ledger.id().to_owned();
        self.ledger
            .enter(
                Phase::FinalSync.as_str(),
                Some(format!("the last writes to arrive on {}", made.target)),
            )
            .await?;
        let (syncing, further): (Vec<_>, Vec<_>) = members.into_iter().partition(
            |m| matches!(&m.relation.phase, Stand::Moving(x) if x.step == MoveStep::Syncing),
        );
        let mut ready = further;
        if !syncing.is_empty() {
            let call = Call::FinalSync {
                plan: made.clone(),
                volumes: syncing.iter().map(|m| (*m.spec).clone()).collect(),
            };
            match self
                .ledger
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_plan)
            {
                Ok(synced) => {
                    // The last moment at which nothing has changed on any array.
                    if let Some(stopped) = self.ledger.stopped(&self.view.name).await {
                        return Ok(Err(stopped));
                    }
                    *made = synced;
                    for chunk in members::chunks(syncing, self.view.batch) {
                        let (done, _) = members::change(ground, chunk, |m| {
                            *m.relation =
                                m.relation.step(Event::Synced(id.clone()), ground.now())?.0;
                            Ok(Change::Write)
                        })
                        .await?;
                        ready.extend(done);
                    }
                }
                Err(error) => {
                    let why = journalled(&self.view.name, &error);
                    for member in syncing {
                        self.lost(member, why.clone()).await?;
                    }
                    if ready.is_empty() {
                        return Ok(Err(why));
                    }
                }
            }
        }
        self.ledger.enter(Phase::Demoting.as_str(), None).await?;
        // Nobody is known to serve what was stranded, but hosts may still reach it where its record says: that array too
        // has to be silent before the last writes are fetched from it.
        let mut promoted = Vec::new();
        let mut by_source: BTreeMap<String, Vec<Member>> = BTreeMap::new();
        for member in ready {
            match self.source(&member).filter(|s| *s != made.target) {
                Some(source) => by_source.entry(source).or_default().push(member),
                None => promoted.push(member),
            }
        }
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
                let outcomes = self.ledger.batch(&self.view.name, &call, &chunk).await;
                let mut good = Vec::new();
                for (member, outcome) in chunk.into_iter().zip(outcomes) {
                    match outcome
                        .map_err(|e| journalled(&self.view.name, &e))
                        .and_then(|o| self.result(o))
                    {
                        Ok(_) => good.push(member),
                        Err(why) => self.lost(member, why).await?,
                    }
                }
                let (done, _) = members::change(ground, good, |m| {
                    let event = if demoting(m) {
                        Event::Demoted(id.clone())
                    } else {
                        Event::Fenced {
                            target: source.clone(),
                        }
                    };
                    *m.relation = m.relation.step(event, ground.now())?.0;
                    Ok(Change::Write)
                })
                .await?;
                promoted.extend(done);
            }
        }
        // Hosts wrote until the demotion: what came after the first transfer follows now that nobody writes any more.
        let followed: Vec<_> = promoted
            .iter()
            .filter(|m| {
                let source = m.spec.placement.as_ref().map(|p| p.target.as_str());
                m.relation.serving.is_none() && source != Some(made.target.as_str())
            })
            .map(|m| (*m.spec).clone())
            .collect();
        if !followed.is_empty() {
            let call = Call::FinalSync {
                plan: made.clone(),
                volumes: followed,
            };
            match self
                .ledger
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_plan)
            {
                Ok(synced) => *made = synced,
                Err(error) => {
                    let why = journalled(&self.view.name, &error);
                    for member in promoted {
                        self.lost(member, why.clone()).await?;
                    }
                    return Ok(Err(why));
                }
            }
        }
        Ok(Ok(promoted))
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
