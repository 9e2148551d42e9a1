//! The front door of the real program: its log, its files, its certificate, and clients that mean no good.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod audit;
mod canary;
mod crowd;
mod files;
mod house;
mod log;
mod sealing;
mod signatures;
mod tls;
