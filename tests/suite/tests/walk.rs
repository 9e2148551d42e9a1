//! The walk of the README, on the real program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use springform_suite::site::Site;
use springform_suite::walk::walk;

#[tokio::test(flavor = "multi_thread")]
async fn a_replicated_volume_survives_the_loss_of_its_array() {
    let site = Site::new().unwrap();
    let host = site.host().await.unwrap();
    if let Err(error) = walk(&site, &|line| println!("{line}")).await {
        panic!("{error:#}\n{}", host.log());
    }
    assert!(
        host.stop().await.unwrap(),
        "the host did not end with status 0"
    );
}
