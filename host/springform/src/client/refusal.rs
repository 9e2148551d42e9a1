//! What the host refused, and what to do about it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::show::harmless;

/// The host answered, and refused.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.in_words())]
pub struct Refused {
    status: StatusCode,
    /// The host's reason; none where its answer held none.
    reason: Option<String>,
    operation: Option<String>,
    retryable: bool,
}

impl Refused {
    /// From either of the two shapes of error: the admin API's `{"error": {…}}` or Cinder's `{"<fault>": {…}}`.
    pub(super) fn new(status: StatusCode, answer: &Value) -> Self {
        let inner = answer
            .as_object()
            .and_then(|fields| fields.values().find(|field| field.get("message").is_some()));
        let field = |key: &str| inner.and_then(|error| error.get(key));
        let reason = inner.map(|_| {
            field("message")
                .and_then(Value::as_str)
                .unwrap_or("refused")
        });
        Self {
            status,
            reason: reason.map(harmless),
            operation: field("operation").and_then(Value::as_str).map(harmless),
            retryable: field("retryable").and_then(Value::as_bool) == Some(true),
        }
    }

    fn message(&self) -> String {
        match (&self.reason, self.status) {
            (Some(reason), _) => reason.clone(),
            (None, StatusCode::UNAUTHORIZED) => "the host wants a token".to_owned(),
            (None, StatusCode::NOT_FOUND) => "the host does not know this".to_owned(),
            (None, status) => format!("the host answered {status}"),
        }
    }

    fn in_words(&self) -> String {
        let mut words = self.message();
        if self.reason.is_none() && self.status == StatusCode::UNAUTHORIZED {
            words.push_str(": set SPRINGFORM_TOKEN");
        }
        if let Some(operation) = &self.operation {
            words.push_str(&format!(
                "\n  in the way: operation {operation}; see `springform operation show {operation}`"
            ));
        }
        if self.retryable {
            words.push_str("\n  trying again later may help");
        }
        words
    }

    /// The error for a program. `code` is the name of the HTTP status: `not-found`, `conflict`.
    pub fn to_json(&self) -> Value {
        let name = self.status.canonical_reason().unwrap_or("refused");
        let advice = match (&self.operation, self.status) {
            (Some(operation), _) => Some(format!("springform operation show {operation}")),
            (None, StatusCode::UNAUTHORIZED) => Some("set SPRINGFORM_TOKEN".to_owned()),
            (None, _) if self.retryable => Some("try again later".to_owned()),
            (None, _) => None,
        };
        json!({
            "code": name.to_lowercase().replace(' ', "-"),
            "status": self.status.as_u16(),
            "message": self.message(),
            "advice": advice,
            "operation": self.operation,
            "retryable": self.retryable,
        })
    }
}

#[cfg(test)]
mod tests;
