//! What a candidate has otherwise than what serves, in the operator's words.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{BackendChange, Candidate, Change, DriverChange};
use crate::config::{BackendConfig, DriverConfig};
use crate::engine::Operations;

/// One backend that differs.
pub(super) struct Differs {
    pub(super) name: String,
    pub(super) change: Change,
    pub(super) what: Vec<String>,
    /// What it is to be; none where it is removed.
    pub(super) wanted: Option<Arc<BackendConfig>>,
    /// What it is; none where it is added.
    pub(super) serving: Option<Arc<BackendConfig>>,
}

impl Differs {
    /// The driver that serves it afterwards, or did.
    pub(super) fn driver(&self) -> &str {
        let config = self.wanted.as_ref().or(self.serving.as_ref());
        config.map_or("", |config| config.driver.as_str())
    }

    /// Arrays that are configured now and not any more afterwards.
    pub(super) fn targets_gone(&self) -> Vec<&str> {
        let names = |config: &'_ Option<Arc<BackendConfig>>| -> BTreeSet<String> {
            let targets = config.iter().flat_map(|config| &config.targets);
            targets.map(|target| target.name.clone()).collect()
        };
        let kept = names(&self.wanted);
        let serving = self.serving.iter().flat_map(|config| &config.targets);
        serving
            .map(|target| target.name.as_str())
            .filter(|name| !kept.contains(*name))
            .collect()
    }
}

/// Everything that differs.
pub(super) struct Difference {
    pub(super) backends: Vec<Differs>,
    pub(super) drivers: Vec<DriverChange>,
    pub(super) unchanged: usize,
}

impl Difference {
    pub(super) fn between(operations: &Operations, candidate: &Candidate) -> Self {
        let setting = operations.live_config();
        let mut backends = Vec::new();
        for wanted in &candidate.backends {
            let serving = setting.backends.get(&wanted.name).map(|b| b.config());
            let (change, what) = match &serving {
                None => (Change::Added, Vec::new()),
                Some(serving) => {
                    let mut what = differs(serving, wanted);
                    what.extend(
                        candidate
                            .changed
                            .get(&wanted.name)
                            .cloned()
                            .unwrap_or_default(),
                    );
                    if operations.generation(&wanted.name).is_none() {
                        what.push("its driver was not loaded".to_owned());
                    }
                    if what.is_empty() {
                        continue;
                    }
                    (Change::Changed, what)
                }
            };
            backends.push(Differs {
                name: wanted.name.clone(),
                change,
                what,
                wanted: Some(Arc::new(wanted.clone())),
                serving,
            });
        }
        let kept: BTreeSet<&str> = candidate.backends.iter().map(|b| b.name.as_str()).collect();
        for (name, handle) in &setting.backends {
            if !kept.contains(name.as_str()) {
                backends.push(Differs {
                    name: name.clone(),
                    change: Change::Removed,
                    what: Vec::new(),
                    wanted: None,
                    serving: Some(handle.config()),
                });
            }
        }
        let touched = backends
            .iter()
            .filter(|b| b.change == Change::Changed)
            .count();
        let removed = backends
            .iter()
            .filter(|b| b.change == Change::Removed)
            .count();
        Self {
            unchanged: setting.backends.len().saturating_sub(touched + removed),
            drivers: drivers(&setting.drivers, &candidate.drivers),
            backends,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.backends.is_empty() && self.drivers.is_empty()
    }

    /// As the answer has it.
    pub(super) fn described(
        &self,
        generation_of: impl Fn(&str) -> Option<u64>,
    ) -> Vec<BackendChange> {
        let describe = |differs: &Differs| BackendChange {
            name: differs.name.clone(),
            change: differs.change,
            what: differs.what.clone(),
            driver: differs.driver().to_owned(),
            generation: generation_of(&differs.name),
            ready: false,
            reason: None,
        };
        self.backends.iter().map(describe).collect()
    }
}

fn drivers(serving: &[DriverConfig], wanted: &[DriverConfig]) -> Vec<DriverChange> {
    let find = |list: &[DriverConfig], name: &str| list.iter().find(|d| d.name == name).cloned();
    let mut all = Vec::new();
    for driver in wanted {
        let change = match find(serving, &driver.name) {
            None => Change::Added,
            Some(known) if known != *driver => Change::Changed,
            Some(_) => continue,
        };
        let name = driver.name.clone();
        all.push(DriverChange { name, change });
    }
    for driver in serving {
        if find(wanted, &driver.name).is_none() {
            all.push(DriverChange {
                name: driver.name.clone(),
                change: Change::Removed,
            });
        }
    }
    all
}

/// What one backend has otherwise, as far as it is seen here. Options are compared by the source, as they are written:
/// their defaults are the driver's.
fn differs(serving: &BackendConfig, wanted: &BackendConfig) -> Vec<String> {
    let mut what = Vec::new();
    let shape = |config: &BackendConfig| -> Vec<_> {
        let targets = config.targets.iter();
        targets
            .map(|t| (t.name.clone(), t.primary, t.kind.clone()))
            .collect()
    };
    if shape(serving) != shape(wanted) {
        let names: Vec<&str> = wanted.targets.iter().map(|t| t.name.as_str()).collect();
        what.push(format!("targets {}", names.join(", ")));
    }
    if serving.driver != wanted.driver {
        what.push(format!("driver {}", wanted.driver));
    }
    let mut named = |differs: bool, word: &str| {
        if differs {
            what.push(word.to_owned());
        }
    };
    named(
        serving.availability_zone != wanted.availability_zone,
        "availability zone",
    );
    named(
        serving.failback_discards_old_primary != wanted.failback_discards_old_primary,
        "failback_discards_old_primary",
    );
    named(serving.parallel != wanted.parallel, "concurrent calls");
    what
}
