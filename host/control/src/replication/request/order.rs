//! A failover's order: its target, its plan, the volumes that must not be in use.

use springform_model::cloud::Service;
use springform_model::contract::FailoverMode;
use springform_model::operation::Verb;

use super::Ask;
use crate::replication::env::{BackendView, Member, ReplicationEnv, ReplicationError};
use crate::replication::failover::Input as FailoverInput;
use crate::replication::plan::Order;
use crate::replication::{Plan, Scope, back, consent, plan};

pub(super) async fn failover_input(
    env: &dyn ReplicationEnv,
    backend: &str,
    verb: Verb,
    ask: Ask,
    service: &Service,
) -> Result<FailoverInput, ReplicationError> {
    let view = env.backend(backend).await?;
    let order = match &ask.plan {
        Some(id) => check_plan(env, &view, id, verb, &ask).await?,
        None => Order {
            scope: ask.scope,
            to: ask.to,
            mode: ask.mode.unwrap_or(FailoverMode::Unplanned),
            point: ask.point,
        },
    };
    let to = plan::resolve(&view, order.to.as_deref())?;
    plan::has_another(&view)?;
    if let (Some(to), Scope::Backend(_)) = (&to, &order.scope) {
        let home = view.primary().map(|t| t.name.as_str());
        let active = service.active_target.as_deref().or(home);
        let broken =
            service.replication_status == springform_model::cloud::ReplicationStatus::FailoverError;
        if active == Some(to) && !broken && !strays(env, &view, to).await? {
            return Err(ReplicationError::Refused(format!(
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
        consent::demand(env, &view, &order.scope, Some(to), &ask.acknowledge).await?;
    }
    if !ask.allow_attached {
        refuse_attached(env, backend, &order.scope).await?;
    }
    Ok(FailoverInput {
        order,
        plan: ask.plan,
        acknowledge: ask.acknowledge,
        drill: None,
        overwrite_first: false,
        protect: false,
        backend_follows: false,
    })
}

/// Whether replicated volumes of a backend are served elsewhere, or nowhere: moved alone, by a group or a drill.
async fn strays(
    env: &dyn ReplicationEnv,
    view: &BackendView,
    to: &str,
) -> Result<bool, ReplicationError> {
    let scope = Scope::Backend(view.name.clone());
    let mut after: Option<String> = None;
    loop {
        let page = env
            .members(&scope, &view.name, after.as_deref(), plan::PAGE)
            .await?;
        let Some(last) = page.last() else {
            return Ok(false);
        };
        let away = |m: &Member| m.movable() && m.relation.serving.as_deref() != Some(to);
        if page.iter().any(away) {
            return Ok(true);
        }
        after = Some(last.volume.id.clone());
    }
}

/// A plan is applied as it was made, or not at all.
pub(super) async fn check_plan(
    env: &dyn ReplicationEnv,
    view: &BackendView,
    id: &str,
    verb: Verb,
    ask: &Ask,
) -> Result<Order, ReplicationError> {
    let kept: Plan = env
        .plan(id)
        .await?
        .ok_or_else(|| ReplicationError::NotFound(format!("there is no plan {id}")))?;
    if kept.verb != verb {
        return Err(ReplicationError::Invalid(format!(
            "plan {id} is of another verb; make one of the verb it is given to"
        )));
    }
    let other_target = plan::resolve(view, ask.to.as_deref())?.is_some_and(|to| to != kept.target);
    let other_mode = ask
        .mode
        .as_ref()
        .is_some_and(|mode| *mode != kept.order.mode);
    if other_target || other_mode || (ask.point.is_some() && ask.point != kept.order.point) {
        return Err(ReplicationError::Invalid(format!(
            "plan {id} goes to {}, {}; leave out target, mode and point, or make another plan",
            kept.target,
            kept.order.mode.as_str()
        )));
    }
    if kept.backend != view.name || kept.order.scope != ask.scope {
        return Err(ReplicationError::Invalid(format!(
            "plan {id} is about {} on backend {}, not about {}",
            kept.order.scope.describe(),
            kept.backend,
            ask.scope.describe()
        )));
    }
    // One of the future was made before this host's clock was put back: how old it is nobody knows.
    let now = env.now();
    if now >= kept.expires_at || now < kept.created_at {
        return Err(ReplicationError::conflict(format!(
            "plan {id} is too old; make a new one"
        )));
    }
    if plan::fingerprint(env, &kept.order.scope, view).await? != kept.fingerprint {
        return Err(ReplicationError::conflict(format!(
            "what plan {id} was made from has changed since (volumes, who serves them, or the configuration); make a new one"
        )));
    }
    Ok(Order {
        to: Some(kept.target),
        ..kept.order
    })
}

pub(super) async fn refuse_attached(
    env: &dyn ReplicationEnv,
    backend: &str,
    scope: &Scope,
) -> Result<(), ReplicationError> {
    let mut after: Option<String> = None;
    loop {
        let page = env
            .members(scope, backend, after.as_deref(), plan::PAGE)
            .await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        if let Some(member) = page.iter().find(|m| !m.volume.attachments.is_empty()) {
            return Err(ReplicationError::Refused(format!(
                "volume {} is in use; detach it, or allow attached volumes",
                member.volume.id
            )));
        }
        after = Some(last.volume.id.clone());
    }
}

/// What can be refused of a verb that copies over other arrays.
pub(super) async fn may_overwrite(
    env: &dyn ReplicationEnv,
    backend: &str,
    verb: Verb,
    ask: &Ask,
) -> Result<(), ReplicationError> {
    let view = env.backend(backend).await?;
    if let Some(id) = &ask.plan {
        check_plan(env, &view, id, verb, ask).await?;
    }
    let to = plan::resolve(&view, ask.to.as_deref())?;
    if let Some(target) = to.as_deref().and_then(|t| view.target(t)) {
        back::answers(&view, target)?;
    }
    consent::demand(env, &view, &ask.scope, to.as_deref(), &ask.acknowledge).await
}
