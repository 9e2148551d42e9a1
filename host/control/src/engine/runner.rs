//! Carries operations out to their ends, with the executors that it is given.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use springform_model::operation::{Operation, OperationError, Verb};
use springform_store::Stored;
use tokio::time::{Instant, sleep};

use super::journal::CarryOut;
use super::{Operations, Run, failure, is_overtaken};

/// Carries out one kind of operation.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Carries it out or goes on with it. It ends the operation itself, in the commit that changes the subject
    /// ([`Run::finish`], then [`Run::settle`] or [`Run::commit`]).
    ///
    /// # Errors
    /// Only what kept it from doing that: it is then run again from the journal.
    async fn run(&self, run: &mut Run) -> Result<(), OperationError>;
}

/// Executors by verb.
#[derive(Default)]
pub struct Executors {
    map: HashMap<Verb, Arc<dyn Executor>>,
}

impl Executors {
    /// This executor for these verbs.
    pub fn add(&mut self, verbs: &[Verb], executor: Arc<dyn Executor>) {
        for verb in verbs {
            self.map.insert(*verb, executor.clone());
        }
    }
}

/// Ends an operation that its executor cannot end.
#[async_trait]
pub(crate) trait Abandon: Send + Sync + 'static {
    /// Fails it, in the commit that releases what it holds.
    async fn abandon(&self, operations: &Operations, id: &str, error: OperationError);
}

/// Carries operations out.
pub(crate) struct Runner {
    executors: Executors,
    abandon: Arc<dyn Abandon>,
}

impl Runner {
    pub(crate) fn new(executors: Executors, abandon: Arc<dyn Abandon>) -> Self {
        Self { executors, abandon }
    }
}

#[async_trait]
impl CarryOut for Runner {
    async fn carry_out(&self, operations: Operations, operation: Stored<Operation>, resumed: bool) {
        let executor = self.executors.map.get(&operation.verb).cloned();
        let abandon = self.abandon.as_ref();
        carry_out(operations, operation, resumed, executor, abandon).await;
    }
}

/// Runs of an operation whose executor fails to bring it to an end.
const RUNS: u32 = 4;
/// Pause after the first of them; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries an operation out to its end, which is one commit of the operation and its subject. An executor that fails or panics
/// before that is run again from the journal, as after a restart; where that does not help either, what the operation
/// holds is released in the commit that fails it.
async fn carry_out(
    operations: Operations,
    operation: Stored<Operation>,
    resumed: bool,
    executor: Option<Arc<dyn Executor>>,
    abandon: &dyn Abandon,
) {
    let mut operation = operation;
    let mut pause = PAUSE;
    let (mut again, mut failures) = (resumed, 0);
    let until = Instant::now() + operation.time_left(operations.now());
    loop {
        if again {
            // It may have ended since it was read.
            match operations.store().get::<Operation>(&operation.id).await {
                Ok(Some(now)) if !now.state.is_terminal() => operation = now,
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(operation = %operation.id, %error, "the journal cannot be read");
                    return;
                }
            }
        }
        let Some(error) = attempt(&operations, operation.clone(), executor.as_deref()).await else {
            return;
        };
        again = true;
        // Only an operator who moves the volume overtakes an operation: it has not failed, and its array may have done its part.
        if is_overtaken(&error) && Instant::now() < until {
            tracing::info!(operation = %operation.id, why = %error.message, "an operation is carried out again");
            sleep(PAUSE).await;
            continue;
        }
        failures += 1;
        tracing::error!(operation = %operation.id, failures, error = %error.message, "an operation could not be ended in order");
        if failures == RUNS || executor.is_none() {
            return abandon.abandon(&operations, &operation.id, error).await;
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}

/// One run. Gives what kept it from ending the operation.
async fn attempt(
    operations: &Operations,
    operation: Stored<Operation>,
    executor: Option<&dyn Executor>,
) -> Option<OperationError> {
    let mut run = Run::new(operations.clone(), operation);
    let Some(executor) = executor else {
        return Some(failure(
            "unsupported",
            "this release cannot carry out operations of this kind",
        ));
    };
    match AssertUnwindSafe(executor.run(&mut run))
        .catch_unwind()
        .await
    {
        Ok(Ok(())) if run.ended() => {
            told(run.operation());
            None
        }
        Ok(Ok(())) => Some(failure(
            "internal",
            "the operation ended without an outcome",
        )),
        Ok(Err(error)) => Some(error),
        Err(_) => Some(failure(
            "internal",
            "the host made an error while it carried the operation out; its log says where",
        )),
    }
}

/// One line for each operation: who did what, and what came of it.
fn told(operation: &Operation) {
    let error = operation.error.as_ref().map(|error| error.message.as_str());
    let took = operation
        .finished_at
        .map(|finished| finished.0.saturating_sub(operation.created_at.0) / 1000);
    tracing::info!(
        operation = %operation.id,
        verb = ?operation.verb,
        backend = operation.backend.as_deref(),
        subject = %format_args!("{} {}", operation.subject_kind, operation.subject),
        user = %operation.user,
        project = %operation.project,
        request = operation.request_id.as_deref(),
        outcome = operation.state.as_str(),
        done = operation.progress.done,
        failed = operation.progress.failed,
        took_ms = took,
        error,
        "an operation is over"
    );
}
