//! Tenants beside operators, through the whole control plane; `SEED=n` plays one of them alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use futures_util::StreamExt as _;
use springform_sim_tests::tenants::Cloud;

/// Seeds that are played.
const SEEDS: u64 = 300;
/// Of these at one time.
const AT_ONCE: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_tenants_and_operators_ask_for_at_once_the_arrays_are_what_the_records_say() {
    let cloud = Cloud::start().await;
    if let Ok(seed) = std::env::var("SEED") {
        let seed = seed.parse().expect("SEED is a number");
        cloud.play(seed).await.unwrap_or_else(|law| panic!("{law}"));
        return;
    }
    let seeds = (0..SEEDS).map(|seed| cloud.play(seed));
    let mut playing = futures_util::stream::iter(seeds).buffer_unordered(AT_ONCE);
    while let Some(played) = playing.next().await {
        played.unwrap_or_else(|law| panic!("{law}"));
    }
    cloud.settles().await.unwrap_or_else(|law| panic!("{law}"));
}
