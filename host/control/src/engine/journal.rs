//! The journal as it is read, written and cancelled from outside.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use springform_model::operation::{Operation, OperationState, Progress, Step, Verb};
use springform_store::{Changes, Query, StoreError, Stored};
use uuid::Uuid;

use super::live::LiveOperations;
use crate::audit;
use crate::backends::Backends;
use crate::ownership::{Owned, is_visible};
use crate::tasks::Tasks;
use crate::{Caller, ControlError};

/// An operation to be journalled.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// What is done.
    pub verb: Verb,
    /// Backend, once it is known.
    pub backend: Option<String>,
    /// Kind and id of its subject.
    pub subject: (&'static str, String),
    /// Everything a restart needs.
    pub input: Value,
    /// Steps that are known beforehand; journalled with it.
    pub steps: Vec<String>,
    /// How long it may take; none: as configured.
    pub deadline: Option<Duration>,
}

impl NewOperation {
    /// An operation on one subject.
    #[must_use]
    pub fn new(verb: Verb, kind: &'static str, subject: impl Into<String>) -> Self {
        Self {
            verb,
            backend: None,
            subject: (kind, subject.into()),
            input: Value::Null,
            steps: Vec::new(),
            deadline: None,
        }
    }

    /// On this backend.
    #[must_use]
    pub fn on(mut self, backend: impl Into<String>) -> Self {
        self.backend = Some(backend.into());
        self
    }

    /// With this input.
    #[must_use]
    pub fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    /// With a step that is known beforehand.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>) -> Self {
        self.steps.push(name.into());
        self
    }
}

/// Carries an operation out to its end. Given from above: what an operation does is not known here.
#[async_trait]
pub(crate) trait CarryOut: Send + Sync + 'static {
    /// The operation was journalled a moment ago, or goes on from the journal.
    async fn carry_out(&self, operations: Operations, operation: Stored<Operation>, resumed: bool);
}

/// The operations of a host, handed around by cheap clones. It derefs to [`Backends`]: beginning an operation reads the
/// state of a backend, and carrying one out calls its driver.
#[derive(Clone)]
pub struct Operations {
    backends: Backends,
    live: Arc<LiveOperations>,
    tasks: Tasks,
    runner: Arc<dyn CarryOut>,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

impl Deref for Operations {
    type Target = Backends;

    fn deref(&self) -> &Backends {
        &self.backends
    }
}

impl Operations {
    pub(crate) fn new(backends: Backends, tasks: Tasks, runner: Arc<dyn CarryOut>) -> Self {
        let most = backends.config().open_operations;
        Self {
            backends,
            live: Arc::new(LiveOperations::new(most)),
            tasks,
            runner,
        }
    }

    /// The same operations for one that is under way, see [`Context::patient`](crate::Context::patient).
    pub(crate) fn patient(&self) -> Self {
        Self {
            backends: self.backends.patient(),
            ..self.clone()
        }
    }

    /// Those that are open in this process.
    pub(crate) fn live(&self) -> &LiveOperations {
        &self.live
    }

    /// Where operations run, and what else goes on beside the requests.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// One operation; of another project only for administrators.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Operation, ControlError> {
        let stored = self.store().get::<Operation>(id).await?;
        let operation = stored.map(|stored| self.as_it_stands(stored.record));
        operation
            .or_else(|| self.live.get(id))
            .filter(|operation| is_visible(caller, operation))
            .ok_or_else(|| Operation::unknown(id))
    }

    /// What a query finds; only the caller's project unless they are an administrator.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
    ) -> Result<Vec<Operation>, ControlError> {
        let found = self
            .store()
            .list::<Operation>(&caller.scope(query, true))
            .await?;
        let now = |stored: Stored<Operation>| self.as_it_stands(stored.record);
        Ok(found.into_iter().map(now).collect())
    }

    /// An operation as it stands, once it was read: what runs is ahead of its record, except for the moment in which it has ended
    /// there and not here.
    fn as_it_stands(&self, stored: Operation) -> Operation {
        match stored.state.is_terminal() {
            true => stored,
            false => self.live.get(&stored.id).unwrap_or(stored),
        }
    }

    /// Every change of an operation that runs from now on. A slow reader misses some, never the order.
    #[must_use]
    pub fn events(&self) -> tokio::sync::broadcast::Receiver<Operation> {
        self.live.events()
    }

    /// Asks an operation to stop where that is safe.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` when it has ended.
    pub async fn cancel(&self, caller: &Caller, id: &str) -> Result<Operation, ControlError> {
        let operation = self.get(caller, id).await?;
        if operation.state.is_terminal() {
            return Err(ControlError::conflict(format!(
                "Operation {id} has ended: {}.",
                operation.state.as_str()
            )));
        }
        self.live.cancel(id);
        for _ in 0..20 {
            let Some(mut stored) = self.store().get::<Operation>(id).await? else {
                break;
            };
            let first = !std::mem::replace(&mut stored.record.cancel_requested, true);
            let mut changes = Changes::new().update(&stored);
            if first {
                changes = self.cancelling(changes, caller, &stored);
            }
            match self.store().commit(changes).await {
                Ok(()) => break,
                Err(error) if error.is_conflict() => {}
                Err(StoreError::Unavailable(reason)) => {
                    return Err(ControlError::unavailable(format!(
                        "Operation {id} is told to stop. It ends when the database can be used again, which it cannot now: {reason}."
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.get(caller, id).await
    }

    /// With an entry of the audit log, where the operation is one that is audited.
    fn cancelling(&self, changes: Changes, caller: &Caller, operation: &Operation) -> Changes {
        let entry = audit::cancel_requested(caller, operation, self.now());
        let entry = entry.map(|entry| entry.by_host(&self.config().host));
        entry.into_iter().fold(changes, Changes::audit)
    }

    /// An operation as it will be journalled. The caller puts it into the commit that changes its subject and then
    /// hands it to [`Operations::start`].
    ///
    /// # Errors
    /// `Unavailable` when too many are open.
    pub fn prepare(&self, caller: &Caller, new: NewOperation) -> Result<Operation, ControlError> {
        if self.live.is_full() {
            return Err(ControlError::unavailable(
                "Too many operations are open. Try again in a few seconds.",
            ));
        }
        let now = self.now();
        let limit = new.deadline.unwrap_or(self.config().operation_deadline);
        Ok(Operation {
            id: Uuid::now_v7().to_string(),
            verb: new.verb,
            state: OperationState::Queued,
            backend: new.backend,
            subject_kind: new.subject.0.to_owned(),
            subject: new.subject.1,
            project: caller.project_id.clone(),
            user: caller.user_id.clone(),
            request_id: caller.request_id.clone(),
            address: caller.address.clone(),
            generation: None,
            input: new.input,
            result: Value::Null,
            steps: new.steps.into_iter().map(Step::new).collect(),
            progress: Progress::default(),
            error: None,
            cancel_requested: false,
            created_at: now,
            updated_at: now,
            finished_at: None,
            deadline: now.plus_micros(i64::try_from(limit.as_micros()).unwrap_or(i64::MAX)),
        })
    }

    /// Journals an operation together with the changes of its subject, then carries it out in the background. Whoever asked
    /// may hang up meanwhile: what is journalled is begun all the same.
    ///
    /// # Errors
    /// What the store refuses; then nothing was changed and nothing is started.
    pub async fn submit(&self, changes: Changes, operation: Operation) -> Result<(), StoreError> {
        let operations = self.clone();
        let begun = self.tasks.whole(async move {
            let changes = changes.insert(&operation);
            operations.store().commit(changes).await?;
            crate::crash_point!("journalled");
            operations.start(operation);
            Ok(())
        });
        begun.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Carries out an operation that has just been journalled at revision 1.
    pub fn start(&self, operation: Operation) {
        let journalled = Stored {
            record: operation,
            revision: 1,
        };
        self.carry(journalled, false);
    }

    /// Goes on with an operation of the journal, unless it runs already.
    pub(crate) fn resume(&self, operation: Stored<Operation>) {
        self.carry(operation, true);
    }

    fn carry(&self, operation: Stored<Operation>, resumed: bool) {
        if !self.live.add(&operation) {
            return;
        }
        let (live, runner, operations) = (self.live.clone(), self.runner.clone(), self.patient());
        let id = operation.id.clone();
        let work = async move { runner.carry_out(operations, operation, resumed).await };
        self.tasks.spawn_then(work, move || live.remove(&id));
    }

    /// Waits until an operation has ended.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn wait(&self, id: &str) -> Result<Operation, ControlError> {
        self.live.ended(id).await;
        let stored = self.store().get::<Operation>(id).await?;
        stored
            .map(|stored| stored.record)
            .ok_or_else(|| ControlError::not_found("Operation", id))
    }
}
