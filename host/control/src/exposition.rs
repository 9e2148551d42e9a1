//! The text that `/metrics` serves.

use crate::backend::BackendHandle;
use crate::backends::Backends;
use crate::engine::Operations;
use crate::obligations;
use crate::observer::{ArrayState, BackendState};

/// Numbers as OpenMetrics text, without its end mark. What the database does not tell now is what it told last.
pub(crate) async fn text(operations: &Operations) -> String {
    let metrics = operations.metrics();
    metrics.open(operations.live().open());
    let mut backends = Vec::new();
    for handle in operations.backends() {
        let state = counted(operations, &handle);
        let targets: Vec<String> = state.arrays.iter().map(|a| a.target.clone()).collect();
        let owed = obligations::counted(operations.store(), handle.name(), &targets).await;
        if let Ok(owed) = owed {
            operations.observed().owed(handle.name(), owed);
        }
        let serving = operations.generation(handle.name());
        if let Some(driver) = serving.map(|serving| serving.loaded.driver.clone()) {
            let (denied, quarantined) = (driver.denied_requests(), driver.is_quarantined());
            metrics.driver(handle.name(), denied, quarantined);
            handle.forget_if_gone(metrics);
        }
        backends.push(state);
    }
    let now = operations.now();
    metrics.text(|| operations.observed().bring_up_to(now, &backends))
}

fn counted(backends: &Backends, handle: &BackendHandle) -> BackendState {
    let (health, facts) = (handle.status().health, backends.facts(handle.name()));
    let config = handle.config();
    let arrays = config.targets.iter().map(|target| {
        let facts = facts.iter().find(|f| f.target == target.name);
        let health = health.iter().find(|h| h.target == target.name);
        ArrayState {
            target: target.name.clone(),
            reachable: health.map(|h| h.reachable),
            distrusted: facts.is_some_and(|f| f.distrust.is_some()),
            clock_skew_seconds: facts.and_then(|f| f.clock).map(|clock| clock.seconds),
        }
    });
    BackendState {
        backend: handle.name().to_owned(),
        since: backends.since(handle),
        arrays: arrays.collect(),
    }
}
