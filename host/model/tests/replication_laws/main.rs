//! The laws of replication: case by case, as the whole table, and against a world of arrays that does what the machine's
//! effects say, or fails to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cases;
mod relations;
mod table;
mod world;
