//! What the listeners share: the world behind a lock, and how each array
//! behaves on the network.

use std::collections::VecDeque;
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::watch;

use crate::config::ClockMode;
use crate::core::error::{ApiError, Res};
use crate::core::key::ArrayIx;
use crate::core::world::World;
use crate::fault::FaultBook;

/// Whether an array is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// It answers.
    On,
    /// Connections are refused.
    Refuses,
    /// Connections are taken by the network but nobody answers.
    Silent,
}

/// One request as it was seen.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    /// When, in milliseconds of the world's clock.
    pub ts: u64,
    /// Method.
    pub method: String,
    /// Path after `/api/2.x/`, or the whole path.
    pub path: String,
    /// Decoded query.
    pub query: String,
    /// Status that was answered; none if nothing was.
    pub status: Option<u16>,
    /// The faults that struck.
    pub faults: Vec<crate::fault::FaultKind>,
    /// The client's name for itself.
    pub user_agent: String,
}

const LOG_LIMIT: usize = 200_000;

/// How one array behaves on the network.
#[derive(Debug)]
pub struct Front {
    /// Whether it is there.
    pub power: watch::Sender<Power>,
    /// What the listener has made of it so far.
    pub applied: watch::Sender<Power>,
    faults: Mutex<FaultBook>,
    latency: Mutex<(u64, u64)>,
    /// How far the dates of its answers are ahead of the machine's clock, seconds.
    pub date_ahead: AtomicI64,
    log: Mutex<VecDeque<LogLine>>,
}

impl Front {
    pub(crate) fn new(latency_ms: u64) -> Self {
        Self {
            power: watch::Sender::new(Power::On),
            applied: watch::Sender::new(Power::On),
            faults: Mutex::default(),
            latency: Mutex::new((latency_ms, 0)),
            date_ahead: AtomicI64::new(0),
            log: Mutex::default(),
        }
    }

    /// The faults.
    pub fn faults(&self) -> MutexGuard<'_, FaultBook> {
        lock(&self.faults)
    }

    /// Latency and jitter of every request, in milliseconds.
    pub fn latency(&self) -> MutexGuard<'_, (u64, u64)> {
        lock(&self.latency)
    }

    /// The requests that were seen.
    pub fn log(&self) -> MutexGuard<'_, VecDeque<LogLine>> {
        lock(&self.log)
    }

    pub(crate) fn note(&self, line: LogLine) {
        let mut log = self.log();
        if log.len() >= LOG_LIMIT {
            log.pop_front();
        }
        log.push_back(line);
    }
}

/// Everything the listeners need.
#[derive(Debug)]
pub struct Shared {
    world: Mutex<World>,
    clock: ClockMode,
    ahead: Mutex<u64>,
    /// The arrays' network sides, by position.
    pub fronts: Vec<Front>,
    /// Log every request.
    pub log_requests: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves data that is as good as any for a simulator.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since the epoch by the wall clock.
pub fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

impl Shared {
    pub(crate) fn new(world: World, clock: ClockMode, latency_ms: u64, log_requests: bool) -> Self {
        let fronts = world
            .arrays()
            .iter()
            .map(|array| {
                let front = Front::new(latency_ms);
                if !array.powered {
                    front.power.send_replace(Power::Refuses);
                }
                front
            })
            .collect();
        let ahead = world.now().saturating_sub(wall_ms());
        Self {
            world: Mutex::new(world),
            clock,
            ahead: Mutex::new(if clock == ClockMode::Wall { ahead } else { 0 }),
            fronts,
            log_requests,
        }
    }

    /// The world, with everything done that is due by now.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = lock(&self.world);
        if self.clock == ClockMode::Wall {
            let now = wall_ms() + *lock(&self.ahead);
            if now > world.now() {
                world.advance(now);
            }
        }
        world
    }

    /// Lets time pass. Returns the new time in milliseconds.
    pub fn advance(&self, ms: u64) -> u64 {
        if self.clock == ClockMode::Wall {
            *lock(&self.ahead) += ms;
            return self.world().now();
        }
        let mut world = self.world();
        let to = world.now() + ms;
        world.advance(to);
        to
    }

    /// Whether time passes by itself.
    pub fn clock_mode(&self) -> ClockMode {
        self.clock
    }

    /// The network side of an array.
    pub fn front(&self, ix: ArrayIx) -> Res<&Front> {
        self.fronts
            .get(ix.0)
            .ok_or_else(|| ApiError::inconsistent("array"))
    }

    /// Waits until the listener of an array has followed its power.
    pub async fn power_applied(&self, ix: ArrayIx) {
        let Some(front) = self.fronts.get(ix.0) else {
            return;
        };
        let wanted = *front.power.borrow();
        // The listener is gone only when the whole simulation stops.
        let _ = front
            .applied
            .subscribe()
            .wait_for(|have| *have == wanted)
            .await;
    }

    /// Switches an array off or on, on the network and in the world.
    pub fn set_power(&self, ix: ArrayIx, power: Power) -> Res<()> {
        self.world().set_power(ix, power == Power::On)?;
        self.front(ix)?.power.send_replace(power);
        Ok(())
    }
}
