//! What the operator sees before, during and after a bad night, on the real program with the real asynchronous driver: the
//! status of backends and volumes, and what did not follow tried again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{BACKEND, Desk, PATIENCE};
use springform_suite::site::{PRIMARY, SECOND};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_what_is_well_what_is_dark_and_what_was_left_behind() {
    let desk = Desk::watching().await;
    let well = desk.says(&["status"], "1 of 1").await;
    assert!(well.contains("sec2 healthy"), "{well}");
    assert!(!well.contains("pure1: "), "nothing to look at: {well}");
    let detail = desk.does(&["status", BACKEND[0], BACKEND[1]]).await.out;
    assert!(detail.contains("served by   pure1"), "{detail}");
    assert!(
        detail.contains("nothing to look at in any volume"),
        "{detail}"
    );
    let all = desk.does(&["status", BACKEND[0], BACKEND[1], "--all"]);
    assert!(all.await.out.contains(&desk.volume));

    desk.site.control.power(PRIMARY, false).await.unwrap();
    let dark = desk.says(&["status"], "array pure1 does not answer").await;
    assert!(dark.contains("pure1 "), "{dark}");
    let volume = ["status", "--volume", &desk.volume];
    desk.says(&volume, "pure1, which serves it, does not answer")
        .await;

    desk.loses_the_first().await;
    let after = desk.does(&volume).await.out;
    assert!(after.contains("served by   sec2"), "{after}");
    assert!(
        after.contains("pure1 was left behind and is not fenced yet"),
        "{after}"
    );
    let status = desk
        .says(&["status"], "is not fenced yet: 1 volume(s)")
        .await;
    assert!(status.contains("failed-over"), "{status}");

    desk.site.control.power(PRIMARY, true).await.unwrap();
    let listed = ["status", BACKEND[0], BACKEND[1]];
    desk.says(&listed, "reprotect or fail back").await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_follow_is_tried_again_alone_once_its_copy_has_arrived() {
    let desk = Desk::new().await;
    desk.time_stands_still(true);
    // No copy of this one arrives as long as time stands still on the arrays.
    let late = desk.cloud.create_volume("late", 1, "replicated").await;
    let late = late.unwrap();
    desk.cloud.volume_becomes(&late, "available").await.unwrap();
    let failover = [
        "failover",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
        "--unplanned",
        "--yes",
    ];
    let half = desk.run(&failover).await;
    assert_eq!(half.code, 2, "{}{}", half.out, half.err);
    assert!(half.out.contains("1 of 2, 1 failed"), "{}", half.out);
    assert!(
        half.out.contains(&format!("volume {late}: ")),
        "{}",
        half.out
    );
    let line = half
        .out
        .lines()
        .find(|line| line.contains("operation retry"));
    let id = line.unwrap().split(['`', ' ']).nth(4).unwrap().to_owned();
    let again = ["operation", "retry", &id, "--yes"];
    let early = desk.run(&again).await;
    assert_ne!(early.code, 0, "it has no copy yet: {}", early.out);

    for _ in 0..2 {
        desk.site.control.advance(3700.0).await.unwrap();
    }
    desk.time_stands_still(false);
    let deadline = Instant::now() + PATIENCE;
    let moved = loop {
        let tried = desk.run(&again).await;
        if tried.code == 0 {
            break tried;
        }
        assert!(Instant::now() < deadline, "{}{}", tried.out, tried.err);
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    assert!(moved.out.contains("1 of 1"), "{}", moved.out);
    assert!(
        !moved.out.contains(&desk.volume),
        "the other one is left alone"
    );
    for id in [&late, &desk.volume] {
        let said = desk.does(&["status", "--volume", id]).await.out;
        assert!(said.contains("served by   sec2"), "{said}");
    }
    let done = moved.out.lines().find(|line| line.starts_with("operation"));
    let done = done.unwrap().split_whitespace().nth(1).unwrap();
    let nothing = desk.refused(&["operation", "retry", done, "--yes"]).await;
    assert!(nothing.contains("no volume of operation"), "{nothing}");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_followed_over_a_restart_of_the_host() {
    let desk = Desk::new().await;
    desk.time_stands_still(true);
    let begun = desk
        .does(&[
            "failover",
            "--backend",
            PRIMARY,
            "--to",
            SECOND,
            "--planned",
            "--yes",
            "--no-wait",
        ])
        .await;
    let id = begun.out.lines().last().unwrap().trim().to_owned();
    let mut watching = desk.starts(&["operation", "watch", &id]);
    watching.says("running: ").await;
    let desk = desk.restarts().await;
    desk.time_stands_still(false);
    let ended = watching.ends().await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("succeeded"), "{}", ended.out);
    assert_eq!(desk.served_by().await, SECOND);
    desk.ends().await;
}
