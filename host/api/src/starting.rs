//! What a host answers before it can serve. It listens at once, so that whoever watches sees a host that is starting and not one that
//! is gone: compiling the drivers of a new configuration may take a minute.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{BoxFuture, Either};
use tower::Service;

use crate::ApiRouter;
use crate::http::ApiError;

/// Seconds after which a client may ask again.
const RETRY_AFTER: u64 = 2;

/// The place that the whole API takes once the host can serve.
#[derive(Debug, Clone, Default)]
pub struct Opening(Arc<OnceLock<ApiRouter>>);

impl Opening {
    /// Serves this from now on. Once; a second call changes nothing.
    pub fn open(&self, router: ApiRouter) {
        drop(self.0.set(router));
    }
}

/// What answers until its [`Opening`] is opened, and hands every request on from then: `/healthz` is 200, everything else 503 with
/// `Retry-After`.
#[derive(Debug, Clone)]
pub struct Starting(Opening);

/// A host that starts, and what opens it.
#[must_use]
pub fn starting() -> (Starting, Opening) {
    let opening = Opening::default();
    (Starting(opening.clone()), opening)
}

type Answer = Result<Response, Infallible>;

impl Service<Request> for Starting {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<BoxFuture<'static, Answer>, Ready<Answer>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.0.0.get() {
            Some(whole) => Either::Left(whole.clone().call(request)),
            None => Either::Right(ready(Ok(not_yet(request.uri().path())))),
        }
    }
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
