//! One backend as the rest of the control plane sees it: its configuration, what is known of it now, its bound on calls.

use std::sync::{Arc, RwLock};

use springform_model::contract::Statistics;
use springform_model::time::Timestamp;
use tokio::sync::{Notify, Semaphore};

use crate::config::BackendConfig;
use crate::scheduler::Ledger;

/// What is known of a backend now. Kept in memory: after a restart it is found out again.
#[derive(Debug, Clone, Default)]
pub struct BackendStatus {
    /// Whether its last set-up succeeded.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Newest statistics.
    pub statistics: Option<Arc<Statistics>>,
    /// When they were read.
    pub statistics_at: Option<Timestamp>,
    /// Why they could not be read last time.
    pub statistics_error: Option<String>,
}

impl BackendStatus {
    /// Whether it can be given work: set up, and its arrays answered last time.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.ready && self.statistics_error.is_none()
    }
}

/// A configured backend.
#[derive(Debug)]
pub struct BackendHandle {
    /// Configuration.
    pub config: BackendConfig,
    pub(crate) turns: Semaphore,
    pub(crate) wake: Notify,
    /// An operation of replication began or ended: the observer may look sooner.
    pub(crate) look: Notify,
    /// What was placed on it since its statistics were read.
    pub(crate) ledger: Ledger,
    status: RwLock<BackendStatus>,
}

impl BackendHandle {
    pub(crate) fn new(config: BackendConfig) -> Self {
        let turns = Semaphore::new(config.parallel.max(1));
        let status = BackendStatus {
            reason: Some("it has not been set up yet".to_owned()),
            ..BackendStatus::default()
        };
        Self {
            config,
            turns,
            wake: Notify::new(),
            look: Notify::new(),
            ledger: Ledger::default(),
            status: RwLock::new(status),
        }
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What is known of it now.
    #[must_use]
    pub fn status(&self) -> BackendStatus {
        self.status
            .read()
            .map(|status| status.clone())
            .unwrap_or_default()
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut BackendStatus)) {
        if let Ok(mut status) = self.status.write() {
            change(&mut status);
        }
    }

    /// Asks for a set-up now instead of at the next attempt: after a driver or a configuration was changed.
    pub fn set_up_again(&self) {
        self.wake.notify_one();
    }
}
