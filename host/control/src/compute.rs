//! What is asked of Nova.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// `ACTIVE`, `SHUTOFF`, …
    pub status: String,
    /// `/dev/vda`; none where Nova does not tell.
    pub root_device: Option<String>,
}

/// How a volume is attached to a server, as far as it must be the same afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// `/dev/vdb`.
    pub device: Option<String>,
    /// Device tag.
    pub tag: Option<String>,
    /// Whether the volume goes with the server.
    pub delete_on_termination: Option<bool>,
}

/// Why Nova did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// It will not, as things are: in its own words.
    #[error("Nova refuses: {0}")]
    Refused(String),
    /// It does not know or does not trust whoever asks.
    #[error("Nova does not let us in: {0}")]
    Denied(String),
    /// It does not answer, or not sensibly.
    #[error("Nova does not answer: {0}")]
    Unavailable(String),
}

/// Nova.
#[async_trait]
pub trait Compute: Send + Sync {
    /// A server; none where there is none.
    ///
    /// # Errors
    /// See [`ComputeError`].
    async fn server(&self, server: &str) -> Result<Option<Server>, ComputeError>;

    /// How a volume is attached to a server; none where it is not.
    ///
    /// # Errors
    /// See [`ComputeError`].
    async fn attached(&self, server: &str, volume: &str) -> Result<Option<Attached>, ComputeError>;

    /// Begins to detach.
    ///
    /// # Errors
    /// See [`ComputeError`].
    async fn detach(&self, server: &str, volume: &str) -> Result<(), ComputeError>;

    /// Begins to attach.
    ///
    /// # Errors
    /// See [`ComputeError`].
    async fn attach(
        &self,
        server: &str,
        volume: &str,
        attached: &Attached,
    ) -> Result<(), ComputeError>;
}

/// Nova, asked with the caller's own credentials.
#[async_trait]
pub trait ServerVolumes: Debug + Send + Sync {
    /// Id of the attachment by which a server has a volume; none where it has not, or where there is no such server.
    ///
    /// # Errors
    /// See [`ComputeError`].
    async fn attachment(&self, server: &str, volume: &str) -> Result<Option<String>, ComputeError>;

    /// Whether it shows the caller this server. Those of other projects it hides as if there were none.
    ///
    /// # Errors
    /// See [`ComputeError`].
    async fn shows(&self, server: &str) -> Result<bool, ComputeError>;
}
