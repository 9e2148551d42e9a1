//! One REST request, already read from the wire, and its answer.

use serde_json::{Value, json};

use super::query::Query;
use crate::core::error::{ApiError, Res};

/// The methods the array knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read.
    Get,
    /// Create.
    Post,
    /// Change.
    Patch,
    /// Replace.
    Put,
    /// Delete or eradicate.
    Delete,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// The path, from `/api` on.
    pub path: String,
    /// The decoded query.
    pub query: Query,
    /// The `x-auth-token` header.
    pub session: Option<String>,
    /// The `api-token` header.
    pub api_token: Option<String>,
    /// The body; null if there was none.
    pub body: Value,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, if any.
    pub body: Option<Value>,
    /// The `x-auth-token` header.
    pub session: Option<String>,
}

impl Reply {
    /// 200 with a body.
    pub fn body(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
            session: None,
        }
    }

    /// 200 without a body, as after a delete.
    pub fn empty() -> Self {
        Self {
            status: 200,
            body: None,
            session: None,
        }
    }

    /// 200 with a list that is complete.
    pub fn items(items: Vec<Value>) -> Self {
        Self::body(json!({
            "continuation_token": null,
            "more_items_remaining": false,
            "total_item_count": null,
            "items": items,
        }))
    }

    /// A refusal.
    pub fn refusal(error: &ApiError) -> Self {
        Self {
            status: error.status,
            body: Some(error.body()),
            session: None,
        }
    }
}

/// Reads a text out of a body, by the path of fields to it.
pub fn text(body: &Value, path: &[&str]) -> Option<String> {
    let mut at = body;
    for field in path {
        at = at.get(field)?;
    }
    at.as_str().map(str::to_owned)
}

/// Reads a number; an empty text or a wrong type is a refusal.
pub fn number(body: &Value, field: &str) -> Res<Option<u64>> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| ApiError::refuse(field, "Invalid value: expected a number.")),
    }
}

/// Reads a truth value.
pub fn truth(body: &Value, field: &str) -> Res<Option<bool>> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_bool()
            .map(Some)
            .ok_or_else(|| ApiError::refuse(field, "Invalid value: expected true or false.")),
    }
}
