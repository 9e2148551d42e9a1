//! The running generations, published as a whole: a reader sees the old table or the new one, never half of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Loaded;

/// Code, configuration and grants of one backend's driver, numbered.
#[derive(Debug)]
pub struct Generation {
    /// Number, counted for each driver.
    pub number: u64,
    /// Driver name of the configuration.
    pub driver_name: String,
    /// Version that the driver states.
    pub version: String,
    /// Digest of the configuration it was made with.
    pub config_digest: String,
    /// What the loader made.
    pub loaded: Loaded,
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
}
