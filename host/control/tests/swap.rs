//! Driver generations are swapped under load, and a refusal changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{Array, admin, start, up};
use springform_model::contract::Call;

#[tokio::test]
async fn a_hundred_activations_under_32_callers_fail_no_call() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    up(&control).await;
    control
        .drivers()
        .install(&admin(), "simulated", Path::new("two"))
        .await
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let made = Arc::new(AtomicU64::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (control, stop, made) = (control.clone(), stop.clone(), made.clone());
        callers.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                control
                    .call_once(
                        "pure1",
                        "op",
                        Vec::new(),
                        Duration::from_secs(30),
                        Call::Check,
                    )
                    .await
                    .unwrap();
                made.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for round in 0..100 {
        let digest = if round % 2 == 0 { "two" } else { "one" };
        let status = control
            .drivers()
            .activate(&admin(), "simulated", Some(digest))
            .await
            .unwrap();
        assert_eq!(status.running.unwrap().digest, digest);
    }
    stop.store(true, Ordering::SeqCst);
    callers.join_all().await;
    assert!(made.load(Ordering::SeqCst) > 100);
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_driver_that_cannot_be_loaded_leaves_the_old_one_serving_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    let refused = control
        .drivers()
        .install(&admin(), "simulated", Path::new("broken"))
        .await
        .unwrap_err();
    assert!(
        refused.message.contains("verify: it is not a component"),
        "{}",
        refused.message
    );
    control
        .drivers()
        .install(&admin(), "simulated", Path::new("unloadable"))
        .await
        .unwrap();
    let refused = control
        .drivers()
        .activate(&admin(), "simulated", None)
        .await
        .unwrap_err();
    assert!(
        refused
            .message
            .contains("validate: option colour is required"),
        "{}",
        refused.message
    );
    let status = control.drivers().get(&admin(), "simulated").await.unwrap();
    assert_eq!(status.running.unwrap().digest, "one");
    assert!(
        status.generations[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("colour")
    );
    assert_eq!(control.generation("pure1").unwrap().number, 1);
    control.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn rollback_goes_back_and_a_restart_keeps_what_serves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let array = Arc::new(Array::default());
    let control = start(&path, &array, 2).await;
    control
        .drivers()
        .install(&admin(), "simulated", Path::new("two"))
        .await
        .unwrap();
    control
        .drivers()
        .activate(&admin(), "simulated", None)
        .await
        .unwrap();
    let status = control.drivers().get(&admin(), "simulated").await.unwrap();
    assert_eq!(
        (
            status.running.unwrap().number,
            status.rollback.unwrap().number
        ),
        (2, 1)
    );
    control.shutdown(Duration::from_secs(5)).await;

    let control = start(&path, &array, 2).await;
    assert_eq!(control.generation("pure2").unwrap().number, 2);
    let status = control
        .drivers()
        .rollback(&admin(), "simulated")
        .await
        .unwrap();
    assert_eq!(status.running.unwrap().number, 1);
    assert_eq!(control.generation("pure1").unwrap().number, 1);
    control.shutdown(Duration::from_secs(5)).await;
}
