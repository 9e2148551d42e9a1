//! Answers, written straight from records to bytes.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::ApiError;

/// What a handler answers.
pub type Answer = Result<Response, ApiError>;

/// A JSON answer.
///
/// # Errors
/// 500 where a record cannot be written, which is a defect of ours.
pub fn json<T: Serialize>(status: u16, value: &T) -> Answer {
    json_of_about(status, value, 1024)
}

/// A JSON answer of about so many bytes.
///
/// # Errors
/// As [`json`].
pub fn json_of_about<T: Serialize>(status: u16, value: &T, about: usize) -> Answer {
    let mut bytes = Vec::with_capacity(about);
    serde_json::to_writer(&mut bytes, value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not write its answer.",
        )
    })?;
    // A long answer may wait for a slow client; it does so in hardly more memory than it needs.
    if bytes.capacity() - bytes.len() > bytes.len() / 8 {
        bytes.shrink_to_fit();
    }
    Ok(bytes_of_json(status, bytes))
}

/// Bytes that a value takes as JSON.
#[must_use]
pub fn written<T: Serialize>(value: &T) -> usize {
    let mut bytes = Vec::with_capacity(1024);
    // Whoever writes it in earnest says why it cannot be written.
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

/// `{"<key>": value}`.
#[derive(Debug)]
pub struct Under<K, T>(pub K, pub T);

impl<K: AsRef<str>, T: Serialize> Serialize for Under<K, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0.as_ref(), &self.1)?;
        map.end()
    }
}
