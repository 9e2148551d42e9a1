//! The generations of a candidate, made and probed beside those that serve. Nothing that serves is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use springform_model::contract::{Call, TargetHealth};
use uuid::Uuid;

use super::difference::Difference;
use super::{Candidate, Change};
use crate::config::BackendConfig;
use crate::engine::Operations;
use crate::registry::{Drivers, Generation, GenerationRecord, LoadRefusal};

/// How long a look at the arrays that serve may take.
const LOOK: Duration = Duration::from_secs(10);

/// What is to be published.
#[derive(Default)]
pub(super) struct Prepared {
    /// Generations by backend.
    pub(super) ready: Vec<(String, Arc<Generation>)>,
    /// A new record for each driver that has another generation.
    pub(super) records: Vec<GenerationRecord>,
}

impl Prepared {
    pub(super) fn generation_of(&self, backend: &str) -> Option<u64> {
        let found = self.ready.iter().find(|(name, _)| name == backend);
        found.map(|(_, generation)| generation.number)
    }
}

/// Loads and probes the driver of every backend that differs.
///
/// # Errors
/// Everything that is wrong, a sentence each.
pub(super) async fn all(
    operations: &Operations,
    candidate: &Candidate,
    difference: &Difference,
) -> Result<Prepared, Vec<String>> {
    let drivers = Drivers::new(operations);
    let mut prepared = Prepared::default();
    let mut problems = Vec::new();
    let mut wanted: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for backend in &difference.backends {
        if let Some(config) = &backend.wanted {
            wanted.entry(&config.driver).or_default().push(config);
        }
    }
    let added = difference.drivers.iter();
    let added: BTreeSet<&str> = added
        .filter(|driver| driver.change == Change::Added)
        .map(|driver| driver.name.as_str())
        .collect();
    for driver in &candidate.drivers {
        let backends = wanted.remove(driver.name.as_str()).unwrap_or_default();
        if backends.is_empty() && !added.contains(driver.name.as_str()) {
            continue;
        }
        let loader = candidate.loader.as_ref();
        let mut record = match drivers.next(driver, loader).await {
            Ok(record) => record,
            Err(error) => {
                problems.push(error.message);
                continue;
            }
        };
        record.grants.clear();
        for backend in backends {
            let made = match drivers.prepare(&record, backend, loader, true).await {
                Ok((generation, seen)) => match lost(operations, backend, &seen).await {
                    None => Ok(generation),
                    Some(message) => Err(LoadRefusal::new("probe", message)),
                },
                Err(refusal) => Err(refusal),
            };
            match made {
                Ok(generation) => {
                    record.signers.clone_from(&generation.loaded.signers);
                    record.add_grants(&generation.loaded.grants);
                    record.config_digest = backend.digest();
                    prepared
                        .ready
                        .push((backend.name.clone(), Arc::new(generation)));
                }
                Err(LoadRefusal { stage, message }) => {
                    let name = &backend.name;
                    let place = candidate.places.get(name).map(|place| format!("{place}: "));
                    problems.push(format!(
                        "{}backend {name} was refused at the stage {stage}: {message}",
                        place.unwrap_or_default()
                    ));
                }
            }
        }
        prepared.records.push(record);
    }
    if problems.is_empty() {
        Ok(prepared)
    } else {
        Err(problems)
    }
}

/// An array that answers what serves and would not answer the candidate: a wrong address or a wrong token. One that answers
/// neither is no reason to refuse; a configuration may be what helps.
async fn lost(
    operations: &Operations,
    wanted: &BackendConfig,
    seen: &[TargetHealth],
) -> Option<String> {
    let serving = operations.generation(&wanted.name)?;
    let known = |name: &str| serving.config.targets.iter().any(|t| t.name == name);
    let dark = seen.iter().filter(|s| !s.reachable && known(&s.target));
    let dark: Vec<&TargetHealth> = dark.collect();
    if dark.is_empty() {
        return None;
    }
    let id = Uuid::now_v7().to_string();
    let now = operations.call_once(&wanted.name, &id, Vec::new(), LOOK, Call::Check);
    let now = now.await.and_then(|reply| reply.into_check()).ok()?;
    let answers = |name: &str| now.iter().any(|n| n.target == name && n.reachable);
    let lost = dark.into_iter().find(|d| answers(&d.target))?;
    Some(format!(
        "array {} answers now, and would not: {}",
        lost.target,
        lost.problems.join("; ")
    ))
}
