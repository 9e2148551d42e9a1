//! Numbers for whoever watches, in the OpenMetrics text format.

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use springform_model::contract::{CallError, Reply};
use springform_model::time::Timestamp;

use crate::backend::BackendHandle;
use crate::observer::{ArrayState, BackendState, Numbers};
use crate::registry::Generation;
use crate::{Control, obligations};

type Labels = Vec<(&'static str, String)>;

/// The control plane's numbers.
pub struct Metrics {
    registry: Mutex<Registry>,
    calls: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    up: Family<Labels, Gauge>,
    open: Gauge,
    denied: Family<Labels, Gauge>,
    quarantined: Family<Labels, Gauge>,
    observed: Numbers,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("springform");
        let calls = Family::<Labels, Counter>::default();
        let seconds = Family::<Labels, Histogram, fn() -> Histogram>::new_with_constructor(buckets);
        let up = Family::<Labels, Gauge>::default();
        let open = Gauge::default();
        registry.register("driver_calls", "Calls of drivers by outcome", calls.clone());
        registry.register(
            "driver_call_seconds",
            "Duration of driver calls",
            seconds.clone(),
        );
        registry.register(
            "backend_up",
            "1 when the backend can be given work",
            up.clone(),
        );
        registry.register(
            "operations_open",
            "Operations that have not ended",
            open.clone(),
        );
        let denied = Family::<Labels, Gauge>::default();
        registry.register(
            "driver_denied_requests",
            "Requests of the generation that serves which were denied",
            denied.clone(),
        );
        let quarantined = Family::<Labels, Gauge>::default();
        registry.register(
            "driver_quarantined",
            "1 while calls are kept from the driver because it failed too often",
            quarantined.clone(),
        );
        let observed = Numbers::register(&mut registry);
        Self {
            observed,
            registry: Mutex::new(registry),
            calls,
            seconds,
            up,
            open,
            denied,
            quarantined,
        }
    }

    /// What the driver that serves a backend says of itself.
    fn driver(&self, backend: &BackendHandle, serving: Option<&Generation>) {
        let Some(driver) = serving.map(|serving| &serving.loaded.driver) else {
            return;
        };
        let labels = vec![("backend", backend.name().to_owned())];
        let denied = i64::try_from(driver.denied_requests()).unwrap_or(i64::MAX);
        self.denied.get_or_create(&labels).set(denied);
        let quarantined = i64::from(driver.is_quarantined());
        self.quarantined.get_or_create(&labels).set(quarantined);
        self.forget_gone(backend);
    }

    pub(crate) fn called(
        &self,
        backend: &str,
        call: &str,
        took: Duration,
        outcome: &Result<Reply, CallError>,
    ) {
        let outcome = match outcome {
            Ok(_) => "ok",
            Err(CallError::Pending(_)) => "pending",
            Err(CallError::Failed(_)) => "failed",
            Err(CallError::Fault(_)) => "fault",
        };
        let labels = vec![("backend", backend.to_owned()), ("call", call.to_owned())];
        self.seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        let mut labels = labels;
        labels.push(("outcome", outcome.to_owned()));
        self.calls.get_or_create(&labels).inc();
    }

    /// Whether a backend can be given work.
    pub(crate) fn backend(&self, backend: &BackendHandle, up: bool) {
        self.up
            .get_or_create(&vec![("backend", backend.name().to_owned())])
            .set(i64::from(up));
        self.forget_gone(backend);
    }

    /// A backend may go while something is being said of it, and would then be spoken of for ever.
    fn forget_gone(&self, backend: &BackendHandle) {
        if backend.gone.is_cancelled() {
            self.forget(backend.name());
        }
    }

    /// The backend is not configured any more: nothing of it is said from now on but what was counted.
    pub(crate) fn forget(&self, backend: &str) {
        let labels = vec![("backend", backend.to_owned())];
        self.up.remove(&labels);
        self.denied.remove(&labels);
        self.quarantined.remove(&labels);
    }

    pub(crate) fn open(&self, open: usize) {
        self.open.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// What was observed of replication.
    pub(crate) fn observed(&self) -> &Numbers {
        &self.observed
    }

    /// Lets another module add its own numbers.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        if let Ok(mut registry) = self.registry.lock() {
            add(&mut registry);
        }
    }

    /// In the OpenMetrics text format, without its end mark.
    pub(crate) fn text(&self, now: Timestamp, backends: &[BackendState]) -> String {
        let mut text = String::new();
        // One reader at a time: the numbers are written anew for each.
        if let Ok(registry) = self.registry.lock() {
            self.observed.bring_up_to(now, backends);
            if let Err(error) = encode_registry(&mut text, &registry) {
                tracing::warn!(%error, "the metrics could not be written");
            }
        }
        text
    }
}

impl Control {
    /// Numbers as OpenMetrics text, without its end mark. What the database does not tell now is what it told last.
    pub async fn metrics_text(&self) -> String {
        self.metrics().open(self.runner().open());
        let mut backends = Vec::new();
        for handle in self.backends() {
            let state = self.counted(&handle);
            let targets: Vec<String> = state.arrays.iter().map(|a| a.target.clone()).collect();
            let owed = obligations::counted(self.store(), handle.name(), &targets).await;
            if let Ok(owed) = owed {
                self.metrics().observed().owed(handle.name(), owed);
            }
            let serving = self.generation(handle.name());
            self.metrics().driver(&handle, serving.as_deref());
            backends.push(state);
        }
        self.metrics().text(self.now(), &backends)
    }

    fn counted(&self, handle: &BackendHandle) -> BackendState {
        let (health, facts) = (handle.status().health, self.facts(handle.name()));
        let config = handle.config();
        let arrays = config.targets.iter().map(|target| {
            let facts = facts.iter().find(|f| f.target == target.name);
            let health = health.iter().find(|h| h.target == target.name);
            ArrayState {
                target: target.name.clone(),
                reachable: health.map(|h| h.reachable),
                distrusted: facts.is_some_and(|f| f.distrust.is_some()),
                clock_skew_seconds: facts.and_then(|f| f.clock).map(|clock| clock.seconds),
            }
        });
        BackendState {
            backend: handle.name().to_owned(),
            since: self.since(handle),
            arrays: arrays.collect(),
        }
    }
}
