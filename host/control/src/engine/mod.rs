//! Operations: journalled before they have an effect, carried out step by step, resumed after a restart.

mod call;
mod journal;
mod names;
mod run;
mod runner;

pub use call::{DriverCall, IgnorePending, OnPending};
pub use journal::{NewOperation, Operations};
pub use names::PlaceCheck;
pub(crate) use names::{ArrayNames, is_taken, only_there, taken};
pub use run::Run;
pub(crate) use runner::Runner;
pub use runner::{Executor, Executors};

use springform_model::operation::OperationError;

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
