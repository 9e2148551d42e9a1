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

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tower::Service;

pub use auth::{
    Auth, DEFAULT_PROJECT, Keystone, KeystoneConfig, KeystoneError, Policy, PolicyError,
    TokenFileError, Tokens,
};
pub use nova::NovaService;
pub use secret_file::{SecretFileError, read_secret_file};
pub use serve::{Answers, Certificate, Tls, TlsError, serve, serve_tls};
pub use starting::{Opening, Starting, starting};
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

/// The whole API as one service.
pub fn router(state: ApiState) -> ApiRouter {
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
    let routes = inner.fallback(|| async { unknown_path() });
    ApiRouter { routes, state }
}

/// The whole API: what happens around every request, and the table of routes.
///
/// No [`Router`]: the project is taken off a path before that is routed, and a router within a router routes twice.
#[derive(Clone)]
pub struct ApiRouter {
    routes: Router,
    state: Arc<State>,
}

impl std::fmt::Debug for ApiRouter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiRouter").finish_non_exhaustive()
    }
}

impl Service<Request> for ApiRouter {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (mut routes, state) = (self.routes.clone(), Arc::clone(&self.state));
        Box::pin(async move {
            let (request, inbound) = layers::enter(request);
            let next = async move |request: Request| match routes.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            Ok(layers::around(state, inbound, request, next).await)
        })
    }
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
            let Ok(parts) = parts else {
                return ApiError::invalid("Malformed request url").into_response();
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
