//! Is it alive, is it ready, what does it count, what does it speak.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use crate::exposition::Exposition;
use crate::state::State;

/// Whether a path is asked for by whoever watches over the host: answered as long as anything is.
pub(crate) fn is_about_health(path: &str) -> bool {
    ["/healthz", "/readyz", "/healthcheck"].contains(&path)
}

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "OK"
}

/// `GET /readyz`: asked only once the drivers are loaded and the journal has been taken up again; [`crate::starting`] answers before.
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

/// `GET /metrics`, in the text format that the client prefers.
pub async fn metrics(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    let format = Exposition::wanted(&headers);
    let numbers = state.metrics.encode() + &state.control.metrics_text().await;
    (
        [
            (header::CONTENT_TYPE, format.content_type()),
            (header::VARY, "accept"),
        ],
        format.render(&numbers),
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
