//! The metrics as whoever scrapes the host reads them.

use crate::backend::BackendHandle;
use crate::observer::{ArrayState, BackendState};
use crate::{Control, obligations};

impl Control {
    /// Numbers as OpenMetrics text, without its end mark. What the database does not tell now is what it told last.
    pub async fn metrics_text(&self) -> String {
        self.metrics().open(self.runner().open());
        let mut backends = Vec::new();
        for handle in self.backends() {
            let state = self.counted(&handle);
            let targets: Vec<String> = state.arrays.iter().map(|a| a.target.clone()).collect();
            let owed = obligations::counted(self.store(), handle.name(), &targets).await;
            if let Ok(owed) = owed {
                self.observed().owed(handle.name(), owed);
            }
            let serving = self.generation(handle.name());
            if let Some(driver) = serving.map(|serving| serving.loaded.driver.clone()) {
                let (denied, quarantined) = (driver.denied_requests(), driver.is_quarantined());
                self.metrics().driver(handle.name(), denied, quarantined);
                handle.forget_if_gone(self.metrics());
            }
            backends.push(state);
        }
        let now = self.now();
        self.metrics()
            .text(|| self.observed().bring_up_to(now, &backends))
    }

    fn counted(&self, handle: &BackendHandle) -> BackendState {
        let (health, facts) = (handle.status().health, self.facts(handle.name()));
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
            since: self.since(handle),
            arrays: arrays.collect(),
        }
    }
}
