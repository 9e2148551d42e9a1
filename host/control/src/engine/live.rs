//! The operations that are open in this process: how each stands, whether somebody asked it to stop, and when it ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;

use springform_model::operation::Operation;
use tokio::sync::{broadcast, watch};

struct Live {
    operation: Operation,
    cancelled: bool,
    ended: watch::Sender<bool>,
    /// Counts how often somebody took a volume's lock from it.
    lock_taken: watch::Sender<u64>,
}

/// The operations that are open in this process.
pub(crate) struct LiveOperations {
    live: Mutex<HashMap<String, Live>>,
    events: broadcast::Sender<Operation>,
    most: usize,
}

impl LiveOperations {
    /// None yet, and no more than this at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            live: Mutex::default(),
            events: broadcast::channel(1024).0,
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

    pub(crate) fn get(&self, id: &str) -> Option<Operation> {
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

    /// Takes an operation in. False where it is open here already.
    pub(super) fn add(&self, operation: &Operation) -> bool {
        let live = Live {
            operation: operation.clone(),
            cancelled: operation.cancel_requested,
            ended: watch::channel(false).0,
            lock_taken: watch::channel(0).0,
        };
        let new = self.with(|all| match all.entry(operation.id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                slot.insert(live);
                true
            }
        });
        new == Some(true)
    }

    /// Lets those go on who wait for its end.
    pub(super) fn remove(&self, id: &str) {
        self.with(|all| {
            if let Some(live) = all.remove(id) {
                live.ended.send_replace(true);
            }
        });
    }
}
