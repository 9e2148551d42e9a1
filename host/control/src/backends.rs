//! The configured backends and the drivers that serve them now: what a reload exchanges, the table of generations, and the
//! signals of those who look after them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use springform_model::cloud::Service;
use springform_model::contract::TargetFacts;
use springform_model::time::Timestamp;
use tokio::sync::{Mutex, Notify, RwLock};

use crate::ControlError;
use crate::backend::BackendHandle;
use crate::clock::Moment;
use crate::config::{BackendConfig, DriverConfig};
use crate::context::Context;
use crate::observer::{Numbers, Since};
use crate::outbox::Outbox;
use crate::registry::{DriverLoader, Generation, Table};

/// The backends of a host, handed around by cheap clones. A [`Context`], too.
#[derive(Clone)]
pub struct Backends {
    context: Context,
    shared: Arc<Shared>,
}

struct Shared {
    live_config: ArcSwap<LiveConfig>,
    table: Table,
    driver_lock: Mutex<()>,
    /// Operations of replication are journalled by readers; a reload publishes as the writer.
    reload_lock: RwLock<()>,
    /// When this host began.
    started: Moment,
    /// An array that was left behind answers again.
    array_recovered: Notify,
    observed: Numbers,
    outbox: Outbox,
}

/// What a reload of the configuration exchanges, as a whole.
pub(crate) struct LiveConfig {
    pub(crate) loader: Arc<dyn DriverLoader>,
    pub(crate) drivers: Vec<DriverConfig>,
    pub(crate) backends: BTreeMap<String, Arc<BackendHandle>>,
}

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backends").finish_non_exhaustive()
    }
}

impl Deref for Backends {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Backends {
    pub(crate) fn new(
        context: Context,
        loader: Arc<dyn DriverLoader>,
        drivers: Vec<DriverConfig>,
        backends: Vec<BackendConfig>,
    ) -> Self {
        let backends = backends
            .into_iter()
            .map(|backend| (backend.name.clone(), Arc::new(BackendHandle::new(backend))))
            .collect();
        let live_config = LiveConfig {
            loader,
            drivers,
            backends,
        };
        let mut observed = Numbers::default();
        context
            .metrics()
            .register(|registry| observed = Numbers::register(registry));
        Self {
            shared: Arc::new(Shared {
                live_config: ArcSwap::from_pointee(live_config),
                table: Table::default(),
                driver_lock: Mutex::new(()),
                reload_lock: RwLock::new(()),
                started: Moment::at(context.now()),
                array_recovered: Notify::new(),
                observed,
                outbox: Outbox::new(context.clone()),
            }),
            context,
        }
    }

    /// The same backends for an operation that is under way, see [`Context::patient`].
    pub(crate) fn patient(&self) -> Self {
        Self {
            context: self.context.patient(),
            shared: self.shared.clone(),
        }
    }

    /// When this host began, on the clock as it is now.
    pub(crate) fn started(&self) -> Timestamp {
        self.shared.started.on(self.now())
    }

    /// What a reload exchanges, as it is now.
    pub(crate) fn live_config(&self) -> Arc<LiveConfig> {
        self.shared.live_config.load_full()
    }

    pub(crate) fn set(&self, live_config: LiveConfig) {
        self.shared.live_config.store(Arc::new(live_config));
    }

    /// Every configured backend, by name, as configured now.
    pub fn backends(&self) -> impl Iterator<Item = Arc<BackendHandle>> + use<> {
        let all: Vec<_> = self.live_config().backends.values().cloned().collect();
        all.into_iter()
    }

    /// The backend of a name; none where it is not configured.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<Arc<BackendHandle>> {
        self.shared.live_config.load().backends.get(name).cloned()
    }

    /// The generation that serves a backend now.
    #[must_use]
    pub fn generation(&self, backend: &str) -> Option<Arc<Generation>> {
        self.shared.table.get(backend)
    }

    /// What the host found out about a backend's arrays by itself; nothing where no driver serves it.
    #[must_use]
    pub fn facts(&self, backend: &str) -> Vec<TargetFacts> {
        self.generation(backend)
            .map_or_else(Vec::new, |generation| generation.loaded.driver.targets())
    }

    /// What observations of a backend are held against before they are said of now.
    #[must_use]
    pub fn since(&self, handle: &BackendHandle) -> Since {
        Since {
            ended: handle.last_ended(self.now()),
            interval: self.config().observe_interval,
        }
    }

    /// Whether the arrays of a backend are only looked at: the database was restored, and nobody has adopted what they say.
    pub(crate) async fn looks_only(&self, backend: Option<&str>) -> Result<bool, ControlError> {
        let Some(backend) = backend else {
            return Ok(false);
        };
        let service = self.store().get::<Service>(backend).await?;
        Ok(service.is_some_and(|service| service.look_only_since.is_some()))
    }

    /// Resolves when an array that was left behind answers again.
    pub(crate) async fn array_recovered(&self) {
        self.shared.array_recovered.notified().await;
    }

    /// What an array is owed was written down, or the array is back: it is paid without waiting for the next round.
    pub(crate) fn settle_soon(&self) {
        self.shared.array_recovered.notify_one();
    }

    /// Numbers of replication.
    pub(crate) fn observed(&self) -> &Numbers {
        &self.shared.observed
    }

    /// Events on their way.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.shared.outbox
    }

    pub(crate) fn loader(&self) -> Arc<dyn DriverLoader> {
        self.live_config().loader.clone()
    }

    pub(crate) fn table(&self) -> &Table {
        &self.shared.table
    }

    pub(crate) fn reload_lock(&self) -> &RwLock<()> {
        &self.shared.reload_lock
    }

    pub(crate) fn driver_lock(&self) -> &Mutex<()> {
        &self.shared.driver_lock
    }
}
