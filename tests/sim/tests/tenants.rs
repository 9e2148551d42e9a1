//! Tenants beside operators, through the whole control plane; `SEED=n` plays one of them alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use futures_util::StreamExt as _;
use springform_sim_tests::tenants::Cloud;

/// Seeds that are played on a store that can be written, and on one that cannot now and then.
const SEEDS: (u64, u64) = (300, 100);
/// Of these at one time.
const AT_ONCE: usize = 48;

async fn play(cloud: Cloud, seeds: u64) {
    if let Ok(seed) = std::env::var("SEED") {
        let seed = seed.parse().expect("SEED is a number");
        cloud.play(seed).await.unwrap_or_else(|law| panic!("{law}"));
        return;
    }
    let seeds = (0..seeds).map(|seed| cloud.play(seed));
    let mut playing = futures_util::stream::iter(seeds).buffer_unordered(AT_ONCE);
    while let Some(played) = playing.next().await {
        played.unwrap_or_else(|law| panic!("{law}"));
    }
    cloud.settles().await.unwrap_or_else(|law| panic!("{law}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_tenants_and_operators_ask_for_at_once_the_arrays_are_what_the_records_say() {
    play(Cloud::start().await, SEEDS.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_store_fails_meanwhile_the_arrays_are_what_the_records_say() {
    play(Cloud::on_a_failing_store().await, SEEDS.1).await;
}
