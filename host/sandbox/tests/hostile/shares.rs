//! What drivers share, instances and memory, and what each has for itself.

use springform_model::contract::{Call, Driver, FaultKind};
use springform_sandbox::{Limits, SandboxConfig, TargetBinding, TlsTrust};

use crate::fault;
use crate::support::array::Array;
use crate::support::{binding, context, load, sandbox, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_whose_calls_hang_does_not_keep_another_from_its_first() {
    let array = Array::plain().await;
    let sandbox = with(SandboxConfig {
        max_concurrency: 4,
        reserved_per_driver: 1,
        ..SandboxConfig::default()
    });
    let slow = load(&sandbox, "hostile").await;
    let quick = load(&sandbox, "noop").await;
    let target = TargetBinding::new("a", &array.address, TlsTrust::PlainHttp);
    let slow = std::sync::Arc::new(sandbox.bind(slow, binding(vec![target])).unwrap());
    let quick = sandbox.bind(quick, binding(vec![])).unwrap();
    let hanging: Vec<_> = (0..40)
        .map(|_| {
            let slow = slow.clone();
            let call = context("get", "https://a/hang");
            tokio::spawn(async move { slow.call(call, Call::Stats).await })
        })
        .collect();
    let seen = || {
        array
            .facts
            .requests
            .load(std::sync::atomic::Ordering::SeqCst)
    };
    while seen() < 3 {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        quick.call(context("", ""), Call::Check).await.unwrap();
    }
    assert_eq!(seen(), 3, "its own one and half of the four others");
    for call in hanging {
        call.abort();
    }
}

#[tokio::test]
async fn a_driver_is_not_given_more_memory_than_the_process_set_aside() {
    let sandbox = sandbox();
    let program = load(&sandbox, "noop").await;
    let mut binding = binding(vec![]);
    binding.limits = Some(Limits {
        memory_bytes: 128 << 20,
        ..Limits::default()
    });
    let refused = sandbox.bind(program, binding).unwrap_err().to_string();
    assert!(
        refused.contains("memory_mib = 128") && refused.contains("restart"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_full_house_answers_overloaded() {
    let sandbox = with(SandboxConfig {
        max_concurrency: 1,
        reserved_per_driver: 0,
        ..SandboxConfig::default()
    });
    let program = load(&sandbox, "hostile").await;
    let driver = std::sync::Arc::new(sandbox.bind(program, binding(vec![])).unwrap());
    let occupant = {
        let driver = driver.clone();
        tokio::spawn(async move { driver.call(context("spin", ""), Call::Check).await })
    };
    tokio::task::yield_now().await;
    let mut ctx = context("", "");
    ctx.deadline_ms = 50;
    assert_eq!(
        fault(driver.call(ctx, Call::Check).await).kind,
        FaultKind::Overloaded
    );
    occupant.abort();
}
