//! The numbers as Prometheus reads them.

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

fn state(arrays: Vec<ArrayState>) -> BackendState {
    BackendState {
        backend: "pure1".to_owned(),
        since: Since {
            ended: None,
            interval: std::time::Duration::from_secs(60),
        },
        arrays,
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
    let arrays = vec![
        ArrayState {
            target: "pure1".to_owned(),
            reachable: Some(true),
            distrusted: false,
            clock_skew_seconds: Some(-3),
        },
        ArrayState {
            target: "sec2".to_owned(),
            reachable: Some(false),
            distrusted: true,
            clock_skew_seconds: None,
        },
    ];
    let owed = Owed {
        target: "old3".to_owned(),
        kind: ObligationKind::DeleteVolume,
        count: 2,
        since: NOW,
        objects: Vec::new(),
        reason: String::new(),
        error: None,
    };
    numbers.owed("pure1", vec![owed]);
    numbers.bring_up_to(NOW.plus_micros(42_000_000), &[state(arrays)]);
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
    numbers.bring_up_to(NOW, &[state(Vec::new())]);
    assert!(text(&registry).contains("sec2"));
    let mut after = watched();
    after.tally.targets.remove("sec2");
    numbers.seen(&after);
    numbers.bring_up_to(NOW, &[state(Vec::new())]);
    assert!(!text(&registry).contains("sec2"));
    numbers.bring_up_to(NOW, &[]);
    assert!(!text(&registry).contains("pure1"));
}

#[test]
fn what_is_not_known_to_be_so_now_is_not_counted_as_protected() {
    let mut registry = Registry::default();
    let numbers = Numbers::register(&mut registry);
    let mut failing = watched();
    failing.failures = 2;
    numbers.seen(&failing);
    numbers.bring_up_to(NOW, &[state(Vec::new())]);
    let text = text(&registry);
    for line in [
        "replication_protection{backend=\"pure1\",state=\"protected\"} 0",
        "replication_protection{backend=\"pure1\",state=\"unknown\"} 3",
        "replication_links{backend=\"pure1\",target=\"sec2\",state=\"unknown\"} 3",
        "replication_lag_seconds{backend=\"pure1\",target=\"sec2\"} 750",
        "replication_observation_failures{backend=\"pure1\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "no {line} in {text}");
    }
    assert!(!text.contains("unprotected_volumes{"), "{text}");
}
