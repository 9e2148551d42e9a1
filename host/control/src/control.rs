//! The control plane as one value: started, handed around by cheap clones, shut down. Everything below it is given what it needs
//! by [`Control::start`], and knows nothing of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use springform_model::cloud::Service;
use springform_model::contract::{Call, CallError, Reply, TargetFacts};
use springform_model::operation::Operation;
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, Store};

use crate::backend::BackendHandle;
use crate::backends::Backends;
use crate::clock::Clock;
use crate::config::ControlConfig;
use crate::context::Context;
use crate::default_types::DefaultTypes;
use crate::engine::{Operations, Runner};
use crate::holders::{self, Release};
use crate::metrics::Metrics;
use crate::observer::Since;
use crate::outbox::Outbox;
use crate::registry::{DriverLoader, Drivers, Generation};
use crate::reload::{Reload, Source};
use crate::services::{configured, is_older, new_service};
use crate::supervise::supervise;
use crate::tasks::Tasks;
use crate::{ControlError, audit, executors, replication, watch};

/// How long the database may take to answer a probe of readiness.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

/// The control plane.
#[derive(Clone)]
pub struct Control {
    operations: Operations,
    /// Where the configuration is read again.
    source: Arc<OnceLock<Arc<dyn Source>>>,
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
        let mut config = config;
        let drivers = std::mem::take(&mut config.drivers);
        let backends = std::mem::take(&mut config.backends);
        let context = Context::new(store, clock, config);
        let backends = Backends::new(context.clone(), loader, drivers, backends);
        let runner = Runner::new(executors::all(), Arc::new(Release));
        let operations = Operations::new(backends.clone(), Tasks::default(), Arc::new(runner));
        audit::started(&context).await?;
        make_services(&backends).await?;
        DefaultTypes::new(&context).make_built_in().await?;
        for driver in &backends.live_config().drivers {
            if let Err(error) = Drivers::new(&backends).start(driver).await {
                tracing::error!(driver = %driver.name, error = %error.message, "a driver cannot be loaded; its backends are down");
                for backend in backends
                    .backends()
                    .filter(|backend| backend.config().driver == driver.name)
                {
                    backend.note(|status| status.reason = Some(error.message.clone()));
                }
            }
        }
        for backend in backends.backends() {
            supervise(&operations, backend);
        }
        let tasks = operations.tasks();
        tasks.spawn(watch::prune(context.clone()));
        tasks.spawn(audit::prune(context.clone()));
        let recorder = context.config().audit.clone();
        tasks.spawn(audit::write_recorded(recorder, backends.outbox().clone()));
        tasks.spawn(replication::reconcile_in_background(operations.clone()));
        tasks.spawn(replication::keep_comparing(operations.clone()));
        resume(&operations).await?;
        if let Err(error) = holders::look(&operations).await {
            tracing::warn!(error = %error.message, "which operations hold records cannot be found out");
        }
        tasks.spawn(holders::watch(operations.clone()));
        Ok(Self {
            operations,
            source: Arc::default(),
        })
    }

    /// Stops: waits up to `grace` for what is under way, then leaves it to the journal.
    pub async fn shutdown(&self, grace: Duration) {
        let tasks = self.operations.tasks();
        tasks.close();
        let until = tokio::time::Instant::now() + grace;
        while self.operations.live().open() > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tasks.stop().await;
        audit::stopped(self.outbox()).await;
        self.store().close().await;
    }

    /// Whether requests can be served: the store answers, and the host is not stopping.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub async fn ready(&self) -> Result<(), String> {
        if self.operations.tasks().is_closed() {
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
        self.operations.tasks().spawn(task);
    }

    /// Operations.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Store, clock, settings and metrics.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.operations
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.operations.store()
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &ControlConfig {
        self.operations.config()
    }

    /// The time on the host's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.operations.now()
    }

    /// Metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.operations.metrics()
    }

    /// Every configured backend, by name, as configured now.
    pub fn backends(&self) -> impl Iterator<Item = Arc<BackendHandle>> + use<> {
        self.operations.backends()
    }

    /// One backend.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<Arc<BackendHandle>> {
        self.operations.backend(name)
    }

    /// The generation that serves a backend now.
    #[must_use]
    pub fn generation(&self, backend: &str) -> Option<Arc<Generation>> {
        self.operations.generation(backend)
    }

    /// What the host found out about a backend's arrays by itself; nothing where no driver serves it.
    #[must_use]
    pub fn facts(&self, backend: &str) -> Vec<TargetFacts> {
        self.operations.facts(backend)
    }

    /// What observations of a backend are held against before they are said of now.
    #[must_use]
    pub fn since(&self, handle: &BackendHandle) -> Since {
        self.operations.since(handle)
    }

    /// See [`Operations::call_once`].
    ///
    /// # Errors
    /// See [`CallError`]; `Gone` where the backend has no driver.
    pub async fn call_once(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        deadline: Duration,
        call: Call,
    ) -> Result<Reply, CallError> {
        self.operations
            .call_once(backend, operation, cursor, deadline, call)
            .await
    }

    /// Events on their way.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        self.operations.outbox()
    }

    /// Lets the configuration be read again, from here. Once.
    pub fn reload_from(&self, source: Arc<dyn Source>) {
        if self.source.set(source).is_err() {
            tracing::warn!("the configuration is read again from where it was said first");
        }
    }

    /// The configuration, read again.
    #[must_use]
    pub fn reload(&self) -> Reload<'_> {
        Reload::new(&self.operations, self.source.get())
    }
}

/// The rows of the backends that are configured.
async fn make_services(backends: &Backends) -> Result<(), ControlError> {
    let restored = backends
        .store()
        .restored()
        .await?
        .map(|mark| mark.restored_at);
    for backend in backends.backends() {
        let known = backends.store().get::<Service>(backend.name()).await?;
        let changes = match known {
            None => Changes::new().insert(&new_service(&backend.config(), backends.now())),
            Some(mut known) => {
                configured(&mut known.record, &backend.config());
                if known.identity.is_empty() {
                    known.record.identity = uuid::Uuid::now_v7().to_string();
                }
                if let Some(at) = restored
                    && is_older(&known, at)
                {
                    tracing::error!(backend = %known.backend, "the database was restored: nothing is changed on the arrays until `springform reconcile --adopt`");
                    known.record.look_only_since = Some(at);
                }
                Changes::new().update(&known)
            }
        };
        backends.store().commit(changes).await?;
    }
    Ok(())
}

/// Goes on with every operation that was open.
async fn resume(operations: &Operations) -> Result<(), ControlError> {
    let mut query = Query::new().eq("open", true).limit(500);
    loop {
        let open = operations.store().list::<Operation>(&query).await?;
        let Some(last) = open.last() else {
            return Ok(());
        };
        query = query.marker(last.id.clone());
        for operation in open {
            if operations.looks_only(operation.backend.as_deref()).await? {
                tracing::warn!(operation = %operation.id, subject = %operation.subject, "an open operation waits until the records were brought up to the arrays");
                continue;
            }
            tracing::info!(operation = %operation.id, subject = %operation.subject, "an open operation is resumed");
            operations.resume(operation);
        }
    }
}
