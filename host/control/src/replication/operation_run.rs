//! The journal of one running operation: named steps, progress, and the patience with which a driver is called.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use springform_model::contract::{Call, CallError, Fault, FaultKind, Outcome, Reply};
use springform_model::operation::{Operation, OperationError, OperationState, Step};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::env::{Member, ReplicationEnv, ReplicationError, Writes};
use super::group;
use crate::audit;
use crate::outbox::CloudEvent;

/// How often a call that may succeed later is repeated.
const ATTEMPTS: u32 = 4;
/// Polls are no closer and no further apart than this.
const POLL: (u32, u32) = (50, 30_000);

/// Failures kept in the operation's result, by volume: as many as one request to try them again may name.
const SHOWN: usize = 1024;

/// One running operation.
pub struct OperationRun<'a> {
    env: &'a dyn ReplicationEnv,
    id: String,
    /// When it is given up. Not the journalled point in time: a clock that is corrected meanwhile shortens nothing.
    until: Instant,
    operation: Mutex<Operation>,
    /// Held while the operation is written, so that a later state of it is never overwritten by an earlier one.
    writing: Mutex<()>,
    failures: Mutex<BTreeMap<String, OperationError>>,
}

impl<'a> OperationRun<'a> {
    /// Takes over a journalled operation.
    pub fn new(env: &'a dyn ReplicationEnv, operation: Operation) -> Self {
        Self {
            env,
            id: operation.id.clone(),
            until: Instant::now() + operation.time_left(env.now()),
            operation: Mutex::new(operation),
            writing: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// StoreEnv, arrays, time.
    pub fn env(&self) -> &'a dyn ReplicationEnv {
        self.env
    }

    /// Changes the operation in memory; the next commit writes it.
    pub async fn note<R>(&self, change: impl FnOnce(&mut Operation) -> R) -> R {
        change(&mut *self.operation.lock().await)
    }

    /// Keeps why one volume failed, for the operation's result; it is counted elsewhere.
    pub async fn keep_failure(&self, volume: &str, why: OperationError) {
        let mut failures = self.failures.lock().await;
        if failures.len() < SHOWN {
            failures.insert(volume.to_owned(), why);
        }
    }

    /// What stops the operation before its next batch, if somebody asked to cancel it.
    pub async fn stopped(&self, backend: &str) -> Option<OperationError> {
        let stopped = self.env.cancelled(&self.id).await;
        stopped.then(|| {
            problem(
                "cancelled",
                "cancelled; what was done until then stays as it is now",
                backend,
            )
        })
    }

    /// Writes rows and the operation at once.
    pub async fn commit(&self, writes: Writes) -> Result<(), ReplicationError> {
        let _turn = self.writing.lock().await;
        self.write(writes).await
    }

    /// Writes rows, and the operation unless it is being written already: batches that end together do not wait for each
    /// other then, and share a commit of the database. Progress that was left out is in the next commit of the operation.
    pub async fn commit_batch(&self, writes: Writes) -> Result<(), ReplicationError> {
        match self.writing.try_lock() {
            Ok(_turn) => self.write(writes).await,
            Err(_) => self.env.commit(writes).await,
        }
    }

    async fn write(&self, mut writes: Writes) -> Result<(), ReplicationError> {
        let now = self.env.now();
        let operation = self.note(|o| {
            o.updated_at = now;
            o.clone()
        });
        writes.operation = Some(operation.await);
        self.env.commit(writes).await
    }

    /// Begins a step, or goes on with the one of that name.
    pub async fn enter(
        &self,
        name: &str,
        waiting_for: Option<String>,
    ) -> Result<(), ReplicationError> {
        let now = self.env.now();
        self.note(|o| {
            o.state = OperationState::Running;
            for step in o.steps.iter_mut().filter(|s| s.name != name) {
                if step.state == OperationState::Running {
                    step.state = OperationState::Succeeded;
                    step.finished_at = Some(now);
                    step.waiting_for = None;
                }
            }
            let deadline = o.deadline;
            let index = o.steps.iter().position(|s| s.name == name);
            let index = index.unwrap_or_else(|| {
                o.steps.push(Step::new(name));
                o.steps.len() - 1
            });
            if let Some(step) = o.steps.get_mut(index) {
                step.state = OperationState::Running;
                step.started_at.get_or_insert(now);
                step.deadline = Some(deadline);
                step.attempts = step.attempts.saturating_add(1);
                step.waiting_for = waiting_for;
            }
        })
        .await;
        self.commit(Writes::default()).await
    }

    /// The step under way failed, the operation goes on.
    pub async fn fail_step(&self, why: OperationError) {
        let now = self.env.now();
        self.note(|o| {
            let running = |s: &&mut Step| s.state == OperationState::Running;
            if let Some(step) = o.steps.iter_mut().rfind(running) {
                step.state = OperationState::Failed;
                step.finished_at = Some(now);
                step.waiting_for = None;
                step.error = Some(why);
            }
        })
        .await;
    }

    /// Ends the operation. Without an error of its own it has that of the first volume which failed.
    pub async fn finish(
        self,
        error: Option<OperationError>,
        writes: Writes,
    ) -> Result<Operation, ReplicationError> {
        let now = self.env.now();
        let failures = std::mem::take(&mut *self.failures.lock().await);
        self.note(|o| {
            o.state = match &error {
                Some(e) if e.code == "cancelled" => OperationState::Cancelled,
                Some(_) if o.progress.done > 0 => OperationState::PartlyFailed,
                Some(_) => OperationState::Failed,
                None if o.progress.failed > 0 && o.progress.done > 0 => {
                    OperationState::PartlyFailed
                }
                None if o.progress.failed > 0 => OperationState::Failed,
                None => OperationState::Succeeded,
            };
            let state = o.state;
            for step in o.steps.iter_mut().filter(|s| !s.state.is_terminal()) {
                step.state = state;
                step.finished_at = Some(now);
                step.waiting_for = None;
                step.error.clone_from(&error);
            }
            o.error = error.or_else(|| first(&failures, o.progress.failed, o.progress.total));
            if !failures.is_empty() {
                if !o.result.is_object() {
                    o.result = serde_json::json!({});
                }
                if let Some(result) = o.result.as_object_mut() {
                    result.insert("failures".to_owned(), serde_json::json!(failures));
                }
            }
            o.finished_at = Some(now);
        })
        .await;
        let ended = self.note(|o| o.clone()).await;
        let mut writes = writes;
        writes.events.push(CloudEvent::operation(&ended, now));
        writes.events.extend(CloudEvent::drill(&ended, now));
        writes.audit.extend(audit::ended(&ended, now));
        writes
            .groups
            .extend(group::release(self.env, &ended).await?);
        self.commit(writes).await?;
        Ok(self.operation.into_inner())
    }

    /// Calls the driver until it has an answer: polls what is pending, repeats what may succeed later, and gives up at
    /// the operation's deadline.
    pub async fn call(&self, backend: &str, call: &Call) -> Result<Reply, CallError> {
        let (mut cursor, mut attempt) = (Vec::new(), 0);
        loop {
            let error = match self
                .env
                .call(backend, &self.id, cursor.clone(), call.clone())
                .await
            {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let pause = match &error {
                CallError::Pending(pending) => {
                    cursor.clone_from(&pending.cursor);
                    let waiting = pending.waiting_for.clone();
                    let percent = pending.percent;
                    self.note(|o| {
                        if let Some(step) = o
                            .steps
                            .iter_mut()
                            .rfind(|s| s.state == OperationState::Running)
                        {
                            step.waiting_for = Some(waiting);
                            step.percent = percent;
                        }
                    })
                    .await;
                    Duration::from_millis(pending.poll_after_ms.clamp(POLL.0, POLL.1).into())
                }
                other if other.is_retryable() && attempt + 1 < ATTEMPTS => {
                    attempt += 1;
                    pause(attempt)
                }
                _ => return Err(error),
            };
            if Instant::now() + pause >= self.until {
                return Err(match error {
                    CallError::Pending(p) => CallError::Fault(Fault::new(
                        FaultKind::Deadline,
                        format!(
                            "the operation's time is over while waiting for {}",
                            p.waiting_for
                        ),
                    )),
                    other => other,
                });
            }
            sleep(pause).await;
            if matches!(error, CallError::Pending(_)) && self.env.cancelled(&self.id).await {
                return Err(error);
            }
        }
    }

    /// Calls the driver for a batch, and again for those of its members whose outcome may be another one then: what an array
    /// did and could not say is not believed to have failed. Nobody is asked about no volume at all.
    pub async fn batch(
        &self,
        backend: &str,
        call: &Call,
        members: &[Member],
    ) -> Vec<Result<Outcome, CallError>> {
        if members.is_empty() {
            return Vec::new();
        }
        let ids: Vec<&str> = members.iter().map(|m| m.volume.id.as_str()).collect();
        let mut outcomes = match self.outcomes(backend, call, &ids).await {
            Ok(outcomes) => outcomes,
            Err(error) => return members.iter().map(|_| Err(error.clone())).collect(),
        };
        for attempt in 1..ATTEMPTS {
            let open: BTreeSet<&str> = ids
                .iter()
                .zip(&outcomes)
                .filter(|(_, outcome)| may_end_otherwise(outcome))
                .map(|(id, _)| *id)
                .collect();
            let pause = pause(attempt);
            let Some(part) = call.about(|id| open.contains(id)) else {
                break;
            };
            if open.is_empty() || Instant::now() + pause >= self.until {
                break;
            }
            sleep(pause).await;
            let left: Vec<&str> = ids.iter().copied().filter(|id| open.contains(id)).collect();
            // What was answered before stands where the whole call fails now.
            let Ok(again) = self.outcomes(backend, &part, &left).await else {
                break;
            };
            for outcome in again {
                if let Some(old) = outcomes.iter_mut().find(|old| old.id == outcome.id) {
                    *old = outcome;
                }
            }
        }
        outcomes.into_iter().map(Ok).collect()
    }

    /// One answer for a batch; one that is not one entry for each member in order is no answer.
    async fn outcomes(
        &self,
        backend: &str,
        call: &Call,
        ids: &[&str],
    ) -> Result<Vec<Outcome>, CallError> {
        let outcomes = self.call(backend, call).await?.into_outcomes()?;
        if outcomes
            .iter()
            .map(|o| o.id.as_str())
            .eq(ids.iter().copied())
        {
            return Ok(outcomes);
        }
        Err(CallError::Fault(Fault::new(
            FaultKind::Partial,
            format!(
                "the driver of {backend} answered {} of {} members of a batch; nothing of it is believed",
                outcomes.len(),
                ids.len()
            ),
        )))
    }
}

fn may_end_otherwise(outcome: &Outcome) -> bool {
    outcome
        .result
        .as_ref()
        .is_err_and(|failure| failure.code.is_retryable())
}

/// How long to wait before a call that may succeed later is repeated for the nth time.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(250 << attempt.min(6))
}

/// What an operation says of the volumes that failed: how many, and why the first one did.
fn first(
    failures: &BTreeMap<String, OperationError>,
    failed: u64,
    total: u64,
) -> Option<OperationError> {
    let (volume, why) = failures.first_key_value()?;
    let message = match failed.max(1) {
        1 => format!("volume {volume}: {}", why.message),
        many => format!(
            "{many} of {total} volumes failed; {volume}: {}",
            why.message
        ),
    };
    Some(OperationError {
        message,
        ..why.clone()
    })
}

/// A call's failure as the journal keeps it.
pub fn journalled(backend: &str, error: &CallError) -> OperationError {
    let (code, target) = match error {
        CallError::Pending(_) => ("cancelled".to_owned(), None),
        CallError::Failed(failure) => (failure.code.as_str().to_owned(), failure.target.clone()),
        CallError::Fault(fault) => (fault.kind.as_str().to_owned(), None),
    };
    OperationError {
        code,
        message: error.to_string(),
        backend: Some(backend.to_owned()),
        target,
        driver: None,
        generation: None,
        retryable: error.is_retryable(),
    }
}

/// A problem as the journal keeps it.
pub fn problem(code: &str, message: impl Into<String>, backend: &str) -> OperationError {
    OperationError {
        code: code.to_owned(),
        message: message.into(),
        backend: Some(backend.to_owned()),
        target: None,
        driver: None,
        generation: None,
        retryable: false,
    }
}
