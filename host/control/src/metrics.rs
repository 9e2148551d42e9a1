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
        Self {
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
    pub(crate) fn driver(&self, backend: &str, denied: u64, quarantined: bool) {
        let labels = vec![("backend", backend.to_owned())];
        let denied = i64::try_from(denied).unwrap_or(i64::MAX);
        self.denied.get_or_create(&labels).set(denied);
        self.quarantined
            .get_or_create(&labels)
            .set(i64::from(quarantined));
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
    pub(crate) fn backend(&self, backend: &str, up: bool) {
        self.up
            .get_or_create(&vec![("backend", backend.to_owned())])
            .set(i64::from(up));
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

    /// Lets another module add its own numbers.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        if let Ok(mut registry) = self.registry.lock() {
            add(&mut registry);
        }
    }

    /// In the OpenMetrics text format, without its end mark. What is not counted as it happens is set by `bring_up_to_date`.
    pub(crate) fn text(&self, bring_up_to_date: impl FnOnce()) -> String {
        let mut text = String::new();
        // One reader at a time: the numbers are written anew for each.
        if let Ok(registry) = self.registry.lock() {
            bring_up_to_date();
            if let Err(error) = encode_registry(&mut text, &registry) {
                tracing::warn!(%error, "the metrics could not be written");
            }
        }
        text
    }
}
