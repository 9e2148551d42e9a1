//! Operations: journalled before they have an effect, carried out step by step, resumed after a restart.

mod call;
mod journal;
mod live;
mod names;
mod run;
mod runner;

pub use call::{DriverCall, IgnorePending, OnPending};
pub use journal::{NewOperation, Operations};
pub use names::PlaceCheck;
pub(crate) use names::{ArrayNames, is_taken, only_there, taken};
pub use run::Run;
pub(crate) use runner::{Abandon, Runner};
pub use runner::{Executor, Executors};

use springform_model::operation::OperationError;

/// Code of an outcome that came too late.
const OVERTAKEN: &str = "overtaken";

/// Why an operation does not end: what its array answered was right, and a volume's lock was taken away before that was written
/// down. It runs again.
pub(crate) fn overtaken(volume: &str) -> OperationError {
    failure(
        OVERTAKEN,
        format!("a failover took the lock of {volume} before the outcome was written"),
    )
}

/// Whether an operation is to run again only because of that.
pub(crate) fn is_overtaken(error: &OperationError) -> bool {
    error.code == OVERTAKEN
}

/// A failure of the host's own making.
#[must_use]
pub fn failure(code: &str, message: impl Into<String>) -> OperationError {
    OperationError {
        code: code.to_owned(),
        message: message.into(),
        backend: None,
        target: None,
        driver: None,
        generation: None,
        retryable: false,
    }
}
