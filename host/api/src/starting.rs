//! What a host answers before it can serve. It listens at once, so that whoever watches sees a host that is starting and not one that
//! is gone: compiling the drivers of a new configuration may take a minute.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::http::ApiError;

/// Seconds after which a client may ask again.
const RETRY_AFTER: u64 = 2;

/// The place that the whole API takes once the host can serve.
#[derive(Debug, Clone, Default)]
pub struct Opening(Arc<OnceLock<Router>>);

impl Opening {
    /// Serves this from now on. Once; a second call changes nothing.
    pub fn open(&self, router: Router) {
        drop(self.0.set(router));
    }
}

/// A router that says it is starting until its [`Opening`] is opened: `/healthz` is 200, everything else 503 with `Retry-After`.
pub fn starting() -> (Router, Opening) {
    let opening = Opening::default();
    let whole = opening.clone();
    let router = Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let whole = whole.0.get().cloned();
        async move {
            match whole {
                Some(whole) => whole.oneshot(request).await,
                None => Ok::<_, Infallible>(not_yet(request.uri().path())),
            }
        }
    }));
    (router, opening)
}

fn not_yet(path: &str) -> Response {
    if path == "/healthz" {
        return "OK".into_response();
    }
    ApiError::busy(
        "The host is starting: it loads its drivers and takes up its journal.",
        RETRY_AFTER,
    )
    .into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ::http::StatusCode;
    use axum::body::Body;
    use axum::routing::get;

    use super::*;

    async fn status(router: &Router, path: &str) -> (StatusCode, bool) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let hinted = answer.headers().contains_key("retry-after");
        (answer.status(), hinted)
    }

    #[tokio::test]
    async fn a_host_that_starts_is_alive_and_not_ready_until_it_is_opened() {
        let (router, opening) = starting();
        assert_eq!(status(&router, "/healthz").await, (StatusCode::OK, false));
        for path in ["/readyz", "/v3/volumes", "/healthcheck"] {
            let busy = (StatusCode::SERVICE_UNAVAILABLE, true);
            assert_eq!(status(&router, path).await, busy, "{path}");
        }
        opening.open(Router::new().route("/readyz", get(|| async { "OK" })));
        assert_eq!(status(&router, "/readyz").await, (StatusCode::OK, false));
        let unknown = (StatusCode::NOT_FOUND, false);
        assert_eq!(status(&router, "/v3/volumes").await, unknown);
    }
}
