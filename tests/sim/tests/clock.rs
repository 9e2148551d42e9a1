//! The system's clock is corrected while the host runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use springform_control::replication::{Ask, Order, Request, Scope};
use springform_control::{Caller, Clock, ErrorKind};
use springform_model::cloud::Volume;
use springform_model::contract::FailoverMode;
use springform_model::operation::{OperationState, Verb};
use springform_model::time::Timestamp;
use springform_sim_tests::tenants::Cloud;

const DAY: i64 = 86_400_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_the_clock_jumps_over_is_refused_and_an_operation_that_it_jumps_over_ends_well()
{
    let put = Arc::new(AtomicI64::new(0));
    let read = put.clone();
    let clock = move || Timestamp::now().plus_micros(read.load(Ordering::SeqCst));
    let cloud = Cloud::at(Clock::reading(clock)).await;
    let caller = Caller::new("u", "p", vec!["admin".into()]);
    let volume = cloud.volume(&caller).await;
    let (control, scope) = (cloud.control(), Scope::Volumes(vec![volume.clone()]));
    let at = async || {
        let stored = control.store().get::<Volume>(&volume).await.unwrap();
        stored.unwrap().record.placement.map(|at| at.target)
    };
    while at().await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let order = Order {
        scope: scope.clone(),
        to: Some("b".into()),
        mode: FailoverMode::Unplanned,
        point: None,
    };
    let replication = control.replication();
    let plan = replication.plan(&caller, Verb::Failover, order).await;
    let apply = || {
        let mut ask = Ask::about(scope.clone());
        ask.plan = Some(plan.as_ref().unwrap().id.clone());
        replication.submit(&caller, Request::Failover(ask))
    };
    for jump in [DAY, -DAY] {
        put.store(jump, Ordering::SeqCst);
        let refused = apply().await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict, "{refused:?}");
        assert!(refused.message.contains("make a new one"), "{refused:?}");
    }
    assert_eq!(at().await.as_deref(), Some("a"));

    put.store(0, Ordering::SeqCst);
    let begun = apply().await.unwrap();
    put.store(DAY, Ordering::SeqCst);
    let ended = control.operations().wait(&begun.id).await.unwrap();
    assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    assert_eq!(at().await.as_deref(), Some("b"));
}
