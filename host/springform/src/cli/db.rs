//! Words of `springform db`.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Write a consistent copy of the database to a new file. The host may run meanwhile.
    #[command(after_help = include_str!("examples/db-backup.txt"))]
    Backup {
        /// The file; one that exists is not overwritten.
        file: PathBuf,
        /// The configuration, which names the database.
        #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
        config: PathBuf,
    },
    /// Seal the secrets in the database of a host that is stopped with a new key, and forget the old one. Backups made before
    /// can be restored with the old key only.
    RotateKey {
        /// The configuration, which names the database and the key's file.
        #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
        config: PathBuf,
    },
    /// Put a backup in the place of the database of a host that is stopped. What is replaced is kept beside it.
    #[command(after_help = include_str!("examples/db-restore.txt"))]
    Restore {
        /// The backup.
        file: PathBuf,
        /// The configuration, which names the database.
        #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
        config: PathBuf,
    },
}
