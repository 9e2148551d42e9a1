//! What happens to every request before and after its route: identity of the request, access log, deadline, panics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use tokio::time::Instant;
use uuid::Uuid;

use crate::browsers;
use crate::health::is_about_health;
use crate::http::{ApiError, Inbound, RouteName};
use crate::state::State;

/// Takes `/v3/<project>/…` apart: the project, and the path that is routed.
///
/// Every collection's name has a letter beyond `f`, so a segment of hexadecimal digits is a project and nothing else.
fn split_project(path: &str) -> Option<(String, String)> {
    let rest = path.strip_prefix("/v3/")?;
    let (first, tail) = rest.split_once('/').unwrap_or((rest, ""));
    let is_project = !first.is_empty()
        && first
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-');
    is_project.then(|| (first.to_owned(), format!("/v3/{tail}")))
}

/// Names the request and strips the project off its path, before it is routed.
pub fn enter(mut request: Request) -> (Request, Arc<Inbound>) {
    let path = request.uri().path().to_owned();
    let (project, routed) = split_project(&path).unzip();
    if let Some(routed) = routed {
        rewrite(&mut request, &routed);
    }
    let inbound = Arc::new(Inbound {
        request_id: format!("req-{}", Uuid::new_v4()),
        project,
        path,
    });
    request.extensions_mut().insert(Arc::clone(&inbound));
    (request, inbound)
}

fn rewrite(request: &mut Request, path: &str) {
    let text = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(uri) = text.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// Lets in, times, counts and logs a request, and turns a panic into a 500.
pub async fn around<F>(
    state: Arc<State>,
    inbound: Arc<Inbound>,
    request: Request,
    next: F,
) -> Response
where
    F: AsyncFnOnce(Request) -> Response,
{
    let begun = Instant::now();
    let method = request.method().clone();
    let mut response = match may_come_in(&state, &request) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => {
            state.metrics.in_flight.inc();
            let response = guarded(next(request), state.limits.request_timeout).await;
            state.metrics.in_flight.dec();
            response
        }
    };
    let id = HeaderValue::from_str(&inbound.request_id)
        .unwrap_or_else(|_| HeaderValue::from_static("req-unknown"));
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-compute-request-id"), id.clone());
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-openstack-request-id"), id);
    let route = response
        .extensions()
        .get::<RouteName>()
        .map_or("none", |name| name.0);
    let status = response.status().as_u16();
    let took = begun.elapsed();
    state
        .metrics
        .count(&method, route, status, took.as_secs_f64());
    tracing::info!(
        target: "springform_api::access",
        request = %inbound.request_id, %method, path = %inbound.path, route, status,
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    );
    response
}

/// Where nobody is asked who they are, whoever makes a browser ask would be an administrator.
fn may_come_in(state: &State, request: &Request) -> Result<(), ApiError> {
    if !state.auth.is_open() || is_about_health(request.uri().path()) {
        return Ok(());
    }
    browsers::check(
        request.method(),
        request.uri(),
        request.headers(),
        state.public_endpoint.as_deref(),
    )
}

async fn guarded(work: impl Future<Output = Response>, within: Duration) -> Response {
    match tokio::time::timeout(within, std::panic::AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a request ended in a panic");
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server has encountered an unexpected error.",
            )
            .into_response()
        }
        Err(_) => ApiError::busy(
            "The request took longer than the server allows; what it began goes on.",
            5,
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hexadecimal_segment_is_a_project() {
        let split =
            |path: &str| split_project(path).map(|(project, path)| format!("{project} {path}"));
        assert_eq!(
            split("/v3/ab-12/volumes/detail").as_deref(),
            Some("ab-12 /v3/volumes/detail")
        );
        assert_eq!(split("/v3/ab12").as_deref(), Some("ab12 /v3/"));
        assert_eq!(split("/v3/volumes/ab12"), None);
        assert_eq!(split("/v3/"), None);
        assert_eq!(split("/v3/ABCD/volumes"), None);
    }
}
