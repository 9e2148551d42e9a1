//! All attackers at once, again and again, beside a driver that behaves. A process of its own: resident memory is the
//! process's, and other tests beside it would be counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

// The zoo also reads what each attack must end with.
#[allow(dead_code)]
#[path = "zoo/behaviours.rs"]
mod behaviours;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use springform_model::contract::{Call, Driver};
use springform_sandbox::{BoundDriver, Sandbox};

use support::array::Array;
use support::{binding, context, load, sandbox};

/// As in the host: with the system's allocator what is measured is how threads share its arenas.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls of the driver that behaves.
const CALLS: usize = 300;
/// Attacks that must have ended meanwhile.
const ATTACKS: usize = 60;
/// Attackers beside each other.
const ATTACKERS: usize = 4;
/// How much more may be held after two further storms, MiB. In each, five attacks take 64 MiB of memory and five a result of
/// 16 MiB; what allocators keep for threads goes up and down by some dozens.
const KEPT: usize = 128;

/// Resident memory of this process, MiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib >> 10
}

/// Every attack in a loop until `good` has had its calls.
async fn storm(sandbox: &Sandbox, array: &Arc<Array>, good: &BoundDriver) {
    let (stop, ended) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let attackers: Vec<_> = (0..ATTACKERS)
        .map(|first| {
            let (sandbox, array) = (sandbox.clone(), array.clone());
            let (stop, ended) = (stop.clone(), ended.clone());
            tokio::spawn(async move {
                for attack in behaviours::ATTACKS.iter().cycle().skip(first * 3) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    behaviours::run(&behaviours::fresh(&sandbox, &array).await, attack).await;
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut served = 0;
    while served < CALLS || ended.load(Ordering::Relaxed) < ATTACKS {
        let call = good.call(context("", ""), Call::Check).await;
        call.expect("a call of a driver that behaves");
        served += 1;
    }
    stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker
            .await
            .expect("an attacker harms nobody but its own calls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_every_attack_runs_in_a_loop_another_driver_keeps_all_its_calls_and_the_memory_comes_back()
 {
    let array = Arc::new(Array::plain().await);
    let sandbox = sandbox();
    let program = load(&sandbox, "noop").await;
    let good = sandbox.bind(program, binding(vec![])).unwrap();
    // The first storm brings what is kept for the next one: warm instances, and what the allocator holds for each thread.
    storm(&sandbox, &array, &good).await;
    let before = resident();
    storm(&sandbox, &array, &good).await;
    storm(&sandbox, &array, &good).await;
    let after = resident();
    assert!(
        after < before + KEPT,
        "{before} MiB before and {after} MiB after"
    );
}
