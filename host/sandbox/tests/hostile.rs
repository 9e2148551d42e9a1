//! Every limit, hit by a guest that tries, and then a well-behaved call: one bad call harms itself alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "hostile/shares.rs"]
mod shares;
mod support;

use springform_model::contract::{
    Call, CallError, Driver, FailureCode, Fault, FaultKind, GroupSpec, Reply,
};
use springform_sandbox::{BoundDriver, Limits, TargetBinding, TlsTrust};
use support::array::Array;
use support::{binding, context, driver, load, sandbox, volume};

fn fault(result: Result<Reply, CallError>) -> Fault {
    match result {
        Err(CallError::Fault(fault)) => fault,
        other => panic!("expected a fault, got {other:?}"),
    }
}

async fn hostile() -> BoundDriver {
    driver("hostile", vec![]).await
}

async fn limited(limits: Limits) -> BoundDriver {
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut binding = binding(vec![]);
    binding.limits = Some(limits);
    sandbox.bind(program, binding).unwrap()
}

/// The fault of `check` under this behaviour; afterwards the same driver still serves.
async fn check(driver: &BoundDriver, behaviour: &str, deadline_ms: u64) -> Fault {
    let mut ctx = context(behaviour, "");
    ctx.deadline_ms = deadline_ms;
    let fault = fault(driver.call(ctx, Call::Check).await);
    driver
        .call(context("", ""), Call::Check)
        .await
        .expect("the next call is not harmed");
    fault
}

#[tokio::test]
async fn a_guest_that_spins_is_stopped_at_its_deadline_even_on_one_thread() {
    let fault = check(&hostile().await, "spin", 100).await;
    assert_eq!(fault.kind, FaultKind::Deadline);
    assert!(fault.message.contains("unknown"), "{}", fault.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_spin_on_every_thread_do_not_stop_the_others() {
    let driver = std::sync::Arc::new(hostile().await);
    let spinning: Vec<_> = (0..4)
        .map(|_| {
            let driver = driver.clone();
            let mut ctx = context("spin", "");
            ctx.deadline_ms = 2000;
            tokio::spawn(async move { driver.call(ctx, Call::Check).await })
        })
        .collect();
    driver.call(context("", ""), Call::Check).await.unwrap();
    for call in spinning {
        assert_eq!(fault(call.await.unwrap()).kind, FaultKind::Deadline);
    }
}

#[tokio::test]
async fn the_hosts_wall_clock_bounds_a_call_that_asks_for_more() {
    let driver = limited(Limits {
        wall_clock_ms: 100,
        ..Limits::default()
    })
    .await;
    let fault = fault(driver.call(context("spin", ""), Call::Check).await);
    assert_eq!(fault.kind, FaultKind::Deadline);
}

#[tokio::test]
async fn a_guest_that_hoards_memory_is_stopped_and_told_which_limit() {
    let fault = check(&hostile().await, "grow", 20_000).await;
    assert_eq!(fault.kind, FaultKind::Memory);
    assert!(
        fault
            .message
            .contains("memory_mib in [driver.<name>.limits]"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn endless_recursion_stays_inside_the_guest() {
    let fault = check(&hostile().await, "recurse", 20_000).await;
    assert!(
        matches!(fault.kind, FaultKind::Memory | FaultKind::Trap),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn memories_tables_and_instances_are_counted() {
    for limits in [
        Limits {
            memories: 0,
            ..Limits::default()
        },
        Limits {
            tables: 0,
            ..Limits::default()
        },
        Limits {
            core_instances: 1,
            ..Limits::default()
        },
        Limits {
            table_elements: 1,
            ..Limits::default()
        },
    ] {
        let driver = limited(limits.clone()).await;
        let fault = fault(driver.call(context("", ""), Call::Check).await);
        assert_eq!(
            fault.kind,
            FaultKind::Memory,
            "{limits:?}: {}",
            fault.message
        );
    }
}

#[tokio::test]
async fn a_panic_is_a_fault_with_the_message_and_named_frames() {
    let fault = check(&hostile().await, "panic", 20_000).await;
    assert_eq!(fault.kind, FaultKind::Trap);
    let detail = fault.detail.unwrap();
    assert!(
        detail.contains("asked to panic in backend.check"),
        "{detail}"
    );
    assert!(detail.contains("hostile"), "frames have names: {detail}");
}

#[tokio::test]
async fn a_panic_in_any_interface_is_contained() {
    let driver = hostile().await;
    let group = GroupSpec {
        id: "g".into(),
        name: "g".into(),
        project: "p".into(),
        replication: None,
        target: None,
        array_name: None,
        extensions: vec![],
    };
    let calls = [
        Call::Setup,
        Call::Stats,
        Call::DeleteVolume {
            volume: volume("v"),
        },
        Call::Disconnect {
            volume: volume("v"),
            connector: None,
            keep: false,
        },
        Call::Observe {
            volumes: vec![volume("v")],
        },
        Call::CreateGroup { group },
    ];
    for call in calls {
        let name = call.name();
        let fault = fault(driver.call(context("panic", ""), call).await);
        assert_eq!(fault.kind, FaultKind::Trap, "{name}");
        assert!(fault.message.starts_with(name), "{}", fault.message);
    }
}

#[tokio::test]
async fn a_guest_that_exits_ends_its_call_and_not_the_host() {
    assert_eq!(
        check(&hostile().await, "exit", 20_000).await.kind,
        FaultKind::Trap
    );
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_said_so_and_the_call_goes_on() {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let driver = limited(Limits {
        log_bytes: 1000,
        ..Limits::default()
    })
    .await;
    driver
        .call(context("log-flood", ""), Call::Check)
        .await
        .unwrap();
    let text = log.text();
    let lines = text.lines().filter(|l| l.contains("of a flood")).count();
    assert!(lines > 0 && lines * (40 + 64) < 1200, "{lines} lines");
    assert!(text.contains("log_kib in [driver.<name>.limits]"), "{text}");
    let first = text
        .lines()
        .find(|l| l.contains("line 0 of a flood"))
        .unwrap();
    for field in ["driver=hostile", "generation=7", "operation=op-1"] {
        assert!(first.contains(field), "{first}");
    }
    // It is loaded before the host knows which generation it becomes.
    driver.serve_as(8);
    let again = driver.call(context("log-flood", ""), Call::Check).await;
    again.unwrap();
    assert!(log.text().contains("generation=8"), "{}", log.text());
}

#[tokio::test]
async fn lines_without_text_use_up_the_log_as_well() {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let driver = limited(Limits {
        log_bytes: 6400,
        ..Limits::default()
    })
    .await;
    driver
        .call(context("log-empty", ""), Call::Check)
        .await
        .unwrap();
    let text = log.text();
    assert!(
        text.lines().count() <= 101,
        "{} lines",
        text.lines().count()
    );
    assert!(text.contains("log_kib"), "{text}");
}

#[tokio::test]
async fn what_a_driver_prints_cannot_command_a_terminal() {
    let log = support::log::Captured::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let driver = hostile().await;
    driver
        .call(context("log-control", ""), Call::Check)
        .await
        .unwrap();
    let text = log.text();
    assert!(text.contains("safe") && text.contains("evil"), "{text}");
    for hidden in ['\u{1b}', '\u{7}', '\r', '\u{202e}'] {
        assert!(!text.contains(hidden), "{hidden:?} in {text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_a_guest_keeps_unread_are_bounded_together() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut binding = binding(vec![TargetBinding::new(
        "a",
        &array.address,
        TlsTrust::PlainHttp,
    )]);
    binding.limits = Some(Limits {
        held_bytes: 5 << 20,
        ..Limits::default()
    });
    let driver = sandbox.bind(program, binding).unwrap();
    driver
        .call(context("hoard-answers", ""), Call::Check)
        .await
        .unwrap();
    let requests = array
        .facts
        .requests
        .load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(requests, 5, "four whole ones and the one that was refused");
}

#[tokio::test]
async fn a_result_that_is_too_large_is_not_lifted() {
    let fault = fault(
        hostile()
            .await
            .call(context("large-result", ""), Call::Stats)
            .await,
    );
    assert_eq!(fault.kind, FaultKind::Limit, "{}", fault.message);
    assert!(
        fault
            .message
            .contains("result_mib in [driver.<name>.limits]"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn state_over_64_kib_is_refused() {
    let fault = fault(
        hostile()
            .await
            .call(context("large-state", ""), Call::Setup)
            .await,
    );
    assert_eq!(fault.kind, FaultKind::Limit);
    assert!(
        fault
            .message
            .contains("state_kib in [driver.<name>.limits]"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_batch_answer_that_is_short_or_shuffled_is_refused_as_a_whole() {
    let driver = hostile().await;
    for behaviour in ["partial", "shuffle"] {
        let call = Call::Enable {
            volumes: vec![volume("v1"), volume("v2")],
        };
        assert_eq!(
            fault(driver.call(context(behaviour, ""), call).await).kind,
            FaultKind::Partial
        );
    }
}

#[tokio::test]
async fn a_typed_failure_arrives_as_it_was_meant() {
    let result = hostile()
        .await
        .call(
            context("fail", ""),
            Call::CreateVolume {
                volume: volume("v"),
            },
        )
        .await;
    let Err(CallError::Failed(failure)) = result else {
        panic!("expected a failure, got {result:?}");
    };
    assert_eq!(
        (failure.code, failure.target.as_deref()),
        (FailureCode::Exhausted, Some("a"))
    );
}

#[tokio::test]
async fn the_host_has_no_environment_and_no_arguments_for_a_guest() {
    let stats = hostile()
        .await
        .call(context("environment", ""), Call::Stats)
        .await
        .unwrap()
        .into_stats()
        .unwrap();
    assert_eq!(
        stats.pools[0].capabilities,
        [("args".to_owned(), "0".to_owned())]
    );
}

#[tokio::test]
async fn requests_in_one_call_are_counted_and_denied_without_a_trap() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut binding = binding(vec![TargetBinding::new(
        "a",
        &array.address,
        TlsTrust::PlainHttp,
    )]);
    binding.limits = Some(Limits {
        requests: 5,
        ..Limits::default()
    });
    let driver = sandbox.bind(program, binding).unwrap();
    driver
        .call(context("many-requests", ""), Call::Check)
        .await
        .unwrap();
    assert_eq!(
        array
            .facts
            .requests
            .load(std::sync::atomic::Ordering::SeqCst),
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_not_taken_into_memory_whole() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut binding = binding(vec![TargetBinding::new(
        "a",
        &array.address,
        TlsTrust::PlainHttp,
    )]);
    binding.limits = Some(Limits {
        request_body_bytes: 64 << 10,
        ..Limits::default()
    });
    let driver = sandbox.bind(program, binding).unwrap();
    driver
        .call(context("endless-body", ""), Call::Setup)
        .await
        .unwrap();
    let seen = array
        .facts
        .requests
        .load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(seen, 0, "the array was sent a part of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_bounded() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut binding = binding(vec![TargetBinding::new(
        "a",
        &array.address,
        TlsTrust::PlainHttp,
    )]);
    binding.limits = Some(Limits {
        open_requests: 3,
        ..Limits::default()
    });
    let driver = sandbox.bind(program, binding).unwrap();
    driver
        .call(context("hoard-requests", ""), Call::Check)
        .await
        .unwrap();
    assert!(
        array
            .facts
            .requests
            .load(std::sync::atomic::Ordering::SeqCst)
            <= 3
    );
}

#[tokio::test]
async fn host_resources_held_by_a_guest_are_bounded() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "hostile").await;
    let mut binding = binding(vec![TargetBinding::new(
        "a",
        &array.address,
        TlsTrust::PlainHttp,
    )]);
    binding.limits = Some(Limits {
        handles: 2,
        ..Limits::default()
    });
    let driver = sandbox.bind(program, binding).unwrap();
    let fault = fault(
        driver
            .call(context("hoard-requests", ""), Call::Check)
            .await,
    );
    assert!(
        matches!(fault.kind, FaultKind::Limit | FaultKind::Trap),
        "{}",
        fault.message
    );
}
