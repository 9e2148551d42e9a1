//! Answers, written straight from records to bytes.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{ApiError, Wrote};

/// What a handler answers.
pub type Answer = Result<Response, ApiError>;

/// Bytes that most answers fit into.
const USUAL: usize = 2 << 10;
/// An answer of more bytes than this is a long one.
const LONG: usize = 16 << 10;

/// A JSON answer.
///
/// # Errors
/// 500 where a record cannot be written, which is a defect of ours.
pub fn json<T: Serialize>(status: u16, value: &T) -> Answer {
    json_as::<T>(status, value, USUAL)
}

/// A JSON answer of about so many bytes, written by something that writes what a `T` is.
///
/// # Errors
/// As [`json`].
pub fn json_as<T>(status: u16, value: &impl Serialize, about: usize) -> Answer {
    let mut bytes = Vec::with_capacity(about);
    serde_json::to_writer(&mut bytes, value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not write its answer.",
        )
    })?;
    // A long answer may wait for a slow client; it does so in hardly more memory than it needs.
    if bytes.len() > LONG && bytes.capacity() - bytes.len() > bytes.len() / 8 {
        bytes.shrink_to_fit();
    }
    let mut response = bytes_of_json(status, bytes);
    if cfg!(debug_assertions) {
        response.extensions_mut().insert(Wrote::a::<T>());
    }
    Ok(response)
}

/// Bytes that a value takes as JSON.
#[must_use]
pub fn written<T: Serialize>(value: &T) -> usize {
    let mut bytes = Vec::with_capacity(1024);
    // An error is told when the answer itself is written.
    let _ = serde_json::to_writer(&mut bytes, value);
    bytes.len()
}

/// A JSON answer that is written already.
#[must_use]
pub fn bytes_of_json(status: u16, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// An answer without a body.
///
/// # Errors
/// None; it has the shape of a handler's answer.
pub fn empty(status: u16) -> Answer {
    Ok(StatusCode::from_u16(status)
        .unwrap_or(StatusCode::OK)
        .into_response())
}
