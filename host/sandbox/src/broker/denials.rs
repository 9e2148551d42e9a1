//! What was denied to one call, for whoever reads why it failed: the driver hears only that a request was denied.

use std::sync::{Arc, OnceLock};

use springform_model::contract::CallError;

use super::decide::Denial;

/// The first denial of a call. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Denials(Arc<OnceLock<String>>);

impl Denials {
    /// Keeps it, if it is the first.
    pub fn note(&self, denial: &Denial) {
        let sentence = || {
            format!(
                "the host denied a request: {denial}; to allow it: {}",
                denial.remedy()
            )
        };
        self.0.get_or_init(sentence);
    }

    /// Adds it to the failure of a driver.
    #[must_use]
    pub fn explain(&self, error: CallError) -> CallError {
        match (error, self.0.get()) {
            (CallError::Failed(mut failure), Some(sentence)) => {
                failure.message = format!("{}: {sentence}", failure.message);
                CallError::Failed(failure)
            }
            (error, _) => error,
        }
    }
}
