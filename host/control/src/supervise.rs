//! What goes on beside the requests for one backend, until it is not configured any more: set-up, statistics, observation.

use std::sync::Arc;

use crate::backend::BackendHandle;
use crate::backends::Backends;
use crate::engine::Operations;
use crate::observer::{self, PollInterval};
use crate::watch;

/// Sets a backend up and observes it, until it is not configured any more.
pub(crate) fn supervise(operations: &Operations, backend: Arc<BackendHandle>) {
    // That the database cannot be written says nothing of a backend.
    let patient = operations.patient();
    operations.tasks().spawn(async move {
        let gone = backend.gone.clone();
        let both = async {
            tokio::join!(
                watch::watch(patient.clone(), backend.clone()),
                observe(patient.clone(), backend)
            )
        };
        // That it is gone is no error.
        let _ = gone.run_until_cancelled(both).await;
    });
}

/// Observes the replication of one backend for ever.
async fn observe(operations: Operations, backend: Arc<BackendHandle>) {
    let env = crate::replication::store_env(&operations);
    let pace = PollInterval::steady(operations.config().observe_interval);
    observer::watch(&env, backend.name(), pace, &Seen(&operations)).await;
}

/// What was seen is counted; an array that came back is fenced at once.
struct Seen<'a>(&'a Backends);

impl observer::Watch for Seen<'_> {
    fn seen(&self, watched: &observer::Watched) {
        self.0.observed().seen(watched);
        if watched.tally.targets.values().any(|target| target.back > 0) {
            self.0.settle_soon();
        }
    }
}
