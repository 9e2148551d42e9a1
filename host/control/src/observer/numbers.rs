//! What was observed, as numbers: what Prometheus alarms on.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use springform_model::contract::{LinkState, Protection};
use springform_model::time::Timestamp;

use super::tally::{TargetTally, Watched};
use super::task::Watch;

type Labels = Vec<(&'static str, String)>;
type Whole = Family<Labels, Gauge>;
type Real = Family<Labels, Gauge<f64, AtomicU64>>;

/// When a backend was observed, and which targets it had then.
#[derive(Debug)]
struct Seen {
    at: Timestamp,
    targets: Vec<String>,
}

/// Numbers of replication, by backend and target. What is not known has no number.
#[derive(Debug, Default)]
pub struct Numbers {
    lag: Whole,
    ratio: Real,
    severity: Whole,
    links: Whole,
    owed: Whole,
    protection: Whole,
    unprotected: Whole,
    split_brain: Whole,
    drills: Whole,
    failures: Whole,
    age: Whole,
    seen: Mutex<BTreeMap<String, Seen>>,
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Numbers {
    /// Makes the numbers known to a registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
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
        whole("drills_open", "Drills that are not over", &new.drills);
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

    /// Brings the ages up to the hour.
    pub fn grow_old(&self, now: Timestamp) {
        if let Ok(seen) = self.seen.lock() {
            for (backend, seen) in seen.iter() {
                let age = now.seconds_since(seen.at);
                self.age
                    .get_or_create(&backend_label(backend))
                    .set(number(age));
            }
        }
    }

    fn target(&self, backend: &str, name: &str, target: &TargetTally) {
        let labels = target_labels(backend, name);
        match target.lag_seconds {
            Some(seconds) => {
                self.lag.get_or_create(&labels).set(number(seconds));
            }
            None => {
                self.lag.remove(&labels);
            }
        }
        match target.ratio_permille {
            Some(permille) => {
                // A ratio of more than 2^52 thousandths is alarming whatever its last digits are.
                #[allow(clippy::cast_precision_loss)]
                self.ratio
                    .get_or_create(&labels)
                    .set(permille as f64 / 1000.0);
            }
            None => {
                self.ratio.remove(&labels);
            }
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

    /// The backend is not configured any more.
    pub fn forget_backend(&self, backend: &str) {
        let seen = match self.seen.lock() {
            Ok(mut seen) => seen.remove(backend),
            Err(_) => None,
        };
        for name in seen.iter().flat_map(|seen| &seen.targets) {
            self.forget(backend, name);
        }
        let label = backend_label(backend);
        for state in PROTECTION {
            self.protection.remove(&with_state(&label, state.as_str()));
        }
        for whole in [
            &self.failures,
            &self.unprotected,
            &self.split_brain,
            &self.drills,
            &self.age,
        ] {
            whole.remove(&label);
        }
    }

    /// Nothing is copied to this target any more: it serves now, or is not configured.
    fn forget(&self, backend: &str, name: &str) {
        let labels = target_labels(backend, name);
        self.lag.remove(&labels);
        self.ratio.remove(&labels);
        self.severity.remove(&labels);
        self.owed.remove(&labels);
        for state in LINKS {
            self.links.remove(&with_state(&labels, state.as_str()));
        }
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
        let label = backend_label(&watched.backend);
        self.failures
            .get_or_create(&label)
            .set(i64::from(watched.failures));
        let Some(at) = watched.at else { return };
        let tally = &watched.tally;
        let now = Seen {
            at,
            targets: tally.targets.keys().cloned().collect(),
        };
        let before = match self.seen.lock() {
            Ok(mut seen) => seen.insert(watched.backend.clone(), now),
            Err(_) => None,
        };
        for name in before.iter().flat_map(|before| &before.targets) {
            if !tally.targets.contains_key(name) {
                self.forget(&watched.backend, name);
            }
        }
        for (name, target) in &tally.targets {
            self.target(&watched.backend, name, target);
        }
        for state in PROTECTION {
            let labels = with_state(&label, state.as_str());
            self.protection
                .get_or_create(&labels)
                .set(number(tally.protected_as(&state)));
        }
        self.unprotected
            .get_or_create(&label)
            .set(number(tally.unprotected()));
        self.split_brain
            .get_or_create(&label)
            .set(number(tally.split_brain.len() as u64));
        self.drills.get_or_create(&label).set(number(tally.drills));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use springform_model::contract::{Link, Observation, RecoveryPoint, ReplicationKind, Role};
    use springform_model::replication::relation::{Event, Relation};

    use super::super::tally::Tally;
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    fn seen(id: &str, state: LinkState, behind: Option<u64>) -> Observation {
        let protected = match behind {
            Some(_) => Protection::Protected,
            None => Protection::Unprotected,
        };
        Observation {
            volume_id: id.to_owned(),
            target: Some("pure1".to_owned()),
            role: Role::Primary,
            protection: protected,
            links: vec![Link {
                target: "sec2".to_owned(),
                kind: ReplicationKind::Async,
                state,
                last_point: behind.map(|seconds| RecoveryPoint {
                    id: "p".to_owned(),
                    taken_at: NOW.as_millis() - seconds * 1000,
                }),
                interval_seconds: Some(300),
                lag_bytes: None,
                percent: None,
                detail: None,
            }],
            stale_writable: Vec::new(),
            tests: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn watched() -> Watched {
        let mut tally = Tally {
            drills: 1,
            ..Tally::default()
        };
        let looks = [
            seen("v1", LinkState::Healthy, Some(120)),
            seen("v2", LinkState::Degraded, Some(750)),
            seen("v3", LinkState::Down, None),
        ];
        for mut look in looks {
            if look.volume_id == "v2" {
                look.stale_writable.push("old3".to_owned());
            }
            let relation = Relation::new(look.volume_id.clone(), "pure1", "pure1", 1, true);
            let relation = relation.step(Event::Seen(look.clone()), NOW).unwrap().0;
            tally.add(&relation, &look, &[], NOW);
        }
        Watched {
            backend: "pure1".to_owned(),
            at: Some(NOW),
            tally,
            ..Watched::default()
        }
    }

    /// The text with the lines of each metric in order: their order is not promised.
    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let mut metrics: Vec<Vec<&str>> = Vec::new();
        for line in text.lines().filter(|line| *line != "# EOF") {
            match metrics.last_mut() {
                Some(metric) if !line.starts_with("# HELP") => metric.push(line),
                _ => metrics.push(vec![line]),
            }
        }
        let mut text = String::new();
        for metric in &mut metrics {
            metric.sort_by_key(|line| (!line.starts_with('#'), *line));
            text.push_str(&metric.join("\n"));
            text.push('\n');
        }
        text
    }

    #[test]
    fn the_metrics_of_replication_are_the_ones_in_the_tree() {
        let mut registry = Registry::with_prefix("springform");
        let numbers = Numbers::register(&mut registry);
        numbers.seen(&watched());
        numbers.grow_old(NOW.plus_micros(42_000_000));
        let text = text(&registry);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replication-metrics.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(path).expect("run with UPDATE_GOLDEN=1 to write it");
        assert!(
            golden == text,
            "{path} is not what the code says; run with UPDATE_GOLDEN=1 and look at the difference"
        );
    }

    #[test]
    fn a_target_to_which_nothing_is_copied_any_more_has_no_numbers() {
        let mut registry = Registry::default();
        let numbers = Numbers::register(&mut registry);
        numbers.seen(&watched());
        assert!(text(&registry).contains("sec2"));
        let mut after = watched();
        after.tally.targets.remove("sec2");
        numbers.seen(&after);
        assert!(!text(&registry).contains("sec2"));
    }
}
