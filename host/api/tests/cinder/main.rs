//! Volumes, snapshots, attachments and their actions over HTTP, a real database and a simulated driver.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../support/mod.rs"]
mod support;

mod attachments;
mod conduct;
mod defaults;
mod filters;
mod images;
mod manage;
mod moves;
mod moving;
mod nova;
mod quotas;
mod retype;
mod snapshots;
mod transfers;
mod views;
mod volumes;
