//! Which driver serves which backend: numbered generations behind one pointer.

mod drivers;
mod prepare;
mod record;
mod status;
mod table;

pub use drivers::{Drivers, Inspection};
pub use record::{GenerationRecord, GenerationState};
pub use status::{BackendGeneration, DriverStatus, Version};
pub use table::{Generation, Table};

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use springform_model::contract::{Description, Driver};

use crate::config::BackendConfig;

/// A driver that was loaded for one backend: verified, compiled, described, its configuration validated.
#[derive(Clone)]
pub struct Loaded {
    /// The driver, bound to the backend's targets.
    pub driver: Arc<dyn Driver>,
    /// Digest of the component.
    pub digest: String,
    /// Whose signatures of it were verified.
    pub signers: Vec<String>,
    /// What it may do, in the operator's words.
    pub grants: Vec<String>,
    /// The backend's options with defaults filled in, as the driver is to be told.
    pub options: Vec<(String, String)>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Why a driver was not loaded. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadRefusal {
    /// The stage that refused: `read`, `verify`, `load`, `describe`, `validate`, `probe`.
    pub stage: String,
    /// One sentence for the operator.
    pub message: String,
}

impl LoadRefusal {
    /// A refusal.
    #[must_use]
    pub fn new(stage: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            stage: stage.into(),
            message: message.into(),
        }
    }
}

/// What a component says of itself without being bound to a backend.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// Digest.
    pub digest: String,
    /// Whose signatures of it were verified.
    pub signers: Vec<String>,
    /// What it says of itself.
    pub description: Description,
    /// Imports it asks for.
    pub imports: Vec<String>,
    /// Exports it has.
    pub exports: Vec<String>,
}

/// Makes drivers out of component files. The sandbox is behind it; control knows nothing of WebAssembly.
#[async_trait]
pub trait DriverLoader: Send + Sync + 'static {
    /// Reads, verifies, compiles, describes and validates a driver for one backend.
    ///
    /// # Errors
    /// [`LoadRefusal`] names the stage and the reason.
    async fn load(&self, path: &Path, backend: &BackendConfig) -> Result<Loaded, LoadRefusal>;

    /// Looks at a component without binding it. It is verified as a file of this driver before it is parsed, compiled and run.
    ///
    /// # Errors
    /// [`LoadRefusal`].
    async fn inspect(&self, path: &Path, driver: &str) -> Result<Inspected, LoadRefusal>;
}
