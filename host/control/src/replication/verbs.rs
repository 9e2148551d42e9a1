//! The verbs that move nothing: reprotect, resync, enable, disable, drills, fence, reconcile, promote.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use springform_model::cloud::{ReplicationStatus, Service};
use springform_model::contract::{Call, CallError, Failure, Reply, TestCopy};
use springform_model::operation::{Operation, OperationError, Verb};
use springform_model::replication::drill::{self, Drill, DrillEvent};
use springform_model::replication::relation::{DrillRef, Event};

use super::consent::Consent;
use super::ground::{BackendView, Ground, Member, Problem, Writes};
use super::ledger::{Ledger, journalled, problem};
use super::members::{self, Change};
use super::plan::{PAGE, resolve};
use super::request::Ask;
use super::{Scope, fence, group};

/// Everything such a verb needs to be carried out again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What was asked.
    pub ask: Ask,
    /// The drill it is about.
    pub drill: Option<String>,
}

/// Carries out one of these verbs. The operation it returns is terminal.
pub async fn run(ground: &dyn Ground, operation: Operation) -> Result<Operation, Problem> {
    let backend = operation.backend.clone().unwrap_or_default();
    let verb = operation.verb;
    let parsed: Result<Input, _> = serde_json::from_value(operation.input.clone());
    let drill = parsed.as_ref().ok().and_then(|i| i.drill.clone());
    let ledger = Ledger::new(ground, operation);
    let outcome = match parsed {
        Err(error) => Err(problem(
            "invalid-argument",
            format!("the journalled request cannot be read: {error}"),
            &backend,
        )),
        Ok(input) => match ground.backend(&backend).await {
            Err(error) => Err(problem("not-found", error.to_string(), &backend)),
            Ok(view) => {
                Work {
                    ledger: &ledger,
                    view,
                    input,
                    verb,
                }
                .carry_out()
                .await?
            }
        },
    };
    let mut writes = Writes::default();
    if let Some(id) = &drill
        && let Some(mut held) = ground.drill(id).await?
        && held.operation.as_deref() == Some(ledger.id())
    {
        // Whatever went wrong, somebody else must be able to stop it.
        held.operation = None;
        writes.drills.push(held);
    }
    let (service, revision) = ground.service(&backend).await?;
    if service.operation.as_deref() == Some(ledger.id()) {
        writes.services.push((
            Service {
                operation: None,
                ..service
            },
            revision,
        ));
    }
    ledger.finish(outcome.err(), writes).await
}

struct Work<'a, 'b> {
    ledger: &'a Ledger<'b>,
    view: BackendView,
    input: Input,
    verb: Verb,
}

type Outcome = Result<(), OperationError>;

impl Work<'_, '_> {
    async fn carry_out(&self) -> Result<Outcome, Problem> {
        match self.verb {
            Verb::StartDrill => return self.start_drill().await,
            Verb::StopDrill => return self.stop_drill().await,
            Verb::Promote | Verb::Reconcile => return self.reconcile().await,
            _ => {}
        }
        let ground = self.ledger.ground();
        self.ledger.enter(self.name(), None).await?;
        let to = match resolve(&self.view, self.input.ask.to.as_deref()) {
            Ok(to) => to,
            Err(error) => {
                return Ok(Err(problem(
                    "invalid-argument",
                    error.to_string(),
                    &self.view.name,
                )));
            }
        };
        self.ledger
            .note(|o| o.progress = springform_model::operation::Progress::default())
            .await;
        if let (Verb::Enable | Verb::Disable, Scope::Group(id)) = (self.verb, &self.input.ask.scope)
            && let Some(known) = ground.group(id).await?
            && known.group.array_name.is_some()
        {
            return group::switch(self.ledger, &self.view, &known, self.verb == Verb::Enable).await;
        }
        let mut after: Option<String> = None;
        loop {
            let page = ground
                .members(
                    &self.input.ask.scope,
                    &self.view.name,
                    after.as_deref(),
                    PAGE,
                )
                .await?;
            let Some(last) = page.last() else {
                return Ok(Ok(()));
            };
            after = Some(last.volume.id.clone());
            let page: Vec<Member> = page
                .into_iter()
                .filter(|m| {
                    m.volume.placement.is_some() && (self.verb == Verb::Enable || m.replicated())
                })
                .collect();
            let size = page.len() as u64;
            self.ledger.note(|o| o.progress.total += size).await;
            if self.verb == Verb::Fence {
                fence::pay(self.ledger, &self.view, page.clone(), false).await?;
                // What is counted is what holds now, so that a restart in between changes nothing of the answer.
                let now = members::again(ground, &self.view.name, page).await?;
                let clear = now
                    .iter()
                    .filter(|m| m.relation.owed().next().is_none())
                    .count() as u64;
                self.ledger.note(|o| o.progress.done += clear).await;
                continue;
            }
            for chunk in members::chunks(page, self.view.batch) {
                self.batch(to.as_deref(), chunk).await?;
                self.ledger.commit(Writes::default()).await?;
            }
        }
    }

    fn name(&self) -> &'static str {
        match self.verb {
            Verb::Reprotect => "reprotect",
            Verb::Resync => "resync",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
            Verb::Fence => "fence",
            Verb::StartDrill => "start the drill",
            Verb::StopDrill => "stop the drill",
            _ => "reconcile",
        }
    }

    async fn batch(&self, to: Option<&str>, chunk: Vec<Member>) -> Result<(), Problem> {
        match self.verb {
            Verb::Enable | Verb::Disable => self.switch(chunk, self.verb == Verb::Enable).await,
            _ => {
                let ack = &self.input.ask.acknowledge;
                let failed = overwrite(
                    self.ledger,
                    &self.view,
                    to,
                    ack,
                    chunk,
                    self.verb == Verb::Resync,
                    false,
                )
                .await?;
                let (failed, whys): (Vec<_>, Vec<_>) = failed.into_iter().unzip();
                members::release(self.ledger, failed).await?;
                self.ledger
                    .note(|o| o.error = whys.into_iter().next().or(o.error.take()))
                    .await;
                Ok(())
            }
        }
    }

    async fn switch(&self, chunk: Vec<Member>, on: bool) -> Result<(), Problem> {
        let ground = self.ledger.ground();
        let now = ground.now();
        let (held, busy) = members::hold(self.ledger, chunk).await?;
        let (able, refused): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|m| m.relation.step(Event::Want(on), now).is_ok());
        let volumes = able.iter().map(|m| m.spec.clone()).collect();
        let call = if on {
            Call::Enable { volumes }
        } else {
            Call::Disable { volumes }
        };
        let outcomes = self.ledger.batch(&self.view.name, &call, &able).await;
        let mut placements = BTreeMap::new();
        let mut good = Vec::new();
        let mut idle = refused;
        for (member, outcome) in able.into_iter().zip(outcomes) {
            match outcome.map(|o| o.result) {
                Ok(Ok(placement)) => {
                    placements.insert(member.volume.id.clone(), placement);
                    good.push(member);
                }
                _ => idle.push(member),
            }
        }
        let done = good.len() as u64;
        let failed = (idle.len() + busy.len()) as u64;
        members::release(self.ledger, idle).await?;
        self.ledger
            .note(|o| {
                o.progress.done += done;
                o.progress.failed += failed;
            })
            .await;
        members::change(ground, good, |m| {
            m.relation = m.relation.step(Event::Want(on), now)?.0;
            if let Some(placement) = placements.get(&m.volume.id) {
                m.volume.placement = Some(placement.clone());
            }
            m.volume.replication_status = Some(if on {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::Disabled
            });
            members::let_go(self.ledger, m);
            Ok(Change::Write)
        })
        .await?;
        Ok(())
    }

    async fn reconcile(&self) -> Result<Outcome, Problem> {
        let ground = self.ledger.ground();
        self.ledger.enter("reconcile", None).await?;
        let dry_run = self.input.ask.dry_run;
        let mut after: Option<String> = None;
        let mut report = (Vec::new(), Vec::new());
        loop {
            let page = ground
                .members(
                    &self.input.ask.scope,
                    &self.view.name,
                    after.as_deref(),
                    PAGE,
                )
                .await?;
            let first = after.is_none();
            let Some(last) = page
                .last()
                .map(|m| m.volume.id.clone())
                .or_else(|| first.then(String::new))
            else {
                break;
            };
            let call = Call::Reconcile {
                volumes: page.iter().map(|m| m.spec.clone()).collect(),
                dry_run,
            };
            match self
                .ledger
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_setup)
            {
                Ok(answer) => {
                    report.0.extend(answer.changes);
                    report.1.extend(answer.warnings);
                    if !dry_run {
                        members::keep_state(ground, &self.view.name, answer.state).await?;
                    }
                }
                Err(error) => return Ok(Err(journalled(&self.view.name, &error))),
            }
            if page.is_empty() {
                break;
            }
            after = Some(last);
        }
        self.ledger
            .note(|o| o.result = serde_json::json!({ "changes": report.0, "warnings": report.1 }))
            .await;
        if self.verb == Verb::Promote && !dry_run {
            return self.primary_moved().await;
        }
        Ok(Ok(()))
    }

    /// After a promotion the configured primary is the array that serves: the backend is not failed over any more.
    async fn primary_moved(&self) -> Result<Outcome, Problem> {
        let ground = self.ledger.ground();
        let (mut service, revision) = ground.service(&self.view.name).await?;
        let home = self.view.primary().map(|t| t.name.clone());
        if service.active_target.is_none() || service.active_target == home {
            service.active_target = None;
            service.replication_status = ReplicationStatus::Enabled;
            service.disabled = service.frozen;
            service.disabled_reason = service.frozen.then(|| "frozen".to_owned());
            ground
                .commit(Writes {
                    services: vec![(service, revision)],
                    ..Writes::default()
                })
                .await?;
            return Ok(Ok(()));
        }
        let why = format!(
            "backend {} is served by {}, which its configuration does not name as primary; set san_ip to that array first",
            self.view.name,
            service.active_target.as_deref().unwrap_or("another array")
        );
        Ok(Err(problem("failed-precondition", why, &self.view.name)))
    }

    async fn held_drill(&self) -> Result<Result<Drill, OperationError>, Problem> {
        let id = self.input.drill.clone().unwrap_or_default();
        Ok(self.ledger.ground().drill(&id).await?.ok_or_else(|| {
            problem(
                "not-found",
                format!("there is no drill {id}"),
                &self.view.name,
            )
        }))
    }

    async fn drill_members(&self, drill: &Drill) -> Result<Vec<Member>, Problem> {
        let ids: Vec<String> = drill.members.iter().map(|m| m.volume_id.clone()).collect();
        self.ledger
            .ground()
            .members(
                &Scope::Volumes(ids),
                &self.view.name,
                None,
                drill.members.len(),
            )
            .await
    }

    async fn start_drill(&self) -> Result<Outcome, Problem> {
        let ground = self.ledger.ground();
        self.ledger.enter(self.name(), None).await?;
        let mut held = match self.held_drill().await? {
            Ok(held) => held,
            Err(why) => return Ok(Err(why)),
        };
        let members = self.drill_members(&held).await?;
        let total = members.len() as u64;
        self.ledger
            .note(|o| {
                o.progress = springform_model::operation::Progress {
                    total,
                    ..Default::default()
                }
            })
            .await;
        let now = ground.now();
        let reference = DrillRef {
            id: held.id.clone(),
            target: held.target.clone(),
        };
        let (marked, refused) = members::change(ground, members, |m| {
            m.relation = m
                .relation
                .step(Event::DrillStarted(reference.clone()), now)?
                .0;
            Ok(Change::Write)
        })
        .await?;
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
        for chunk in members::chunks(marked, self.view.batch) {
            let call = Call::StartTest {
                test_id: held.id.clone(),
                target: held.target.clone(),
                point: self.input.ask.point.clone(),
                volumes: chunk.iter().map(|m| m.spec.clone()).collect(),
            };
            match self
                .ledger
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
                Err(error) => return Ok(Err(journalled(&self.view.name, &error))),
            }
        }
        let failed = copies.values().filter(|c| c.result.is_err()).count() as u64;
        for member in &mut held.members {
            if let Some(copy) = copies.remove(&member.volume_id) {
                member.copy = Some(copy.result);
                member.point = copy.point;
            }
        }
        self.ledger
            .note(|o| {
                o.progress.failed = failed;
                o.progress.done = o.progress.total.saturating_sub(failed);
                o.result = serde_json::json!({ "drill": held.id });
            })
            .await;
        held.state = drill::step(held.state, DrillEvent::Made)?;
        held.operation = None;
        self.ledger
            .commit(Writes {
                drills: vec![held],
                ..Writes::default()
            })
            .await?;
        Ok(Ok(()))
    }

    async fn stop_drill(&self) -> Result<Outcome, Problem> {
        let ground = self.ledger.ground();
        self.ledger.enter(self.name(), None).await?;
        let mut held = match self.held_drill().await? {
            Ok(held) => held,
            Err(why) => return Ok(Err(why)),
        };
        let members = self.drill_members(&held).await?;
        for chunk in members::chunks(members, self.view.batch) {
            let call = Call::StopTest {
                test_id: held.id.clone(),
                target: held.target.clone(),
                volumes: chunk.iter().map(|m| m.spec.clone()).collect(),
            };
            if let Err(error) = self.ledger.call(&self.view.name, &call).await {
                // Still open and free for the next attempt: the timer tries again.
                held.operation = None;
                self.ledger
                    .commit(Writes {
                        drills: vec![held],
                        ..Writes::default()
                    })
                    .await?;
                return Ok(Err(journalled(&self.view.name, &error)));
            }
            let now = ground.now();
            let id = held.id.clone();
            members::change(ground, chunk, |m| {
                if m.relation.drill.as_ref().is_none_or(|d| d.id != id) {
                    return Ok(Change::Leave);
                }
                m.relation = m.relation.step(Event::DrillStopped(id.clone()), now)?.0;
                Ok(Change::Write)
            })
            .await?;
        }
        held.state = drill::step(held.state, DrillEvent::Gone)?;
        held.operation = None;
        self.ledger
            .commit(Writes {
                drills: vec![held],
                ..Writes::default()
            })
            .await?;
        Ok(Ok(()))
    }
}

/// Copies from the serving side to one target, or to every other one. Fences a left-behind copy before it is overwritten.
/// Returns what failed. The volumes' turn is held meanwhile, so that none is moved to the array that is being overwritten;
/// `keep` leaves it with the operation for those that were overwritten.
pub async fn overwrite(
    ledger: &Ledger<'_>,
    view: &BackendView,
    to: Option<&str>,
    acknowledge: &Consent,
    chunk: Vec<Member>,
    once: bool,
    keep: bool,
) -> Result<Vec<(Member, OperationError)>, Problem> {
    let ground = ledger.ground();
    let now = ground.now();
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
    let (held, busy) = members::hold(ledger, chunk).await?;
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
    let able = fence::pay(ledger, view, able, true).await?;
    let discard = !acknowledge.is_empty();
    let volumes = able.iter().map(|m| m.spec.clone()).collect();
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
    let outcomes = if able.is_empty() {
        Vec::new()
    } else {
        ledger.batch(&view.name, &call, &able).await
    };
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
    ledger
        .note(|o| {
            o.progress.done += done;
            o.progress.failed += lost;
        })
        .await;
    members::change(ground, good, |m| {
        for target in goals(m) {
            m.relation = m.relation.step(Event::Resynced { target }, now)?.0;
        }
        m.relation.wanted = true;
        if let Some(placement) = placements.get(&m.volume.id) {
            m.volume.placement = Some(placement.clone());
        }
        if !keep {
            members::let_go(ledger, m);
        }
        Ok(Change::Write)
    })
    .await?;
    Ok(failed)
}
