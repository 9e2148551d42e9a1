//! Drills: copies are made, or thrown away.

use std::collections::BTreeMap;

use springform_model::contract::{Call, CallError, Failure, Reply, TestCopy, VolumeSpec};
use springform_model::operation::OperationError;
use springform_model::replication::Refusal;
use springform_model::replication::drill;
use springform_model::replication::drill::{Drill, DrillEvent, DrillMember};
use springform_model::replication::relation::{DrillRef, Event};

use super::{Outcome, Work};
use crate::replication::env::{Member, ReplicationError, Writes};
use crate::replication::members::Change;
use crate::replication::operation_run::{journalled, problem};
use crate::replication::{Scope, members};

impl Work<'_, '_> {
    pub(super) async fn held_drill(
        &self,
    ) -> Result<Result<Drill, OperationError>, ReplicationError> {
        let id = self.input.drill.clone().unwrap_or_default();
        Ok(self.run.env().drill(&id).await?.ok_or_else(|| {
            problem(
                "not-found",
                format!("there is no drill {id}"),
                &self.view.name,
            )
        }))
    }

    pub(super) async fn drill_members(
        &self,
        drill: &Drill,
    ) -> Result<Vec<Member>, ReplicationError> {
        let ids: Vec<String> = drill.members.iter().map(|m| m.volume_id.clone()).collect();
        self.run
            .env()
            .members(
                &Scope::Volumes(ids),
                &self.view.name,
                None,
                drill.members.len(),
            )
            .await
    }

    pub(super) async fn start_drill(&self) -> Result<Outcome, ReplicationError> {
        let env = self.run.env();
        self.run.enter(self.name(), None).await?;
        let mut held = match self.held_drill().await? {
            Ok(held) => held,
            Err(why) => return Ok(Err(why)),
        };
        let members = self.drill_members(&held).await?;
        let total = members.len() as u64;
        self.run
            .note(|o| {
                o.progress = springform_model::operation::Progress {
                    total,
                    ..Default::default()
                }
            })
            .await;
        let now = env.now();
        let reference = DrillRef {
            id: held.id.clone(),
            target: held.target.clone(),
        };
        // Nobody renames, moves or deletes what copies are made of meanwhile.
        let (members, busy) = members::hold_soon(self.run, &self.view.name, members).await?;
        let (marked, mut refused) = members::change(env, members.clone(), |m| {
            // Its tenant was faster: no array has a copy to make another of.
            if !m.movable() {
                return Err(Refusal::NotReplicated);
            }
            *m.relation = m
                .relation
                .step(Event::DrillStarted(reference.clone()), now)?
                .0;
            Ok(Change::Write)
        })
        .await?;
        refused.extend(busy);
        let mut copies: BTreeMap<String, TestCopy> = BTreeMap::new();
        for (member, refusal) in refused {
            let failure = Failure::new(
                springform_model::contract::FailureCode::FailedPrecondition,
                refusal.to_string(),
            );
            let id = member.volume.id;
            copies.insert(
                id.clone(),
                TestCopy {
                    volume_id: id,
                    result: Err(failure),
                    point: None,
                },
            );
        }
        for chunk in members::batches(marked, self.view.batch) {
            let call = Call::StartTest {
                test_id: held.id.clone(),
                target: held.target.clone(),
                point: self.input.ask.point.clone(),
                volumes: chunk.iter().map(|m| (*m.spec).clone()).collect(),
            };
            match self
                .run
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_tests)
            {
                Ok(tests) => copies.extend(tests.into_iter().map(|t| (t.volume_id.clone(), t))),
                Err(CallError::Failed(failure)) => {
                    for m in &chunk {
                        let id = m.volume.id.clone();
                        copies.insert(
                            id.clone(),
                            TestCopy {
                                volume_id: id,
                                result: Err(failure.clone()),
                                point: None,
                            },
                        );
                    }
                }
                Err(error) => {
                    members::release(self.run, members).await?;
                    return Ok(Err(journalled(&self.view.name, &error)));
                }
            }
        }
        members::release(self.run, members).await?;
        let mut failed = 0;
        for (id, copy) in &copies {
            if let Err(failure) = &copy.result {
                failed += 1;
                let why = journalled(&self.view.name, &CallError::Failed(failure.clone()));
                self.run.keep_failure(id, why).await;
            }
        }
        for member in &mut held.members {
            if let Some(copy) = copies.remove(&member.volume_id) {
                member.copy = Some(copy.result);
                member.point = copy.point;
            }
        }
        self.run
            .note(|o| {
                o.progress.failed = failed;
                o.progress.done = o.progress.total.saturating_sub(failed);
                o.result = serde_json::json!({ "drill": held.id });
            })
            .await;
        held.state = drill::step(held.state, DrillEvent::Made)?;
        held.operation = None;
        self.run
            .commit(Writes {
                drills: vec![held],
                ..Writes::default()
            })
            .await?;
        Ok(Ok(()))
    }

    pub(super) async fn stop_drill(&self) -> Result<Outcome, ReplicationError> {
        let env = self.run.env();
        self.run.enter(self.name(), None).await?;
        let mut held = match self.held_drill().await? {
            Ok(held) => held,
            Err(why) => return Ok(Err(why)),
        };
        let members = self.drill_members(&held).await?;
        let deleted = without_volume(&held, &members);
        let (members, busy) = members::hold_soon(self.run, &self.view.name, members).await?;
        if let Some((_, refusal)) = busy.into_iter().next() {
            let mut why = problem("busy", refusal.to_string(), &self.view.name);
            why.retryable = true;
            members::release(self.run, members).await?;
            return Ok(Err(why));
        }
        let all = members.clone();
        let total = held.members.len() as u64;
        self.run
            .note(|o| {
                o.progress = springform_model::operation::Progress {
                    total,
                    ..Default::default()
                }
            })
            .await;
        let live = members::chunks(members, self.view.batch);
        let live = live.into_iter().map(|chunk| {
            let specs = chunk.iter().map(|m| (*m.spec).clone()).collect();
            (specs, chunk)
        });
        let deleted = deleted.chunks(self.view.batch.max(1));
        let deleted = deleted.map(|specs| (specs.to_vec(), Vec::new()));
        for (volumes, chunk) in live.chain(deleted) {
            let done = volumes.len() as u64;
            let call = Call::StopTest {
                test_id: held.id.clone(),
                target: held.target.clone(),
                volumes,
            };
            if let Err(error) = self.run.call(&self.view.name, &call).await {
                let why = journalled(&self.view.name, &error);
                members::release(self.run, all).await?;
                return Ok(Err(why));
            }
            self.run.note(|o| o.progress.done += done).await;
            let now = env.now();
            let id = held.id.clone();
            members::change(env, chunk, |m| {
                if m.relation.drill.as_ref().is_none_or(|d| d.id != id) {
                    return Ok(Change::Leave);
                }
                *m.relation = m.relation.step(Event::DrillStopped(id.clone()), now)?.0;
                Ok(Change::Write)
            })
            .await?;
        }
        members::release(self.run, all).await?;
        held.state = drill::step(held.state, DrillEvent::Gone)?;
        held.operation = None;
        held.problem = None;
        self.run
            .commit(Writes {
                drills: vec![held],
                ..Writes::default()
            })
            .await?;
        Ok(Ok(()))
    }
}

/// What a driver is told of members whose volume was deleted while the drill was open: their copies are still there.
fn without_volume(held: &Drill, members: &[Member]) -> Vec<VolumeSpec> {
    let there = |id: &str| members.iter().any(|m| m.volume.id == id);
    let gone = held.members.iter().filter(|m| !there(&m.volume_id));
    let spec = |m: &DrillMember| VolumeSpec {
        id: m.volume_id.clone(),
        name: format!("volume-{}", m.volume_id),
        display_name: String::new(),
        project: held.project.clone(),
        size: 0,
        volume_type: None,
        group: None,
        placement: m.origin.clone(),
        generation: 0,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    };
    gone.map(spec).collect()
}
