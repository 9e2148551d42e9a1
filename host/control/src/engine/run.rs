//! An operation under way, as its executor sees it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use springform_model::contract::{Call, Pending, Reply};
use springform_model::operation::{Operation, OperationError, OperationState, Step};
use springform_store::{Changes, Record, StoreError, Stored};
use tokio::time::Instant;

use super::{DriverCall, OnPending, Operations, PlaceCheck, failure};
use crate::crash_point;

/// Journals what a step waits for.
struct Waiter<'a> {
    run: &'a mut Run,
    index: usize,
}

#[async_trait]
impl OnPending for Waiter<'_> {
    async fn wait(&mut self, pending: &Pending) {
        self.run.wait(self.index, pending).await;
    }
}

/// Rounds of a commit that others disturb.
const ROUNDS: u32 = 50;

/// One running operation.
#[derive(Debug)]
pub struct Run {
    operations: Operations,
    operation: Stored<Operation>,
    /// When it is given up, whatever becomes of the wall clock meanwhile.
    until: Instant,
    /// Whether the end of the operation is in the journal.
    ended: bool,
    /// When places in answers are held against the records.
    place: PlaceCheck,
}

impl Run {
    pub(crate) fn new(operations: Operations, operation: Stored<Operation>) -> Self {
        let until = Instant::now() + operation.time_left(operations.now());
        Self {
            operations,
            operation,
            until,
            ended: false,
            place: PlaceCheck::AtOnce,
        }
    }

    /// Whether the end of the operation is in the journal.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// From now on its commits hold the places in answers against the records, with [`super::only_there`].
    pub(crate) fn checks_places_itself(&mut self) {
        self.place = PlaceCheck::InCommit;
    }

    /// Whether its time is over.
    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    /// All operations, and what they stand on.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// The operation as it stands.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation.record
    }

    /// Changes the operation in memory; the next commit writes it, and whoever watches sees it at once.
    pub fn note(&mut self, change: impl FnOnce(&mut Operation)) {
        change(&mut self.operation.record);
        self.operation.record.updated_at = self.operations.now();
        self.operations.live().show(&self.operation.record);
    }

    /// Takes over an operation that the executor wrote itself.
    pub fn adopt(&mut self, operation: Operation) {
        self.ended = operation.state.is_terminal();
        self.operation.record = operation;
        self.operations.live().show(&self.operation.record);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.operation.record.cancel_requested
            || self.operations.live().is_cancelled(&self.operation.id)
    }

    /// Writes changes and the operation at once.
    ///
    /// # Errors
    /// A conflict of one of the changes; a conflict of the operation itself is settled here.
    pub async fn commit(&mut self, changes: Changes) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let all = changes.clone().update(&self.operation);
            let all = self.audited(all);
            match self.operations.store().commit(all).await {
                Ok(()) => {
                    self.operation.revision += 1;
                    self.ended = self.operation.state.is_terminal();
                    self.operations.live().show(&self.operation.record);
                    crash_point!("committed");
                    return Ok(());
                }
                Err(StoreError::Conflict { table, .. }) if table == Operation::TABLE.name => {
                    let Some(now) = self
                        .operations
                        .store()
                        .get::<Operation>(&self.operation.id)
                        .await?
                        // What has ended is not ended a second time.
                        .filter(|now| !now.state.is_terminal())
                    else {
                        return Err(StoreError::Conflict {
                            table,
                            id: self.operation.id.clone(),
                        });
                    };
                    self.operation.revision = now.revision;
                    self.operation.record.cancel_requested |= now.record.cancel_requested;
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict {
            table: Operation::TABLE.name,
            id: self.operation.id.clone(),
        })
    }

    /// With its end in the audit log, where it has ended and is one that is audited.
    fn audited(&self, changes: Changes) -> Changes {
        let entry = crate::audit::ended(&self.operation, self.operations.now());
        let entry = entry.map(|entry| entry.by_host(&self.operations.config().host));
        entry.into_iter().fold(changes, Changes::audit)
    }

    /// Begins a step and journals it, unless it is journalled already. Gives its index.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing must be done either.
    pub async fn begin(&mut self, name: &str, deadline: Duration) -> Result<usize, OperationError> {
        let known = self
            .operation
            .steps
            .iter()
            .position(|step| step.name == name);
        let index = known.unwrap_or(self.operation.steps.len());
        let now = self.operations.now();
        let until = now.plus_micros(i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX));
        self.note(|operation| {
            if known.is_none() {
                operation.steps.push(Step::new(name));
            }
            operation.state = OperationState::Running;
            if let Some(step) = operation.steps.get_mut(index) {
                step.state = OperationState::Running;
                step.started_at.get_or_insert(now);
                step.deadline = Some(until);
                step.attempts = step.attempts.saturating_add(1);
            }
        });
        if known.is_none() {
            self.commit(Changes::new())
                .await
                .map_err(|error| failure("store", error.to_string()))?;
            crash_point!("step-journalled");
        }
        Ok(index)
    }

    /// Ends a step in memory; the next commit writes it.
    pub fn end(&mut self, index: usize, outcome: Result<serde_json::Value, OperationError>) {
        let now = self.operations.now();
        self.note(|operation| {
            operation.state = OperationState::Running;
            let Some(step) = operation.steps.get_mut(index) else {
                return;
            };
            step.finished_at = Some(now);
            step.waiting_for = None;
            match outcome {
                Ok(data) => {
                    step.state = OperationState::Succeeded;
                    step.percent = Some(100);
                    step.data = data;
                }
                Err(error) => {
                    step.state = OperationState::Failed;
                    step.error = Some(error);
                }
            }
        });
    }

    /// Calls a driver as a step of its own. A step that a crash found done answers from the journal.
    ///
    /// # Errors
    /// What the driver failed with, in words.
    pub async fn call(
        &mut self,
        step: &str,
        backend: &str,
        call: Call,
    ) -> Result<Reply, OperationError> {
        let deadline = self.operations.config().step_deadline;
        self.call_within(step, backend, call, deadline).await
    }

    /// The same for a step that may take so long.
    ///
    /// # Errors
    /// What the driver failed with, in words.
    pub async fn call_within(
        &mut self,
        step: &str,
        backend: &str,
        call: Call,
        deadline: Duration,
    ) -> Result<Reply, OperationError> {
        let done = self
            .operation
            .steps
            .iter()
            .find(|known| known.name == step && known.state == OperationState::Succeeded);
        if let Some(reply) = done.and_then(|step| serde_json::from_value(step.data.clone()).ok()) {
            return Ok(reply);
        }
        let index = self.begin(step, deadline).await?;
        let cursor = self
            .operation
            .steps
            .get(index)
            .and_then(|step| step.data.get("cursor").cloned());
        let cursor = cursor
            .and_then(|cursor| serde_json::from_value(cursor).ok())
            .unwrap_or_default();
        let generation = self
            .operations
            .generation(backend)
            .map(|generation| generation.number);
        self.note(|operation| operation.generation = operation.generation.or(generation));
        let wanted = DriverCall {
            backend: backend.to_owned(),
            operation: self.operation.id.clone(),
            cursor,
            deadline,
            place: self.place,
            call,
        };
        let operations = self.operations.clone();
        let outcome = operations
            .call_driver(&wanted, &mut Waiter { run: self, index })
            .await;
        self.end(
            index,
            outcome
                .as_ref()
                .map(|reply| json!(reply))
                .map_err(Clone::clone),
        );
        outcome
    }

    async fn wait(&mut self, index: usize, pending: &Pending) {
        self.note(|operation| {
            operation.state = OperationState::Waiting;
            if let Some(step) = operation.steps.get_mut(index) {
                step.state = OperationState::Waiting;
                step.waiting_for = Some(pending.waiting_for.clone());
                step.percent = pending.percent;
                step.data = json!({ "cursor": pending.cursor });
            }
        });
        if let Err(error) = self.commit(Changes::new()).await {
            tracing::warn!(operation = %self.operation.id, %error, "a wait could not be journalled");
        }
    }

    /// Sets the final state in memory; the next commit writes it together with the subject. Whoever watches sees it only
    /// then: who is told that it is over finds the subject as it left it, and nobody's turn taken.
    pub fn finish(&mut self, error: Option<OperationError>) {
        let now = self.operations.now();
        let operation = &mut self.operation.record;
        operation.state = match &error {
            None => OperationState::Succeeded,
            Some(error) if error.code == "cancelled" => OperationState::Cancelled,
            Some(_) => OperationState::Failed,
        };
        operation.error = error;
        operation.updated_at = now;
        operation.finished_at = Some(now);
    }

    /// Changes one record together with the operation, deciding again when somebody else was faster. A record that is
    /// gone is left gone. `more` may add further changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle<T: Record>(
        &mut self,
        id: &str,
        mut decide: impl FnMut(&mut T) + Send,
        more: impl Fn(&T) -> Changes + Send,
    ) -> Result<Option<T>, OperationError> {
        let broken = |error: StoreError| failure("store", format!("the database refused: {error}"));
        for _ in 0..ROUNDS {
            let Some(mut stored) = self.operations.store().get::<T>(id).await.map_err(broken)?
            else {
                self.commit(Changes::new()).await.map_err(broken)?;
                return Ok(None);
            };
            decide(&mut stored.record);
            let changes = more(&stored.record).update(&stored);
            match self.commit(changes).await {
                Ok(()) => return Ok(Some(stored.record)),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Err(failure(
            "store",
            format!("{} {id} is being changed by many at once", T::TABLE.name),
        ))
    }
}
