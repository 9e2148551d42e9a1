//! The command line: its words, and which module carries each one out.

mod args;
mod audit;
mod db;
mod driver;
mod image;
mod import;
mod outbox;
mod scope;

use std::process::ExitCode;

use clap::CommandFactory as _;

pub use args::{
    AttachmentsCommand, Cli, Command, ConfigCommand, Connection, DrillCommand, Format,
    OperationCommand, Wait,
};
pub use audit::{AuditCommand, AuditFile};
pub use db::DbCommand;
pub use driver::{DriverCommand, SignArgs};
pub use image::ImageCommand;
pub use import::{ImportCinder, ImportCommand};
pub use outbox::OutboxCommand;
pub use scope::{ScopeArgs, StatusArgs, TargetArgs};

use crate::audit as audit_log;
use crate::client::{self, Client};
use crate::import::cinder;
use crate::{config, database, manual, serve, signing};

/// Carries out a command line.
///
/// # Errors
/// One sentence for the operator, with what to do next where there is something.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve { config } => serve::run(&config).await,
        Command::Config {
            command: ConfigCommand::Check { config, offline },
        } => config::check::run(&config, offline).await,
        Command::Db { command } => database::run(command).await,
        Command::Audit { command } => audit_log::run(command).await,
        Command::Import {
            command: ImportCommand::Cinder(asked),
        } => cinder(asked).await,
        Command::Driver {
            command: DriverCommand::Inspect { subject, describe },
        } if subject.ends_with(".wasm") => {
            client::inspect_file(subject.as_ref(), describe, &cli.connection).await
        }
        Command::Driver {
            command: DriverCommand::Sign(asked),
        } => signing::sign(&asked),
        Command::Driver {
            command:
                DriverCommand::Verify {
                    file,
                    driver,
                    config,
                },
        } => signing::verify(&file, &driver, &config),
        Command::Completion { shell } => manual::complete(shell, Cli::command()),
        Command::Man { dir } => manual::pages(dir.as_deref(), Cli::command()),
        command => client::run(&Client::new(&cli.connection)?, command).await,
    }
}
