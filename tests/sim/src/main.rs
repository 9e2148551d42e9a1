//! `springform-sim seeds N [FROM]`, `springform-sim bench VOLUMES [MILLISECONDS]`, and the two halves of the crash test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use springform_control::replication::{self, Ask, Request, Scope, StoreEnv, Who};
use springform_model::operation::OperationState;
use springform_sim_tests::arrays::{Kind, Simulated};
use springform_sim_tests::nouns::{self, BACKEND};
use springform_sim_tests::world::ARRAYS;
use springform_sim_tests::{crash, groups, lives, seeds};
use springform_store::{Changes, Store};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match words.as_slice() {
        ["seeds", many] => run_seeds(number(many), 0),
        ["seeds", many, from] => run_seeds(number(many), number(from)),
        ["bench", volumes] => block_on(bench(number(volumes), 0)),
        ["bench", volumes, ms] => block_on(bench(number(volumes), number(ms))),
        ["prepare", dir, verb] => {
            if groups::VERBS.contains(verb) {
                block_on(groups::prepare(Path::new(dir), verb));
            } else if lives::VERBS.contains(verb) {
                block_on(lives::prepare(Path::new(dir), verb));
            } else {
                block_on(crash::prepare(Path::new(dir), verb));
            }
            ExitCode::SUCCESS
        }
        ["carry-out", dir, verb] => {
            let told = if groups::VERBS.contains(verb) {
                block_on(groups::carry_out(Path::new(dir), verb))
            } else if lives::VERBS.contains(verb) {
                block_on(lives::carry_out(Path::new(dir), verb))
            } else {
                block_on(crash::carry_out(Path::new(dir), verb))
            };
            println!("{told}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: springform-sim seeds N [FROM] | bench VOLUMES [MILLISECONDS-EACH]");
            ExitCode::from(2)
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn run_seeds(many: u64, from: u64) -> ExitCode {
    let mut sum = seeds::Summary::default();
    for seed in from..from + many {
        match seeds::run(seed) {
            Ok(one) => {
                sum.operations += one.operations;
                sum.succeeded += one.succeeded;
                sum.restarts += one.restarts;
                sum.moves += one.moves;
                sum.restores += one.restores;
            }
            Err(broken) => {
                eprintln!("{broken}\nagain: springform-sim seeds 1 {seed}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{many} seeds from {from}: all laws hold. {sum:?}");
    ExitCode::SUCCESS
}

/// Resident memory in KiB.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text
        .lines()
        .find(|l| l.starts_with("VmHWM:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

async fn bench(volumes: u64, ms: u64) -> ExitCode {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("springform.db"))
        .await
        .unwrap();
    store
        .commit(Changes::new().insert(&nouns::service()))
        .await
        .unwrap();
    let ids: Vec<String> = (0..volumes).map(|i| format!("{i:08}")).collect();
    for chunk in ids.chunks(500) {
        let changes = chunk.iter().fold(Changes::new(), |c, id| {
            c.insert(&nouns::volume(id, ARRAYS[0], true))
        });
        store.commit(changes).await.unwrap();
    }
    let rows = StoreEnv::new(
        store.clone(),
        Arc::new(Simulated::new(Kind::Nothing(ms), 64)),
    );
    let before = memory();
    let begun = tokio::time::Instant::now();
    let ask = Ask::about(Scope::Backend(BACKEND.into()));
    let operation = replication::begin(&rows, BACKEND, Request::Failover(ask), Who::default())
        .await
        .unwrap();
    let ended = replication::run(&rows, operation).await.unwrap();
    let took = begun.elapsed();
    println!(
        "{}",
        serde_json::json!({
            "volumes": volumes,
            "milliseconds_each": ms,
            "seconds": took.as_secs_f64(),
            "state": ended.state.as_str(),
            "moved": ended.progress.done,
            "memory_before_kib": before,
            "memory_peak_kib": memory(),
        })
    );
    store.close().await;
    if ended.state == OperationState::Succeeded && ended.progress.done == volumes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
