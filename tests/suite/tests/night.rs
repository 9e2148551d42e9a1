//! What comes after the failover, on the real program with the real driver: whoever was left behind is fenced, the copy is
//! made again, nothing that arrived is lost, and an array that is gone for good gets a successor.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{BACKEND, Desk, PATIENCE};
use flasharray_sim::SimConfig;
use springform_suite::site::{PRIMARY, SECOND, SERVICE};
use tokio::time::Instant;

const THIRD: &str = "new3";

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_was_left_behind_is_fenced_when_it_answers_and_said_to_be_owed_until_then() {
    let desk = Desk::new().await;
    desk.attach().await;
    assert!(desk.write(PRIMARY, b"before").await);
    desk.loses_the_first().await;
    let dark = desk.run(&["fence", "--backend", PRIMARY]).await;
    assert_eq!(dark.code, 1, "{}{}", dark.out, dark.err);
    assert!(
        dark.out.contains("array pure1") && dark.out.contains("fences it by itself"),
        "{}{}",
        dark.out,
        dark.err
    );
    desk.site.control.power(PRIMARY, true).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = desk.run(&["fence", "--backend", PRIMARY]).await;
        if said.code == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{}{}", said.out, said.err);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(!desk.write(PRIMARY, b"stale!").await, "it can be written");
    assert!(desk.write(SECOND, b"after!").await, "the other one cannot");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_reprotect_the_old_primary_holds_what_was_written_since_and_can_take_over_again() {
    let desk = Desk::new().await;
    desk.attach().await;
    desk.loses_the_first().await;
    assert!(desk.write(SECOND, b"after").await);
    desk.site.control.power(PRIMARY, true).await.unwrap();
    let shy = desk
        .refused_when_it_answers(&["reprotect", "--backend", PRIMARY, "--yes"])
        .await;
    assert!(shy.contains("give --discard to agree"), "{shy}");
    desk.does(&["reprotect", "--backend", PRIMARY, "--discard", "--yes"])
        .await;
    assert_eq!(desk.served_by().await, SECOND, "nothing has moved");
    desk.does(&[
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        PRIMARY,
        "--planned",
        "--yes",
    ])
    .await;
    assert_eq!(desk.served_by().await, PRIMARY);
    assert_eq!(desk.read(PRIMARY, 5).await.as_deref(), Some(&b"after"[..]));
    assert!(!desk.write(SECOND, b"stale").await, "two can be written");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_copied_once_more_is_there_when_the_array_is_lost() {
    let desk = Desk::new().await;
    desk.attach().await;
    assert!(desk.write(PRIMARY, b"last words").await);
    desk.does(&["resync", "--backend", PRIMARY, "--to", SECOND])
        .await;
    assert_eq!(desk.served_by().await, PRIMARY, "nothing has moved");
    desk.loses_the_first().await;
    let read = desk.read(SECOND, 10).await;
    assert_eq!(read.as_deref(), Some(&b"last words"[..]));
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_is_gone_for_good_gets_a_successor_while_its_volumes_are_in_use() {
    let desk = Desk::on(SimConfig::trio(PRIMARY, SECOND, THIRD), "").await;
    desk.attach().await;
    desk.loses_the_first().await;
    assert!(desk.write(SECOND, b"kept").await);

    // Not while the file still names the dead array.
    let early = desk.refused(&["promote", "--backend", PRIMARY, "--yes"]);
    let early = early.await;
    assert!(early.contains("primary_id = \"sec2\""), "{early}");

    // The second array is the primary now, under the name it has; a new one is what it replicates to.
    desk.names_a_successor(THIRD);
    let busy = desk.goes_on_asking();
    let said = desk.does(&["config", "reload"]).await;
    assert_eq!(
        said.out,
        "reloaded: backend pure1 changed (targets sec2, new3), generation 2 of pure-async serves it; 0 other backends changed\n"
    );
    desk.does(&["promote", "--backend", PRIMARY, "--yes"]).await;
    let service = desk.cloud.service(SERVICE).await.unwrap();
    assert_eq!(service["replication_status"], "enabled");
    let volume = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(volume["replication_status"], "enabled", "{volume}");
    assert!(busy.stops().await > 0, "nobody asked anything meanwhile");
    assert!(desk.write(SECOND, b"still").await);
    let owed = "springform_replication_fences_owed{backend=\"pure1\",target=\"pure1\"}";
    desk.shows(&format!("{owed} 0")).await;
    desk.does(&["reprotect", "--backend", PRIMARY, "--yes"])
        .await;
    assert!(desk.write(SECOND, b"newer").await);
    desk.does(&[
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        THIRD,
        "--planned",
        "--yes",
    ])
    .await;
    assert_eq!(desk.served_by().await, THIRD);
    assert_eq!(desk.read(THIRD, 5).await.as_deref(), Some(&b"newer"[..]));
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_operation_that_is_over_says_so() {
    let desk = Desk::new().await;
    let moved = desk
        .does(&["resync", "--backend", BACKEND[1], "--to", SECOND])
        .await;
    let line = moved.out.lines().find(|l| l.starts_with("operation"));
    let id = line.unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let late = desk.refused(&["operation", "cancel", &id]).await;
    assert!(late.contains("has ended: succeeded"), "{late}");
    desk.ends().await;
}
