//! The optional interface `migrating`: whether a component has it is what it exports.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use springform_model::contract::{
    Call, CallError, Driver, FailureCode, FaultKind, MIGRATE, Migration, Placement, Side,
};
use support::{context, driver, load, sandbox, volume};

fn side(backend: &str) -> Side {
    Side {
        backend: backend.to_owned(),
        target: "a".to_owned(),
        array_id: None,
        array_name: None,
        extensions: Vec::new(),
    }
}

fn offer() -> Call {
    let mut volume = volume("v1");
    volume.placement = Some(Placement {
        array_name: "pod::volume-v1-cinder".to_owned(),
        target: "a".to_owned(),
        serial: None,
        metadata: Vec::new(),
        replication: None,
        extensions: Vec::new(),
    });
    Call::OfferVolume {
        volume,
        migration: Migration {
            id: "m1".to_owned(),
            source: side("pure1"),
            destination: side("pure2"),
            extensions: Vec::new(),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_the_interface_does_not_move_volumes_and_says_so() {
    let program = load(&sandbox(), "grouped").await;
    assert!(!program.description().has(MIGRATE));
    let driver = driver("grouped", vec![]).await;
    let refused = driver.call(context("", ""), offer()).await.unwrap_err();
    let CallError::Fault(fault) = refused else {
        panic!("{refused}")
    };
    assert_eq!(fault.kind, FaultKind::Unsupported);
    assert!(fault.message.contains("migrating.offer"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_exports_it_does_and_its_calls_reach_the_guest() {
    for name in ["pure_async", "pure_activecluster", "pure_trisync"] {
        let program = load(&sandbox(), name).await;
        assert!(program.description().has(MIGRATE), "{name}");
    }
    let driver = driver("pure_async", vec![]).await;
    // It asks no array about a volume in a pod, which it cannot send.
    let refused = driver.call(context("", ""), offer()).await.unwrap_err();
    let CallError::Failed(failure) = refused else {
        panic!("{refused}")
    };
    assert_eq!(failure.code, FailureCode::Unsupported);
    assert!(failure.message.contains("is in pod pod"), "{failure}");
}
