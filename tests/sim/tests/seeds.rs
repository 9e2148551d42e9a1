//! Two thousand seeds; `SEED=n` runs one of them alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use springform_sim_tests::seeds;

#[test]
fn a_seed_tells_the_same_history_every_time() {
    for seed in 0..50 {
        let (first, second) = (seeds::play(seed), seeds::play(seed));
        assert_eq!(first.1, second.1, "seed {seed}");
        assert_eq!(
            first.0.map(|s| s.operations),
            second.0.map(|s| s.operations),
            "seed {seed}"
        );
    }
    assert_ne!(seeds::play(0).1, seeds::play(1).1);
}

#[test]
fn the_laws_hold_in_two_thousand_simulated_worlds() {
    if let Ok(seed) = std::env::var("SEED") {
        let summary = seeds::run(seed.parse().expect("SEED is a number"))
            .unwrap_or_else(|broken| panic!("{broken}"));
        println!("{summary:?}");
        return;
    }
    let mut sum = seeds::Summary::default();
    for seed in 0..2000 {
        let one = seeds::run(seed).unwrap_or_else(|broken| {
            panic!("{broken}\nagain: SEED={seed} cargo test -p springform-sim-tests --test seeds -- --nocapture")
        });
        sum.operations += one.operations;
        sum.succeeded += one.succeeded;
        sum.restarts += one.restarts;
        sum.moves += one.moves;
        sum.restores += one.restores;
    }
    println!("{sum:?}");
    // A simulation in which nothing succeeds would hold every law.
    assert!(
        sum.succeeded > 2000 && sum.restarts > 1000 && sum.moves > 4000 && sum.restores > 400,
        "{sum:?}"
    );
}
