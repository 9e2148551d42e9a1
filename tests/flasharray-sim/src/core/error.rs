//! What an array says when it refuses, in the shape its REST interface uses.
//!
//! Clients match substrings of `message`, so the wording of the constructors
//! here is part of the simulator's contract.

use serde_json::{Value, json};

/// The result of every operation on the world.
pub type Res<T> = Result<T, ApiError>;

/// One or more refusals with the HTTP status they are sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status of the answer.
    pub status: u16,
    /// Pairs of the object concerned (if any) and the message.
    pub items: Vec<(Option<String>, String)>,
}

impl ApiError {
    /// A refusal (400) that concerns the named object.
    pub fn refuse(context: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            items: vec![(Some(context.into()), message.into())],
        }
    }

    /// A refusal (400) that concerns no particular object.
    pub fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            items: vec![(None, message.into())],
        }
    }

    /// `<Kind> does not exist.`
    pub fn absent(kind: &str, name: impl Into<String>) -> Self {
        Self::refuse(name, format!("{kind} does not exist."))
    }

    /// `<Kind> already exists.`
    pub fn exists(kind: &str, name: impl Into<String>) -> Self {
        Self::refuse(name, format!("{kind} already exists."))
    }

    /// `<Kind> has been destroyed.`
    pub fn destroyed(kind: &str, name: impl Into<String>) -> Self {
        Self::refuse(name, format!("{kind} has been destroyed."))
    }

    /// An answer with another status than 400.
    pub fn status(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            items: vec![(None, message.into())],
        }
    }

    /// The world contradicts itself; a bug of the simulator.
    pub fn inconsistent(what: &str) -> Self {
        Self::status(500, format!("The simulator lost track of a {what}."))
    }

    /// The JSON body. Clients read a top-level `message` on 403 and 429.
    pub fn body(&self) -> Value {
        let errors: Vec<Value> = self
            .items
            .iter()
            .map(|(context, message)| json!({"context": context, "message": message}))
            .collect();
        match (self.status, self.items.first()) {
            (401 | 403 | 429, Some((_, message))) => {
                json!({"message": message, "errors": errors})
            }
            _ => json!({ "errors": errors }),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        for (context, message) in &self.items {
            match context {
                Some(context) => write!(f, " {context}: {message}")?,
                None => write!(f, " {message}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

/// Collects the refusals of a batch, so that all items are reported at once.
#[derive(Debug, Default)]
pub struct Refusals {
    found: Option<ApiError>,
}

impl Refusals {
    /// Keeps the value, or notes why there is none.
    pub fn note<T>(&mut self, result: Res<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.found {
                    Some(found) => found.items.extend(error.items),
                    None => self.found = Some(error),
                }
                None
            }
        }
    }

    /// Fails if anything was noted.
    pub fn finish(self) -> Res<()> {
        self.found.map_or(Ok(()), Err)
    }

    /// What was noted, for answers that carry items and errors together.
    pub fn into_found(self) -> Option<ApiError> {
        self.found
    }
}
