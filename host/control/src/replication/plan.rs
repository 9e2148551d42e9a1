//! A plan: what a failover would do, for each volume, and what it was made from. It is applied only while that holds.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use springform_model::contract::{
    Call, CallError, FailoverMode, FailoverPlan, Fault, FaultKind, PlanRequest, Reply, VolumePlan,
};
use springform_model::operation::Verb;
use springform_model::replication::clock;
use springform_model::replication::relation::{Acknowledge, Phase};
use springform_model::time::Timestamp;

use super::env::{BackendView, Member, ReplicationEnv, ReplicationError};
use super::{Scope, consent, members};

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
pub fn blank(env: &dyn ReplicationEnv, backend: &str, verb: Verb, order: Order) -> Plan {
    let now = env.now();
    Plan {
        id: env.new_id(),
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
pub fn resolve(view: &BackendView, to: Option<&str>) -> Result<Option<String>, ReplicationError> {
    match to {
        None => Ok(None),
        Some(name) if view.target(name).is_some() => Ok(Some(name.to_owned())),
        Some(springform_model::replication::service::PRIMARY) => {
            view.primary().map(|t| Some(t.name.clone())).ok_or_else(|| {
                ReplicationError::Invalid(format!("backend {} has no primary array", view.name))
            })
        }
        Some(name) => {
            let known: Vec<&str> = view.targets.iter().map(|t| t.name.as_str()).collect();
            Err(ReplicationError::Invalid(format!(
                "backend {} has no target {name}; it has {}",
                view.name,
                known.join(", ")
            )))
        }
    }
}

/// Refuses what needs another array on a backend that is configured with one only, whatever its driver claims.
pub fn has_another(view: &BackendView) -> Result<(), ReplicationError> {
    if view.targets.iter().any(|target| !target.primary) {
        return Ok(());
    }
    Err(ReplicationError::Refused(format!(
        "backend {} has no replication_device in the configuration: there is no array that it could be failed over to",
        view.name
    )))
}

/// Asks the driver how a page of volumes would be moved.
pub fn question(order: &Order, to: Option<String>, members: &[Member]) -> Call {
    let request = PlanRequest {
        volumes: members.iter().map(|m| (*m.spec).clone()).collect(),
        to,
        mode: order.mode.clone(),
        point: order.point.clone(),
    };
    Call::PlanFailover { request }
}

/// The plan that a driver answered with; one to an array that the backend does not have is no plan.
pub fn answer(view: &BackendView, reply: Reply) -> Result<FailoverPlan, CallError> {
    let plan = reply.into_plan()?;
    if view.target(&plan.target).is_some() {
        return Ok(plan);
    }
    let known: Vec<&str> = view.targets.iter().map(|t| t.name.as_str()).collect();
    Err(CallError::Fault(Fault::new(
        FaultKind::WrongReply,
        format!(
            "the driver planned a failover to \"{}\", which is no array of backend {}; it has {}",
            plan.target.escape_default(),
            view.name,
            known.join(", ")
        ),
    )))
}

/// The fingerprint of a scope as it is now.
pub async fn fingerprint(
    env: &dyn ReplicationEnv,
    scope: &Scope,
    view: &BackendView,
) -> Result<String, ReplicationError> {
    let mut print = Fingerprint::new(view);
    let mut after: Option<String> = None;
    loop {
        let members = env
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
pub async fn make(
    env: &dyn ReplicationEnv,
    backend: &str,
    order: Order,
) -> Result<Plan, ReplicationError> {
    let view = env.backend(backend).await?;
    has_another(&view)?;
    let mut to = resolve(&view, order.to.as_deref())?;
    let mut print = Fingerprint::new(&view);
    let mut plan = blank(env, backend, Verb::Failover, order.clone());
    let id = plan.id.clone();
    let mut refused: Option<String> = None;
    let mut after: Option<String> = None;
    loop {
        let members = env
            .members(&order.scope, backend, after.as_deref(), PAGE)
            .await?;
        let Some(last) = members.last() else { break };
        after = Some(last.volume.id.clone());
        print.add(&members);
        plan.total += members.len() as u64;
        let (with, without): (Vec<_>, Vec<_>) = members.into_iter().partition(Member::movable);
        let shown = plan.volumes.len();
        for member in &without {
            plan.volumes.push(unprotected(member, &view));
        }
        for of_one_array in members::by_array(with) {
            if let Some(there) = served_by(&of_one_array, to.as_deref()) {
                let there = of_one_array.iter().map(|m| stays(m, there.clone()));
                plan.volumes.extend(there);
                continue;
            }
            if let Some(goal) = &to
                && of_one_array.iter().all(|m| returns(m, goal))
            {
                for back in of_one_array.iter().map(|m| given_back(m, goal)) {
                    plan.possible += u64::from(back.possible);
                    plan.volumes.push(back);
                }
                continue;
            }
            let call = question(&order, to.clone(), &of_one_array);
            let made = env.call(backend, &id, Vec::new(), call).await;
            match made.and_then(|reply| answer(&view, reply)) {
                Ok(made) => {
                    to = Some(made.target.clone());
                    add(&mut plan, &view, env.now(), &of_one_array, made);
                }
                // What one array has against it does not hold up the volumes of another.
                Err(error) => {
                    let why = error.to_string();
                    let stay = of_one_array.iter().map(|m| stays(m, why.clone()));
                    plan.volumes.extend(stay);
                    refused.get_or_insert(why);
                }
            }
        }
        if let Some(added) = plan.volumes.get_mut(shown..) {
            added.sort_by(|a, b| a.volume_id.cmp(&b.volume_id));
        }
        plan.volumes.truncate(PAGE);
    }
    if plan.total == 0 {
        return Err(ReplicationError::NotFound(format!(
            "{} has no volume on backend {backend}",
            order.scope.describe()
        )));
    }
    if let Some(why) = refused.filter(|_| plan.possible == 0) {
        return Err(ReplicationError::Refused(format!(
            "backend {backend} could not plan the failover: {why}"
        )));
    }
    plan.target = to.ok_or_else(|| {
        ReplicationError::Invalid(format!(
            "none of the volumes of {} is replicated",
            order.scope.describe()
        ))
    })?;
    plan.fingerprint = print.finish();
    Ok(plan)
}

/// Why these volumes have no way to go: they are there already.
fn served_by(members: &[Member], to: Option<&str>) -> Option<String> {
    let to = to?;
    let there = |m: &Member| {
        let placed = m.volume.placement.as_ref().map(|p| p.target.as_str());
        placed == Some(to) && m.relation.serving.as_deref() == Some(to)
    };
    let all = members.iter().all(there);
    all.then(|| format!("it is already served by {to}"))
}

/// Whether a move that stopped half-way is taken back: its goal is the array that the volume was to leave, which has all of it
/// and only has to be given its role again.
pub fn returns(member: &Member, to: &str) -> bool {
    let stopped = matches!(member.relation.phase, Phase::Stranded(_) | Phase::Moving(_));
    let placement = member.volume.placement.as_ref();
    stopped && placement.is_some_and(|p| p.target == to)
}

/// What the plan says of it.
fn given_back(member: &Member, to: &str) -> VolumePlan {
    let moving = matches!(member.relation.phase, Phase::Moving(_));
    VolumePlan {
        possible: !moving,
        reason: moving.then(|| "an operation moves it".to_owned()),
        loss_seconds: Some(0),
        warnings: vec![format!(
            "its last move stopped half-way; {to} is given its role back"
        )],
        ..stays(member, String::new())
    }
}

fn stays(member: &Member, reason: String) -> VolumePlan {
    VolumePlan {
        volume_id: member.volume.id.clone(),
        source: member.volume.placement.as_ref().map(|p| p.target.clone()),
        point: None,
        possible: false,
        reason: Some(reason),
        loss_seconds: None,
        loss_bytes: None,
        warnings: Vec::new(),
    }
}

/// What a driver answered about volumes of one array, and what the records say of them.
fn add(
    plan: &mut Plan,
    view: &BackendView,
    now: Timestamp,
    members: &[Member],
    answer: FailoverPlan,
) {
    for interrupt in answer.interrupts {
        if !plan.interrupts.contains(&interrupt) {
            plan.interrupts.push(interrupt);
        }
    }
    for (member, mut volume) in members.iter().zip(answer.volumes) {
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
        if plan.order.mode == FailoverMode::Planned && volume.possible {
            // The last writes follow before anything moves, or it does not move.
            volume.loss_seconds = Some(0);
            volume.loss_bytes = Some(0);
        } else {
            let point = [(answer.target.as_str(), volume.point.as_ref())];
            // Where nobody serves it, the points are dated by the array that did.
            let serving = member.relation.serving.as_deref();
            let serving = serving.or(volume.source.as_deref());
            let clock = clock::disagreement(&view.clocks, serving, point.into_iter(), now);
            if let Some(why) = clock {
                volume.loss_seconds = None;
                volume.warnings.push(why);
            }
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
        plan.volumes.push(volume);
    }
}

pub fn unprotected(member: &Member, view: &BackendView) -> VolumePlan {
    let placed = member.volume.placement.as_ref();
    let on = placed.and_then(|p| view.target(&p.target));
    let reason = if placed.is_none() {
        "it was never made on an array; delete it"
    } else if on.is_none_or(|t| t.reachable) {
        "it is not replicated; it stays where it is"
    } else {
        "it is not replicated and its array does not answer"
    };
    stays(member, reason.to_owned())
}
