//! Errors, in the body that every Cinder client parses: one key named after the kind, with `code` and `message`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::Version;

/// A request that was not carried out, and what its sender is told.
#[derive(Debug)]
pub struct ApiError {
    /// Status of the answer.
    pub status: StatusCode,
    /// What went wrong, for the client. Never a secret, never an internal type.
    pub message: String,
    /// Operation in the way, where there is one.
    pub operation: Option<String>,
    /// Seconds after which trying again may help.
    pub retry_after: Option<u64>,
    /// `WWW-Authenticate`, on a 401.
    pub challenge: Option<String>,
}

impl ApiError {
    /// A refusal with a status and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            operation: None,
            retry_after: None,
            challenge: None,
        }
    }

    /// 400.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 403, as the policy engine words it.
    #[must_use]
    pub fn forbidden(rule: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            format!("Policy doesn't allow {rule} to be performed."),
        )
    }

    /// The status that Cinder has for a record which another operation holds: its state is not one that allows the
    /// call. Attachments are the exception, and clients of theirs wait and ask again.
    #[must_use]
    pub fn held_as_cinder(mut self, path: &str) -> Self {
        let held = self.status == StatusCode::CONFLICT && self.operation.is_some();
        if held && !path.starts_with("/attachments") {
            self.status = StatusCode::BAD_REQUEST;
        }
        self
    }

    /// 401.
    #[must_use]
    pub fn unauthenticated(challenge: &str) -> Self {
        Self {
            challenge: Some(challenge.to_owned()),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "The request you have made requires authentication.",
            )
        }
    }

    /// 503 with a hint when to come back.
    #[must_use]
    pub fn busy(message: impl Into<String>, retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    pub(crate) fn malformed_version(text: &str) -> Self {
        Self::invalid(format!(
            "API Version String {} is of invalid format. Must be of format MajorNum.MinorNum.",
            text.trim()
        ))
    }

    pub(crate) fn unsupported_version(text: &str) -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            format!(
                "Version {text} is not supported by the API. Minimum is 3.{} and maximum is 3.{}.",
                Version::MIN.0,
                Version::MAX.0
            ),
        )
    }

    /// Key under which Cinder puts an error of this status.
    fn key(&self) -> &'static str {
        match self.status.as_u16() {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            409 => "conflictingRequest",
            413 | 429 => "overLimit",
            415 => "badMediaType",
            501 => "notImplemented",
            503 => "serviceUnavailable",
            _ => "computeFault",
        }
    }

    /// The answer of the admin API, which says more than Cinder's.
    #[must_use]
    pub fn into_admin_response(self) -> Response {
        let body = json!({"error": {
            "code": self.status.as_u16(),
            "message": self.message,
            "retryable": self.is_retryable(),
            "operation": self.operation,
        }});
        self.finish(&body)
    }

    fn is_retryable(&self) -> bool {
        let in_the_way = self.status == StatusCode::CONFLICT && self.operation.is_some();
        let soon = self.retry_after.is_some_and(|seconds| seconds > 0);
        in_the_way || soon || matches!(self.status.as_u16(), 429 | 503)
    }

    fn finish(&self, body: &serde_json::Value) -> Response {
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(challenge)) = self.challenge.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(mut self) -> Response {
        // Cinder has no 422: its clients know a request that does not fit the state of things as a bad one.
        if self.status == StatusCode::UNPROCESSABLE_ENTITY {
            self.status = StatusCode::BAD_REQUEST;
        }
        let mut inner = json!({"code": self.status.as_u16(), "message": self.message});
        if let Some(fields) = inner.as_object_mut() {
            if self.key() == "overLimit" {
                fields.insert(
                    "retryAfter".into(),
                    json!(self.retry_after.unwrap_or(0).to_string()),
                );
            }
            if let Some(operation) = &self.operation {
                fields.insert("operation".into(), json!(operation));
            }
        }
        self.finish(&json!({self.key(): inner}))
    }
}

/// What a path that is none answers: HTML, as clients expect from a web server that does not know it.
#[must_use]
pub fn unknown_path() -> Response {
    const PAGE: &str = "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  \
        The resource could not be found.<br /><br />\n </body>\n</html>";
    (
        StatusCode::NOT_FOUND,
        [(header::CONTENT_TYPE, "text/html; charset=UTF-8")],
        PAGE,
    )
        .into_response()
}

impl From<springform_control::ControlError> for ApiError {
    fn from(error: springform_control::ControlError) -> Self {
        use springform_control::ErrorKind;
        let status = match error.kind {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::OverLimit => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut refusal = Self::new(status, error.message);
        refusal.operation = error.operation;
        refusal.retry_after = match error.kind {
            ErrorKind::Unavailable => Some(5),
            // Cinder's own header of a quota that is used up.
            ErrorKind::OverLimit => Some(0),
            _ => None,
        };
        if error.kind == ErrorKind::Internal {
            // The cause is for the log: it may name files and tables.
            tracing::error!(error = %refusal.message, "a request failed inside");
            refusal.message =
                "The server has encountered an unexpected error; its log says which.".to_owned();
        }
        refusal
    }
}
