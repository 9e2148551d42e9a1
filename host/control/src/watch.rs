//! What goes on beside the requests: set-up with back-off, statistics, pruning.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use springform_model::cloud::{ReplicationStatus, Service};
use springform_model::contract::{Call, CallError, Pending, Statistics, TargetHealth};
use springform_model::operation::Operation;
use springform_store::{Changes, Order, Query};
use uuid::Uuid;

use crate::backend::BackendHandle;
use crate::config::BackendConfig;
use crate::context::Context;
use crate::edit::{edit, retry_on_conflict};
use crate::engine::{DriverCall, OnPending, Operations, PlaceCheck};
use crate::error::ControlError;
use crate::outbox::{CloudEvent, Delivery};

/// First pause after a set-up that failed; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sets a backend up, then reads its statistics for ever. A driver that is swapped is set up again.
pub(crate) async fn watch(operations: Operations, backend: Arc<BackendHandle>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let wanted = backend.wanted();
        let outcome = set_up(&operations, &backend).await;
        match outcome {
            Ok(()) => {
                pause = FIRST_PAUSE;
                backend.note_tried(wanted);
            }
            Err(reason) => {
                backend.note(|status| {
                    status.ready = false;
                    status.reason = Some(reason);
                });
                tell(&operations, &backend).await;
                backend.note_tried(wanted);
                wait(&backend, pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                continue;
            }
        }
        loop {
            statistics(&operations, &backend).await;
            if wait(&backend, operations.config().statistics_interval).await {
                break;
            }
        }
    }
}

/// Whether somebody asked to be quicker than the clock.
async fn wait(backend: &BackendHandle, time: Duration) -> bool {
    tokio::select! {
        () = backend.wake.notified() => true,
        () = backend.count.notified() => false,
        () = tokio::time::sleep(time) => false,
    }
}

struct Waiting<'a>(&'a BackendHandle);

#[async_trait]
impl OnPending for Waiting<'_> {
    async fn wait(&mut self, pending: &Pending) {
        self.0.note(|status| {
            status.reason = Some(format!("set-up waits for {}", pending.waiting_for))
        });
    }
}

async fn set_up(operations: &Operations, backend: &BackendHandle) -> Result<(), String> {
    if operations.generation(backend.name()).is_none() {
        return Err(backend
            .status()
            .reason
            .unwrap_or_else(|| "its driver is not loaded".to_owned()));
    }
    let wanted = DriverCall {
        backend: backend.name().to_owned(),
        operation: Uuid::now_v7().to_string(),
        cursor: Vec::new(),
        deadline: operations.config().step_deadline,
        place: PlaceCheck::AtOnce,
        call: Call::Setup,
    };
    let reply = operations
        .call_driver(&wanted, &mut Waiting(backend))
        .await
        .map_err(|error| error.message)?;
    let report = reply.into_setup().map_err(|error| error.to_string())?;
    for change in &report.changes {
        tracing::info!(backend = backend.name(), target = %change.target, "set-up: {}", change.text);
    }
    for warning in &report.warnings {
        tracing::warn!(backend = backend.name(), "set-up: {warning}");
    }
    edit_service(operations, backend.name(), |service| {
        service.ready = true;
        report.state.clone_into(&mut service.driver_state);
    })
    .await
    .map_err(|error| error.message)?;
    statistics(operations, backend).await;
    backend.note(|status| {
        status.ready = true;
        status.reason = None;
    });
    tell(operations, backend).await;
    Ok(())
}

/// Says whether a backend is up, and tells it when that changed: whoever is to act on it learns it from an event, also where
/// the host was started again in between.
async fn tell(operations: &Operations, backend: &BackendHandle) {
    let status = backend.status();
    let up = status.is_up();
    operations.metrics().backend(backend.name(), up);
    backend.forget_if_gone(operations.metrics());
    let reason = match up {
        true => None,
        false => Some(
            status
                .reason
                .or(status.statistics_error)
                .unwrap_or_else(|| "it does not say why".to_owned()),
        ),
    };
    if let Err(error) = write_down(operations, backend.name(), reason.as_deref()).await {
        tracing::warn!(backend = backend.name(), error = %error.message, "whether the backend is up could not be kept");
    }
}

async fn write_down(
    operations: &Operations,
    backend: &str,
    reason: Option<&str>,
) -> Result<(), ControlError> {
    let changed = retry_on_conflict(async || {
        let Some(mut stored) = operations.store().get::<Service>(backend).await? else {
            return Ok(false);
        };
        let was = stored.record.not_ready_reason.take();
        stored.record.not_ready_reason = reason.map(str::to_owned);
        if was.is_none() == reason.is_none() {
            if was.as_deref() != reason {
                operations
                    .store()
                    .commit(Changes::new().update(&stored))
                    .await?;
            }
            return Ok(false);
        }
        stored.record.ready = reason.is_none();
        let event = CloudEvent::backend(backend, reason, operations.now());
        let receivers = operations.config().receivers.iter();
        let changes = receivers.fold(Changes::new().update(&stored), |changes, receiver| {
            changes.put(&Delivery::new(event.clone(), receiver, operations.now()))
        });
        operations.store().commit(changes).await?;
        Ok(true)
    })
    .await?;
    match (changed, reason) {
        (true, Some(reason)) => {
            tracing::warn!(backend, %reason, "a backend is down; it is tried again");
        }
        (true, None) => tracing::info!(backend, "a backend is up again"),
        _ => {}
    }
    if changed {
        operations.outbox().notify();
    }
    Ok(())
}

async fn edit_service(
    operations: &Operations,
    backend: &str,
    mut change: impl FnMut(&mut Service),
) -> Result<Service, ControlError> {
    let now = operations.now();
    edit(
        operations.store(),
        backend,
        || ControlError::not_found("Service", backend),
        |service: &mut Service| {
            change(service);
            service.updated_at = Some(now);
            Ok(())
        },
    )
    .await
}

/// Names of arrays that do not answer.
fn away(known: &[TargetHealth]) -> Vec<String> {
    let away = known.iter().filter(|target| !target.reachable);
    away.map(|target| target.target.clone()).collect()
}

/// Finds out which of a backend's arrays answer, and writes it down.
pub(crate) async fn health(operations: &Operations, backend: &str) {
    let id = Uuid::now_v7().to_string();
    let deadline = operations.config().step_deadline;
    let health = operations
        .call_once(backend, &id, Vec::new(), deadline, Call::Check)
        .await
        .and_then(|reply| reply.into_check());
    let Ok(health) = health else { return };
    let mut returned = false;
    if let Some(handle) = operations.backend(backend) {
        let (before, now) = (away(&handle.status().health), away(&health));
        returned = before.iter().any(|was| !now.contains(was));
        handle.note(|status| health.clone_into(&mut status.health));
        if before != now {
            // Whether the backend is up is told now, and not with the next statistics.
            handle.count.notify_one();
        }
    }
    let known = operations.store().get::<Service>(backend).await;
    if known.is_ok_and(|known| known.is_some_and(|known| known.record.targets == health)) {
        return;
    }
    let stored = edit_service(operations, backend, |service| {
        health.clone_into(&mut service.targets);
    })
    .await;
    if let Err(error) = stored {
        tracing::warn!(backend, error = %error.message, "which arrays answer could not be kept");
    }
    if returned {
        operations.settle_soon();
    }
}

async fn statistics(operations: &Operations, backend: &BackendHandle) {
    let name = backend.name();
    let deadline = operations.config().step_deadline;
    let id = Uuid::now_v7().to_string();
    let health = operations
        .call_once(name, &id, Vec::new(), deadline, Call::Check)
        .await
        .and_then(|reply| reply.into_check());
    let (asked, began) = (tokio::time::Instant::now(), operations.now());
    let stats = operations
        .call_once(name, &id, Vec::new(), deadline, Call::Stats)
        .await
        .and_then(|reply| reply.into_stats())
        .map(|stats| believed(stats, &backend.config()));
    let now = operations.now();
    let mut returned = false;
    if let Ok(health) = &health {
        let before = away(&backend.status().health);
        backend.note(|status| health.clone_into(&mut status.health));
        if away(health) != before {
            // What was observed of the copies was said by other arrays than those that answer now.
            backend.look.notify_one();
        }
        returned = before.iter().any(|was| !away(health).contains(was));
    }
    let stored = edit_service(operations, name, |service| {
        if let Ok(health) = &health {
            health.clone_into(&mut service.targets);
        }
        if let Ok(stats) = &stats {
            take(service, stats);
            service.statistics_at = Some(now);
        }
    })
    .await;
    if let Err(error) = stored {
        tracing::warn!(backend = name, error = %error.message, "statistics could not be kept");
    }
    if returned {
        // It is told what it is owed, now that the records say that it answers.
        operations.settle_soon();
    }
    let error = stats
        .as_ref()
        .err()
        .map(|error: &CallError| format!("its statistics cannot be read: {error}"));
    // Another array may serve it since: that this one did not answer says nothing.
    let moved = backend.last_ended(now).is_some_and(|ended| ended >= began);
    if moved && error.is_some() {
        backend.count.notify_one();
    }
    let error = error.filter(|_| !moved);
    let counted = stats.is_ok();
    backend.note(|status| {
        if let Ok(stats) = stats {
            status.statistics = Some(Arc::new(stats));
            status.statistics_at = Some(now);
        }
        status.statistics_error = error;
    });
    if counted {
        backend.reservations.counted(asked);
    }
    if backend.status().ready {
        tell(operations, backend).await;
    }
}

/// What of a driver's statistics the configuration bears out: nothing is replicated to an array that is not configured.
fn believed(mut stats: Statistics, config: &BackendConfig) -> Statistics {
    let others = config.targets.iter().filter(|target| !target.primary);
    let others: Vec<&str> = others.map(|target| target.name.as_str()).collect();
    if others.is_empty() {
        stats.replication_enabled = false;
        stats.replication_types.clear();
    }
    let known = |target: &String| others.contains(&target.as_str());
    stats.replication_targets.retain(known);
    stats
}

/// What Cinder does after a start: replication is enabled when the driver reports it and nothing else is known.
fn take(service: &mut Service, stats: &Statistics) {
    service.statistics = Some(stats.clone());
    if service.replication_status == ReplicationStatus::Disabled && stats.replication_enabled {
        service.replication_status = ReplicationStatus::Enabled;
    } else if service.replication_status == ReplicationStatus::Enabled && !stats.replication_enabled
    {
        service.replication_status = ReplicationStatus::Disabled;
    }
}

/// Forgets operations that ended long ago, a few at a time.
pub(crate) async fn prune(context: Context) {
    loop {
        let age = i64::try_from(context.config().keep_operations.as_micros()).unwrap_or(i64::MAX);
        let before = context.now().plus_micros(-age);
        let query = Query::new()
            .compare("finished_at", Order::Less, before)
            .limit(500);
        let old = context
            .store()
            .list::<Operation>(&query)
            .await
            .unwrap_or_default();
        let changes = old.iter().fold(Changes::new(), |changes, old| {
            changes.delete::<Operation>(&old.id, old.revision)
        });
        if let Err(error) = context.store().commit(changes).await {
            tracing::warn!(%error, "old operations could not be removed");
        }
        tokio::time::sleep(if old.len() == 500 {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(600)
        })
        .await;
    }
}
