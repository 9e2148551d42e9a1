//! What a caller is told when something is refused: a kind the API maps to a status, and Cinder's own sentence where
//! clients compare it.

use springform_model::operation::OperationError;
use springform_store::StoreError;

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request makes no sense, or not in this state.
    Invalid,
    /// There is no such thing, or the caller may not see it.
    NotFound,
    /// The caller may not do this.
    Forbidden,
    /// The request makes sense, but not as things stand; the message says what has to change first.
    Refused,
    /// Something is in the way; [`ControlError::operation`] may name it.
    Conflict,
    /// A quota or a size limit.
    OverLimit,
    /// A backend, a driver or the host cannot do it now; try again later.
    Unavailable,
    /// A defect or a broken database.
    Internal,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    /// What kind.
    pub kind: ErrorKind,
    /// One sentence.
    pub message: String,
    /// What it is about.
    pub resource: Option<String>,
    /// The operation in the way.
    pub operation: Option<String>,
}

impl ControlError {
    /// A refusal of this kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            resource: None,
            operation: None,
        }
    }

    /// `Invalid input received: …`
    #[must_use]
    pub fn input(message: impl std::fmt::Display) -> Self {
        Self::new(
            ErrorKind::Invalid,
            format!("Invalid input received: {message}"),
        )
    }

    /// A refusal whose sentence stands as it is.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// `Volume <id> could not be found.`
    #[must_use]
    pub fn not_found(what: &str, id: &str) -> Self {
        let mut error = Self::new(
            ErrorKind::NotFound,
            format!("{what} {id} could not be found."),
        );
        error.resource = Some(id.to_owned());
        error
    }

    /// Something is in the way.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Another operation holds the turn of `what`.
    #[must_use]
    pub fn busy(what: &str, operation: &str) -> Self {
        let mut error = Self::conflict(format!(
            "{what} is held by operation {operation}; wait for it to end, or cancel it"
        ));
        error.operation = Some(operation.to_owned());
        error
    }

    /// Not now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// A defect.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict { .. } => Self::conflict(error.to_string()),
            StoreError::Duplicate { .. } => Self::conflict(error.to_string()),
            StoreError::Limit { .. } => Self::new(ErrorKind::OverLimit, error.to_string()),
            StoreError::NoMarker(_) => Self::new(ErrorKind::NotFound, error.to_string()),
            StoreError::NoColumn { .. } => Self::input(&error),
            StoreError::Closed => Self::unavailable("the host is stopping"),
            StoreError::Unavailable(reason) => Self::unavailable(format!(
                "The database cannot be used now: {reason}. Nothing was changed; try again later."
            )),
            StoreError::Database(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<OperationError> for ControlError {
    fn from(error: OperationError) -> Self {
        let kind = match error.code.as_str() {
            "busy" | "unavailable" | "deadline" | "overloaded" | "quarantined" => {
                ErrorKind::Unavailable
            }
            "cancelled" => ErrorKind::Conflict,
            "not-found" => ErrorKind::NotFound,
            "invalid-argument" | "failed-precondition" | "unsupported" | "already-exists" => {
                ErrorKind::Invalid
            }
            _ => ErrorKind::Internal,
        };
        Self::new(kind, error.message)
    }
}
