//! What was observed, as numbers: what Prometheus alarms on. They are written anew for each reading, so that ages are those
//! of the moment and nothing stays that is not so any more.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use springform_model::contract::{LinkState, Protection};
use springform_model::replication::obligation::ObligationKind;
use springform_model::time::Timestamp;

use super::current::Since;
use super::tally::{TargetTally, Watched};
use super::task::Watch;
use crate::owed::Owed;

type Labels = Vec<(&'static str, String)>;
type Whole = Family<Labels, Gauge>;
type Real = Family<Labels, Gauge<f64, AtomicU64>>;

/// What is known of one array without observing volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayState {
    /// Its name.
    pub target: String,
    /// Whether it answered last time; none before the first time.
    pub reachable: Option<bool>,
    /// Whether whoever answers is not believed to be it.
    pub distrusted: bool,
    /// How far its clock is ahead, seconds; none where that was never measured.
    pub clock_skew_seconds: Option<i64>,
}

/// What the numbers of one backend are written from, beside what was observed.
#[derive(Debug, Clone)]
pub struct BackendState {
    /// Its name.
    pub backend: String,
    /// What observations are held against.
    pub since: Since,
    /// Its arrays.
    pub arrays: Vec<ArrayState>,
}

/// Numbers of replication, by backend and target. What is not known has no number.
#[derive(Debug, Default)]
pub struct Numbers {
    lag: Whole,
    ratio: Real,
    severity: Whole,
    links: Whole,
    owed: Whole,
    obligations: Whole,
    oldest: Whole,
    protection: Whole,
    unprotected: Whole,
    split_brain: Whole,
    overtaken: Whole,
    differences: Whole,
    drills: Whole,
    overdue: Whole,
    failures: Whole,
    age: Whole,
    reachable: Whole,
    distrusted: Whole,
    skew: Whole,
    seen: Mutex<BTreeMap<String, Watched>>,
    /// In how many ways arrays and records differed.
    compared: Mutex<BTreeMap<String, u64>>,
    /// What arrays are owed of objects without a record.
    records: Mutex<BTreeMap<String, Vec<Owed>>>,
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Numbers {
    /// Makes the numbers known to a registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        let arrays = registry.sub_registry_with_prefix("array");
        for (name, help, family) in [
            (
                "reachable",
                "1 when the array answered the last check",
                &new.reachable,
            ),
            (
                "distrusted",
                "1 when whoever answers is not believed to be the array: its certificate or its TLS",
                &new.distrusted,
            ),
            (
                "clock_skew_seconds",
                "How far the array's clock is ahead of this host's, at least; negative where it is behind",
                &new.skew,
            ),
        ] {
            arrays.register(name, help, family.clone());
        }
        for (name, help, family) in [
            (
                "obligations",
                "What the array is owed and has not been told yet, by kind",
                &new.obligations,
            ),
            (
                "obligations_oldest_seconds",
                "Seconds since the oldest of them",
                &new.oldest,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let registry = registry.sub_registry_with_prefix("replication");
        let mut whole = |name: &str, help: &str, family: &Whole| {
            registry.register(name, help, family.clone());
        };
        whole(
            "lag_seconds",
            "Age of the newest complete copy on the target; the worst volume's",
            &new.lag,
        );
        whole(
            "lag_severity",
            "0 within the schedule, 1 over twice, 2 from three times the schedule, or no copy at all",
            &new.severity,
        );
        whole(
            "links",
            "Volumes whose link to the target is in the state",
            &new.links,
        );
        whole(
            "fences_owed",
            "Volumes whose copy on the target was left behind and is not fenced yet",
            &new.owed,
        );
        whole(
            "protection",
            "Volumes in the state of protection",
            &new.protection,
        );
        whole(
            "unprotected_volumes",
            "Volumes that shall have a copy and have none",
            &new.unprotected,
        );
        whole(
            "split_brain_volumes",
            "Volumes that were written on two arrays independently",
            &new.split_brain,
        );
        whole(
            "overtaken_volumes",
            "Volumes whose record is older than what the arrays say: nothing is changed until it is adopted",
            &new.overtaken,
        );
        whole(
            "differences",
            "In how many ways the arrays differ from the records, by the last comparison",
            &new.differences,
        );
        whole("drills_open", "Drills that are not over", &new.drills);
        whole(
            "drill_overdue_seconds",
            "Seconds since the drill should have ended that is the longest overdue",
            &new.overdue,
        );
        whole(
            "observation_failures",
            "Observations that failed since the last one that did not",
            &new.failures,
        );
        whole(
            "observation_age_seconds",
            "Seconds since the backend was last observed as a whole",
            &new.age,
        );
        registry.register(
            "lag_ratio",
            "Lag over the interval of the schedule; the worst volume's",
            new.ratio.clone(),
        );
        new
    }

    /// Records and arrays of a backend were compared.
    pub fn differ(&self, backend: &str, count: usize) {
        if let Ok(mut compared) = self.compared.lock() {
            compared.insert(backend.to_owned(), count as u64);
        }
    }

    /// What the arrays of a backend are owed of objects without a record.
    pub fn owed(&self, backend: &str, owed: Vec<Owed>) {
        if let Ok(mut records) = self.records.lock() {
            records.insert(backend.to_owned(), owed);
        }
    }

    /// What an array is owed: of objects without a record, and the fences of volumes.
    fn obligations(
        &self,
        now: Timestamp,
        state: &BackendState,
        fences: &BTreeMap<String, TargetTally>,
    ) {
        let mut owed: BTreeMap<(&str, ObligationKind), (u64, Timestamp)> = BTreeMap::new();
        let records = self.records.lock();
        let records = records.as_ref().ok();
        let records = records.and_then(|records| records.get(&state.backend));
        let fences = fences.iter().filter_map(|(target, tally)| {
            Some((
                target.as_str(),
                ObligationKind::Fence,
                tally.owed,
                tally.owed_since?,
            ))
        });
        let records = records.into_iter().flatten();
        let records = records.map(|o| (o.target.as_str(), o.kind, o.count, o.since));
        for (target, kind, count, since) in records.chain(fences) {
            let known = owed.entry((target, kind)).or_insert((0, since));
            *known = (known.0 + count, known.1.min(since));
        }
        for ((target, kind), (count, since)) in owed {
            let labels = vec![
                ("backend", state.backend.clone()),
                ("array", target.to_owned()),
                ("kind", kind.as_str().to_owned()),
            ];
            self.obligations.get_or_create(&labels).set(number(count));
            let age = now.seconds_since(since);
            self.oldest.get_or_create(&labels).set(number(age));
        }
    }

    fn target(&self, backend: &str, name: &str, target: &TargetTally) {
        let labels = target_labels(backend, name);
        if let Some(seconds) = target.lag_seconds {
            self.lag.get_or_create(&labels).set(number(seconds));
        }
        if let Some(permille) = target.ratio_permille {
            // A ratio of more than 2^52 thousandths is alarming whatever its last digits are.
            #[allow(clippy::cast_precision_loss)]
            self.ratio
                .get_or_create(&labels)
                .set(permille as f64 / 1000.0);
        }
        self.severity
            .get_or_create(&labels)
            .set(target.severity.rank());
        self.owed.get_or_create(&labels).set(number(target.owed));
        for state in LINKS {
            let count = target.links.get(state.as_str()).copied().unwrap_or(0);
            let labels = with_state(&labels, state.as_str());
            self.links.get_or_create(&labels).set(number(count));
        }
    }

    fn array(&self, backend: &str, array: &ArrayState) {
        let labels = target_labels(backend, &array.target);
        if let Some(reachable) = array.reachable {
            self.reachable
                .get_or_create(&labels)
                .set(i64::from(reachable));
        }
        self.distrusted
            .get_or_create(&labels)
            .set(i64::from(array.distrusted));
        if let Some(seconds) = array.clock_skew_seconds {
            self.skew.get_or_create(&labels).set(seconds);
        }
    }

    /// Writes the numbers as they are now; of backends that are not among these there are none.
    pub fn bring_up_to(&self, now: Timestamp, backends: &[BackendState]) {
        let Ok(mut seen) = self.seen.lock() else {
            return;
        };
        seen.retain(|name, _| backends.iter().any(|b| b.backend == *name));
        self.ratio.clear();
        for family in self.whole() {
            family.clear();
        }
        for state in backends {
            for array in &state.arrays {
                self.array(&state.backend, array);
            }
            if let Ok(compared) = self.compared.lock()
                && let Some(count) = compared.get(&state.backend)
            {
                let label = backend_label(&state.backend);
                self.differences.get_or_create(&label).set(number(*count));
            }
            let watched = seen.get(&state.backend);
            if let Some(watched) = watched {
                self.backend(now, watched, state.since);
            }
            let none = BTreeMap::new();
            let fences = watched.map_or(&none, |watched| &watched.tally.targets);
            self.obligations(now, state, fences);
        }
    }

    fn backend(&self, now: Timestamp, watched: &Watched, since: Since) {
        let label = backend_label(&watched.backend);
        let set = |family: &Whole, count: u64| {
            family.get_or_create(&label).set(number(count));
        };
        set(&self.failures, u64::from(watched.failures));
        let Some(at) = watched.at else { return };
        set(&self.age, now.seconds_since(at));
        let tally = watched.as_of(now, since);
        for (name, target) in &tally.targets {
            self.target(&watched.backend, name, target);
        }
        for state in PROTECTION {
            let labels = with_state(&label, state.as_str());
            self.protection
                .get_or_create(&labels)
                .set(number(tally.protected_as(&state)));
        }
        if watched.outdated(now, since).is_none() {
            set(&self.unprotected, tally.unprotected());
        }
        set(&self.split_brain, tally.split_brain.len() as u64);
        set(&self.overtaken, tally.overtaken);
        set(&self.drills, tally.drills);
        let overdue = tally.drills_end.map_or(0, |end| now.seconds_since(end));
        set(&self.overdue, overdue);
    }

    fn whole(&self) -> [&Whole; 18] {
        [
            &self.lag,
            &self.severity,
            &self.links,
            &self.owed,
            &self.obligations,
            &self.oldest,
            &self.protection,
            &self.unprotected,
            &self.split_brain,
            &self.overtaken,
            &self.differences,
            &self.drills,
            &self.overdue,
            &self.failures,
            &self.age,
            &self.reachable,
            &self.distrusted,
            &self.skew,
        ]
    }
}

/// The states of protection that have a number.
const PROTECTION: [Protection; 6] = [
    Protection::Unprotected,
    Protection::Initialising,
    Protection::Protected,
    Protection::RpoExceeded,
    Protection::TestActive,
    Protection::Unknown,
];

/// The states of a link that have a number.
const LINKS: [LinkState; 6] = [
    LinkState::Healthy,
    LinkState::Degraded,
    LinkState::Paused,
    LinkState::Down,
    LinkState::Resyncing,
    LinkState::Unknown,
];

fn target_labels(backend: &str, target: &str) -> Labels {
    vec![
        ("backend", backend.to_owned()),
        ("target", target.to_owned()),
    ]
}

fn with_state(labels: &Labels, state: &str) -> Labels {
    let mut labels = labels.clone();
    labels.push(("state", state.to_owned()));
    labels
}

fn backend_label(backend: &str) -> Labels {
    vec![("backend", backend.to_owned())]
}

impl Watch for Numbers {
    fn seen(&self, watched: &Watched) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.insert(watched.backend.clone(), watched.clone());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
