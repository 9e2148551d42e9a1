//! The HTTP side of Springform: Cinder v3 for tenants and their tools, an admin API, metrics and health.
//!
//! A request goes through [`layers`] (identity, bounds, log), is routed by the table of [`http::Routes`], and reaches
//! its handler as a [`http::Call`] that is authenticated, authorised and read. Handlers parse, call the control plane
//! and write the answer; what a call *means* is decided in `springform-control`.
#![deny(missing_docs)]

mod admin;
mod auth;
mod browsers;
mod cinder;
mod discovery;
mod exposition;
mod health;
pub mod http;
mod layers;
mod limits;
mod metrics;
mod nova;
mod openapi;
mod secret_file;
mod serve;
mod starting;
mod state;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tower::ServiceExt;

pub use auth::{
    Auth, DEFAULT_PROJECT, Keystone, KeystoneConfig, KeystoneError, Policy, PolicyError,
    TokenFileError, Tokens,
};
pub use nova::NovaService;
pub use secret_file::{SecretFileError, read_secret_file};
pub use serve::{Certificate, Tls, TlsError, serve, serve_tls};
pub use starting::{Opening, starting};
pub use state::{ApiState, Limits};

use http::{ApiError, Face, Routes, dispatch, unknown_path};
use state::State;

/// Both tables of routes: Cinder's and our own.
#[must_use]
pub fn all_routes() -> [Routes; 2] {
    [cinder::routes(), admin::routes()]
}

/// The OpenAPI document of this version.
#[must_use]
pub fn openapi_document() -> serde_json::Value {
    let [cinder, admin] = all_routes();
    openapi::document(&cinder, &admin)
}

/// The whole API as one router.
pub fn router(state: ApiState) -> Router {
    let rates = limits::Rates::new(state.limits.requests_per_second, state.limits.burst);
    let places = Arc::new(Semaphore::new(state.limits.concurrency.max(1)));
    let state = Arc::new(State {
        control: state.control,
        auth: state.auth,
        policy: state.policy,
        limits: state.limits,
        public_endpoint: state.public_endpoint,
        nova: state.nova,
        drivers_dir: state.drivers_dir,
        rates,
        tokens: limits::TokenBrake::new(),
        transfer_keys: limits::KeyBrake::new(),
        places,
        metrics: metrics::HttpMetrics::new(),
        openapi: Bytes::from(openapi_document().to_string()),
    });
    let [cinder, admin] = all_routes();
    let mut inner = Router::new()
        .route("/", get(discovery::root))
        .route("/v3", get(discovery::v3_without_slash))
        .route("/v3/", get(discovery::v3))
        .route("/healthcheck", get(discovery::healthcheck))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(health::openapi))
        .with_state(Arc::clone(&state));
    inner = mount(inner, "/v3", Face::Cinder, &cinder, &state);
    inner = mount(inner, "/admin/v1", Face::Admin, &admin, &state);
    let inner = inner.fallback(|| async { unknown_path() });
    Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let (inner, state) = (inner.clone(), Arc::clone(&state));
        async move {
            let request = layers::enter(request);
            let next = async move |request: Request| match inner.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            Ok::<_, std::convert::Infallible>(layers::around(state, request, next).await)
        }
    }))
}

/// Puts a table of routes below a prefix.
fn mount(
    mut router: Router,
    prefix: &str,
    face: Face,
    routes: &Routes,
    state: &Arc<State>,
) -> Router {
    let mut paths: Vec<(String, MethodRouter)> = Vec::new();
    for route in routes.list() {
        let path = format!("{prefix}{}", route.path);
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else {
            continue;
        };
        let (route, state) = (Arc::new(route.clone()), Arc::clone(state));
        let handler = move |parts: Result<RawPathParams, RawPathParamsRejection>,
                            request: Request<Body>| async move {
            let parts = match parts {
                Ok(parts) => parts
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                Err(_) => return ApiError::invalid("Malformed request url").into_response(),
            };
            dispatch(state, route, face, parts, request).await
        };
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, methods)) => *methods = std::mem::take(methods).on(filter, handler),
            None => paths.push((path, on(filter, handler))),
        }
    }
    for (path, methods) in paths {
        let methods = methods.fallback(|| async {
            ApiError::new(
                ::http::StatusCode::METHOD_NOT_ALLOWED,
                "The path does not know this method.",
            )
            .into_response()
        });
        router = router.route(&path, methods);
    }
    router
}
