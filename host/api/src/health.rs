//! Is it alive, is it ready, what does it count, what does it speak.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::state::State;

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "OK"
}

/// `GET /readyz`: it answers only once the router is served, which is after the journal has been taken up again.
///
/// Backends that are down do not count: the host serves what it can, and `GET /v3/os-services` says what it cannot.
///
/// 503 with the reason while the database does not answer or the host is stopping.
pub async fn readyz(Shared(state): Shared<Arc<State>>) -> Response {
    match state.control.ready().await {
        Ok(()) => "OK".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason).into_response(),
    }
}

/// `GET /metrics`, in the OpenMetrics text format.
pub async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let without_end = |text: String| text.trim_end().trim_end_matches("# EOF").to_owned();
    let mut text = without_end(state.metrics.encode());
    text.push_str(&without_end(state.control.metrics_text()));
    text.push_str("# EOF\n");
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

/// `GET /openapi.json`.
pub async fn openapi(Shared(state): Shared<Arc<State>>) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        state.openapi.clone(),
    )
        .into_response()
}
