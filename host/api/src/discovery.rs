//! Version discovery: what clients read before they send a token.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::http::{Version, base, stamp};
use crate::serve::Peer;
use crate::state::State;

/// Where the request comes from; none in tests without a socket.
type Peered = Option<Extension<Peer>>;

fn document(base: &str) -> Value {
    json!({"versions": [{
        "id": "v3.0",
        "status": "CURRENT",
        "version": format!("3.{}", Version::MAX.0),
        "min_version": format!("3.{}", Version::MIN.0),
        "updated": "2023-08-31T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": format!("{base}/v3/")},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }]})
}

/// `GET /`: every version there is, as a choice (300).
pub async fn root(Shared(state): Shared<Arc<State>>, peer: Peered, headers: HeaderMap) -> Response {
    (
        StatusCode::MULTIPLE_CHOICES,
        axum::Json(document(&base(&state, peer.map(|peer| peer.0), &headers))),
    )
        .into_response()
}

/// `GET /v3/`: this version.
pub async fn v3(Shared(state): Shared<Arc<State>>, peer: Peered, headers: HeaderMap) -> Response {
    match Version::of(&headers) {
        Ok(version) => {
            let mut response =
                axum::Json(document(&base(&state, peer.map(|peer| peer.0), &headers)))
                    .into_response();
            stamp(response.headers_mut(), version);
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /v3`: the same, one slash away.
pub async fn v3_without_slash(
    Shared(state): Shared<Arc<State>>,
    peer: Peered,
    headers: HeaderMap,
) -> Response {
    (
        StatusCode::FOUND,
        [(
            header::LOCATION,
            format!("{}/v3/", base(&state, peer.map(|peer| peer.0), &headers)),
        )],
    )
        .into_response()
}

/// `GET /healthcheck`: as oslo.middleware answers.
pub async fn healthcheck() -> &'static str {
    "OK"
}
