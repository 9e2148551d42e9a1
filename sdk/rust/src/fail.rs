//! Typed failures, in as few words as they deserve.

use crate::types::{Error, Failure, FailureCode, Pending};

/// A failure with a code and a sentence.
#[must_use]
pub fn failure(code: FailureCode, message: impl Into<String>) -> Failure {
    Failure {
        code,
        message: message.into(),
        target: None,
        detail: None,
        extensions: Vec::new(),
    }
}

/// The same, on a target.
#[must_use]
pub fn failure_on(target: &str, code: FailureCode, message: impl Into<String>) -> Failure {
    Failure {
        target: Some(target.to_owned()),
        ..failure(code, message)
    }
}

/// "Not yet": what is waited for and when to ask again.
#[must_use]
pub fn pending(waiting_for: impl Into<String>, percent: Option<u8>, poll_after_ms: u32) -> Error {
    Error::Pending(Pending {
        waiting_for: waiting_for.into(),
        percent,
        poll_after_ms,
        cursor: Vec::new(),
    })
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
