//! From a request to a journalled operation: everything that can be refused is refused here, before any array is asked,
//! and the operation is written in the same commit that takes its turn.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use springform_model::cloud::Service;
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState, Progress, Verb};
use springform_model::replication::drill::{self, Drill, DrillEvent, DrillMember, DrillState};
use springform_model::replication::service;

use super::consent::Consent;
use super::failover::Input as FailoverInput;
use super::ground::{Ground, Problem, Writes};
use super::plan::{self, Order};
use super::verbs::Input as VerbInput;
use super::{Plan, Scope, back, consent};

/// Operations end within this time, done or not.
const DEADLINE_MICROS: i64 = 6 * 3600 * 1_000_000;
/// Volumes of one drill.
const DRILL_VOLUMES: usize = 1024;

/// What somebody wants done. Fields that a verb has no use for are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// What about.
    pub scope: Scope,
    /// Where to; none: the driver chooses, or the primary for a failback.
    #[serde(default)]
    pub to: Option<String>,
    /// How; unplanned where nothing is said, because that is what Cinder's call means.
    #[serde(default)]
    pub mode: Option<FailoverMode>,
    /// An older recovery point.
    #[serde(default)]
    pub point: Option<String>,
    /// Apply this plan, if what it was made from still holds.
    #[serde(default)]
    pub plan: Option<String>,
    /// Leave to discard what a left-behind array wrote on its own.
    #[serde(default)]
    pub acknowledge: Consent,
    /// Whether attached volumes may be moved.
    #[serde(default = "yes")]
    pub allow_attached: bool,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Minutes until a drill ends by itself.
    #[serde(default)]
    pub minutes: Option<u32>,
}

fn yes() -> bool {
    true
}

impl Ask {
    /// About a scope, nothing else said.
    #[must_use]
    pub fn about(scope: Scope) -> Self {
        Self {
            scope,
            to: None,
            mode: None,
            point: None,
            plan: None,
            acknowledge: Consent::default(),
            allow_attached: true,
            dry_run: false,
            minutes: None,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Move to another array.
    Failover(Ask),
    /// Overwrite the primary from the serving side, then move back, planned.
    Failback(Ask),
    /// Copy from the serving side again.
    Reprotect(Ask),
    /// Copy once more, now.
    Resync(Ask),
    /// Switch replication on.
    Enable(Ask),
    /// Switch it off.
    Disable(Ask),
    /// Make writable copies for a test.
    StartDrill(Ask),
    /// Throw them away.
    StopDrill(String),
    /// Make them the volumes.
    CommitDrill(String),
    /// Take over a changed configuration: new targets, a new primary.
    Promote(Ask),
    /// Make the arrays match the records.
    Reconcile(Ask),
    /// Fence whoever was left behind and answers again.
    Fence(Ask),
}

impl Request {
    /// What it is about; none for what is about a drill.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Failover(ask)
            | Self::Failback(ask)
            | Self::Reprotect(ask)
            | Self::Resync(ask)
            | Self::Enable(ask)
            | Self::Disable(ask)
            | Self::StartDrill(ask)
            | Self::Promote(ask)
            | Self::Reconcile(ask)
            | Self::Fence(ask) => Some(&ask.scope),
            Self::StopDrill(_) | Self::CommitDrill(_) => None,
        }
    }

    /// The drill it is about.
    #[must_use]
    pub fn drill(&self) -> Option<&str> {
        match self {
            Self::StopDrill(id) | Self::CommitDrill(id) => Some(id),
            _ => None,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// Project.
    pub project: String,
    /// User.
    pub user: String,
    /// API request.
    pub request_id: Option<String>,
}

/// Refuses, or journals and takes the turn. The operation it returns is queued; whoever runs operations runs it.
pub async fn begin(
    ground: &dyn Ground,
    backend: &str,
    request: Request,
    who: Who,
) -> Result<Operation, Problem> {
    let (service, revision) = ground.service(backend).await?;
    let now = ground.now();
    let mut operation = Operation {
        id: ground.new_id(),
        verb: Verb::Failover,
        state: OperationState::Queued,
        backend: Some(backend.to_owned()),
        subject_kind: String::new(),
        subject: String::new(),
        project: who.project,
        user: who.user,
        request_id: who.request_id,
        generation: None,
        input: Value::Null,
        result: Value::Null,
        steps: Vec::new(),
        progress: Progress::default(),
        error: None,
        cancel_requested: false,
        created_at: now,
        updated_at: now,
        finished_at: None,
        deadline: now.plus_micros(DEADLINE_MICROS),
    };
    let mut writes = Writes::default();
    let moves = matches!(request, Request::Failover(_) | Request::Failback(_));
    // A freeze protects what is there; an array that was left behind and can still be written endangers it.
    let fences = matches!(request, Request::Fence(_));
    if service.frozen && !moves && !fences {
        return Err(Problem::Refused(format!(
            "backend {backend} is frozen; thaw it first (failover and failback work all the same)"
        )));
    }
    let scope = match request {
        Request::Failover(ask) => {
            operation.verb = Verb::Failover;
            let input = failover_input(ground, backend, operation.verb, ask, &service).await?;
            let scope = input.order.scope.clone();
            operation.input = json(&input)?;
            scope
        }
        Request::Failback(ask) => {
            operation.verb = Verb::Failback;
            let to = ask
                .to
                .clone()
                .unwrap_or_else(|| service::PRIMARY.to_owned());
            let ask = Ask {
                to: Some(to),
                mode: Some(FailoverMode::Planned),
                ..ask
            };
            let mut input = failover_input(ground, backend, operation.verb, ask, &service).await?;
            input.overwrite_first = true;
            let scope = input.order.scope.clone();
            operation.input = json(&input)?;
            scope
        }
        Request::StartDrill(ask) => {
            operation.verb = Verb::StartDrill;
            let (scope, made) = open_drill(ground, backend, &ask, &operation).await?;
            operation.input = json(&VerbInput {
                ask,
                drill: Some(made.id.clone()),
            })?;
            writes.drills.push(made);
            scope
        }
        Request::StopDrill(id) => {
            operation.verb = Verb::StopDrill;
            let held = take_drill(ground, &id, DrillEvent::Stop, &operation.id).await?;
            let scope = members_of(&held);
            operation.input = json(&VerbInput {
                ask: Ask::about(scope.clone()),
                drill: Some(id),
            })?;
            writes.drills.push(held);
            scope
        }
        Request::CommitDrill(id) => {
            operation.verb = Verb::CommitDrill;
            let held = take_drill(ground, &id, DrillEvent::Commit, &operation.id).await?;
            let scope = members_of(&held);
            let order = Order {
                scope: scope.clone(),
                to: Some(held.target.clone()),
                mode: FailoverMode::Unplanned,
                point: None,
            };
            operation.input = json(&FailoverInput {
                order,
                plan: None,
                acknowledge: Consent::default(),
                drill: Some(id),
                overwrite_first: false,
            })?;
            writes.drills.push(held);
            scope
        }
        Request::Reprotect(ask) => {
            may_overwrite(ground, backend, Verb::Reprotect, &ask).await?;
            plain(&mut operation, Verb::Reprotect, ask)?
        }
        Request::Resync(ask) => {
            may_overwrite(ground, backend, Verb::Resync, &ask).await?;
            plain(&mut operation, Verb::Resync, ask)?
        }
        Request::Enable(ask) => plain(&mut operation, Verb::Enable, ask)?,
        Request::Disable(ask) => plain(&mut operation, Verb::Disable, ask)?,
        Request::Promote(ask) => plain(&mut operation, Verb::Promote, ask)?,
        Request::Reconcile(ask) => plain(&mut operation, Verb::Reconcile, ask)?,
        Request::Fence(ask) => plain(&mut operation, Verb::Fence, ask)?,
    };
    (operation.subject_kind, operation.subject) = {
        let (kind, id) = scope.subject();
        (kind.to_owned(), id)
    };
    if let Some(holder) = &service.operation {
        return Err(Problem::Conflict {
            message: format!(
                "operation {holder} holds backend {backend}; wait for it or cancel it"
            ),
            operation: Some(holder.clone()),
        });
    }
    if matches!(scope, Scope::Backend(_)) {
        let mut held = if moves {
            service::step(
                &service,
                service::Event::Requested {
                    operation: operation.id.clone(),
                },
            )?
        } else {
            Service {
                operation: Some(operation.id.clone()),
                ..service
            }
        };
        held.updated_at = Some(now);
        writes.services.push((held, revision));
    }
    let held = super::group::take(ground, &scope, operation.verb, &operation.id).await?;
    writes.groups.extend(held);
    writes.operation = Some(operation.clone());
    ground.commit(writes).await?;
    Ok(operation)
}

fn plain(operation: &mut Operation, verb: Verb, ask: Ask) -> Result<Scope, Problem> {
    operation.verb = verb;
    let scope = ask.scope.clone();
    operation.input = json(&VerbInput { ask, drill: None })?;
    Ok(scope)
}

/// What can be refused of a verb that copies over other arrays.
async fn may_overwrite(
    ground: &dyn Ground,
    backend: &str,
    verb: Verb,
    ask: &Ask,
) -> Result<(), Problem> {
    let view = ground.backend(backend).await?;
    if let Some(id) = &ask.plan {
        check_plan(ground, &view, id, verb, ask).await?;
    }
    let to = plan::resolve(&view, ask.to.as_deref())?;
    if let Some(target) = to.as_deref().and_then(|t| view.target(t)) {
        back::answers(&view, target)?;
    }
    consent::demand(ground, &view, &ask.scope, to.as_deref(), &ask.acknowledge).await
}

fn json(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value)
        .map_err(|e| Problem::Internal(format!("the operation cannot be written down: {e}")))
}

async fn failover_input(
    ground: &dyn Ground,
    backend: &str,
    verb: Verb,
    ask: Ask,
    service: &Service,
) -> Result<FailoverInput, Problem> {
    let view = ground.backend(backend).await?;
    let order = match &ask.plan {
        Some(id) => check_plan(ground, &view, id, verb, &ask).await?,
        None => Order {
            scope: ask.scope,
            to: ask.to,
            mode: ask.mode.unwrap_or(FailoverMode::Unplanned),
            point: ask.point,
        },
    };
    let to = plan::resolve(&view, order.to.as_deref())?;
    if let (Some(to), Scope::Backend(_)) = (&to, &order.scope) {
        let home = view.primary().map(|t| t.name.as_str());
        let active = service.active_target.as_deref().or(home);
        let broken =
            service.replication_status == springform_model::cloud::ReplicationStatus::FailoverError;
        if active == Some(to) && !broken {
            return Err(Problem::Refused(format!(
                "backend {backend} is served by {to} already"
            )));
        }
    }
    if let Some(target) = to.as_deref().and_then(|t| view.target(t)) {
        back::answers(&view, target)?;
    }
    // Away from home nobody can have been left behind but by an earlier failover; the common case asks for no page.
    let first_move = matches!(order.scope, Scope::Backend(_)) && service.active_target.is_none();
    if let Some(to) = to.as_deref().filter(|_| !first_move) {
        consent::demand(ground, &view, &order.scope, Some(to), &ask.acknowledge).await?;
    }
    if !ask.allow_attached {
        refuse_attached(ground, backend, &order.scope).await?;
    }
    Ok(FailoverInput {
        order,
        plan: ask.plan,
        acknowledge: ask.acknowledge,
        drill: None,
        overwrite_first: false,
    })
}

/// A plan is applied as it was made, or not at all.
async fn check_plan(
    ground: &dyn Ground,
    view: &super::BackendView,
    id: &str,
    verb: Verb,
    ask: &Ask,
) -> Result<Order, Problem> {
    let kept: Plan = ground
        .plan(id)
        .await?
        .ok_or_else(|| Problem::NotFound(format!("there is no plan {id}")))?;
    if kept.verb != verb {
        return Err(Problem::Invalid(format!(
            "plan {id} is of another verb; make one of the verb it is given to"
        )));
    }
    let other_target = plan::resolve(view, ask.to.as_deref())?.is_some_and(|to| to != kept.target);
    let other_mode = ask
        .mode
        .as_ref()
        .is_some_and(|mode| *mode != kept.order.mode);
    if other_target || other_mode || (ask.point.is_some() && ask.point != kept.order.point) {
        return Err(Problem::Invalid(format!(
            "plan {id} goes to {}, {}; leave out target, mode and point, or make another plan",
            kept.target,
            kept.order.mode.as_str()
        )));
    }
    if kept.backend != view.name || kept.order.scope != ask.scope {
        return Err(Problem::Invalid(format!(
            "plan {id} is about {} on backend {}, not about {}",
            kept.order.scope.describe(),
            kept.backend,
            ask.scope.describe()
        )));
    }
    if ground.now() >= kept.expires_at {
        return Err(Problem::conflict(format!(
            "plan {id} is too old; make a new one"
        )));
    }
    if plan::fingerprint(ground, &kept.order.scope, view).await? != kept.fingerprint {
        return Err(Problem::conflict(format!(
            "what plan {id} was made from has changed since (volumes, who serves them, or the configuration); make a new one"
        )));
    }
    Ok(Order {
        to: Some(kept.target),
        ..kept.order
    })
}

async fn refuse_attached(ground: &dyn Ground, backend: &str, scope: &Scope) -> Result<(), Problem> {
    let mut after: Option<String> = None;
    loop {
        let page = ground
            .members(scope, backend, after.as_deref(), plan::PAGE)
            .await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        if let Some(member) = page.iter().find(|m| !m.volume.attachments.is_empty()) {
            return Err(Problem::Refused(format!(
                "volume {} is in use; detach it, or allow attached volumes",
                member.volume.id
            )));
        }
        after = Some(last.volume.id.clone());
    }
}

fn members_of(drill: &Drill) -> Scope {
    Scope::Volumes(drill.members.iter().map(|m| m.volume_id.clone()).collect())
}

async fn open_drill(
    ground: &dyn Ground,
    backend: &str,
    ask: &Ask,
    operation: &Operation,
) -> Result<(Scope, Drill), Problem> {
    let view = ground.backend(backend).await?;
    let members = ground
        .members(&ask.scope, backend, None, DRILL_VOLUMES + 1)
        .await?;
    if members.len() > DRILL_VOLUMES {
        return Err(Problem::Invalid(format!(
            "a drill holds at most {DRILL_VOLUMES} volumes; choose a smaller scope"
        )));
    }
    let target = match plan::resolve(&view, ask.to.as_deref())? {
        Some(target) => target,
        None => view
            .targets
            .iter()
            .find(|t| {
                t.reachable
                    && members
                        .iter()
                        .all(|m| m.relation.serving.as_ref() != Some(&t.name))
            })
            .map(|t| t.name.clone())
            .ok_or_else(|| {
                Problem::Unavailable(format!("no target of backend {backend} can hold a drill"))
            })?,
    };
    let members: Vec<DrillMember> = members
        .into_iter()
        .filter(super::Member::replicated)
        .map(|m| DrillMember {
            volume_id: m.volume.id,
            copy: None,
            point: None,
        })
        .collect();
    if members.is_empty() {
        return Err(Problem::NotFound(format!(
            "{} has no replicated volume on backend {backend}",
            ask.scope.describe()
        )));
    }
    let now = ground.now();
    let minutes = i64::from(ask.minutes.unwrap_or(60).clamp(1, 7 * 24 * 60));
    let made = Drill {
        id: ground.new_id(),
        backend: backend.to_owned(),
        project: operation.project.clone(),
        target,
        state: DrillState::Starting,
        members,
        operation: Some(operation.id.clone()),
        created_at: now,
        ends_at: now.plus_micros(minutes * 60 * 1_000_000),
    };
    Ok((members_of(&made), made))
}

async fn take_drill(
    ground: &dyn Ground,
    id: &str,
    event: DrillEvent,
    operation: &str,
) -> Result<Drill, Problem> {
    let mut held = ground
        .drill(id)
        .await?
        .ok_or_else(|| Problem::NotFound(format!("there is no drill {id}")))?;
    if let Some(holder) = &held.operation {
        return Err(Problem::Conflict {
            message: format!("operation {holder} works on drill {id}"),
            operation: Some(holder.clone()),
        });
    }
    held.state = drill::step(held.state, event)?;
    held.operation = Some(operation.to_owned());
    Ok(held)
}

/// Repairs the record of a backend without asking any array; only while it is disabled and frozen.
pub async fn reset_active_backend(
    ground: &dyn Ground,
    backend: &str,
    to: Option<&str>,
) -> Result<Service, Problem> {
    let view = ground.backend(backend).await?;
    let home = view.primary().map(|t| t.name.clone());
    let target = plan::resolve(&view, to)?.filter(|t| Some(t) != home.as_ref());
    let (before, revision) = ground.service(backend).await?;
    let mut after = service::step(&before, service::Event::Reset { target })?;
    after.updated_at = Some(ground.now());
    ground
        .commit(Writes {
            services: vec![(after.clone(), revision)],
            ..Writes::default()
        })
        .await?;
    Ok(after)
}
