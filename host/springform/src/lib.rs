//! The `springform` program as a library, so that tests can look at its parts.
//!
//! - [`cli`]: the command line, its words and their dispatch.
//! - [`config`]: the TOML file.
//! - [`database`]: backup and restore.
//! - [`client`]: the commands which talk to a running host.
//! - [`out`]: what commands print.
//! - [`show`]: tables, plans and progress bars.
//! - [`serve`]: wiring of store, control, sandbox and API; signals; logs.
#![deny(missing_docs)]
// They panic when the reader has gone away: [`out`] does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod client;
pub mod config;
pub mod database;
pub mod out;
pub mod serve;
pub mod show;
