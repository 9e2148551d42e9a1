//! A plan: what a failover would do, for each volume, and what it was made from. It is applied only while that holds.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use springform_model::contract::{
    Call, CallError, FailoverMode, FailoverPlan, PlanRequest, Reply, VolumePlan,
};
use springform_model::operation::Verb;
use springform_model::replication::relation::Acknowledge;
use springform_model::time::Timestamp;

use super::ground::{BackendView, Ground, Member, Problem};
use super::{Scope, consent};

/// Volumes planned with one call.
pub const PAGE: usize = 1024;
/// A plan is forgotten after this time: what it promised is too old by then.
const LIFE_MICROS: i64 = 15 * 60 * 1_000_000;

/// What is asked of a failover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What.
    pub scope: Scope,
    /// Where to; none: the driver chooses. `default`: the primary.
    pub to: Option<String>,
    /// How.
    pub mode: FailoverMode,
    /// An older recovery point.
    pub point: Option<String>,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// UUID.
    pub id: String,
    /// What it is a plan of.
    #[serde(default = "failover")]
    pub verb: Verb,
    /// What was asked.
    pub order: Order,
    /// Backend.
    pub backend: String,
    /// The target it goes to.
    pub target: String,
    /// For each volume; the first [`PAGE`] of them.
    pub volumes: Vec<VolumePlan>,
    /// Volumes in scope.
    pub total: u64,
    /// Volumes that can be failed over.
    pub possible: u64,
    /// The largest known loss, seconds.
    pub worst_loss_seconds: Option<u64>,
    /// Bytes lost where the arrays tell.
    pub loss_bytes: u64,
    /// What has to be acknowledged, because it would be thrown away.
    #[serde(default)]
    pub acknowledge: Vec<Acknowledge>,
    /// What else is interrupted.
    pub interrupts: Vec<String>,
    /// Digest of what it was made from.
    pub fingerprint: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be applied.
    pub expires_at: Timestamp,
}

fn failover() -> Verb {
    Verb::Failover
}

/// A plan that says nothing yet.
pub fn blank(ground: &dyn Ground, backend: &str, verb: Verb, order: Order) -> Plan {
    let now = ground.now();
    Plan {
        id: ground.new_id(),
        verb,
        order,
        backend: backend.to_owned(),
        target: String::new(),
        volumes: Vec::new(),
        total: 0,
        possible: 0,
        worst_loss_seconds: None,
        loss_bytes: 0,
        acknowledge: Vec::new(),
        interrupts: Vec::new(),
        fingerprint: String::new(),
        created_at: now,
        expires_at: now.plus_micros(LIFE_MICROS),
    }
}

/// Collects what a plan depends on: who serves each volume, under which generation, and the backend's configuration.
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins with the backend's configuration.
    #[must_use]
    pub fn new(view: &BackendView) -> Self {
        Self(Sha256::new_with_prefix(view.fingerprint.as_bytes()))
    }

    /// Adds a page of volumes.
    pub fn add(&mut self, members: &[Member]) {
        for member in members {
            let r = &member.relation;
            let serving = r.serving.as_deref().unwrap_or("-");
            self.0.update(
                format!(
                    "\n{} {} {serving} {} {}",
                    r.volume_id,
                    r.generation,
                    r.phase.name(),
                    member.volume.size
                )
                .as_bytes(),
            );
        }
    }

    /// As text.
    #[must_use]
    pub fn finish(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The target that was meant: a configured name, or the primary for `default`.
pub fn resolve(view: &BackendView, to: Option<&str>) -> Result<Option<String>, Problem> {
    match to {
        None => Ok(None),
        Some(name) if view.target(name).is_some() => Ok(Some(name.to_owned())),
        Some(springform_model::replication::service::PRIMARY) => view
            .primary()
            .map(|t| Some(t.name.clone()))
            .ok_or_else(|| Problem::Invalid(format!("backend {} has no primary array", view.name))),
        Some(name) => {
            let known: Vec<&str> = view.targets.iter().map(|t| t.name.as_str()).collect();
            Err(Problem::Invalid(format!(
                "backend {} has no target {name}; it has {}",
                view.name,
                known.join(", ")
            )))
        }
    }
}

/// Asks the driver what a failover of one page would do.
pub async fn page(
    ground: &dyn Ground,
    backend: &str,
    operation: &str,
    order: &Order,
    to: Option<String>,
    members: &[Member],
) -> Result<FailoverPlan, CallError> {
    let request = PlanRequest {
        volumes: members.iter().map(|m| (*m.spec).clone()).collect(),
        to,
        mode: order.mode.clone(),
        point: order.point.clone(),
    };
    ground
        .call(
            backend,
            operation,
            Vec::new(),
            Call::PlanFailover { request },
        )
        .await
        .and_then(Reply::into_plan)
}

/// The fingerprint of a scope as it is now.
pub async fn fingerprint(
    ground: &dyn Ground,
    scope: &Scope,
    view: &BackendView,
) -> Result<String, Problem> {
    let mut print = Fingerprint::new(view);
    let mut after: Option<String> = None;
    loop {
        let members = ground
            .members(scope, &view.name, after.as_deref(), PAGE)
            .await?;
        let Some(last) = members.last() else {
            return Ok(print.finish());
        };
        after = Some(last.volume.id.clone());
        print.add(&members);
    }
}

/// Makes a plan. Reads only.
pub async fn make(ground: &dyn Ground, backend: &str, order: Order) -> Result<Plan, Problem> {
    let view = ground.backend(backend).await?;
    let mut to = resolve(&view, order.to.as_deref())?;
    let mut print = Fingerprint::new(&view);
    let mut plan = blank(ground, backend, Verb::Failover, order.clone());
    let id = plan.id.clone();
    let mut after: Option<String> = None;
    loop {
        let members = ground
            .members(&order.scope, backend, after.as_deref(), PAGE)
            .await?;
        let Some(last) = members.last() else { break };
        after = Some(last.volume.id.clone());
        print.add(&members);
        plan.total += members.len() as u64;
        let (with, without): (Vec<_>, Vec<_>) = members.into_iter().partition(Member::replicated);
        for member in &without {
            if plan.volumes.len() < PAGE {
                plan.volumes.push(unprotected(member, &view));
            }
        }
        if with.is_empty() {
            continue;
        }
        let answer = page(ground, backend, &id, &order, to.clone(), &with)
            .await
            .map_err(|e| {
                Problem::Refused(format!(
                    "backend {backend} could not plan the failover: {e}"
                ))
            })?;
        to = Some(answer.target.clone());
        for interrupt in answer.interrupts {
            if !plan.interrupts.contains(&interrupt) {
                plan.interrupts.push(interrupt);
            }
        }
        for (member, mut volume) in with.iter().zip(answer.volumes) {
            if member.relation.serving.as_deref() == Some(answer.target.as_str()) {
                volume.possible = false;
                volume.reason = Some(format!("it is already served by {}", answer.target));
            } else if let Some(debt) = member.relation.debt(&answer.target) {
                if let Some(one) = consent::needed(&member.relation, &answer.target)
                    && !plan.acknowledge.contains(&one)
                {
                    plan.acknowledge.push(one);
                }
                volume.warnings.push(format!(
                    "{} holds generation {}, older than {}; it must be overwritten or acknowledged first",
                    answer.target, debt.generation, member.relation.generation
                ));
            }
            plan.possible += u64::from(volume.possible);
            plan.worst_loss_seconds = plan.worst_loss_seconds.max(volume.loss_seconds);
            plan.loss_bytes = plan
                .loss_bytes
                .saturating_add(volume.loss_bytes.unwrap_or(0));
            if !member.volume.attachments.is_empty() {
                volume.warnings.push(format!(
                    "attached {} time(s): its host must reconnect afterwards",
                    member.volume.attachments.len()
                ));
            }
            if plan.volumes.len() < PAGE {
                plan.volumes.push(volume);
            }
        }
    }
    if plan.total == 0 {
        return Err(Problem::NotFound(format!(
            "{} has no volume on backend {backend}",
            order.scope.describe()
        )));
    }
    plan.target = to.ok_or_else(|| {
        Problem::Invalid(format!(
            "none of the volumes of {} is replicated",
            order.scope.describe()
        ))
    })?;
    plan.fingerprint = print.finish();
    Ok(plan)
}

pub fn unprotected(member: &Member, view: &BackendView) -> VolumePlan {
    let source = member.volume.placement.as_ref().map(|p| p.target.clone());
    let stays = source
        .as_deref()
        .and_then(|s| view.target(s))
        .is_none_or(|t| t.reachable);
    VolumePlan {
        volume_id: member.volume.id.clone(),
        source,
        point: None,
        possible: false,
        reason: Some(if stays {
            "it is not replicated; it stays where it is".to_owned()
        } else {
            "it is not replicated and its array does not answer".to_owned()
        }),
        loss_seconds: None,
        loss_bytes: None,
        warnings: Vec::new(),
    }
}
