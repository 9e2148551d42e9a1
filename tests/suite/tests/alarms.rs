//! Alarms that fire: each thing is switched off on the simulated arrays, and a real Prometheus with the rules of the tree says
//! so. Only how long it waits first is left out here; that is what `promtool test rules` judges.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::path::{Path, PathBuf};
use std::time::Duration;

use desk::{Desk, PATIENCE};
use springform_suite::prometheus::{Prometheus, promtool};
use springform_suite::site::{PRIMARY, SECOND};
use tokio::time::Instant;

fn rules() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
    root.join("springform.rules.yml")
}

/// The rules, but an alarm fires as soon as it is true, and what is owed for a second is owed for long.
fn at_once() -> String {
    let text = std::fs::read_to_string(rules()).unwrap();
    let old = "springform_obligations_oldest_seconds > 86400";
    assert!(text.contains(old), "{text}");
    let text = text.replace(old, "springform_obligations_oldest_seconds > 1");
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("for: "));
    let lines: Vec<_> = lines.collect();
    lines.join("\n") + "\n"
}

/// A host that is watched, and whoever watches it.
struct Watched {
    desk: Desk,
    prometheus: Prometheus,
}

impl Watched {
    /// While all is well.
    async fn new() -> Self {
        let desk = Desk::watching().await;
        let rules = at_once();
        let prometheus = Prometheus::start(&desk.host.url, Some(&rules)).await;
        let prometheus = prometheus.unwrap();
        let new = Self { desk, prometheus };
        let protected = "springform_replication_protection{state=\"protected\"}==1";
        new.until(
            async |p| !p.value(protected).await.unwrap().is_empty(),
            "protected",
        )
        .await;
        new.quiet().await;
        new
    }

    async fn until(&self, holds: impl AsyncFn(&Prometheus) -> bool, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.prometheus).await {
            assert!(
                Instant::now() < deadline,
                "never {what}; firing: {:?}\n{}",
                self.prometheus.firing().await.unwrap(),
                self.desk.host.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn fires(&self, alarms: &[&str]) {
        let all = async |p: &Prometheus| {
            let firing = p.firing().await.unwrap();
            alarms.iter().all(|alarm| firing.iter().any(|f| f == alarm))
        };
        self.until(all, &format!("{alarms:?}")).await;
    }

    async fn quiet(&self) {
        let none = async |p: &Prometheus| p.firing().await.unwrap().is_empty();
        self.until(none, "quiet").await;
    }
}

#[tokio::test]
async fn promtool_accepts_the_rules_and_each_fires_when_it_is_to() {
    let path = rules();
    let arguments = ["check", "rules", path.to_str().unwrap()];
    let said = promtool(&arguments, "").await.unwrap();
    assert!(said.contains("15 rules found"), "{said}");
    let tests = path.with_extension("test.yml");
    let arguments = ["test", "rules", tests.to_str().unwrap()];
    promtool(&arguments, "").await.unwrap();
    let (rules, tests) = (
        std::fs::read_to_string(&path).unwrap(),
        std::fs::read_to_string(&tests).unwrap(),
    );
    for line in rules.lines() {
        let Some((_, name)) = line.split_once("- alert: ") else {
            continue;
        };
        let tested = format!("alertname=\"{name}\"");
        assert!(tests.contains(&tested), "{name} is not tested");
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not in the book"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dark_target_and_then_a_dark_backend_and_its_failover_are_alarms() {
    let watched = Watched::new().await;
    let control = &watched.desk.site.control;
    control.power(SECOND, false).await.unwrap();
    watched
        .fires(&[
            "SpringformArrayDark",
            "SpringformProtectionLost",
            "SpringformProtectionUnknown",
        ])
        .await;
    control.power(SECOND, true).await.unwrap();
    watched.quiet().await;

    control.power(PRIMARY, false).await.unwrap();
    watched
        .fires(&[
            "SpringformArrayDark",
            "SpringformBackendDown",
            "SpringformProtectionUnknown",
        ])
        .await;
    // The target knows what it has, and it is asked.
    let down = "springform_replication_links{target=\"sec2\",state=\"down\"}==1";
    watched
        .until(
            async |p| !p.value(down).await.unwrap().is_empty(),
            "a link that is down",
        )
        .await;
    watched.desk.loses_the_first().await;
    watched.fires(&["SpringformObligationOld"]).await;
    watched.desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_runs_ahead_is_an_alarm_and_makes_what_depends_on_it_unknown() {
    let watched = Watched::new().await;
    let control = &watched.desk.site.control;
    control.date_ahead(SECOND, 2 * 86_400 + 60).await.unwrap();
    watched
        .fires(&["SpringformClockSkew", "SpringformProtectionUnknown"])
        .await;
    let status = watched.desk.does(&["status"]).await.out;
    assert!(
        status.contains("the clock of array sec2 is 2 days ahead of this host's"),
        "{status}"
    );
    let volume = ["status", "--volume", &watched.desk.volume];
    let status = watched.desk.does(&volume).await.out;
    assert!(
        status.contains("the clock of sec2 is 2 days ahead of this host's"),
        "{status}"
    );
    control.date_ahead(SECOND, 0).await.unwrap();
    watched.quiet().await;
    watched.desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_taken_out_of_its_group_by_hand_and_a_host_that_is_gone_are_alarms() {
    let watched = Watched::new().await;
    let control = &watched.desk.site.control;
    let volume = format!("volume-{}-cinder", watched.desk.volume);
    let body =
        serde_json::json!({"action": "leave_group", "group": "cinder-group", "volume": volume});
    let path = format!("/arrays/{PRIMARY}/behind-our-back");
    control
        .call(http::Method::POST, &path, &body)
        .await
        .unwrap();
    watched.fires(&["SpringformNoCopy"]).await;
    let Watched { desk, prometheus } = watched;
    desk.clock.abort();
    assert!(desk.host.stop().await.unwrap());
    let deadline = Instant::now() + PATIENCE;
    while prometheus.firing().await.unwrap() != ["SpringformHostGone"] {
        assert!(Instant::now() < deadline, "never gone");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
