//! A simulated FlashArray: REST 2.x, with bytes behind it.
//!
//! [`core`] is a deterministic state machine of all arrays and the links
//! between them; [`rest`] answers requests on it without a network; [`Sim`]
//! puts listeners around it. See the README of this crate for the command
//! line and the control port.

pub mod cli;
pub mod client;
pub mod config;
pub mod core;
mod dump;
pub mod fault;
mod http;
mod persist;
pub mod rest;
pub mod shared;
pub mod sim;
mod tls;

pub use client::SimControl;
pub use config::{ArrayConfig, ClockMode, ConnectionKind, SimConfig};
pub use fault::{FaultKind, FaultSpec};
pub use sim::Sim;
