//! The control plane as one value: started, handed around by cheap clones, shut down.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use springform_model::cloud::{ReplicationStatus, Service};
use springform_model::contract::{Context as CallContext, TargetFacts};
use springform_model::operation::Operation;
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, Store};
use tokio::sync::{Mutex, Notify, RwLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::BackendHandle;
use crate::clock::{Clock, Moment};
use crate::config::{BackendConfig, ControlConfig, DriverConfig};
use crate::context::Context;
use crate::default_types::DefaultTypes;
use crate::engine::{Executors, Runner};
use crate::metrics::Metrics;
use crate::observer::{self, Numbers, PollInterval, Since};
use crate::outbox::Outbox;
use crate::registry::{DriverLoader, Generation, Loaded, Table};
use crate::reload::Source;
use crate::{ControlError, watch};

/// How long the database may take to answer a probe of readiness.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

/// The control plane.
#[derive(Clone)]
pub struct Control {
    context: Context,
    inner: Arc<Inner>,
}

struct Inner {
    setting: ArcSwap<LiveConfig>,
    table: Table,
    swap: Mutex<()>,
    /// Operations of replication are journalled by readers; a reload publishes as the writer.
    gate: RwLock<()>,
    /// Where the configuration is read again.
    source: OnceLock<Arc<dyn Source>>,
    runner: Runner,
    /// Numbers of replication.
    observed: Numbers,
    /// When this host began.
    started: Moment,
    /// An array that was left behind answers again.
    returned: Notify,
    outbox: Outbox,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What a reload of the configuration exchanges, as a whole.
pub(crate) struct LiveConfig {
    pub(crate) loader: Arc<dyn DriverLoader>,
    pub(crate) drivers: Vec<DriverConfig>,
    pub(crate) backends: BTreeMap<String, Arc<BackendHandle>>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Starts: makes the rows of the backends, loads their drivers, sets them up in the background, and goes on with
    /// every operation that was open. A backend that cannot be loaded or set up is down; the host serves.
    ///
    /// # Errors
    /// Only when the store cannot be read or written.
    pub async fn start(
        config: ControlConfig,
        store: Store,
        loader: Arc<dyn DriverLoader>,
        clock: Clock,
    ) -> Result<Self, ControlError> {
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let mut executors = Executors::default();
        crate::volumes::register(&mut executors);
        crate::snapshots::register(&mut executors);
        crate::attachments::register(&mut executors);
        crate::groups::register(&mut executors);
        crate::group_snapshots::register(&mut executors);
        crate::replication::register(&mut executors);
        let runner = Runner::new(
            executors,
            tasks.clone(),
            stop.clone(),
            config.open_operations,
        );
        let mut config = config;
        let backends = std::mem::take(&mut config.backends).into_iter();
        let backends = backends
            .map(|backend| (backend.name.clone(), Arc::new(BackendHandle::new(backend))))
            .collect();
        let setting = LiveConfig {
            loader,
            drivers: std::mem::take(&mut config.drivers),
            backends,
        };
        let context = Context::new(store, clock, config);
        let mut observed = Numbers::default();
        context
            .metrics()
            .register(|registry| observed = Numbers::register(registry));
        let control = Self {
            inner: Arc::new(Inner {
                started: Moment::at(context.now()),
                setting: ArcSwap::from_pointee(setting),
                runner,
                tasks,
                stop,
                table: Table::default(),
                swap: Mutex::new(()),
                gate: RwLock::new(()),
                source: OnceLock::new(),
                observed,
                returned: Notify::new(),
                outbox: Outbox::new(context.clone()),
            }),
            context,
        };
        crate::audit::started(control.context()).await?;
        control.make_services().await?;
        DefaultTypes::new(control.context()).make_built_in().await?;
        for driver in &control.live_config().drivers {
            if let Err(error) = control.drivers().start(driver).await {
                tracing::error!(driver = %driver.name, error = %error.message, "a driver cannot be loaded; its backends are down");
                for backend in control
                    .backends()
                    .filter(|backend| backend.config().driver == driver.name)
                {
                    backend.note(|status| status.reason = Some(error.message.clone()));
                }
            }
        }
        for backend in control.backends() {
            control.watch_backend(backend);
        }
        control.spawn(watch::prune(control.clone()));
        control.spawn(crate::audit::prune(control.context.clone()));
        let recorder = control.config().audit.clone();
        control.spawn(crate::audit::write_recorded(
            recorder,
            control.outbox().clone(),
        ));
        control.spawn(crate::replication::reconcile_in_background(control.clone()));
        control.spawn(crate::replication::keep_comparing(control.clone()));
        control.resume().await?;
        if let Err(error) = crate::holders::look(&control).await {
            tracing::warn!(error = %error.message, "which operations hold records cannot be found out");
        }
        control.spawn(crate::holders::watch(control.clone()));
        Ok(control)
    }

    /// Sets a backend up and observes it, until it is not configured any more.
    pub(crate) fn watch_backend(&self, backend: Arc<BackendHandle>) {
        // That the database cannot be written says nothing of a backend.
        let control = self.patient();
        self.spawn(async move {
            let gone = backend.gone.clone();
            let both = async {
                tokio::join!(
                    watch::watch(control.clone(), backend.clone()),
                    observe(control.clone(), backend)
                )
            };
            // That it is gone is no error.
            let _ = gone.run_until_cancelled(both).await;
        });
    }

    async fn make_services(&self) -> Result<(), ControlError> {
        let restored = self.store().restored().await?.map(|mark| mark.restored_at);
        for backend in self.backends() {
            let known = self.store().get::<Service>(backend.name()).await?;
            let changes = match known {
                None => Changes::new().insert(&new_service(&backend.config(), self.now())),
                Some(mut known) => {
                    configured(&mut known.record, &backend.config());
                    if known.identity.is_empty() {
                        known.record.identity = uuid::Uuid::now_v7().to_string();
                    }
                    if let Some(at) = restored
                        && crate::services::is_older(&known, at)
                    {
                        tracing::error!(backend = %known.backend, "the database was restored: nothing is changed on the arrays until `springform reconcile --adopt`");
                        known.record.look_only_since = Some(at);
                    }
                    Changes::new().update(&known)
                }
            };
            self.store().commit(changes).await?;
        }
        Ok(())
    }

    /// Whether the arrays of a backend are only looked at: the database was restored, and nobody has adopted what they say.
    pub(crate) async fn looks_only(&self, backend: Option<&str>) -> Result<bool, ControlError> {
        let Some(backend) = backend else {
            return Ok(false);
        };
        let service = self.store().get::<Service>(backend).await?;
        Ok(service.is_some_and(|service| service.look_only_since.is_some()))
    }

    pub(crate) async fn resume(&self) -> Result<(), ControlError> {
        let mut query = Query::new().eq("open", true).limit(500);
        loop {
            let open = self.store().list::<Operation>(&query).await?;
            let Some(last) = open.last() else {
                return Ok(());
            };
            query = query.marker(last.id.clone());
            for operation in open {
                if self.looks_only(operation.backend.as_deref()).await? {
                    tracing::warn!(operation = %operation.id, subject = %operation.subject, "an open operation waits until the records were brought up to the arrays");
                    continue;
                }
                tracing::info!(operation = %operation.id, subject = %operation.subject, "an open operation is resumed");
                self.runner().resume(self.clone(), operation);
            }
        }
    }

    /// Stops: waits up to `grace` for what is under way, then leaves it to the journal.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.tasks.close();
        let until = tokio::time::Instant::now() + grace;
        while self.runner().open() > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.inner.stop.cancel();
        self.inner.tasks.wait().await;
        crate::audit::stopped(self.outbox()).await;
        self.store().close().await;
    }

    /// Whether requests can be served: the store answers, and the host is not stopping.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub async fn ready(&self) -> Result<(), String> {
        if self.inner.tasks.is_closed() {
            return Err("the host is stopping".to_owned());
        }
        if let Some(reason) = self.store().outage() {
            return Err(format!("the database cannot be written: {reason}"));
        }
        let query = Query::new().limit(1);
        let answer = self.store().first::<Service>(&query);
        match tokio::time::timeout(STORE_ANSWERS, answer).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("the database cannot be read: {error}")),
            Err(_) => Err(format!(
                "the database has not answered for {} s",
                STORE_ANSWERS.as_secs()
            )),
        }
    }

    /// Runs a task until it ends or the host stops.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.inner.stop.clone();
        self.inner.tasks.spawn(async move {
            // A stop is not an error: background tasks keep nothing that is not stored.
            let _ = stop.run_until_cancelled(task).await;
        });
    }

    /// Store, clock, settings and metrics.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.context.store()
    }

    /// The same control plane for an operation that is under way: it waits where the store cannot be read or written, see
    /// [`Store::patient`].
    pub(crate) fn patient(&self) -> Self {
        Self {
            context: self.context.patient(),
            inner: self.inner.clone(),
        }
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &ControlConfig {
        self.context.config()
    }

    /// The host's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// When this host began, on the clock as it is now.
    pub(crate) fn started(&self) -> Timestamp {
        self.inner.started.on(self.now())
    }

    /// What a reload exchanges, as it is now.
    pub(crate) fn live_config(&self) -> Arc<LiveConfig> {
        self.inner.setting.load_full()
    }

    pub(crate) fn set(&self, setting: LiveConfig) {
        self.inner.setting.store(Arc::new(setting));
    }

    /// Every configured backend, by name, as configured now.
    pub fn backends(&self) -> impl Iterator<Item = Arc<BackendHandle>> + use<> {
        let all: Vec<_> = self.live_config().backends.values().cloned().collect();
        all.into_iter()
    }

    /// One backend.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<Arc<BackendHandle>> {
        self.inner.setting.load().backends.get(name).cloned()
    }

    /// The generation that serves a backend now.
    #[must_use]
    pub fn generation(&self, backend: &str) -> Option<Arc<Generation>> {
        self.inner.table.get(backend)
    }

    /// Numbers.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.context.metrics()
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

    /// Resolves when an array that was left behind answers again.
    pub(crate) async fn array_recovered(&self) {
        self.inner.returned.notified().await;
    }

    /// What an array is owed was written down: it is paid without waiting for the next round.
    pub(crate) fn settle_soon(&self) {
        self.inner.returned.notify_one();
    }

    /// Numbers of replication.
    pub(crate) fn observed(&self) -> &Numbers {
        &self.inner.observed
    }

    /// Events on their way.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.inner.outbox
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.inner.runner
    }

    pub(crate) fn loader(&self) -> Arc<dyn DriverLoader> {
        self.live_config().loader.clone()
    }

    pub(crate) fn table(&self) -> &Table {
        &self.inner.table
    }

    /// Lets the configuration be read again, from here. Once.
    pub fn reload_from(&self, source: Arc<dyn Source>) {
        if self.inner.source.set(source).is_err() {
            tracing::warn!("the configuration is read again from where it was said first");
        }
    }

    pub(crate) fn source(&self) -> Option<Arc<dyn Source>> {
        self.inner.source.get().cloned()
    }

    pub(crate) fn reload_lock(&self) -> &RwLock<()> {
        &self.inner.gate
    }

    pub(crate) fn driver_lock(&self) -> &Mutex<()> {
        &self.inner.swap
    }

    pub(crate) async fn probe_context(
        &self,
        loaded: &Loaded,
        backend: &BackendConfig,
    ) -> CallContext {
        let service = self
            .store()
            .get::<Service>(&backend.name)
            .await
            .ok()
            .flatten();
        CallContext {
            operation_id: uuid::Uuid::now_v7().to_string(),
            backend: backend.name.clone(),
            options: loaded.options.clone(),
            targets: backend.targets.clone(),
            state: service
                .map(|service| service.record.driver_state)
                .unwrap_or_default(),
            cursor: Vec::new(),
            deadline_ms: 10_000,
            now: self.now().as_millis(),
            extensions: Vec::new(),
        }
    }
}

/// Observes the replication of one backend for ever.
async fn observe(control: Control, backend: Arc<BackendHandle>) {
    let env = crate::replication::store_env(&control);
    let pace = PollInterval::steady(control.config().observe_interval);
    observer::watch(&env, backend.name(), pace, &Seen(&control)).await;
}

/// What was seen is counted; an array that came back is fenced at once.
struct Seen<'a>(&'a Control);

impl observer::Watch for Seen<'_> {
    fn seen(&self, watched: &observer::Watched) {
        self.0.observed().seen(watched);
        if watched.tally.targets.values().any(|target| target.back > 0) {
            self.0.inner.returned.notify_one();
        }
    }
}

/// What the configuration says of a service.
pub(crate) fn configured(service: &mut Service, backend: &BackendConfig) {
    service.host.clone_from(&backend.host);
    service
        .availability_zone
        .clone_from(&backend.availability_zone);
}

pub(crate) fn new_service(backend: &BackendConfig, now: Timestamp) -> Service {
    Service {
        backend: backend.name.clone(),
        host: backend.host.clone(),
        availability_zone: backend.availability_zone.clone(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Disabled,
        active_target: None,
        driver_state: Vec::new(),
        ready: false,
        not_ready_reason: None,
        statistics: None,
        statistics_at: None,
        targets: Vec::new(),
        identity: uuid::Uuid::now_v7().to_string(),
        look_only_since: None,
        adopted: None,
        operation: None,
        created_at: now,
        updated_at: Some(now),
    }
}
