//! The running generations, published as a whole: a reader sees the old table or the new one, never half of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Loaded;
use crate::config::BackendConfig;

/// Code, configuration and grants of one backend's driver, numbered.
#[derive(Debug)]
pub struct Generation {
    /// Number, counted for each driver.
    pub number: u64,
    /// Driver name of the configuration.
    pub driver_name: String,
    /// Version that the driver states.
    pub version: String,
    /// The configuration it was made with: a call is told of the arrays that its driver was bound to.
    pub config: Arc<BackendConfig>,
    /// What the loader made.
    pub loaded: Loaded,
}

impl Generation {
    /// Why no call is let through to the driver; `None` while it serves.
    #[must_use]
    pub fn quarantine(&self) -> Option<String> {
        let quarantined = self.loaded.driver.is_quarantined();
        quarantined.then(|| {
            format!(
                "driver {} is quarantined: it trapped, hung or broke its limits again and again; it is tried again by itself, `springform driver rollback {}` goes back to the component before it",
                self.driver_name, self.driver_name
            )
        })
    }
}

/// Backend name to generation.
#[derive(Debug, Default)]
pub struct Table {
    map: ArcSwap<BTreeMap<String, Arc<Generation>>>,
}

impl Table {
    /// The generation that serves a backend now. The clone keeps it until the call is over.
    #[must_use]
    pub fn get(&self, backend: &str) -> Option<Arc<Generation>> {
        self.map.load().get(backend).cloned()
    }

    /// Publishes new generations of some backends at once and gives back the ones they replace.
    pub fn publish(&self, new: &[(String, Arc<Generation>)]) -> Vec<Arc<Generation>> {
        let before = self.map.rcu(|old| {
            let mut map = BTreeMap::clone(old);
            map.extend(new.iter().cloned());
            map
        });
        new.iter()
            .filter_map(|(backend, _)| before.get(backend).cloned())
            .collect()
    }

    /// Takes a backend out. Calls under way keep its generation until they are over.
    pub fn withdraw(&self, backend: &str) {
        self.map.rcu(|old| {
            let mut map = BTreeMap::clone(old);
            map.remove(backend);
            map
        });
    }
}
