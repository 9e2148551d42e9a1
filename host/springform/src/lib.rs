//! The `springform` program as a library, so that tests can look at its parts.
//!
//! - [`cli`]: the command line, its words and their dispatch.
//! - [`config`]: the TOML file.
//! - [`database`]: backup, restore and its key.
//! - [`client`]: the commands which talk to a running host.
//! - [`failure`]: how an error is told.
//! - [`manual`]: completion scripts and manual pages.
//! - [`out`]: what commands print.
//! - [`show`]: tables, plans and progress bars.
//! - [`sealing`]: the key of the secrets in the database.
//! - [`verification`]: whose signatures a component needs.
//! - [`serve`]: wiring of store, control, sandbox and API; signals; logs.
#![deny(missing_docs)]
// They panic when the reader has gone away: [`out`] does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod audit;
pub mod cli;
pub mod client;
pub mod config;
pub mod database;
pub mod failure;
pub mod import;
pub mod manual;
pub mod out;
pub mod sealing;
pub mod serve;
pub mod show;
mod signing;
pub mod verification;
