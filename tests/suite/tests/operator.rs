//! The operator's commands, on the real program with the real asynchronous driver and two simulated arrays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{BACKEND, Desk, PATIENCE};
use reqwest::{Method, StatusCode};
use serde_json::json;
use springform_suite::site::{PRIMARY, SECOND, SERVICE};
use tokio::time::Instant;

/// What differs from run to run, taken out; blanks count as one, because columns are as wide as what stands in them.
fn settled(text: &str) -> String {
    let mut filtered = String::new();
    for line in text.lines() {
        let mut words: Vec<String> = line.split_whitespace().map(word).collect();
        // However long a step took: `12 ms`, on a busy machine `12 s`.
        for unit in 1..words.len() {
            let amount = words[unit - 1].bytes().all(|digit| digit.is_ascii_digit());
            if amount && matches!(words[unit].as_str(), "ms" | "s") {
                words[unit - 1] = "<n>".to_owned();
                words[unit] = "ms".to_owned();
            }
        }
        filtered.push_str(words.join(" ").trim_end());
        filtered.push('\n');
    }
    filtered
}

fn word(word: &str) -> String {
    let uuid = word.len() == 36 && word.matches('-').count() == 4;
    let point = word.contains(":cinder-group.");
    let date = word.len() == 10 && word.starts_with("20") && word.matches('-').count() == 2;
    let time = word.len() == 8 && word.matches(':').count() == 2;
    match () {
        () if uuid => "<id>".to_owned(),
        () if point => "<recovery point>".to_owned(),
        () if date => "<date>".to_owned(),
        () if time => "<time>".to_owned(),
        () => word.to_owned(),
    }
}

fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = settled(text);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).expect("run with UPDATE_GOLDEN=1 to write it");
    assert_eq!(kept, text, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_loses_nothing_and_failback_needs_no_leave() {
    let desk = Desk::new().await;
    let text = desk
        .does(&["plan", "--backend", PRIMARY, "--to", SECOND, "--planned"])
        .await;
    golden("plan", &text.out);
    // The last copy takes time of the arrays; it stands still until the progress was told.
    desk.time_stands_still(true);
    let failover = [
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--planned",
        "--yes",
    ];
    let moved = desk.tells_of(&failover, "running: ").await;
    assert!(moved.out.contains("succeeded"), "{}", moved.out);
    let operation = moved
        .out
        .lines()
        .find(|l| l.starts_with("operation"))
        .unwrap();
    let id = operation.split_whitespace().nth(1).unwrap();
    golden(
        "operation",
        &desk.does(&["operation", "show", id]).await.out,
    );
    assert_eq!(desk.served_by().await, SECOND);
    let again = desk
        .refused(&["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"])
        .await;
    assert!(again.contains("served by sec2 already"), "{again}");
    desk.does(&["failback", "--backend", PRIMARY, "--yes"])
        .await;
    assert_eq!(desk.served_by().await, PRIMARY);
    let service = desk.cloud.service(SERVICE).await.unwrap();
    assert_eq!(service["replication_status"], "enabled");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_dark_array_failback_asks_for_leave_and_cinders_own_call_says_how_to_give_it() {
    let desk = Desk::new().await;
    desk.site.control.power(PRIMARY, false).await.unwrap();
    let moved = desk
        .does(&["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"])
        .await;
    assert!(moved.out.contains("cannot move") || moved.out.contains("1 of 1 volumes can move"));
    assert_eq!(desk.served_by().await, SECOND);
    desk.site.control.power(PRIMARY, true).await.unwrap();
    let body = json!({"host": SERVICE, "backend_id": "default"});
    let path = "/v3/os-services/failover_host";
    let (status, answer) = desk
        .cloud
        .send(Method::PUT, path, Some(&body))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let message = answer["badRequest"]["message"].as_str().unwrap();
    assert!(
        message.contains("springform failback --backend pure1 --discard"),
        "{message}"
    );
    let shy = desk
        .refused_when_it_answers(&["failback", "--backend", PRIMARY, "--yes"])
        .await;
    assert!(shy.contains("give --discard to agree"), "{shy}");
    desk.does(&["failback", "--backend", PRIMARY, "--discard", "--yes"])
        .await;
    assert_eq!(desk.served_by().await, PRIMARY);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_standing_leave_cinders_own_call_fails_back_after_a_dark_array() {
    let desk = Desk::with("failback_discards_old_primary = true").await;
    desk.site.control.power(PRIMARY, false).await.unwrap();
    desk.does(&["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"])
        .await;
    desk.site.control.power(PRIMARY, true).await.unwrap();
    let body = json!({"host": SERVICE, "backend_id": "default"});
    let deadline = Instant::now() + PATIENCE;
    loop {
        let path = "/v3/os-services/failover_host";
        let (status, answer) = desk
            .cloud
            .send(Method::PUT, path, Some(&body))
            .await
            .unwrap();
        if status == StatusCode::ACCEPTED {
            break;
        }
        let text = answer.to_string();
        let passes = status == StatusCode::CONFLICT || text.contains("does not answer");
        assert!(passes && Instant::now() < deadline, "{status}: {text}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let back = desk
        .cloud
        .service_becomes(SERVICE, "replication_status", "enabled");
    back.await.unwrap();
    assert_eq!(desk.served_by().await, PRIMARY);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drills_are_started_listed_stopped_and_committed() {
    let desk = Desk::new().await;
    let start = [
        "drill",
        "start",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--minutes",
        "30",
    ];
    let started = desk.does(&start).await.out;
    let drill = |text: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix("drill "));
        line.expect("the drill's id is shown").to_owned()
    };
    let first = drill(&started);
    let listed = desk.does(&["drill", "list"]).await.out;
    assert!(
        listed.contains(&first) && listed.contains("open") && listed.contains("1 of 1"),
        "{listed}"
    );
    let unknown = desk.refused(&["drill", "stop", "nosuch"]).await;
    assert!(unknown.contains("there is no drill nosuch"), "{unknown}");
    desk.does(&["drill", "stop", &first]).await;
    assert_eq!(desk.served_by().await, PRIMARY);
    let second = drill(&desk.does(&start).await.out);
    desk.does(&["drill", "commit", &second, "--yes"]).await;
    assert_eq!(desk.served_by().await, SECOND);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replication_is_switched_backends_are_frozen_and_records_are_repaired() {
    let desk = Desk::new().await;
    let with_backend = |words: &[&'static str]| [words, &BACKEND].concat();
    desk.does(&with_backend(&["disable"])).await;
    desk.does(&["enable", "--volume", &desk.volume]).await;
    // Everything is as the configuration says: nothing would be changed, and nothing is.
    for words in [&["reconcile", "--dry-run"][..], &["reconcile"]] {
        let said = desk.does(&with_backend(words)).await;
        assert!(!said.out.contains("changed: "), "{}", said.out);
    }
    let early = desk
        .refused(&["reset-active-backend", PRIMARY, "--yes"])
        .await;
    assert!(early.contains("must be disabled and frozen"), "{early}");
    desk.does(&["freeze", PRIMARY]).await;
    let frozen = desk.refused(&with_backend(&["disable"])).await;
    assert!(frozen.contains("thaw it first"), "{frozen}");
    let reset = desk.does(&["reset-active-backend", PRIMARY, "--yes"]).await;
    assert!(
        reset.out.contains("replication is enabled"),
        "{}",
        reset.out
    );
    desk.does(&["thaw", PRIMARY]).await;
    let service = desk.cloud.service(SERVICE).await.unwrap();
    assert_eq!(service["replication_status"], "enabled");
    let unknown = desk.refused(&["freeze", "nosuch"]).await;
    assert!(unknown.contains("there is no backend nosuch"), "{unknown}");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_which_one_volume_cannot_move_says_so_in_its_status_too() {
    let desk = Desk::new().await;
    let specs = json!({});
    desk.cloud.create_type("plain", &specs).await.unwrap();
    let alone = desk.cloud.create_volume("alone", 1, "plain").await;
    let alone = alone.unwrap();
    let available = desk.cloud.volume_becomes(&alone, "available");
    available.await.unwrap();
    let plan = ["plan", "--to", SECOND, "--volume", &desk.volume];
    desk.does(&plan).await;
    let plan = [&plan[..], &["--volume", &alone]].concat();
    let said = desk.ends_with(&[2], &plan).await;
    assert!(
        said.out.contains("1 of 2 volumes can move") && said.out.contains("it is not replicated"),
        "{}",
        said.out
    );
    let asked = [&["--format", "json"][..], &plan].concat();
    desk.ends_with(&[2], &asked).await;
    desk.ends().await;
}
