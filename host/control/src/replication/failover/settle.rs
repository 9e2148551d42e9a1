//! What did not move is put back or says where it stopped; the end of the operation and of the backend's own turn.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use springform_model::cloud::{ReplicationStatus, VolumeStatus};
use springform_model::operation::{Operation, OperationError};
use springform_model::replication::drill::DrillEvent;
use springform_model::replication::failover::Phase;
use springform_model::replication::relation::{Event, MoveStep, Phase as Stand};
use springform_model::replication::{drill, service};

use super::Failover;
use crate::replication::env::{Member, ReplicationError, Writes};
use crate::replication::members::Change;
use crate::replication::operation_run::problem;
use crate::replication::{Scope, members, plan};

/// Where volumes are.
#[derive(Default)]
struct Census {
    stuck: bool,
    served_by: BTreeSet<String>,
}

impl Failover<'_> {
    /// Writes down that one volume did not move. What it was before the first step it is again; what stopped half-way says so.
    pub(super) async fn lost(
        &self,
        member: Member,
        why: OperationError,
    ) -> Result<(), ReplicationError> {
        let id = self.run.id().to_owned();
        self.run.keep_failure(&member.volume.id, why).await;
        self.run.note(|o| o.progress.failed += 1).await;
        let held = member.volume.operation.as_deref() == Some(self.run.id());
        if !held {
            return Ok(());
        }
        self.put_back(vec![member], Event::Failed(id)).await?;
        Ok(())
    }

    /// Takes back moves that did not come to an end. Gives the volumes as they are now.
    pub(super) async fn put_back(
        &self,
        members: Vec<Member>,
        event: Event,
    ) -> Result<Vec<Member>, ReplicationError> {
        let env = self.run.env();
        let home = self.view.primary().map(|t| t.name.clone());
        let served = |target: Option<&str>| {
            target
                .and_then(|t| self.view.target(t))
                .is_some_and(|t| t.reachable)
        };
        let (back, _) = members::change(env, members, |m| {
            if matches!(m.relation.phase, Stand::Moving(_)) {
                *m.relation = m.relation.step(event.clone(), env.now())?.0;
            }
            m.volume.operation = None;
            let settled = m.relation.phase == Stand::Settled;
            m.volume.replication_status = Some(if !settled {
                ReplicationStatus::FailoverError
            } else if m.relation.serving == home {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::FailedOver
            });
            // Cinder puts every volume that failed into error; one whose array still serves it is in use, not in error.
            if !settled
                && !served(m.relation.serving.as_deref())
                && m.volume.status != VolumeStatus::Error
            {
                m.volume.previous_status = Some(m.volume.status);
                m.volume.status = VolumeStatus::Error;
            }
            Ok(Change::Write)
        })
        .await?;
        Ok(back)
    }

    /// The operation was cancelled before any array was asked to promote these: they stay where they are.
    pub(super) async fn withdraw(&self, members: Vec<Member>) -> Result<(), ReplicationError> {
        let id = self.run.id().to_owned();
        self.withdrawn
            .fetch_or(!members.is_empty(), Ordering::Relaxed);
        self.put_back(members, Event::Withdrawn(id)).await?;
        Ok(())
    }

    /// Gives back the turns that a run before a restart took of volumes which somebody else has brought to the goal since, as an
    /// adoption does: nobody would give them back later.
    pub(super) async fn give_turns_back(
        &self,
        members: Vec<Member>,
    ) -> Result<(), ReplicationError> {
        let mine = |m: &Member| m.volume.operation.as_deref() == Some(self.run.id());
        let held: Vec<Member> = members.into_iter().filter(mine).collect();
        let id = self.run.id().to_owned();
        self.put_back(held, Event::Failed(id)).await?;
        Ok(())
    }

    /// Gives back every turn that this operation, or its run before a restart, still holds. What such a run has moved is
    /// brought to its end although the rest is not begun any more: its machines are connected where it is.
    pub(super) async fn unlock(&self, why: &OperationError) -> Result<(), ReplicationError> {
        let once_more = |o: &mut Operation| o.steps.iter().any(|s| s.attempts > 1);
        let resumed = self.run.note(once_more).await;
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
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.volume.id.clone());
            let before = page.iter().filter(|m| resumed && self.moved_by_this(m));
            let before: Vec<Member> = before.cloned().collect();
            let (settled, stuck): (Vec<_>, Vec<_>) = page
                .into_iter()
                .filter(|m| m.volume.operation.as_deref() == Some(self.run.id()))
                .partition(|m| m.relation.phase == Stand::Settled);
            let (moved, untouched): (Vec<_>, Vec<_>) =
                settled.into_iter().partition(|m| self.moved_by_this(m));
            self.fence(moved).await?;
            members::release(&self.run, untouched).await?;
            // A move that was called off before the source gave its role up has not failed.
            let (early, stuck): (Vec<_>, Vec<_>) = stuck.into_iter().partition(|m| {
                let step = match &m.relation.phase {
                    Stand::Moving(m) => Some(m.step),
                    _ => None,
                };
                why.code == "cancelled" && step == Some(MoveStep::Syncing)
            });
            let id = self.run.id().to_owned();
            self.put_back(early, Event::Failed(id)).await?;
            for member in stuck {
                self.lost(member, why.clone()).await?;
            }
            let before = members::again(self.run.env(), &self.view.name, before).await?;
            self.switch_again(before).await?;
        }
    }

    pub(super) async fn refused(
        self,
        code: &str,
        why: String,
    ) -> Result<Operation, ReplicationError> {
        let why = problem(code, why, &self.view.name);
        let stuck = self.census().await?.stuck;
        let writes = self
            .end_service(|operation| match stuck {
                true => service::Event::Broke { operation },
                false => service::Event::Refused { operation },
            })
            .await?;
        self.run.finish(Some(why), writes).await
    }

    pub(super) async fn settle(
        self,
        to: Option<String>,
        stopped: Option<OperationError>,
    ) -> Result<Operation, ReplicationError> {
        self.run.enter(Phase::Settling.as_str(), None).await?;
        if let Some(why) = &stopped {
            self.unlock(why).await?;
        }
        let (done, failed) = self
            .run
            .note(|o| (o.progress.done, o.progress.failed))
            .await;
        let unprotected = self.protect().await?;
        let home = self.view.primary().map(|t| t.name.clone());
        let target = to.filter(|t| Some(t) != home.as_ref());
        let went_well = stopped.is_none() && failed == 0;
        let stuck = !went_well && self.census().await?.stuck;
        // Nothing has moved and nothing is half-way: the backend is what it was.
        let as_it_was = !stuck && done == 0 && (self.planned() || failed == 0);
        let writes = self
            .end_service(|operation| match &stopped {
                Some(_) if as_it_was => service::Event::Refused { operation },
                Some(_) => service::Event::Broke { operation },
                None if as_it_was && failed > 0 => service::Event::Refused { operation },
                None if done == 0 && failed > 0 => service::Event::Broke { operation },
                None => service::Event::Arrived {
                    operation,
                    target: target.clone(),
                },
            })
            .await?;
        let warnings = self.warnings.lock().map(|w| w.clone()).unwrap_or_default();
        let mut writes = writes;
        if let Some(id) = &self.input.drill
            && let Some(mut held) = self.run.env().drill(id).await?
        {
            let taken = failed == 0 && stopped.is_none();
            held.state = drill::step(
                held.state,
                if taken {
                    DrillEvent::Taken
                } else {
                    DrillEvent::NotTaken
                },
            )?;
            held.operation = None;
            writes.drills.push(held);
        }
        self.run
            .note(|o| {
                o.result = serde_json::json!({ "target": target, "failures": {} });
                if let (Some(result), false) = (o.result.as_object_mut(), warnings.is_empty()) {
                    result.insert("warnings".to_owned(), serde_json::json!(warnings));
                }
            })
            .await;
        self.run.finish(stopped.or(unprotected), writes).await
    }

    /// Where the backend's replicated volumes are, and whether one of them has stopped half-way.
    async fn census(&self) -> Result<Census, ReplicationError> {
        let scope = Scope::Backend(self.view.name.clone());
        let mut census = Census::default();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .run
                .env()
                .members(&scope, &self.view.name, after.as_deref(), plan::PAGE)
                .await?;
            let Some(last) = page.last() else {
                return Ok(census);
            };
            after = Some(last.volume.id.clone());
            for member in page.into_iter().filter(Member::movable) {
                census.stuck |= member.relation.phase != Stand::Settled;
                census.served_by.extend(member.relation.serving);
            }
        }
    }

    /// What a failover of some volumes brings to its end was perhaps the last that held the backend back.
    async fn mended_service(&self) -> Result<Writes, ReplicationError> {
        let (before, revision) = self.run.env().service(&self.view.name).await?;
        let broken = before.replication_status == ReplicationStatus::FailoverError;
        if !broken || before.operation.is_some() {
            return Ok(Writes::default());
        }
        let census = self.census().await?;
        if census.stuck {
            return Ok(Writes::default());
        }
        let mut on = census.served_by.into_iter();
        let target = match (on.next(), on.next()) {
            (Some(only), None) => Some(only),
            _ => before.active_target.clone(),
        };
        let home = self.view.primary().map(|t| t.name.clone());
        let target = target.filter(|t| Some(t) != home.as_ref());
        let mut after = service::step(&before, service::Event::Settled { target })?;
        after.updated_at = Some(self.run.env().now());
        Ok(Writes {
            services: vec![(after, revision)],
            ..Writes::default()
        })
    }

    /// The backend's own record, where the scope is the backend.
    pub(super) async fn end_service(
        &self,
        event: impl FnOnce(String) -> service::Event,
    ) -> Result<Writes, ReplicationError> {
        if !self.whole_backend() {
            return self.mended_service().await;
        }
        let (before, revision) = self.run.env().service(&self.view.name).await?;
        if before.operation.as_deref() != Some(self.run.id()) {
            return Ok(Writes::default());
        }
        let mut after = service::step(&before, event(self.run.id().to_owned()))?;
        after.updated_at = Some(self.run.env().now());
        Ok(Writes {
            services: vec![(after, revision)],
            ..Writes::default()
        })
    }
}
