//! What the HTTP side counts: requests by route and status, and how long they took.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Served {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    method: &'static str,
    route: &'static str,
}

/// Counters of the HTTP side. Labels are routes, never paths: their number is that of the routes.
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    registry: Registry,
    requests: Family<Served, Counter>,
    seconds: Family<Timed, Histogram>,
    /// Requests being worked on.
    pub in_flight: Gauge<i64, AtomicI64>,
}

/// Methods that are counted by their names.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn histogram() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
    ])
}

impl HttpMetrics {
    /// Counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("springform_http");
        let requests = Family::default();
        registry.register(
            "requests",
            "Requests served, by route and status",
            requests.clone(),
        );
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register_with_unit(
            "request_duration",
            "Time from the request's head to the answer's head",
            Unit::Seconds,
            seconds.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "requests_in_flight",
            "Requests being worked on",
            in_flight.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            in_flight,
        }
    }

    /// Counts one request. Methods that HTTP does not define are counted as one.
    pub fn count(&self, method: &http::Method, route: &'static str, status: u16, seconds: f64) {
        let known = METHODS.into_iter().find(|known| method == known);
        let method = known.unwrap_or("other");
        self.requests
            .get_or_create(&Served {
                method,
                route,
                status,
            })
            .inc();
        self.seconds
            .get_or_create(&Timed { method, route })
            .observe(seconds);
    }

    /// In the text format of OpenMetrics, without its end mark.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode_registry(&mut text, &self.registry).is_err() {
            tracing::error!("the HTTP metrics could not be written");
        }
        text
    }
}
