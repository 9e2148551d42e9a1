//! One REST request over the wire: read, perhaps mistreated, answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::answer::{Body, dripping, whole};
use crate::core::key::ArrayIx;
use crate::fault::{FaultKind, FaultSpec, jittered};
use crate::rest::query::decode;
use crate::rest::{Query, Reply, Request, Verb, handle};
use crate::shared::{LogLine, Shared};

const BODY_LIMIT: usize = 16 << 20;

/// Answers one request. An error closes the connection without an answer.
pub async fn answer(
    shared: Arc<Shared>,
    ix: ArrayIx,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let bytes = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    let path = parts.uri.path().to_owned();
    let short = short_path(&path).to_owned();
    let raw_query = parts.uri.query().unwrap_or_default();
    let query_text = decode(raw_query);
    let Some(front) = shared.fronts.get(ix.0) else {
        return Err(std::io::Error::other("no such array"));
    };
    let faults = {
        let mut book = front.faults();
        if book.is_empty() {
            Vec::new()
        } else {
            book.strike(parts.method.as_str(), &short, &query_text)
        }
    };
    let (latency, jitter) = *front.latency();
    if latency + jitter > 0 {
        tokio::time::sleep(jittered(latency, jitter)).await;
    }
    let word = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let mut line = LogLine {
        ts: 0,
        method: parts.method.to_string(),
        path: short,
        query: query_text,
        status: None,
        faults: faults.iter().map(|fault| fault.kind).collect(),
        user_agent: word("user-agent").unwrap_or_default(),
    };
    let mut main = None;
    for fault in faults {
        if fault.kind == FaultKind::Latency {
            tokio::time::sleep(fault.delay()).await;
        } else {
            main = Some(fault);
        }
    }
    let kind = main.as_ref().map(|fault| fault.kind);
    if let Some(FaultKind::Refuse | FaultKind::Hang) = kind {
        line.ts = shared.world().now();
        front.note(line);
        if kind == Some(FaultKind::Hang) {
            std::future::pending::<()>().await;
        }
        return Err(std::io::Error::other("refused on request"));
    }
    if let Some(fault) = main.as_ref().filter(|_| kind == Some(FaultKind::Status)) {
        line.ts = shared.world().now();
        let response = made_up(fault);
        line.status = Some(response.status().as_u16());
        front.note(line);
        return Ok(response);
    }
    let request = read(
        &parts.method,
        path,
        raw_query,
        word("x-auth-token"),
        word("api-token"),
        &bytes,
    );
    let reply = match request {
        Ok(request) => {
            let mut world = shared.world();
            line.ts = world.now();
            if kind == Some(FaultKind::Twice) {
                handle(&mut world, ix, &request);
            }
            handle(&mut world, ix, &request)
        }
        Err(error) => Reply::refusal(&error),
    };
    if shared.log_requests {
        tracing::info!(
            array = ix.0,
            method = line.method,
            path = line.path,
            query = line.query,
            status = reply.status
        );
    }
    line.status = Some(reply.status).filter(|_| kind != Some(FaultKind::DropAfterActing));
    front.note(line);
    let body = match &reply.body {
        Some(body) => Bytes::from(serde_json::to_vec(body).map_err(std::io::Error::other)?),
        None => Bytes::new(),
    };
    let body = match (kind, &main) {
        (Some(FaultKind::DropAfterActing), _) => {
            return Err(std::io::Error::other("dropped on request"));
        }
        (Some(FaultKind::AnswerLate), Some(fault)) => {
            tokio::time::sleep(fault.delay()).await;
            whole(body)
        }
        (Some(FaultKind::TruncatedJson), _) => whole(body.slice(..body.len() / 2)),
        (Some(FaultKind::SlowDrip), Some(fault)) => dripping(body, fault.delay()),
        _ => whole(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status(reply.status);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(session) = reply
        .session
        .and_then(|text| HeaderValue::from_str(&text).ok())
    {
        headers.insert("x-auth-token", session);
    }
    let ahead = front.date_ahead.load(Ordering::SeqCst);
    if let Some(date) = (ahead != 0).then(|| dated(ahead)).flatten() {
        headers.insert(header::DATE, date);
    }
    if let Some(id) = parts.headers.get("x-request-id") {
        headers.insert("x-request-id", id.clone());
    }
    Ok(response)
}

/// The date of an array whose clock is this far ahead.
fn dated(ahead: i64) -> Option<HeaderValue> {
    let by = Duration::from_secs(ahead.unsigned_abs());
    let now = SystemTime::now();
    let time = match ahead < 0 {
        true => now.checked_sub(by),
        false => now.checked_add(by),
    };
    HeaderValue::from_str(&httpdate::fmt_http_date(time?)).ok()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The path after `/api/2.x/`; other paths as they are, without the first slash.
fn short_path(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    match path
        .strip_prefix("api/")
        .and_then(|rest| rest.split_once('/'))
    {
        Some((version, rest)) if version.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => path,
    }
}

fn read(
    method: &Method,
    path: String,
    query: &str,
    session: Option<String>,
    api_token: Option<String>,
    body: &[u8],
) -> Result<Request, crate::core::error::ApiError> {
    use crate::core::error::ApiError;
    let verb = match method.as_str() {
        "GET" => Verb::Get,
        "POST" => Verb::Post,
        "PATCH" => Verb::Patch,
        "PUT" => Verb::Put,
        "DELETE" => Verb::Delete,
        _ => return Err(ApiError::status(405, "Method not allowed.")),
    };
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(body).map_err(|_| ApiError::bad("Invalid JSON body."))?
    };
    Ok(Request {
        verb,
        path: decode(&path),
        query: Query::parse(query),
        session,
        api_token,
        body,
    })
}

fn made_up(fault: &FaultSpec) -> Response<Body> {
    let code = fault.status.unwrap_or(500);
    let default = || match code {
        429 => "Too many requests".to_owned(),
        503 => "Server is busy".to_owned(),
        401 => "Authorization is invalid: the session is unknown or has expired.".to_owned(),
        403 => "Forbidden".to_owned(),
        _ => "Internal error".to_owned(),
    };
    let (kind, body) = match &fault.body {
        Some(Value::String(text)) => ("text/html", text.clone()),
        Some(json) => ("application/json", json.to_string()),
        None => {
            let error = crate::core::error::ApiError::status(code, default());
            ("application/json", error.body().to_string())
        }
    };
    let mut response = Response::new(whole(Bytes::from(body)));
    *response.status_mut() = status(code);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = fault.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
