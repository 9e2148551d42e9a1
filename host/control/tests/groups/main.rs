//! Groups and their snapshots over simulated drivers: one that keeps consistency groups, one that does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

#[path = "../common/mod.rs"]
mod common;
mod life;
mod rig;
mod snapshots;
