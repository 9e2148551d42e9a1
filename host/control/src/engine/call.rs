//! One call of a backend's driver: the context it gets, the patience it is met with, the words of its failure.

use std::time::Duration;

use async_trait::async_trait;
use springform_model::contract::{Call, CallError, Context, Fault, FaultKind, Pending, Reply};
use springform_model::operation::OperationError;
use springform_model::replication::evidence;
use tokio::time::{Instant, sleep};

use super::Operations;
use super::names::{self, Before, PlaceCheck};
use crate::backend::BackendHandle;
use crate::crash_point;

/// How a call is made.
#[derive(Debug, Clone)]
pub struct DriverCall {
    /// Backend.
    pub backend: String,
    /// Idempotency key.
    pub operation: String,
    /// Cursor of the last `pending` answer.
    pub cursor: Vec<u8>,
    /// Until when it is tried again.
    pub deadline: Duration,
    /// When the place in its answer is held against the records.
    pub place: PlaceCheck,
    /// The call.
    pub call: Call,
}

/// Whoever wants to know what is waited for.
#[async_trait]
pub trait OnPending: Send {
    /// The driver answered `pending`.
    async fn wait(&mut self, pending: &Pending);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy)]
pub struct IgnorePending;

#[async_trait]
impl OnPending for IgnorePending {
    async fn wait(&mut self, _pending: &Pending) {}
}

/// Tries of a call that fails in a way that ends by itself.
const ATTEMPTS: u32 = 4;
/// First pause between them; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);
/// Polls are no closer and no further apart than this, milliseconds.
const POLL: (u32, u32) = (50, 30_000);

impl Operations {
    /// Makes one call, once, under the generation that serves now. [`CallError::Pending`] is handed to the caller.
    ///
    /// # Errors
    /// See [`CallError`]; `Gone` where the backend has no driver.
    pub async fn call_once(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        deadline: Duration,
        call: Call,
    ) -> Result<Reply, CallError> {
        let wanted = DriverCall {
            backend: backend.to_owned(),
            operation: operation.to_owned(),
            cursor,
            deadline,
            place: PlaceCheck::AtOnce,
            call,
        };
        self.once(wanted).await
    }

    async fn once(&self, wanted: DriverCall) -> Result<Reply, CallError> {
        let DriverCall {
            backend,
            operation,
            cursor,
            deadline,
            place,
            call,
        } = wanted;
        let (backend, operation) = (backend.as_str(), operation.as_str());
        let gone = |message: String| CallError::Fault(Fault::new(FaultKind::Gone, message));
        let handle = self
            .backend(backend)
            .ok_or_else(|| gone(format!("backend {backend} is not configured")))?;
        let generation = self.generation(backend).ok_or_else(|| {
            gone(format!(
                "backend {backend} has no driver loaded; see `springform driver list`"
            ))
        })?;
        let service = self
            .store()
            .get::<springform_model::cloud::Service>(backend)
            .await;
        let service = service.ok().flatten().map(|stored| stored.record);
        let mut extensions = Vec::new();
        let mut state = Vec::new();
        let mut targets = generation.config.targets.clone();
        if let Some(service) = service {
            state = service.driver_state;
            extensions.push((evidence::HOST.to_owned(), service.identity));
            if let Some(active) = service.active_target {
                extensions.push(("springform/active-target".to_owned(), active));
            }
            for target in &mut targets {
                if let Some(seen) = service
                    .targets
                    .iter()
                    .find(|seen| seen.target == target.name)
                {
                    target.reachable = seen.reachable;
                }
            }
        }
        let alone = targets.iter().all(|target| target.primary);
        let context = Context {
            operation_id: operation.to_owned(),
            backend: backend.to_owned(),
            options: generation.loaded.options.clone(),
            targets,
            state,
            cursor,
            deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            now: self.now().as_millis(),
            extensions,
        };
        let name = call.name();
        let before = Before::of(&call);
        let busy = || {
            CallError::Fault(Fault::new(
                FaultKind::Deadline,
                format!(
                    "{name} waited longer than {} s for its machine",
                    deadline.as_secs()
                ),
            ))
        };
        let begun = Instant::now();
        let _machine = tokio::time::timeout(deadline, handle.machines.hold(&call))
            .await
            .map_err(|_| busy())?;
        let deadline = deadline.saturating_sub(begun.elapsed());
        let _turn = handle
            .turns
            .acquire()
            .await
            .map_err(|_| gone("the host is stopping".to_owned()))?;
        crash_point!("before-call", name);
        let begun = Instant::now();
        let outcome = match tokio::time::timeout(
            deadline,
            generation.loaded.driver.call(context, call),
        )
        .await
        {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::Fault(Fault::new(
                FaultKind::Deadline,
                format!("{name} took longer than {} s", deadline.as_secs()),
            ))),
        };
        crash_point!("after-call", name);
        let outcome = match outcome {
            Ok(reply) => self
                .believe(&handle, operation, &before, &reply, place)
                .await
                .map(|()| if alone { unreplicated(reply) } else { reply }),
            Err(error) => Err(error),
        };
        self.metrics()
            .called(backend, name, begun.elapsed(), &outcome);
        outcome
    }

    /// Refuses an answer that places a volume where another one is, or where a call under way has just placed another one.
    async fn believe(
        &self,
        backend: &BackendHandle,
        operation: &str,
        before: &Before,
        reply: &Reply,
        check: PlaceCheck,
    ) -> Result<(), CallError> {
        let runs = |id: &str| id == operation || self.live().runs(id);
        let placed = names::claim(&backend.names, operation, before, reply, runs)?;
        if check == PlaceCheck::InCommit {
            return Ok(());
        }
        // After the claims: what another operation wrote since is seen, what it has not written yet is claimed.
        names::alone(self.store(), backend.name(), &placed).await
    }

    /// Makes a call and has patience: repeats what may succeed by itself, polls what is pending.
    ///
    /// # Errors
    /// In words for whoever reads the operation.
    pub async fn call_driver(
        &self,
        wanted: &DriverCall,
        waiting: &mut dyn OnPending,
    ) -> Result<Reply, OperationError> {
        let until = Instant::now() + wanted.deadline;
        let mut cursor = wanted.cursor.clone();
        let mut attempt = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let now = DriverCall {
                cursor: cursor.clone(),
                deadline: left,
                ..wanted.clone()
            };
            let error = match self.once(now).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let pause = match &error {
                CallError::Pending(pending) => {
                    pending.cursor.clone_into(&mut cursor);
                    waiting.wait(pending).await;
                    Duration::from_millis(u64::from(pending.poll_after_ms.clamp(POLL.0, POLL.1)))
                }
                error if error.is_retryable() && attempt + 1 < ATTEMPTS => {
                    attempt += 1;
                    PAUSE.saturating_mul(1 << attempt.min(6))
                }
                _ => return Err(self.describe(wanted, &error)),
            };
            if Instant::now() + pause >= until {
                return Err(self.describe(wanted, &error));
            }
            sleep(pause).await;
        }
    }

    /// The failure of a call as an operation shows it.
    #[must_use]
    pub fn describe(&self, wanted: &DriverCall, error: &CallError) -> OperationError {
        self.failed(&wanted.backend, wanted.call.name(), error)
    }

    /// The same of a call of this name.
    pub(crate) fn failed(&self, backend: &str, call: &str, error: &CallError) -> OperationError {
        let generation = self.generation(backend);
        let (code, target, detail) = match error {
            CallError::Pending(_) => ("deadline".to_owned(), None, None),
            CallError::Failed(failure) => (
                failure.code.as_str().to_owned(),
                failure.target.clone(),
                failure.detail.clone(),
            ),
            CallError::Fault(fault) => (fault.kind.as_str().to_owned(), None, None),
        };
        let place = target
            .as_ref()
            .map_or_else(String::new, |target| format!(", array {target}"));
        let words =
            detail.map_or_else(String::new, |detail| format!(" (the array says: {detail})"));
        OperationError {
            code,
            message: format!("{call} on backend {backend}{place} failed: {error}{words}"),
            backend: Some(backend.to_owned()),
            target,
            driver: generation
                .as_ref()
                .map(|generation| generation.driver_name.clone()),
            generation: generation.as_ref().map(|generation| generation.number),
            retryable: error.is_retryable(),
        }
    }
}

/// A reply of a backend that is configured with one array: nothing on it is replicated, whatever its driver claims.
fn unreplicated(mut reply: Reply) -> Reply {
    match &mut reply {
        Reply::Placement(placement) => placement.replication = None,
        Reply::Outcomes(outcomes) => {
            let placements = outcomes
                .iter_mut()
                .filter_map(|one| one.result.as_mut().ok());
            placements.for_each(|placement| placement.replication = None);
        }
        _ => {}
    }
    reply
}
