//! Carries operations out in the background, each in a task of its own, and knows those that are open.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use springform_model::operation::{Operation, OperationError, Verb};
use springform_store::Stored;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Run, failure};
use crate::holders::abandon;
use crate::{Control, lock};

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

struct Live {
    operation: Operation,
    cancelled: bool,
    ended: watch::Sender<bool>,
    /// Counts how often somebody took a volume's lock from it.
    lock_taken: watch::Sender<u64>,
}

/// The operations that are open in this process.
pub(crate) struct Runner {
    executors: Executors,
    live: Mutex<HashMap<String, Live>>,
    events: broadcast::Sender<Operation>,
    tasks: TaskTracker,
    stop: CancellationToken,
    most: usize,
}

impl Runner {
    pub(crate) fn new(
        executors: Executors,
        tasks: TaskTracker,
        stop: CancellationToken,
        most: usize,
    ) -> Self {
        Self {
            executors,
            live: Mutex::default(),
            events: broadcast::channel(1024).0,
            tasks,
            stop,
            most,
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<String, Live>) -> R) -> Option<R> {
        self.live.lock().ok().map(|mut live| act(&mut live))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.with(|live| live.len() >= self.most).unwrap_or(true)
    }

    pub(crate) fn open(&self) -> usize {
        self.with(|live| live.len()).unwrap_or(0)
    }

    /// Whether an operation runs in this process.
    pub(crate) fn runs(&self, id: &str) -> bool {
        self.with(|live| live.contains_key(id)).unwrap_or(true)
    }

    pub(crate) fn live(&self, id: &str) -> Option<Operation> {
        self.with(|live| live.get(id).map(|live| live.operation.clone()))
            .flatten()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Operation> {
        self.events.subscribe()
    }

    pub(crate) fn show(&self, operation: &Operation) {
        self.with(|live| {
            if let Some(live) = live.get_mut(&operation.id) {
                operation.clone_into(&mut live.operation);
            }
        });
        if self.events.receiver_count() > 0 {
            // Nobody listens any more: nothing is lost by that.
            let _ = self.events.send(operation.clone());
        }
    }

    pub(crate) fn cancel(&self, id: &str) {
        self.with(|live| {
            if let Some(live) = live.get_mut(id) {
                live.cancelled = true;
            }
        });
    }

    pub(crate) fn is_cancelled(&self, id: &str) -> bool {
        self.with(|live| live.get(id).is_some_and(|live| live.cancelled))
            .unwrap_or(false)
    }

    pub(crate) async fn ended(&self, id: &str) {
        let watch = self
            .with(|live| live.get(id).map(|live| live.ended.subscribe()))
            .flatten();
        if let Some(mut watch) = watch {
            // An error means that the task is gone, which is an end too.
            let _ = watch.wait_for(|ended| *ended).await;
        }
    }

    /// Tells a running operation that somebody took a volume's lock from it: what it waits for does not count any more.
    pub(crate) fn take_lock(&self, id: &str) {
        self.with(|live| {
            if let Some(live) = live.get(id) {
                live.lock_taken.send_modify(|times| *times += 1);
            }
        });
    }

    /// Resolves when somebody takes a lock from this operation from now on.
    pub(crate) fn lock_taken(&self, id: &str) -> impl Future<Output = ()> + Send + use<> {
        let watch = self
            .with(|live| live.get(id).map(|live| live.lock_taken.subscribe()))
            .flatten();
        async move {
            if let Some(mut watch) = watch
                && watch.changed().await.is_ok()
            {
                return;
            }
            std::future::pending().await
        }
    }

    /// Carries something out to its end, whether or not somebody waits for it. None where the process ends before that.
    pub(crate) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let stop = self.stop.clone();
        let work = async move { stop.run_until_cancelled(work).await };
        self.tasks.spawn(work).await.ok().flatten()
    }

    /// Carries out an operation that was journalled a moment ago.
    pub(crate) fn spawn(&self, control: Control, operation: Stored<Operation>) {
        self.carry(control, operation, false);
    }

    /// Goes on with an operation of the journal, unless it runs already.
    pub(crate) fn resume(&self, control: Control, operation: Stored<Operation>) {
        self.carry(control, operation, true);
    }

    fn carry(&self, control: Control, operation: Stored<Operation>, resumed: bool) {
        let id = operation.id.clone();
        let live = Live {
            operation: operation.record.clone(),
            cancelled: operation.cancel_requested,
            ended: watch::channel(false).0,
            lock_taken: watch::channel(0).0,
        };
        let new = self.with(|all| match all.entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                slot.insert(live);
                true
            }
        });
        if new != Some(true) {
            return;
        }
        let executor = self.executors.map.get(&operation.verb).cloned();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let work = carry_out(control.patient(), operation, resumed, executor);
            // A host that stops leaves the operation open: the journal says where to go on.
            let _ = stop.run_until_cancelled(work).await;
            control.runner().with(|all| {
                if let Some(live) = all.remove(&id) {
                    live.ended.send_replace(true);
                }
            });
        });
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
    control: Control,
    operation: Stored<Operation>,
    resumed: bool,
    executor: Option<Arc<dyn Executor>>,
) {
    let mut operation = operation;
    let mut pause = PAUSE;
    let (mut again, mut failures) = (resumed, 0);
    let until = Instant::now() + operation.time_left(control.now());
    loop {
        if again {
            // It may have ended since it was read.
            match control.store().get::<Operation>(&operation.id).await {
                Ok(Some(now)) if !now.state.is_terminal() => operation = now,
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(operation = %operation.id, %error, "the journal cannot be read");
                    return;
                }
            }
        }
        let Some(error) = attempt(&control, operation.clone(), executor.as_deref()).await else {
            return;
        };
        again = true;
        // Only an operator who moves the volume overtakes an operation: it has not failed, and its array may have done its part.
        if lock::is_overtaken(&error) && Instant::now() < until {
            tracing::info!(operation = %operation.id, why = %error.message, "an operation is carried out again");
            sleep(PAUSE).await;
            continue;
        }
        failures += 1;
        tracing::error!(operation = %operation.id, failures, error = %error.message, "an operation could not be ended in order");
        if failures == RUNS || executor.is_none() {
            return abandon(&control, &operation.id, error).await;
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}

/// One run. Gives what kept it from ending the operation.
async fn attempt(
    control: &Control,
    operation: Stored<Operation>,
    executor: Option<&dyn Executor>,
) -> Option<OperationError> {
    let mut run = Run::new(control.clone(), operation);
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
pub(super) fn told(operation: &Operation) {
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
