//! Backup, restore and key of the database that a configuration names.

use std::path::Path;
use std::process::ExitCode;

use springform_model::audit::Action;
use springform_model::time::Timestamp;

use crate::audit;
use crate::cli::DbCommand;
use crate::config::Config;
use crate::{out, sealing};

/// Makes or restores a backup, or changes the key.
///
/// # Errors
/// What is wrong with the configuration, the database or the backup; nothing was changed then.
pub async fn run(command: DbCommand) -> anyhow::Result<ExitCode> {
    match command {
        DbCommand::Backup { file, config } => backup(&file, &config).await,
        DbCommand::Restore { file, config } => restore(&file, &config).await,
        DbCommand::RotateKey { config } => rotate(&config).await,
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
    let service = Config::load(config)?.service;
    let keys = sealing::find(&service.sealing_key)?;
    let entry = audit::entry(&service, Action::DatabaseRestored);
    let entry = entry.with("backup", file.display().to_string());
    let database = service.database;
    let restored = springform_store::restore(
        &database,
        file,
        keys.as_ref(),
        Timestamp::now(),
        Some(&entry),
    )
    .await?;
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

async fn rotate(config: &Path) -> anyhow::Result<()> {
    let service = Config::load(config)?.service;
    let rotated = sealing::rotate(&service).await?;
    out::line(format_args!(
        "the secrets in {} are sealed with the new key {}; the old key {} is forgotten",
        service.database.display(),
        rotated.new,
        rotated.old
    ))?;
    out::line(format_args!(
        "backups made before can be restored with the old key only: make a new one now"
    ))?;
    Ok(())
}
