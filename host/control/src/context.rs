//! What every part of the control plane stands on: the database, the clock, the settings, the metrics. It knows none of the
//! cloud's nouns.

use std::sync::Arc;

use springform_model::time::Timestamp;
use springform_store::Store;

use crate::clock::Clock;
use crate::config::ControlConfig;
use crate::metrics::Metrics;

/// Store, clock, settings and metrics, handed around by cheap clones.
#[derive(Clone)]
pub struct Context {
    store: Store,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    config: ControlConfig,
    metrics: Metrics,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn new(store: Store, clock: Clock, config: ControlConfig) -> Self {
        Self {
            store,
            shared: Arc::new(Shared {
                clock,
                config,
                metrics: Metrics::new(),
            }),
        }
    }

    /// The same context for an operation that is under way: it waits where the store cannot be read or written, see
    /// [`Store::patient`].
    pub(crate) fn patient(&self) -> Self {
        Self {
            store: self.store.patient(),
            shared: self.shared.clone(),
        }
    }

    /// The database, through which everything is read and committed.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What a reload cannot change.
    #[must_use]
    pub fn config(&self) -> &ControlConfig {
        &self.shared.config
    }

    /// The time on the host's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Counters of what happens, and the registry that `/metrics` is made of.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }
}
