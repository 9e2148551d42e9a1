//! One backend as the rest of the control plane sees it: its configuration, what is known of it now, its bound on calls.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;
use springform_model::contract::{Statistics, TargetHealth};
use springform_model::time::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::config::BackendConfig;
use crate::engine::ArrayNames;
use crate::machines::Machines;
use crate::metrics::Metrics;
use crate::scheduler::Reservations;

/// After a start, before records and arrays are compared: what was interrupted goes on first.
const SETTLES: Duration = Duration::from_secs(30);

/// What the last comparison of records and arrays found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub count: usize,
    /// The first of them, in words.
    pub found: Vec<String>,
}

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
    /// Which of its arrays answered the last check.
    pub health: Vec<TargetHealth>,
    /// In what its arrays differ from the records; none before they were compared.
    pub differences: Option<Differences>,
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
    name: String,
    config: ArcSwap<BackendConfig>,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) machines: Machines,
    /// Where answers have just placed volumes.
    pub(crate) names: ArrayNames,
    pub(crate) wake: Notify,
    /// Another array answers than before: the statistics are read without waiting for their time.
    pub(crate) count: Notify,
    /// The number of the configuration, and that of the newest one whose set-up was tried.
    tried: watch::Sender<Tried>,
    /// Cancelled once the backend is not configured any more.
    pub(crate) gone: CancellationToken,
    /// An operation of replication began or ended: the observer may look sooner.
    pub(crate) look: Notify,
    /// When one ended last, where one has since the host began.
    ended: RwLock<Option<Moment>>,
    /// What was placed on it since its statistics were read.
    pub(crate) reservations: Reservations,
    status: RwLock<BackendStatus>,
    /// When records and arrays are to be compared next.
    compare_at: RwLock<Instant>,
}

/// How far set-up has come with the configuration.
#[derive(Debug, Clone, Copy)]
struct Tried {
    wanted: u64,
    tried: u64,
}

impl Default for Tried {
    /// The first set-up is wanted from the start.
    fn default() -> Self {
        Self {
            wanted: 1,
            tried: 0,
        }
    }
}

impl BackendHandle {
    pub(crate) fn new(config: BackendConfig) -> Self {
        let turns = Arc::new(Semaphore::new(config.parallel.max(1)));
        let status = BackendStatus {
            reason: Some("it has not been set up yet".to_owned()),
            ..BackendStatus::default()
        };
        Self {
            name: config.name.clone(),
            config: ArcSwap::from_pointee(config),
            turns,
            machines: Machines::default(),
            names: ArrayNames::default(),
            wake: Notify::new(),
            count: Notify::new(),
            tried: watch::Sender::default(),
            gone: CancellationToken::new(),
            look: Notify::new(),
            ended: RwLock::default(),
            reservations: Reservations::default(),
            status: RwLock::new(status),
            compare_at: RwLock::new(Instant::now() + SETTLES),
        }
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its configuration now. Whoever needs several things of it asks once: it may be exchanged meanwhile.
    #[must_use]
    pub fn config(&self) -> Arc<BackendConfig> {
        self.config.load_full()
    }

    /// Takes on another configuration. Set-up is to be asked for afterwards.
    pub(crate) fn reconfigure(&self, config: BackendConfig) {
        let now = config.parallel.max(1);
        let before = self.config.swap(Arc::new(config)).parallel.max(1);
        if now >= before {
            self.turns.add_permits(now - before);
        } else {
            // Calls under way keep their turns; as they end there are fewer.
            let fewer = u32::try_from(before - now).unwrap_or(u32::MAX);
            let turns = self.turns.clone();
            tokio::spawn(async move {
                if let Ok(taken) = turns.acquire_many_owned(fewer).await {
                    taken.forget();
                }
            });
        }
    }

    /// An operation of replication ended: what was observed before says nothing of what it left.
    pub(crate) fn ended(&self, now: Timestamp) {
        if let Ok(mut ended) = self.ended.write() {
            *ended = Some(Moment::at(now));
        }
    }

    /// When an operation of replication ended last on it, as far as this process knows, on a clock that shows `now`.
    #[must_use]
    pub fn last_ended(&self, now: Timestamp) -> Option<Timestamp> {
        let ended = self.ended.read().ok().and_then(|ended| *ended);
        ended.map(|moment| moment.on(now))
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

    /// A backend may go while something is being said of it, and would then be spoken of for ever.
    pub(crate) fn forget_if_gone(&self, metrics: &Metrics) {
        if self.gone.is_cancelled() {
            metrics.forget(&self.name);
        }
    }

    /// Whether records and arrays are to be compared.
    pub(crate) fn comparison_due(&self, now: Instant) -> bool {
        self.compare_at.read().is_ok_and(|at| *at <= now)
    }

    /// Compares them then.
    pub(crate) fn compare_at(&self, then: Instant) {
        if let Ok(mut at) = self.compare_at.write() {
            *at = then;
        }
    }

    /// Asks for a set-up now instead of at the next attempt: after a driver or a configuration was changed.
    pub fn set_up_again(&self) {
        self.tried.send_modify(|tried| tried.wanted += 1);
        self.wake.notify_one();
    }

    /// The number of what is to be set up now; for [`BackendHandle::note_tried`].
    pub(crate) fn wanted(&self) -> u64 {
        self.tried.borrow().wanted
    }

    /// A set-up that began with this number is over, whatever it came to.
    pub(crate) fn note_tried(&self, wanted: u64) {
        self.tried.send_modify(|tried| tried.tried = wanted);
    }

    /// Whether its first set-up is still under way: nothing can be said of it yet.
    pub(crate) fn is_new(&self) -> bool {
        self.tried.borrow().tried == 0
    }

    /// Resolves when a set-up that began after the last [`BackendHandle::set_up_again`] is over.
    pub(crate) async fn tried(&self) {
        let wanted = self.wanted();
        // The sender is our own.
        let _ = self
            .tried
            .subscribe()
            .wait_for(|tried| tried.tried >= wanted)
            .await;
    }
}
