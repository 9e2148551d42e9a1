//! The tasks of a host: they end when the host stops, and a stop waits for them.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts tasks; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a task until it ends or the host stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_then(task, || ());
    }

    /// The same; `then` is done at once when the task has ended or the host stops.
    pub(crate) fn spawn_then(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            // A stop is not an error: what a task keeps is stored, and the journal says where an operation goes on.
            let _ = stop.run_until_cancelled(task).await;
            then();
        });
    }

    /// Carries something out to its end, whether or not somebody waits for it. None where the process ends before that.
    pub(crate) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let stop = self.stop.clone();
        let work = async move { stop.run_until_cancelled(work).await };
        self.tracker.spawn(work).await.ok().flatten()
    }

    /// From now on the host is stopping; what runs goes on.
    pub(crate) fn close(&self) {
        self.tracker.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.tracker.is_closed()
    }

    /// Stops every task and waits until each has ended.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.wait().await;
    }
}
