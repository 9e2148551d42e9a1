//! The failover itself: page by page of the scope, in the order of [`Phase`], batches in parallel, one commit before and
//! one after each call.
// The error is stored as it is; a box would be taken off again at once.
#![allow(clippy::result_large_err)]

mod demote;
mod give_back;
mod promote;
mod proof;
mod protect;
mod settle;
mod size;
mod take;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use springform_model::contract::{FailoverMode, FailoverPlan, RecoveryPoint, VolumePlan};
use springform_model::operation::{Operation, OperationError};
use springform_model::replication::failover::Phase;
use springform_model::replication::relation::{MoveStep, Phase as Stand};

use super::consent::Consent;
use super::env::{BackendView, Member, ReplicationEnv, ReplicationError, Writes};
use super::operation_run::{OperationRun, journalled, problem};
use super::plan::Order;
use super::{Scope, members, plan};

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
    /// Replicate from the new side at once, as the last step.
    #[serde(default)]
    pub protect: bool,
    /// The volumes are all that the backend had: new ones land where they go.
    #[serde(default)]
    pub backend_follows: bool,
}

struct Failover<'a> {
    run: OperationRun<'a>,
    view: BackendView,
    input: Input,
    /// Volumes that were under way when this run began, and how far: an array may have been asked to promote them.
    resumed: std::sync::Mutex<BTreeMap<String, MoveStep>>,
    /// Whether volumes were left where they are because the operation was cancelled.
    withdrawn: AtomicBool,
    /// What is different of volumes that moved, in words.
    warnings: std::sync::Mutex<Vec<String>>,
}

/// Carries a journalled failover out, or goes on with one that was interrupted. The operation it returns is terminal.
pub async fn run(
    env: &dyn ReplicationEnv,
    operation: Operation,
) -> Result<Operation, ReplicationError> {
    let backend = operation.backend.clone().unwrap_or_default();
    let parsed: Result<Input, _> = serde_json::from_value(operation.input.clone());
    let run = OperationRun::new(env, operation);
    let input = match parsed {
        Ok(input) => input,
        Err(error) => {
            let why = problem(
                "invalid-argument",
                format!("the journalled failover cannot be read: {error}"),
                &backend,
            );
            return run.finish(Some(why), Writes::default()).await;
        }
    };
    let view = match env.backend(&backend).await {
        Ok(view) => view,
        Err(error) => {
            let why = problem("not-found", error.to_string(), &backend);
            return run.finish(Some(why), Writes::default()).await;
        }
    };
    let this = Failover {
        run,
        view,
        input,
        resumed: std::sync::Mutex::default(),
        withdrawn: AtomicBool::new(false),
        warnings: std::sync::Mutex::default(),
    };
    this.carry_out().await
}

/// Why a volume is not moved: its target would give back less than the plan promised that was applied.
fn older(promised: Option<&RecoveryPoint>, now: &VolumePlan) -> Option<String> {
    let promised = promised?;
    match &now.point {
        Some(point) if point.taken_at >= promised.taken_at => None,
        point => Some(format!(
            "the plan promised recovery point {}, but the target now has {}; make a new plan and look at its loss",
            promised.id,
            point.as_ref().map_or("none", |p| p.id.as_str())
        )),
    }
}

impl Failover<'_> {
    /// Recovery points of the plan that was applied, by volume. A planned move copies the last writes and needs none.
    async fn promised(&self) -> Result<BTreeMap<String, RecoveryPoint>, ReplicationError> {
        let id = match &self.input.plan {
            Some(id) if !self.planned() => id,
            _ => return Ok(BTreeMap::new()),
        };
        let kept = self.run.env().plan(id).await?;
        let volumes = kept.map(|plan| plan.volumes).unwrap_or_default();
        Ok(volumes
            .into_iter()
            .filter_map(|v| Some((v.volume_id, v.point?)))
            .collect())
    }

    fn whole_backend(&self) -> bool {
        self.input.backend_follows || matches!(self.input.order.scope, Scope::Backend(_))
    }

    /// Whether a run before a restart may have asked the goal to promote a volume.
    fn may_be_promoted(&self, volume: &str) -> bool {
        let resumed = self.resumed.lock();
        resumed.map_or(true, |resumed| {
            resumed.get(volume) == Some(&MoveStep::Promoting)
        })
    }

    async fn carry_out(self) -> Result<Operation, ReplicationError> {
        let env = self.run.env();
        let total = env.count(&self.input.order.scope, &self.view.name).await?;
        self.run
            .note(|o| {
                o.progress = springform_model::operation::Progress {
                    total,
                    ..Default::default()
                };
            })
            .await;
        self.run.enter(Phase::Planning.as_str(), None).await?;
        let mut to = match plan::resolve(&self.view, self.input.order.to.as_deref()) {
            Ok(to) => to,
            Err(error) => return self.refused("invalid-argument", error.to_string()).await,
        };
        if let Some(chosen) = self
            .run
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
        while stopped.is_none() {
            let page = env
                .members(
                    &self.input.order.scope,
                    &self.view.name,
                    after.as_deref(),
                    plan::PAGE,
                )
                .await?;
            let Some(last) = page.last() else { break };
            // Asked only while there is something left to do: what has moved in full was not cancelled.
            stopped = self.run.stopped(&self.view.name).await;
            if stopped.is_some() {
                break;
            }
            after = Some(last.volume.id.clone());
            let (with, without): (Vec<_>, Vec<_>) = page.into_iter().partition(Member::movable);
            let skipped = without.len() as u64;
            self.run
                .note(|o| o.progress.total = o.progress.total.saturating_sub(skipped))
                .await;
            // What one array has against it does not hold up the volumes of another.
            for of_one_array in members::by_array(with) {
                stopped = self.page(&mut to, of_one_array).await?.or(stopped);
            }
        }
        self.settle(to, stopped).await
    }

    /// One page of volumes, through all phases. An error means that no further page has any hope.
    async fn page(
        &self,
        to: &mut Option<String>,
        page: Vec<Member>,
    ) -> Result<Option<OperationError>, ReplicationError> {
        let (pending, arrived): (Vec<_>, Vec<_>) = page
            .into_iter()
            .partition(|m| !self.arrived(m, to.as_deref()));
        self.run
            .note(|o| o.progress.done += arrived.len() as u64)
            .await;
        // Moved before a restart: what comes after the switch may not have been done for them.
        let (before, others): (Vec<_>, Vec<_>) =
            arrived.into_iter().partition(|m| self.moved_by_this(m));
        self.give_turns_back(others).await?;
        if pending.is_empty() {
            self.switch_again(before).await?;
            return Ok(None);
        }
        let pending = match self.bring_up(to.as_deref(), pending).await? {
            Ok(pending) => pending,
            Err(stopped) => return Ok(Some(stopped)),
        };
        let order = &self.input.order;
        let call = plan::question(order, to.clone(), &pending);
        let planned = self.run.call(&self.view.name, &call).await;
        let mut made = match planned.and_then(|reply| plan::answer(&self.view, reply)) {
            Ok(made) => made,
            Err(error) => return Ok(Some(journalled(&self.view.name, &error))),
        };
        // The driver's choice is written down before anything moves: after a restart it might choose another.
        *to = Some(made.target.clone());
        self.keep_plan(&made).await?;
        let promised = self.promised().await?;
        let mut able = Vec::with_capacity(pending.len());
        for (i, member) in pending.into_iter().enumerate() {
            match made
                .volumes
                .get(i)
                .filter(|p| p.volume_id == member.volume.id)
            {
                Some(_) if matches!(member.relation.phase, Stand::Moving(_)) => able.push(member),
                Some(_) if plan::returns(&member, &made.target) => able.push(member),
                Some(p) if p.possible => match older(promised.get(&p.volume_id), p) {
                    None => able.push(member),
                    Some(why) => {
                        let why = problem("failed-precondition", why, &self.view.name);
                        self.lost(member, why).await?;
                    }
                },
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
        if self.planned() {
            able = self.take(able, &made).await?;
            if !able.is_empty() {
                able = match self.hand_over(&mut made, able).await? {
                    Ok(members) => members,
                    Err(error) => return Ok(Some(error)),
                };
            }
        }
        self.run.enter(Phase::Promoting.as_str(), None).await?;
        self.switch(&made, before, able).await?;
        if self.withdrawn.load(Ordering::Relaxed) {
            return Ok(self.run.stopped(&self.view.name).await);
        }
        Ok(None)
    }

    /// What comes after the switch, for volumes that moved before a restart.
    async fn switch_again(&self, before: Vec<Member>) -> Result<(), ReplicationError> {
        if before.is_empty() {
            return Ok(());
        }
        match self.kept_plan().await {
            Some(kept) => self.switch(&kept, before, Vec::new()).await,
            None => self.fence(before).await,
        }
    }

    fn planned(&self) -> bool {
        self.input.order.mode == FailoverMode::Planned
    }

    fn moved_by_this(&self, member: &Member) -> bool {
        let r = &member.relation;
        r.phase == Stand::Settled && r.moved_by.as_deref() == Some(self.run.id())
    }

    /// What a restart needs of the driver's plan: not the volumes, they are asked for again.
    async fn keep_plan(&self, made: &FailoverPlan) -> Result<(), ReplicationError> {
        let kept = made.of(Vec::new());
        let data = serde_json::to_value(&kept).unwrap_or_default();
        self.run
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
        self.run.commit(Writes::default()).await
    }

    async fn kept_plan(&self) -> Option<FailoverPlan> {
        self.run
            .note(|o| {
                let step = o
                    .steps
                    .iter()
                    .find(|s| s.name == Phase::Planning.as_str())?;
                serde_json::from_value(step.data.clone()).ok()
            })
            .await
    }

    fn arrived(&self, member: &Member, to: Option<&str>) -> bool {
        let r = &member.relation;
        // A volume that is on the target of a drill already did not get there by the drill's copy.
        let here = self.input.drill.is_none()
            && r.phase == Stand::Settled
            && to.is_some_and(|to| r.serving.as_deref() == Some(to));
        here || self.moved_by_this(member)
    }
}
