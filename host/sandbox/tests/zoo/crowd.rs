//! All attackers at once, again and again, beside a driver that behaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use springform_model::contract::{Call, Driver};

use super::calls;
use crate::support::array::Array;
use crate::support::{binding, context, load, sandbox};

/// Calls of the driver that behaves.
const CALLS: usize = 300;
/// Attacks that must have ended meanwhile.
const ATTACKS: usize = 60;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_every_attack_runs_in_a_loop_another_driver_keeps_all_its_calls_and_the_memory_comes_back()
 {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let program = load(&sandbox, "noop").await;
    let good = sandbox.bind(program, binding(vec![])).unwrap();
    good.call(context("", ""), Call::Check).await.unwrap();
    for attack in calls::ATTACKS {
        // Everything was used once, so that what is kept for the next call is there.
        calls::run(&calls::fresh(&sandbox, &array).await, attack).await;
    }
    let before = resident();

    let (stop, ended) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let array = Arc::new(array);
    let attackers: Vec<_> = (0..4)
        .map(|first| {
            let (sandbox, array) = (sandbox.clone(), array.clone());
            let (stop, ended) = (stop.clone(), ended.clone());
            tokio::spawn(async move {
                for attack in calls::ATTACKS.iter().cycle().skip(first * 3) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    calls::run(&calls::fresh(&sandbox, &array).await, attack).await;
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
    let after = resident();
    assert!(
        after < before + 64,
        "{before} MiB before and {after} MiB after"
    );
}
