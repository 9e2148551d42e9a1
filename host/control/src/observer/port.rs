//! What the observer needs beside the env that the verbs of replication stand on.

use async_trait::async_trait;
use springform_model::time::Timestamp;

use super::Watched;
use crate::outbox::CloudEvent;
use crate::replication::{Member, ReplicationEnv, ReplicationError};

/// Where to write down what was seen, and what else to look at.
#[async_trait]
pub trait ObserverEnv: ReplicationEnv {
    /// Writes the relations of these members, at the revisions they were read with, and nothing else of them.
    /// [`ReplicationError::Moved`] where one was changed since.
    async fn keep(&self, seen: &[Member]) -> Result<(), ReplicationError>;

    /// What was last known of a backend, with its revision.
    async fn watched(&self, backend: &str) -> Result<Option<(Watched, u64)>, ReplicationError>;

    /// Writes it down with the events it gave rise to.
    async fn announce(
        &self,
        watched: &Watched,
        revision: Option<u64>,
        events: Vec<CloudEvent>,
    ) -> Result<(), ReplicationError>;

    /// Whether an operation of replication is open on the backend.
    async fn busy(&self, backend: &str) -> Result<bool, ReplicationError>;

    /// How many drills are open on the backend, and when the first of them ends by itself.
    async fn drills(&self, backend: &str) -> Result<(u64, Option<Timestamp>), ReplicationError>;

    /// Finds out which arrays answer, and writes it down: an array that is not known to answer is not asked for more.
    async fn refresh(&self, backend: &str);

    /// Resolves when an operation of replication began or ended on the backend.
    async fn operation_changed(&self, backend: &str);
}
