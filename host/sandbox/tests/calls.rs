//! Loading, binding and calling a driver that behaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use springform_model::contract::{Call, Driver, FailoverMode, PlanRequest};
use springform_sandbox::World;
use support::{context, driver, load, sandbox, volume};

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_says_who_it_is_and_fits_the_richest_world() {
    let program = load(&sandbox(), "noop").await;
    assert_eq!(program.description().name, "noop");
    assert_eq!(program.world(), World::Full);
    assert_eq!(program.digest().len(), 64);
    assert!(program.description().has("drill"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_reaches_the_guest_and_its_answer_comes_back() {
    let driver = driver("noop", vec![]).await;
    let reply = driver
        .call(
            context("", ""),
            Call::CreateVolume {
                volume: volume("v1"),
            },
        )
        .await
        .unwrap();
    let placement = reply.into_placement().unwrap();
    assert_eq!(
        (placement.array_name.as_str(), placement.target.as_str()),
        ("volume-v1", "a")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_planned_and_failed_over_in_the_order_asked() {
    let driver = driver("noop", vec![]).await;
    let volumes = vec![volume("v2"), volume("v1")];
    let request = PlanRequest {
        volumes: volumes.clone(),
        to: Some("b".to_owned()),
        mode: FailoverMode::Unplanned,
        point: None,
    };
    let plan = driver
        .call(context("", ""), Call::PlanFailover { request })
        .await
        .unwrap()
        .into_plan()
        .unwrap();
    let outcomes = driver
        .call(context("", ""), Call::FailOver { plan, volumes })
        .await
        .unwrap()
        .into_outcomes()
        .unwrap();
    let targets: Vec<_> = outcomes
        .iter()
        .map(|o| (o.id.as_str(), o.result.as_ref().unwrap().target.as_str()))
        .collect();
    assert_eq!(targets, [("v2", "b"), ("v1", "b")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_one_driver() {
    let driver = std::sync::Arc::new(driver("noop", vec![]).await);
    let calls = (0..64).map(|n| {
        let driver = driver.clone();
        tokio::spawn(async move {
            driver
                .call(
                    context("", ""),
                    Call::CreateVolume {
                        volume: volume(&n.to_string()),
                    },
                )
                .await
        })
    });
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        let placement = call.await.unwrap().unwrap().into_placement().unwrap();
        assert_eq!(placement.array_name, format!("volume-{n}"));
    }
}
