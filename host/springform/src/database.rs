//! Backup and restore of the database that a configuration names.

use std::path::Path;
use std::process::ExitCode;

use springform_model::time::Timestamp;

use crate::cli::DbCommand;
use crate::config::Config;
use crate::out;

/// Makes or restores a backup.
///
/// # Errors
/// What is wrong with the configuration, the database or the backup; nothing was changed then.
pub async fn run(command: DbCommand) -> anyhow::Result<ExitCode> {
    match command {
        DbCommand::Backup { file, config } => backup(&file, &config).await,
        DbCommand::Restore { file, config } => restore(&file, &config).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

async fn backup(file: &Path, config: &Path) -> anyhow::Result<()> {
    let database = Config::load(config)?.service.database;
    springform_store::backup(&database, file, Timestamp::now()).await?;
    out::line(format_args!(
        "{} is a backup of {}",
        file.display(),
        database.display()
    ))?;
    Ok(())
}

async fn restore(file: &Path, config: &Path) -> anyhow::Result<()> {
    let database = Config::load(config)?.service.database;
    let restored = springform_store::restore(&database, file, Timestamp::now()).await?;
    let made = restored.backup_made_at.map_or_else(String::new, |made| {
        format!(", made at {}", made.to_cinder())
    });
    out::line(format_args!(
        "{} is restored from {}{made}",
        database.display(),
        file.display()
    ))?;
    if let Some(replaced) = restored.replaced {
        out::line(format_args!(
            "the database that was replaced is {}",
            replaced.display()
        ))?;
    }
    Ok(())
}
