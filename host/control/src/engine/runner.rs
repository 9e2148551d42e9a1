//! Carries operations out in the background, each in a task of its own, and knows those that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use springform_model::operation::{Operation, OperationError, Verb};
use springform_store::{Changes, Stored};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Run, failure};
use crate::Control;

/// Carries out one kind of operation.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Carries it out or goes on with it. It ends the operation itself, in the commit that changes the subject
    /// ([`Run::finish`], then [`Run::settle`] or [`Run::commit`]).
    ///
    /// # Errors
    /// Only what kept it from doing that: the operation is then failed without its subject.
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

    /// Carries something out to its end, whether or not somebody waits for it. None where the process ends before that.
    pub(crate) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.tasks.spawn(work).await.ok()
    }

    pub(crate) fn spawn(&self, control: Control, operation: Stored<Operation>) {
        let id = operation.id.clone();
        let live = Live {
            operation: operation.record.clone(),
            cancelled: false,
            ended: watch::channel(false).0,
        };
        self.with(|all| all.insert(id.clone(), live));
        let executor = self.executors.map.get(&operation.verb).cloned();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let work = carry_out(control.clone(), operation, executor);
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

async fn carry_out(
    control: Control,
    operation: Stored<Operation>,
    executor: Option<Arc<dyn Executor>>,
) {
    let mut run = Run::new(control, operation);
    let outcome = match executor {
        Some(executor) => executor.run(&mut run).await,
        None => Err(failure(
            "unsupported",
            "this release cannot carry out operations of this kind",
        )),
    };
    if run.operation().state.is_terminal() && outcome.is_ok() {
        return;
    }
    let error = outcome
        .err()
        .unwrap_or_else(|| failure("internal", "the operation ended without an outcome"));
    tracing::error!(operation = %run.operation().id, error = %error.message, "an operation could not be ended in order");
    run.finish(Some(error));
    if let Err(error) = run.commit(Changes::new()).await {
        tracing::error!(operation = %run.operation().id, %error, "its failure could not be journalled");
    }
}
