//! The audit log of a host in front of arrays: who failed over, which request was denied, whose rights were changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{BACKEND, Desk, PATIENCE};
use reqwest::Method;
use serde_json::{Value, json};
use springform_suite::guests;
use springform_suite::site::{PRIMARY, SECOND};
use tokio::process::Command;
use tokio::time::Instant;

/// `springform audit` on the database of the host, which runs.
async fn audit(desk: &Desk, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(guests::springform().unwrap())
        .arg("audit")
        .args(arguments)
        .arg("--config")
        .arg(desk.site.config())
        .output()
        .await
        .unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(words).unwrap())
}

async fn entries(desk: &Desk, action: &str) -> Vec<Value> {
    let (done, text) = audit(desk, &["export"]).await;
    assert!(done, "{text}");
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let lines = lines.map(|line| line.unwrap()["entry"].take());
    lines.filter(|entry| entry["action"] == action).collect()
}

/// `outcome` of each entry.
fn outcomes(entries: &[Value]) -> Vec<&str> {
    let outcomes = entries.iter().map(|entry| entry["outcome"].as_str());
    outcomes.map(Option::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_tells_who_failed_over_and_what_was_denied_and_granted() {
    let denied = "POST /api/2.*/volume-snapshots";
    let lines = format!("[driver.pure-async.grant]\ndeny = [\"{denied}\"]");
    let desk = Desk::with(&lines).await;
    let body = json!({"snapshot": {"volume_id": desk.volume, "name": "denied"}});
    let made = desk.cloud.ask(Method::POST, "/v3/snapshots", Some(&body));
    made.await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let calls = loop {
        let calls = entries(&desk, "call-denied").await;
        if !calls.is_empty() {
            break calls;
        }
        assert!(Instant::now() < deadline, "never denied");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let call = &calls[0];
    assert_eq!(call["who"]["kind"], "driver");
    assert_eq!(call["on"]["driver"], "pure-async");
    assert_eq!(call["on"]["backend"], PRIMARY);
    assert_eq!(call["details"]["method"], "POST");
    let path = call["details"]["path"].as_str().unwrap();
    assert!(path.ends_with("/volume-snapshots"), "{call}");

    desk.edit(|text| text.replace(denied, "DELETE /api/2.*/hosts"));
    desk.does(&["config", "reload"]).await;
    let changed = &entries(&desk, "grant-changed").await[0];
    let details = changed["details"].to_string();
    assert!(
        details.contains("DELETE") && details.contains("volume-snapshots"),
        "{changed}"
    );
    assert_eq!(changed["who"]["user"], "admin");
    let reloaded = &entries(&desk, "configuration-reloaded").await[0];
    assert!(
        reloaded["details"][format!("backend:{PRIMARY}")].is_string(),
        "{reloaded}"
    );
    desk.edit(|text| text.replace("DELETE /api", "DELETE api"));
    desk.refused(&["config", "reload"]).await;
    desk.edit(|text| text.replace("DELETE api", "DELETE /api"));
    let reloads = entries(&desk, "configuration-reloaded").await;
    assert_eq!(outcomes(&reloads), ["succeeded", "refused"]);

    desk.does(&["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"])
        .await;
    let moves = entries(&desk, "failover").await;
    assert_eq!(outcomes(&moves), ["begun", "succeeded"]);
    assert_eq!(moves[0]["on"]["operation"], moves[1]["on"]["operation"]);
    for entry in &moves {
        assert_eq!(entry["who"]["user"], "admin", "{entry}");
        assert_eq!(entry["who"]["address"], "127.0.0.1", "{entry}");
        assert_eq!(
            entry["on"]["scope"],
            format!("backend {PRIMARY}"),
            "{entry}"
        );
        assert_eq!(entry["details"]["to"], SECOND, "{entry}");
    }
    assert_eq!(moves[1]["details"]["volumes"], "1 of 1");
    desk.does(&["freeze", PRIMARY]).await;
    desk.does(&["thaw", PRIMARY]).await;
    assert_eq!(entries(&desk, "backend-frozen").await.len(), 1);
    assert_eq!(entries(&desk, "backend-thawed").await.len(), 1);

    // The host dies on the way; what it had begun ends after its next start, in the same chain.
    let begun = [&["failback"], &BACKEND[..], &["--discard", "--yes"]].concat();
    let running = desk.starts(&begun);
    let deadline = Instant::now() + PATIENCE;
    while entries(&desk, "failback").await.is_empty() {
        assert!(Instant::now() < deadline, "never begun");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let desk = desk.killed_for(|| Ok(())).await;
    drop(running);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let back = entries(&desk, "failback").await;
        if back.len() > 1 {
            assert_eq!(outcomes(&back), ["begun", "succeeded"]);
            break;
        }
        assert!(Instant::now() < deadline, "never ended: {back:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (sound, words) = audit(&desk, &["verify"]).await;
    assert!(sound && words.contains("sound"), "{words}");
    let (_, text) = audit(&desk, &["export"]).await;
    for array in [PRIMARY, SECOND] {
        assert!(!text.contains(&desk.site.sim.api_token(array)));
    }
    desk.ends().await;
}
