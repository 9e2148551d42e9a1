//! Both ways to give instances their memory serve the same calls. Which is the default: `docs/adr/0001-instance-allocation.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use springform_model::contract::{Call, CallError, Driver, FaultKind};
use springform_sandbox::{Allocation, SandboxConfig};
use support::{binding, context, load, volume, with};

#[tokio::test]
async fn pooled_and_mapped_instances_serve_and_limit_alike() {
    for allocation in [Allocation::OnDemand, Allocation::Pooling] {
        let sandbox = with(SandboxConfig {
            allocation,
            max_concurrency: 16,
            ..SandboxConfig::default()
        });
        let program = load(&sandbox, "hostile").await;
        let driver = sandbox.bind(program, binding(vec![])).unwrap();
        for turn in 0..200 {
            let call = Call::ExtendVolume {
                volume: volume("v"),
                new_size: 2 << 30,
            };
            driver
                .call(context("", ""), call)
                .await
                .unwrap_or_else(|e| panic!("{allocation:?}, call {turn}: {e}"));
        }
        match driver.call(context("grow", ""), Call::Check).await {
            Err(CallError::Fault(fault)) => assert_eq!(
                fault.kind,
                FaultKind::Memory,
                "{allocation:?}: {}",
                fault.message
            ),
            other => panic!("{allocation:?}: {other:?}"),
        }
    }
}
