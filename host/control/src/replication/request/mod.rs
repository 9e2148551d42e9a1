//! From a request to a journalled operation: everything that can be refused is refused here, before any array is asked,
//! and the operation is written in the same commit that takes its turn.

mod adoption;
mod ask;
mod order;
mod rehearsal;

pub(crate) use adoption::away_words;
pub use ask::{Ask, Request, Who};
use order::{failover_input, may_overwrite};
use rehearsal::{members_of, open_drill, take_drill};
use serde::Serialize;
use serde_json::Value;
use springform_model::audit;
use springform_model::cloud::Service;
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState, Progress, Verb};
use springform_model::replication::drill::DrillEvent;
use springform_model::replication::service;

use super::consent::Consent;
use super::env::{ReplicationEnv, ReplicationError, Writes};
use super::failover::Input as FailoverInput;
use super::plan::Order;
use super::verbs::Input as VerbInput;
use super::{Scope, plan};
use crate::outbox::CloudEvent;
use crate::volumes::look_only;

/// Operations end within this time, done or not.
const DEADLINE_MICROS: i64 = 6 * 3600 * 1_000_000;

/// How often a request is decided again because a row was written between reading and committing. Whoever watches the
/// arrays writes the service's row every now and then, so twice is rare and this many is never.
const ROUNDS: u32 = 50;

/// Refuses, or journals and takes the turn. The operation it returns is queued; whoever runs operations runs it.
pub async fn begin(
    env: &dyn ReplicationEnv,
    backend: &str,
    request: Request,
    who: Who,
) -> Result<Operation, ReplicationError> {
    for _ in 1..ROUNDS {
        match decide(env, backend, request.clone(), who.clone()).await {
            Err(ReplicationError::Moved(_)) => {}
            decided => return decided,
        }
    }
    decide(env, backend, request, who).await
}

/// One round of [`begin`]: reads, refuses or commits. [`ReplicationError::Moved`] where a row was written meanwhile.
async fn decide(
    env: &dyn ReplicationEnv,
    backend: &str,
    request: Request,
    who: Who,
) -> Result<Operation, ReplicationError> {
    let (service, revision) = env.service(backend).await?;
    let now = env.now();
    let reads_up = match &request {
        Request::Reconcile(ask) => ask.adopt || ask.dry_run,
        _ => false,
    };
    if let Some(since) = service.look_only_since.filter(|_| !reads_up) {
        return Err(ReplicationError::Refused(look_only(backend, since)));
    }
    let mut operation = Operation {
        id: env.new_id(),
        verb: Verb::Failover,
        state: OperationState::Queued,
        backend: Some(backend.to_owned()),
        subject_kind: String::new(),
        subject: String::new(),
        project: who.project,
        user: who.user,
        request_id: who.request_id,
        address: who.address,
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
    let adopts = matches!(&request, Request::Reconcile(ask) if ask.adopt);
    let moves = matches!(request, Request::Failover(_) | Request::Failback(_));
    // A freeze protects what is there; an array that was left behind and can still be written endangers it.
    let fences = matches!(request, Request::Fence(_));
    if service.frozen && !moves && !fences {
        return Err(ReplicationError::Refused(format!(
            "backend {backend} is frozen; thaw it first (failover and failback work all the same)"
        )));
    }
    let mut follows = false;
    let scope = match request {
        Request::Failover(ask) => {
            operation.verb = Verb::Failover;
            let input = failover_input(env, backend, operation.verb, ask, &service).await?;
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
            let reprotect = ask.reprotect;
            let ask = Ask {
                to: Some(to),
                mode: Some(FailoverMode::Planned),
                ..ask
            };
            let mut input = failover_input(env, backend, operation.verb, ask, &service).await?;
            input.overwrite_first = true;
            input.protect = reprotect;
            let scope = input.order.scope.clone();
            operation.input = json(&input)?;
            scope
        }
        Request::StartDrill(ask) => {
            operation.verb = Verb::StartDrill;
            let (scope, made) = open_drill(env, backend, &ask, &operation).await?;
            operation.input = json(&VerbInput {
                ask,
                drill: Some(made.id.clone()),
            })?;
            writes.drills.push(made);
            scope
        }
        Request::StopDrill(id) => {
            operation.verb = Verb::StopDrill;
            let (held, revision) = take_drill(env, &id, DrillEvent::Stop, &operation.id).await?;
            let scope = members_of(&held);
            operation.input = json(&VerbInput {
                ask: Ask::about(scope.clone()),
                drill: Some(id),
            })?;
            writes.taken.push((held, revision));
            scope
        }
        Request::CommitDrill(id) => {
            operation.verb = Verb::CommitDrill;
            let (held, revision) = take_drill(env, &id, DrillEvent::Commit, &operation.id).await?;
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
                protect: false,
                backend_follows: held.whole_backend,
            })?;
            follows = held.whole_backend;
            writes.taken.push((held, revision));
            scope
        }
        Request::Reprotect(ask) => {
            may_overwrite(env, backend, Verb::Reprotect, &ask).await?;
            plain(&mut operation, Verb::Reprotect, ask)?
        }
        Request::Resync(ask) => {
            may_overwrite(env, backend, Verb::Resync, &ask).await?;
            plain(&mut operation, Verb::Resync, ask)?
        }
        Request::Enable(ask) => plain(&mut operation, Verb::Enable, ask)?,
        Request::Disable(ask) => plain(&mut operation, Verb::Disable, ask)?,
        Request::Promote(ask) => {
            if !matches!(ask.scope, Scope::Backend(_)) {
                return Err(ReplicationError::Invalid(format!(
                    "a promotion is of a whole backend, not of {}; name the backend",
                    ask.scope.describe()
                )));
            }
            let view = env.backend(backend).await?;
            super::verbs::promotable(&view, &service).map_err(ReplicationError::Refused)?;
            plain(&mut operation, Verb::Promote, ask)?
        }
        Request::Reconcile(ask) => {
            if ask.adopt {
                adoption::check(env, backend, &ask, &service).await?;
            }
            plain(&mut operation, Verb::Reconcile, ask)?
        }
        Request::Fence(ask) => plain(&mut operation, Verb::Fence, ask)?,
        Request::Settle(ids) => {
            let ask = Ask::about(Scope::Obligations(ids));
            plain(&mut operation, Verb::Settle, ask)?
        }
    };
    (operation.subject_kind, operation.subject) = {
        let (kind, id) = scope.subject();
        (kind.to_owned(), id)
    };
    // What was open when the backup was made does not go on before that is adopted.
    let waits_for_this = adopts && service.look_only_since.is_some();
    if let Some(holder) = service.operation.as_ref().filter(|_| !waits_for_this) {
        return Err(ReplicationError::Conflict {
            message: format!(
                "operation {holder} holds backend {backend}; wait for it or cancel it"
            ),
            operation: Some(holder.clone()),
        });
    }
    if (matches!(scope, Scope::Backend(_)) || follows) && !waits_for_this {
        let mut held = if moves || follows {
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
    let held = super::group::take(env, &scope, operation.verb, &operation.id).await?;
    writes.groups.extend(held);
    writes.events.push(CloudEvent::operation(&operation, now));
    writes.audit.extend(crate::audit::begun(&operation));
    writes.operation = Some(operation.clone());
    env.commit(writes).await?;
    Ok(operation)
}

fn plain(operation: &mut Operation, verb: Verb, ask: Ask) -> Result<Scope, ReplicationError> {
    operation.verb = verb;
    let scope = ask.scope.clone();
    operation.input = json(&VerbInput { ask, drill: None })?;
    Ok(scope)
}

fn json(value: &impl Serialize) -> Result<Value, ReplicationError> {
    serde_json::to_value(value).map_err(|e| {
        ReplicationError::Internal(format!("the operation cannot be written down: {e}"))
    })
}

/// Repairs the record of a backend without asking any array; only while it is disabled and frozen.
pub async fn reset_active_backend(
    env: &dyn ReplicationEnv,
    backend: &str,
    to: Option<&str>,
    who: audit::Who,
) -> Result<Service, ReplicationError> {
    let view = env.backend(backend).await?;
    let home = view.primary().map(|t| t.name.clone());
    let target = plan::resolve(&view, to)?.filter(|t| Some(t) != home.as_ref());
    let (done, well) = (audit::Action::ActiveBackendReset, audit::Outcome::Succeeded);
    let entry = audit::Entry::new(env.now(), who, done, well);
    let entry = entry.on(crate::audit::backend(backend));
    for _ in 0..ROUNDS {
        let (before, revision) = env.service(backend).await?;
        let target = target.clone();
        let mut after = service::step(&before, service::Event::Reset { target })?;
        after.updated_at = Some(env.now());
        let writes = Writes {
            services: vec![(after.clone(), revision)],
            audit: vec![
                entry
                    .clone()
                    .with("to", after.active_target.as_deref().unwrap_or("primary")),
            ],
            ..Writes::default()
        };
        match env.commit(writes).await {
            Ok(()) => return Ok(after),
            Err(ReplicationError::Moved(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Err(ReplicationError::Moved(format!("service {backend}")))
}
