//! A driver that fails again and again is left alone for a while, and the others are not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::time::Duration;

use springform_model::contract::{Call, CallError, Driver, FaultKind};
use springform_sandbox::{BoundDriver, TargetBinding, TlsTrust};
use support::array::Array;
use support::{binding, context, driver, load, sandbox};

async fn kind(
    driver: &BoundDriver,
    behaviour: &str,
    argument: &str,
    call: Call,
) -> Option<FaultKind> {
    let mut context = context(behaviour, argument);
    context.deadline_ms = 10_000;
    match driver.call(context, call).await {
        Err(CallError::Fault(fault)) => Some(fault.kind),
        _ => None,
    }
}

#[tokio::test]
async fn a_driver_that_traps_again_and_again_is_quarantined_on_its_backend_alone_and_released_when_it_answers()
 {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let ill = sandbox.bind(program.clone(), binding(vec![])).unwrap();
    let mut elsewhere = binding(vec![]);
    elsewhere.backend = "pure2".to_owned();
    let well = sandbox.bind(program, elsewhere).unwrap();

    for _ in 0..8 {
        assert!(!ill.is_quarantined());
        assert_eq!(
            kind(&ill, "panic", "", Call::Check).await,
            Some(FaultKind::Trap)
        );
    }
    assert!(ill.is_quarantined());
    let refused = ill.call(context("", ""), Call::Check).await.unwrap_err();
    let words = refused.to_string();
    assert!(
        words.contains("is quarantined on backend pure1") && words.contains("rollback"),
        "{words}"
    );
    assert_eq!(
        kind(&well, "", "", Call::Check).await,
        None,
        "it serves elsewhere"
    );

    for _ in 0..3000 {
        if kind(&ill, "", "", Call::Check).await.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!ill.is_quarantined(), "one answer ends it");
    let audit = log.text();
    assert!(
        audit.contains("driver-quarantined") && audit.contains("driver-released"),
        "{audit}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_does_not_answer_is_not_its_drivers_fault() {
    let array = Array::plain().await;
    let target = TargetBinding::new("a", &array.address, TlsTrust::PlainHttp);
    let driver = driver("hostile", vec![target]).await;
    for _ in 0..10 {
        let mut context = context("get", "https://a/hang");
        context.deadline_ms = 300;
        let Err(CallError::Fault(fault)) = driver.call(context, Call::Stats).await else {
            continue;
        };
        assert_eq!(fault.kind, FaultKind::Deadline);
    }
    assert!(!driver.is_quarantined());
    for _ in 0..8 {
        let mut context = context("spin", "");
        context.deadline_ms = 50;
        assert!(driver.call(context, Call::Check).await.is_err());
    }
    assert!(driver.is_quarantined(), "one that spins is");
}
