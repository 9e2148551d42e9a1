//! The failover itself: page by page of the scope, in the order of [`Phase`], batches in parallel, one commit before and
//! one after each call.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use springform_model::cloud::{ReplicationStatus, VolumeStatus};
use springform_model::contract::{Call, FailoverMode, FailoverPlan, Outcome, Placement, Reply};
use springform_model::operation::{Operation, OperationError};
use springform_model::replication::Refusal;
use springform_model::replication::drill::{self, DrillEvent};
use springform_model::replication::failover::{Phase, batch_size};
use springform_model::replication::relation::{Effect, Event, MoveStep, Phase as Stand};
use springform_model::replication::service;

use super::consent::Consent;
use super::ground::{BackendView, Ground, Member, Problem, Writes};
use super::ledger::{Ledger, journalled, problem};
use super::members::{self, Change};
use super::plan::{self, Order};
use super::{Scope, fence, verbs};
use crate::outbox::CloudEvent;

/// How long a volume that another operation holds is waited for.
const BUSY_WAITS: u32 = 10;
/// Failures kept in the operation's result, by volume.
const SHOWN: usize = 200;

/// Everything a failover needs to be carried out again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What was asked.
    pub order: Order,
    /// The plan it was made from.
    pub plan: Option<String>,
    /// Leave to use a target that holds an older generation.
    #[serde(default)]
    pub acknowledge: Consent,
    /// The drill whose copies become the volumes.
    pub drill: Option<String>,
    /// Copy the serving side to the target before anything else: a failback.
    #[serde(default)]
    pub overwrite_first: bool,
}

struct Failover<'a> {
    ledger: Ledger<'a>,
    view: BackendView,
    input: Input,
    failures: tokio::sync::Mutex<BTreeMap<String, OperationError>>,
}

/// Carries a journalled failover out, or goes on with one that was interrupted. The operation it returns is terminal.
pub async fn run(ground: &dyn Ground, operation: Operation) -> Result<Operation, Problem> {
    let backend = operation.backend.clone().unwrap_or_default();
    let parsed: Result<Input, _> = serde_json::from_value(operation.input.clone());
    let ledger = Ledger::new(ground, operation);
    let input = match parsed {
        Ok(input) => input,
        Err(error) => {
            let why = problem(
                "invalid-argument",
                format!("the journalled failover cannot be read: {error}"),
                &backend,
            );
            return ledger.finish(Some(why), Writes::default()).await;
        }
    };
    let view = match ground.backend(&backend).await {
        Ok(view) => view,
        Err(error) => {
            let why = problem("not-found", error.to_string(), &backend);
            return ledger.finish(Some(why), Writes::default()).await;
        }
    };
    let this = Failover {
        ledger,
        view,
        input,
        failures: tokio::sync::Mutex::default(),
    };
    this.carry_out().await
}

fn demoting(member: &Member) -> bool {
    matches!(&member.relation.phase, Stand::Moving(m) if m.step == MoveStep::Demoting)
}

impl Failover<'_> {
    fn whole_backend(&self) -> bool {
        matches!(self.input.order.scope, Scope::Backend(_))
    }

    async fn carry_out(self) -> Result<Operation, Problem> {
        let ground = self.ledger.ground();
        let total = ground
            .count(&self.input.order.scope, &self.view.name)
            .await?;
        self.ledger
            .note(|o| {
                o.progress = springform_model::operation::Progress {
                    total,
                    ..Default::default()
                };
            })
            .await;
        self.ledger.enter(Phase::Planning.as_str(), None).await?;
        let mut to = match plan::resolve(&self.view, self.input.order.to.as_deref()) {
            Ok(to) => to,
            Err(error) => return self.refused("invalid-argument", error.to_string()).await,
        };
        if let Some(chosen) = self
            .ledger
            .note(|o| {
                o.result
                    .get("target")
                    .and_then(|t| t.as_str())
                    .map(str::to_owned)
            })
            .await
        {
            to = Some(chosen);
        }
        let mut after: Option<String> = None;
        let mut stopped: Option<OperationError> = None;
        loop {
            if ground.cancelled(self.ledger.id()).await {
                stopped = Some(problem(
                    "cancelled",
                    "cancelled; what had moved until then stays where it is now",
                    &self.view.name,
                ));
                break;
            }
            let page = ground
                .members(
                    &self.input.order.scope,
                    &self.view.name,
                    after.as_deref(),
                    plan::PAGE,
                )
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.volume.id.clone());
            let (with, without): (Vec<_>, Vec<_>) = page.into_iter().partition(Member::replicated);
            let skipped = without.len() as u64;
            self.ledger
                .note(|o| o.progress.total = o.progress.total.saturating_sub(skipped))
                .await;
            if with.is_empty() {
                continue;
            }
            match self.page(&mut to, with).await? {
                None => {}
                Some(error) => {
                    stopped = Some(error);
                    break;
                }
            }
        }
        self.settle(to, stopped).await
    }

    /// One page of volumes, through all phases. An error means that no further page has any hope.
    async fn page(
        &self,
        to: &mut Option<String>,
        page: Vec<Member>,
    ) -> Result<Option<OperationError>, Problem> {
        let ground = self.ledger.ground();
        let (pending, arrived): (Vec<_>, Vec<_>) = page
            .into_iter()
            .partition(|m| !self.arrived(m, to.as_deref()));
        self.ledger
            .note(|o| o.progress.done += arrived.len() as u64)
            .await;
        // Moved before a restart: what comes after the switch may not have been done for them.
        let mut moved: Vec<Member> = arrived
            .into_iter()
            .filter(|m| self.moved_by_this(m))
            .collect();
        if pending.is_empty() {
            if !moved.is_empty() {
                match self.kept_plan().await {
                    Some(kept) => self.after_the_switch(&kept, moved).await?,
                    None => self.fence(moved).await?,
                }
            }
            return Ok(None);
        }
        let pending = self.bring_up(to.as_deref(), pending).await?;
        let order = &self.input.order;
        let planned = plan::page(
            ground,
            &self.view.name,
            self.ledger.id(),
            order,
            to.clone(),
            &pending,
        )
        .await;
        let mut made = match planned {
            Ok(made) => made,
            Err(error) => return Ok(Some(journalled(&self.view.name, &error))),
        };
        // The driver's choice is written down before anything moves: after a restart it might choose another.
        *to = Some(made.target.clone());
        self.keep_plan(&made).await?;
        let mut able = Vec::with_capacity(pending.len());
        for (i, member) in pending.into_iter().enumerate() {
            match made
                .volumes
                .get(i)
                .filter(|p| p.volume_id == member.volume.id)
            {
                Some(p) if p.possible || matches!(member.relation.phase, Stand::Moving(_)) => {
                    able.push(member)
                }
                Some(p) => {
                    let why = p
                        .reason
                        .clone()
                        .unwrap_or_else(|| "the driver cannot fail it over".to_owned());
                    self.lost(member, problem("failed-precondition", why, &self.view.name))
                        .await?;
                }
                None => {
                    let why = format!("the driver of {} left it out of its plan", self.view.name);
                    self.lost(member, problem("partial", why, &self.view.name))
                        .await?;
                }
            }
        }
        let mut members = self.take(able, &made).await?;
        if self.input.order.mode == FailoverMode::Planned && !members.is_empty() {
            members = match self.hand_over(&mut made, members).await? {
                Ok(members) => members,
                Err(error) => return Ok(Some(error)),
            };
        }
        self.ledger.enter(Phase::Promoting.as_str(), None).await?;
        moved.extend(self.promote(&made, members).await?);
        if !moved.is_empty() {
            self.after_the_switch(&made, moved).await?;
        }
        Ok(None)
    }

    fn moved_by_this(&self, member: &Member) -> bool {
        let r = &member.relation;
        r.phase == Stand::Settled && r.moved_by.as_deref() == Some(self.ledger.id())
    }

    /// What a restart needs of the driver's plan: not the volumes, they are asked for again.
    async fn keep_plan(&self, made: &FailoverPlan) -> Result<(), Problem> {
        let kept = FailoverPlan {
            volumes: Vec::new(),
            ..made.clone()
        };
        let data = serde_json::to_value(&kept).unwrap_or_default();
        self.ledger
            .note(|o| {
                o.result = serde_json::json!({ "target": kept.target });
                if let Some(step) = o
                    .steps
                    .iter_mut()
                    .find(|s| s.name == Phase::Planning.as_str())
                {
                    step.data = data;
                }
            })
            .await;
        self.ledger.commit(Writes::default()).await
    }

    async fn kept_plan(&self) -> Option<FailoverPlan> {
        self.ledger
            .note(|o| {
                let step = o
                    .steps
                    .iter()
                    .find(|s| s.name == Phase::Planning.as_str())?;
                serde_json::from_value(step.data.clone()).ok()
            })
            .await
    }

    /// Finishing and fencing; both may be repeated.
    async fn after_the_switch(
        &self,
        made: &FailoverPlan,
        moved: Vec<Member>,
    ) -> Result<(), Problem> {
        let ground = self.ledger.ground();
        self.ledger.enter(Phase::Finishing.as_str(), None).await?;
        let call = Call::FinishFailover {
            plan: made.clone(),
            volumes: moved.iter().map(|m| m.spec.clone()).collect(),
        };
        match self
            .ledger
            .call(&self.view.name, &call)
            .await
            .and_then(Reply::into_state)
        {
            Ok(state) => members::keep_state(ground, &self.view.name, state).await?,
            Err(error) => {
                let why = journalled(&self.view.name, &error);
                self.ledger.note(|o| o.error = Some(why)).await;
            }
        }
        if made.mode != FailoverMode::Planned {
            self.ledger.enter(Phase::Fencing.as_str(), None).await?;
            self.fence(moved).await?;
        }
        Ok(())
    }

    async fn fence(&self, moved: Vec<Member>) -> Result<(), Problem> {
        fence::pay(&self.ledger, &self.view, moved, false).await?;
        Ok(())
    }

    /// A failback overwrites the array it goes back to, before anything moves. What cannot be overwritten stays where it is.
    async fn bring_up(
        &self,
        to: Option<&str>,
        pending: Vec<Member>,
    ) -> Result<Vec<Member>, Problem> {
        if !self.input.overwrite_first {
            return Ok(pending);
        }
        self.ledger
            .enter(
                "reprotect",
                Some("the array it goes back to to be overwritten".to_owned()),
            )
            .await?;
        let (settled, mut ready): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|m| m.relation.phase == Stand::Settled);
        let before = self.ledger.note(|o| o.progress).await;
        for chunk in members::chunks(settled, self.view.batch) {
            let ids = chunk.clone();
            let lost = verbs::overwrite(
                &self.ledger,
                &self.view,
                to,
                &self.input.acknowledge,
                chunk,
                false,
                true,
            )
            .await?;
            self.ledger.note(|o| o.progress = before).await;
            let good = ids
                .into_iter()
                .filter(|m| lost.iter().all(|(l, _)| l.volume.id != m.volume.id))
                .collect();
            for (member, why) in lost {
                self.lost(member, why).await?;
            }
            ready.extend(members::again(self.ledger.ground(), &self.view.name, good).await?);
        }
        ready.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
        Ok(ready)
    }

    fn arrived(&self, member: &Member, to: Option<&str>) -> bool {
        let r = &member.relation;
        // A volume that is on the target of a drill already did not get there by the drill's copy.
        let here = self.input.drill.is_none()
            && r.phase == Stand::Settled
            && to.is_some_and(|to| r.serving.as_deref() == Some(to));
        here || self.moved_by_this(member)
    }

    /// Begins the move of each volume and takes its turn, in one commit for each batch.
    async fn take(&self, able: Vec<Member>, made: &FailoverPlan) -> Result<Vec<Member>, Problem> {
        let ground = self.ledger.ground();
        let mut taken = Vec::with_capacity(able.len());
        let mut waits = 0;
        let mut queue = able;
        while !queue.is_empty() {
            let mut busy = Vec::new();
            for chunk in members::chunks(queue, self.view.batch) {
                let (begun, refused) = members::change(ground, chunk, |member| {
                    members::free(&self.ledger, member)?;
                    let event = Event::Begin {
                        operation: self.ledger.id().to_owned(),
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
                    let (relation, _) = member.relation.step(event, ground.now())?;
                    member.volume.generation = relation.generation;
                    member.spec.generation = relation.generation;
                    member.relation = relation;
                    member.volume.operation = Some(self.ledger.id().to_owned());
                    member.volume.replication_status = Some(ReplicationStatus::FailingOver);
                    Ok(Change::Write)
                })
                .await?;
                // One that this operation moved before a restart, and nobody has since, has nothing to begin.
                let (moving, there): (Vec<_>, Vec<_>) = begun
                    .into_iter()
                    .partition(|m| matches!(m.relation.phase, Stand::Moving(_)));
                taken.extend(moving);
                self.ledger
                    .note(|o| o.progress.done += there.len() as u64)
                    .await;
                members::release(&self.ledger, there).await?;
                for (member, refusal) in refused {
                    if matches!(refusal, Refusal::Busy { .. }) {
                        busy.push(member);
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
            if waits > BUSY_WAITS {
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
            queue = members::again(ground, &self.view.name, busy).await?;
        }
        taken.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
        Ok(taken)
    }

    /// Planned: the last writes, then the role. Volumes of which the last writes did not arrive are not touched.
    async fn hand_over(
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
                volumes: syncing.iter().map(|m| m.spec.clone()).collect(),
            };
            match self
                .ledger
                .call(&self.view.name, &call)
                .await
                .and_then(Reply::into_plan)
            {
                Ok(synced) => {
                    *made = synced;
                    for chunk in members::chunks(syncing, self.view.batch) {
                        let (done, _) = members::change(ground, chunk, |m| {
                            m.relation =
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
                let call = Call::Demote {
                    target: source.clone(),
                    volumes: chunk.iter().map(|m| m.spec.clone()).collect(),
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
                    m.relation = m.relation.step(event, ground.now())?.0;
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
            .map(|m| m.spec.clone())
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
    fn source(&self, member: &Member) -> Option<String> {
        if demoting(member) {
            return member.relation.serving.clone();
        }
        let placed = member.volume.placement.as_ref().map(|p| p.target.clone());
        placed.filter(|_| member.relation.serving.is_none())
    }

    fn result(&self, outcome: Outcome) -> Result<Placement, OperationError> {
        outcome.result.map_err(|f| {
            journalled(
                &self.view.name,
                &springform_model::contract::CallError::Failed(f),
            )
        })
    }

    /// Promotes in parallel batches; returns what moved.
    async fn promote(
        &self,
        made: &FailoverPlan,
        members: Vec<Member>,
    ) -> Result<Vec<Member>, Problem> {
        use futures_util::StreamExt as _;
        let size = batch_size(members.len() as u64, self.view.parallel, self.view.batch);
        let batches = members::chunks(members, size);
        let mut running =
            futures_util::stream::iter(batches.into_iter().map(|b| self.promote_batch(made, b)))
                .buffer_unordered(self.view.parallel.max(1));
        let mut moved = Vec::new();
        while let Some(batch) = running.next().await {
            moved.extend(batch?);
        }
        moved.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
        Ok(moved)
    }

    async fn promote_batch(
        &self,
        made: &FailoverPlan,
        batch: Vec<Member>,
    ) -> Result<Vec<Member>, Problem> {
        let ground = self.ledger.ground();
        // The driver is given the part of the plan that is about its batch: the plan of a page is large.
        let part = FailoverPlan {
            volumes: made
                .volumes
                .iter()
                .filter(|p| {
                    batch
                        .binary_search_by(|m| m.volume.id.cmp(&p.volume_id))
                        .is_ok()
                })
                .cloned()
                .collect(),
            ..made.clone()
        };
        let volumes = batch.iter().map(|m| m.spec.clone()).collect();
        let call = match &self.input.drill {
            Some(drill) => Call::CommitTest {
                test_id: drill.clone(),
                plan: part,
                volumes,
            },
            None => Call::FailOver {
                plan: part,
                volumes,
            },
        };
        let outcomes = self.ledger.batch(&self.view.name, &call, &batch).await;
        let mut good = Vec::with_capacity(batch.len());
        let mut placements = BTreeMap::new();
        for (member, outcome) in batch.into_iter().zip(outcomes) {
            match outcome
                .map_err(|e| journalled(&self.view.name, &e))
                .and_then(|o| self.result(o))
            {
                Ok(placement) => {
                    placements.insert(member.volume.id.clone(), placement);
                    good.push(member);
                }
                Err(why) => self.lost(member, why).await?,
            }
        }
        let home = self.view.primary().map(|t| t.name.clone());
        let moved_home = home.as_deref() == Some(made.target.as_str());
        let id = self.ledger.id().to_owned();
        let now = ground.now();
        let count = good.len() as u64;
        let events = std::sync::Mutex::new(Vec::new());
        self.ledger.note(|o| o.progress.done += count).await;
        let (moved, _) = members::change_with(&self.ledger, good, &events, |member| {
            let (relation, effects) = member.relation.step(Event::Promoted(id.clone()), now)?;
            member.relation = relation;
            if let Some(placement) = placements.get(&member.volume.id) {
                member.volume.placement = Some(placement.clone());
                member.spec.placement = Some(placement.clone());
            }
            // Whoever was left behind and answers is fenced next: until then nobody may move the volume back there.
            let fence = made.mode != FailoverMode::Planned
                && fence::due(&self.view, member).next().is_some();
            if !fence {
                member.volume.operation = None;
            }
            member.volume.updated_at = Some(now);
            member.volume.replication_status = Some(if moved_home {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::FailedOver
            });
            if member.volume.status == VolumeStatus::Error
                && let Some(previous) = member.volume.previous_status.take()
            {
                member.volume.status = previous;
            }
            for effect in effects {
                if let (
                    Effect::Announce {
                        from,
                        to,
                        generation,
                    },
                    Ok(mut events),
                ) = (effect, events.lock())
                {
                    events.push(CloudEvent::moved(
                        &member.volume,
                        &id,
                        from.as_deref(),
                        &to,
                        generation,
                        now,
                    ));
                }
            }
            Ok(Change::Write)
        })
        .await?;
        Ok(moved)
    }

    /// Writes down that one volume did not move. What it was before the first step it is again; what stopped half-way says so.
    async fn lost(&self, member: Member, why: OperationError) -> Result<(), Problem> {
        let ground = self.ledger.ground();
        let id = self.ledger.id().to_owned();
        let home = self.view.primary().map(|t| t.name.clone());
        {
            let mut failures = self.failures.lock().await;
            if failures.len() < SHOWN {
                failures.insert(member.volume.id.clone(), why.clone());
            }
        }
        self.ledger.note(|o| o.progress.failed += 1).await;
        let held = member.volume.operation.as_deref() == Some(self.ledger.id());
        if !held {
            return Ok(());
        }
        let served = |target: Option<&str>| {
            target
                .and_then(|t| self.view.target(t))
                .is_some_and(|t| t.reachable)
        };
        members::change(ground, vec![member], |m| {
            if matches!(m.relation.phase, Stand::Moving(_)) {
                m.relation = m.relation.step(Event::Failed(id.clone()), ground.now())?.0;
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
        Ok(())
    }

    /// Gives back every turn that this operation, or its run before a restart, still holds.
    async fn let_go(&self, why: &OperationError) -> Result<(), Problem> {
        let mut after: Option<String> = None;
        loop {
            let page = self
                .ledger
                .ground()
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
            let (settled, stuck): (Vec<_>, Vec<_>) = page
                .into_iter()
                .filter(|m| m.volume.operation.as_deref() == Some(self.ledger.id()))
                .partition(|m| m.relation.phase == Stand::Settled);
            let (moved, untouched): (Vec<_>, Vec<_>) =
                settled.into_iter().partition(|m| self.moved_by_this(m));
            self.fence(moved).await?;
            members::release(&self.ledger, untouched).await?;
            for member in stuck {
                self.lost(member, why.clone()).await?;
            }
        }
    }

    async fn refused(self, code: &str, why: String) -> Result<Operation, Problem> {
        let why = problem(code, why, &self.view.name);
        let writes = self
            .end_service(|operation| service::Event::Refused { operation })
            .await?;
        self.ledger.finish(Some(why), writes).await
    }

    async fn settle(
        self,
        to: Option<String>,
        stopped: Option<OperationError>,
    ) -> Result<Operation, Problem> {
        self.ledger.enter(Phase::Settling.as_str(), None).await?;
        if let Some(why) = &stopped {
            self.let_go(why).await?;
        }
        let (done, failed) = self
            .ledger
            .note(|o| (o.progress.done, o.progress.failed))
            .await;
        let home = self.view.primary().map(|t| t.name.clone());
        let target = to.filter(|t| Some(t) != home.as_ref());
        let writes = self
            .end_service(|operation| match &stopped {
                Some(_) if done == 0 && failed == 0 => service::Event::Refused { operation },
                Some(_) => service::Event::Broke { operation },
                None if done == 0 && failed > 0 => service::Event::Broke { operation },
                None => service::Event::Arrived {
                    operation,
                    target: target.clone(),
                },
            })
            .await?;
        let mut writes = writes;
        if let Some(id) = &self.input.drill
            && let Some(mut held) = self.ledger.ground().drill(id).await?
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
        let failures = self.failures.into_inner();
        self.ledger
            .note(|o| {
                o.result = serde_json::json!({ "target": target, "failures": failures });
            })
            .await;
        self.ledger.finish(stopped, writes).await
    }

    /// The backend's own record, where the scope is the backend.
    async fn end_service(
        &self,
        event: impl FnOnce(String) -> service::Event,
    ) -> Result<Writes, Problem> {
        if !self.whole_backend() {
            return Ok(Writes::default());
        }
        let (before, revision) = self.ledger.ground().service(&self.view.name).await?;
        if before.operation.as_deref() != Some(self.ledger.id()) {
            return Ok(Writes::default());
        }
        let mut after = service::step(&before, event(self.ledger.id().to_owned()))?;
        after.updated_at = Some(self.ledger.ground().now());
        Ok(Writes {
            services: vec![(after, revision)],
            ..Writes::default()
        })
    }
}
