//! Who may hold an instance. A driver has a few of its own that nobody else gets, and may take no more than half of the rest:
//! 280 calls that sleep in one driver must not keep another from its first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Drivers that get instances of their own; further ones share the rest. Bounds the size of the pool.
const MOST_RESERVED: usize = 32;

/// The instances of a process.
#[derive(Debug)]
pub struct Shares {
    common: Arc<Semaphore>,
    most: usize,
    reserved: usize,
    drivers: Mutex<HashMap<String, Weak<Share>>>,
}

/// What one driver may hold, over all its backends and generations.
#[derive(Debug)]
pub struct Share {
    own: Arc<Semaphore>,
    most: Arc<Semaphore>,
    common: Arc<Semaphore>,
}

/// An instance, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    _own: OwnedSemaphorePermit,
    _common: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// So many instances for all, and so many for each driver alone.
    #[must_use]
    pub fn new(common: usize, reserved: usize) -> Self {
        let common = common.max(1);
        Self {
            common: Arc::new(Semaphore::new(common)),
            most: common.div_ceil(2),
            reserved,
            drivers: Mutex::default(),
        }
    }

    /// Instances that the pool must have room for.
    #[must_use]
    pub fn total(common: usize, reserved: usize) -> usize {
        common
            .max(1)
            .saturating_add(reserved.saturating_mul(MOST_RESERVED))
    }

    /// The share of a driver, by the name under which operators know it.
    #[must_use]
    pub fn of(&self, driver: &str) -> Arc<Share> {
        let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = drivers.get(driver).and_then(Weak::upgrade) {
            return known;
        }
        drivers.retain(|_, share| share.strong_count() > 0);
        let reserved = match drivers.len() < MOST_RESERVED {
            true => self.reserved,
            false => 0,
        };
        let share = Arc::new(Share {
            own: Arc::new(Semaphore::new(reserved)),
            most: Arc::new(Semaphore::new(self.most)),
            common: self.common.clone(),
        });
        drivers.insert(driver.to_owned(), Arc::downgrade(&share));
        share
    }
}

impl Share {
    /// An instance if one is free at once, and nobody has waited longer.
    #[must_use]
    pub fn try_take(&self) -> Option<Slot> {
        if let Ok(own) = self.own.clone().try_acquire_owned() {
            return Some(Slot {
                _own: own,
                _common: None,
            });
        }
        let own = self.most.clone().try_acquire_owned().ok()?;
        let common = self.common.clone().try_acquire_owned().ok()?;
        Some(Slot {
            _own: own,
            _common: Some(common),
        })
    }

    /// Waits for an instance; first come, first served among the calls of one driver. None only when the process ends.
    pub async fn take(&self) -> Option<Slot> {
        if let Some(slot) = self.try_take() {
            return Some(slot);
        }
        let shared = async {
            let own = self.most.clone().acquire_owned().await.ok()?;
            let common = self.common.clone().acquire_owned().await.ok()?;
            Some(Slot {
                _own: own,
                _common: Some(common),
            })
        };
        tokio::select! {
            biased;
            own = self.own.clone().acquire_owned() => Some(Slot { _own: own.ok()?, _common: None }),
            slot = shared => slot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_driver_that_takes_all_it_can_leaves_another_its_own_and_half_of_the_rest() {
        let shares = Shares::new(8, 2);
        let (greedy, modest) = (shares.of("greedy"), shares.of("modest"));
        let taken: Vec<_> = std::iter::from_fn(|| greedy.try_take()).collect();
        assert_eq!(taken.len(), 2 + 4);
        let left: Vec<_> = std::iter::from_fn(|| modest.try_take()).collect();
        assert_eq!(left.len(), 2 + 4);
        assert!(shares.of("third").try_take().is_some(), "it has its own");
    }

    #[tokio::test]
    async fn backends_and_generations_of_one_driver_are_one_share() {
        let shares = Shares::new(2, 0);
        let slot = shares.of("a").try_take();
        assert!(slot.is_some());
        let known = shares.of("a");
        let held = known.try_take();
        assert!(shares.of("a").try_take().is_none(), "half of two is one");
        drop((slot, held));
        assert!(shares.of("a").take().await.is_some());
    }
}
