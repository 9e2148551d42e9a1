//! A world of arrays in memory, the verbs of replication on it, and what must hold whatever happens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod acts;
pub mod arrays;
pub mod crash;
pub mod evidence;
pub mod fleet;
pub mod groups;
pub mod keeper;
pub mod laws;
pub mod lives;
pub mod machines;
pub mod memory;
pub mod nouns;
mod older;
mod operator;
pub mod otherwise;
mod rest;
mod rows;
pub mod seeds;
pub mod site;
pub mod tenants;
mod told;
pub mod world;
