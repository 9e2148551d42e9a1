//! The way of every request to its handler: version, identity, policy, body, call, headers of the answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use springform_control::Caller;

use super::watch;
use super::{ApiError, Call, Params, Route, Version, Wrote};
use crate::limits::Client;
use crate::serve::Peer;
use crate::state::State;

/// What the outer layers found out about a request before it was routed.
#[derive(Debug, Clone, Default)]
pub struct Inbound {
    /// Request id of the answer.
    pub request_id: String,
    /// Project in the path, where there is one.
    pub project: Option<String>,
    /// Path as the client wrote it.
    pub path: String,
}

/// Name of the route that served a request, for the access log and the metrics.
#[derive(Debug, Clone, Copy)]
pub struct RouteName(pub &'static str);

/// Which of the two APIs a route belongs to: they word their errors differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Cinder v3.
    Cinder,
    /// Our own.
    Admin,
}

/// Serves one request on a route.
pub(crate) async fn dispatch(
    state: Arc<State>,
    route: Arc<Route>,
    face: Face,
    parts: RawPathParams,
    request: Request,
) -> Response {
    let version = Version::of(request.headers());
    let shown = version.as_ref().map_or(Version::MIN, |version| *version);
    let answer = match version {
        Ok(version) => serve(&state, &route, face, version, parts, request).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = match (answer, face) {
        (Ok(response), _) => response,
        (Err(refusal), Face::Admin) => refusal.into_admin_response(),
        (Err(refusal), Face::Cinder) => refusal.held_as_cinder(route.path).into_response(),
    };
    if face == Face::Cinder {
        stamp(response.headers_mut(), shown);
    }
    response.extensions_mut().insert(RouteName(route.path));
    response
}

/// Puts the version into an answer, and tells caches that it matters.
pub fn stamp(headers: &mut HeaderMap, version: Version) {
    headers.insert(
        HeaderName::from_static("openstack-api-version"),
        version.header(),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("OpenStack-API-Version"),
    );
}

async fn serve(
    state: &Arc<State>,
    route: &Route,
    face: Face,
    version: Version,
    parts: RawPathParams,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let inbound = head.extensions.get::<Arc<Inbound>>();
    let inbound = inbound.cloned().unwrap_or_default();
    let peer = head.extensions.get::<Peer>().copied();
    let mut caller = identify(state, peer, &head.headers).await?;
    caller.request_id = Some(inbound.request_id.clone());
    caller.address = peer.map(|peer| peer.address.to_string());
    if let Some(project) = &inbound.project {
        state.auth.enter_project(&mut caller, project)?;
    }
    if let Err(refusal) = state.policy.allow(route, &caller) {
        watch::denied(state, face, route, &caller);
        return Err(refusal);
    }
    caller.nova = state.nova_as(&caller, &head.headers);
    let query = Params::parse(head.uri.query().unwrap_or_default())?;
    if (&parts).into_iter().any(|(_, value)| value.contains('\0')) {
        return Err(ApiError::invalid("Malformed request url"));
    }
    let limit = route.body_limit.unwrap_or(state.limits.body_bytes);
    let body = read(body, limit, state.limits.body_timeout).await?;
    if face == Face::Cinder && !body.is_empty() {
        may_be_json(&head.headers)?;
    }
    // Only now: a place is for what we do, not for what clients take their time with.
    let Ok(_place) = Arc::clone(&state.places).try_acquire_owned() else {
        return Err(ApiError::busy(
            "The server works on as many requests as it may. Try again.",
            1,
        ));
    };
    let call = Call {
        state: Arc::clone(state),
        caller,
        version,
        query,
        body,
        if_match: if_match(&head.headers),
        base: base(state, peer, &head.headers),
        inbound,
        parts,
    };
    let response = (route.handler)(call).await?;
    if let Some(wrote) = response.extensions().get::<Wrote>() {
        debug_assert!(
            wrote.is_among(&route.returned, response.status().as_u16()),
            "{route:?} answers {} with {wrote:?}, which is not what it says: {:?}",
            response.status(),
            route.returned,
        );
    }
    Ok(response)
}

/// Finds out who asks, and counts it.
async fn identify(
    state: &State,
    peer: Option<Peer>,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address);
    if state.auth.is_open() {
        let caller = state.auth.identify(headers).await.caller?;
        // Here a caller may have any name.
        let client = match peer {
            Some(_) => Client::Address(address),
            None => Client::User(caller.user_id.clone(), caller.project_id.clone()),
        };
        state.rates.take(&client)?;
        return Ok(caller);
    }
    // An empty one is none, and no guess.
    let sent = |name| {
        let token = headers.get(name).map(HeaderValue::as_bytes);
        token.filter(|token| !token.is_empty())
    };
    let tokens = [sent("x-auth-token"), sent("x-service-token")];
    for token in tokens.into_iter().flatten() {
        if let Err(refusal) = state.tokens.may_try(address, token) {
            watch::braked(state, address);
            return Err(refusal);
        }
    }
    let found = state.auth.identify(headers).await;
    let outcomes = [
        found.caller.as_ref().err(),
        found.service_token.as_ref().err(),
    ];
    for (token, refusal) in tokens.into_iter().zip(outcomes) {
        match (token, refusal) {
            (Some(token), None) => state.tokens.was_right(address, token),
            (Some(token), Some(refusal)) if refusal.status == StatusCode::UNAUTHORIZED => {
                watch::guessed(state, address);
                state.tokens.was_wrong(address, token);
            }
            _ => {}
        }
    }
    let caller = found.caller?;
    let client = Client::User(caller.user_id.clone(), caller.project_id.clone());
    state.rates.take(&client)?;
    Ok(caller)
}

async fn read(body: Body, limit: usize, within: Duration) -> Result<Bytes, ApiError> {
    // Most requests have none, and a timer costs more than to look.
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match tokio::time::timeout(within, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request is too large. The limit is {limit} bytes."),
        )),
        Ok(Err(_)) => Err(ApiError::invalid("The request's body ended early.")),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "The request's body did not arrive in time.",
        )),
    }
}

/// Refuses a body that says of itself that it is something else. `curl --data` and Python's urllib call every body a
/// form, and many scripts do not call it anything.
fn may_be_json(headers: &HeaderMap) -> Result<(), ApiError> {
    const KNOWN: [&str; 3] = [
        "application/json",
        "application/vnd.openstack.volume+json",
        "application/x-www-form-urlencoded",
    ];
    let Some(said) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let said = said.to_str().unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    match KNOWN
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
    {
        true => Ok(()),
        false => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported Content-Type. Send the body as application/json.",
        )),
    }
}

fn if_match(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::IF_MATCH)?.to_str().ok()?;
    Some(text.trim().trim_matches('"').to_owned())
}

/// `http://host:port` as the client reached us, or as the operator says it does.
pub(crate) fn base(state: &State, peer: Option<Peer>, headers: &HeaderMap) -> String {
    if let Some(endpoint) = &state.public_endpoint {
        return endpoint.trim_end_matches('/').to_owned();
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let usable = |host: &&str| {
        host.len() <= 255
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
    };
    let scheme = match peer {
        Some(Peer { secure: true, .. }) => "https",
        _ => "http",
    };
    format!("{scheme}://{}", host.filter(usable).unwrap_or("localhost"))
}
