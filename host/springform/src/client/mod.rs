//! The commands that talk to a running host.

mod attachments;
mod configuration;
mod drivers;
mod events;
mod http;
mod images;
pub mod keystone;
mod operations;
mod outbox;
mod refusal;
mod replication;
mod retry;
mod standing;

use std::path::Path;
use std::process::ExitCode;

pub use http::{Client, Unreachable};
pub use refusal::Refused;

use crate::cli::{Command, ConfigCommand, Connection};

/// Carries out a command that needs a running host.
///
/// # Errors
/// The host cannot be reached, or refused with a reason.
pub async fn run(client: &Client, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Config {
            command: ConfigCommand::Reload { dry_run },
        } => configuration::reload(client, dry_run).await,
        Command::Driver { command } => drivers::run(client, command).await,
        Command::Operation { command } => operations::run(client, command).await,
        Command::Attachments { command } => attachments::run(client, command).await,
        Command::Status(status) => standing::run(client, status).await,
        Command::Image { command } => images::run(client, command).await,
        Command::Outbox { command } => outbox::run(client, command).await,
        other => replication::run(client, other).await,
    }
}

/// Looks at a component file without a host.
///
/// # Errors
/// The file is no driver; the reason is named.
pub async fn inspect_file(
    path: &Path,
    describe: bool,
    connection: &Connection,
) -> anyhow::Result<ExitCode> {
    drivers::inspect_file(path, describe, connection).await
}
