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

use desk::{Desk, INITIATOR, PATIENCE};
use flasharray_sim::{Sim, SimConfig};
use springform_suite::prometheus::{Prometheus, promtool};
use springform_suite::site::{PRIMARY, SECOND};
use tokio::time::Instant;

fn rules() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
    root.join("springform.rules.yml")
}

/// The rules, but an alarm fires as soon as it is true, and what lasts for seconds lasts for long.
fn at_once() -> String {
    let mut text = std::fs::read_to_string(rules()).unwrap();
    for (number, long, short) in [
        ("springform_obligations_oldest_seconds", 86_400, 1),
        ("springform_replication_observation_age_seconds", 600, 15),
        ("springform_replication_drill_overdue_seconds", 600, 1),
    ] {
        let old = format!("{number} > {long}\n");
        assert!(text.contains(&old), "{text}");
        text = text.replace(&old, &format!("{number} > {short}\n"));
    }
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
        Self::over(Desk::watching().await).await
    }

    /// The same of another host.
    async fn over(desk: Desk) -> Self {
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

    /// Whether it has fired since this began, be it for a moment.
    async fn has_fired(&self, alarm: &str) {
        let ever =
            format!("count_over_time(ALERTS{{alertname=\"{alarm}\",alertstate=\"firing\"}}[1h])");
        self.until(
            async |p| !p.value(&ever).await.unwrap().is_empty(),
            &format!("{alarm} for a moment"),
        )
        .await;
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

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_pod_that_are_written_apart_are_an_alarm_until_one_is_kept() {
    let watched = Watched::over(Desk::stretched().await).await;
    let desk = &watched.desk;
    let control = &desk.site.control;
    desk.attach().await;
    control.link(PRIMARY, SECOND, false).await.unwrap();
    watched.fires(&["SpringformProtectionLost"]).await;
    // Somebody lets the array that lost the vote serve what it has.
    let body = serde_json::json!({"action": "force_online", "pod": "cinder-pod"});
    let path = format!("/arrays/{SECOND}/behind-our-back");
    control
        .call(http::Method::POST, &path, &body)
        .await
        .unwrap();
    let name = format!("cinder-pod::volume-{}-cinder", desk.volume);
    for array in [PRIMARY, SECOND] {
        let written = control.write(array, INITIATOR, &name, 0, array.as_bytes());
        assert_eq!(written.await.unwrap(), http::StatusCode::NO_CONTENT);
    }
    watched
        .fires(&["SpringformSplitBrain", "SpringformNoCopy"])
        .await;
    let status = desk.does(&["status", "--volume", &desk.volume]).await.out;
    assert!(status.contains("written on two arrays"), "{status}");
    control.link(PRIMARY, SECOND, true).await.unwrap();
    watched.quiet().await;
    watched.desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_stop_coming_are_late_and_then_a_promise_that_is_broken() {
    let desk = Desk::copying_every(20).await;
    let control = flasharray_sim::SimControl::new(&desk.site.sim.control_url());
    // The arrays keep the time of this machine from here on.
    let clock = tokio::spawn(async move {
        loop {
            let now = control.advance(0.0).await.unwrap();
            let wall = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as f64;
            let behind = (wall - now as f64) / 1000.0;
            control.advance(behind).await.unwrap();
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    let watched = Watched::over(desk).await;
    let control = &watched.desk.site.control;
    control.link(PRIMARY, SECOND, false).await.unwrap();
    watched.fires(&["SpringformPromiseBroken"]).await;
    watched.has_fired("SpringformCopyLate").await;
    control.link(PRIMARY, SECOND, true).await.unwrap();
    watched.quiet().await;
    clock.abort();
    watched.desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_nobody_observes_any_more_is_an_alarm() {
    let watched = Watched::new().await;
    // What was seen cannot be written down.
    watched.desk.disk_fails(true).await;
    watched.fires(&["SpringformObservationStale"]).await;
    watched.desk.disk_fails(false).await;
    watched.quiet().await;
    watched.desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_whose_copies_cannot_be_taken_away_is_an_alarm_says_why_and_ends_by_itself() {
    let watched = Watched::new().await;
    let desk = &watched.desk;
    let start = [
        "drill",
        "start",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--minutes",
        "1",
    ];
    let said = desk.does(&start).await.out;
    let drill = said.lines().find_map(|line| line.strip_prefix("drill "));
    let drill = drill.unwrap().trim().to_owned();
    let control = &desk.site.control;
    control.power(SECOND, false).await.unwrap();
    watched.fires(&["SpringformArrayDark"]).await;
    desk.refused(&["drill", "stop", &drill]).await;
    let open = desk.cloud.ask(http::Method::GET, "/admin/v1/drills", None);
    let open = open.await.unwrap()["drills"][0].clone();
    assert_eq!(
        (&open["id"], &open["state"]),
        (&drill.into(), &"stopping".into())
    );
    assert!(
        open["problem"].as_str().is_some_and(|why| !why.is_empty()),
        "{open}"
    );
    // A minute has to pass first.
    watched.until(drills_are_late, "overdue").await;
    watched.fires(&["SpringformDrillOpen"]).await;
    control.power(SECOND, true).await.unwrap();
    watched.quiet().await;
    let over = desk.cloud.ask(http::Method::GET, "/admin/v1/drills", None);
    let over = over.await.unwrap()["drills"][0].clone();
    assert_eq!(over["state"], "stopped", "{over}");
    watched.desk.ends().await;
}

async fn drills_are_late(prometheus: &Prometheus) -> bool {
    let late = "springform_replication_drill_overdue_seconds>0";
    !prometheus.value(late).await.unwrap().is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_answers_and_is_not_believed_is_an_alarm_of_its_own() {
    let mut watched = Watched::new().await;
    let stranger = Sim::start(SimConfig::pair(PRIMARY, SECOND)).unwrap();
    let (ours, theirs) = (watched.desk.site.sim.ca_file(), stranger.ca_file());
    let (ours, theirs) = (ours.display().to_string(), theirs.display().to_string());
    // The second array is the last one that the file names. A reload would refuse what it does not believe.
    believe(&watched.desk, &ours, &theirs);
    watched.desk = watched.desk.restarts().await;
    watched.fires(&["SpringformArrayDistrusted"]).await;
    believe(&watched.desk, &theirs, &ours);
    watched.desk = watched.desk.restarts().await;
    watched.quiet().await;
    watched.desk.ends().await;
}

/// The array that the configuration names last is believed for another authority's word.
fn believe(desk: &Desk, from: &str, to: &str) {
    desk.edit(|text| {
        let at = text.rfind(from).unwrap();
        format!("{}{to}{}", &text[..at], &text[at + from.len()..])
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_copy_that_does_not_arrive_is_an_alarm() {
    let watched = Watched::new().await;
    let desk = &watched.desk;
    desk.time_stands_still(true);
    let made = desk.cloud.create_volume("second", 1, "replicated").await;
    let made = made.unwrap();
    desk.cloud.volume_becomes(&made, "available").await.unwrap();
    watched.fires(&["SpringformFirstCopyMissing"]).await;
    desk.time_stands_still(false);
    watched.quiet().await;
    watched.desk.ends().await;
}
