//! Words of `springform import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Whose volumes are taken over.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Take over a Cinder: its configuration and its database, with the same ids, owners and names. Nothing on the arrays is
    /// touched, and nothing is written to Cinder's database.
    Cinder(ImportCinder),
}

/// What is read, and where it is written.
#[derive(Debug, Clone, Args)]
pub struct ImportCinder {
    /// Cinder's configuration.
    #[arg(long, value_name = "FILE", default_value = "/etc/cinder/cinder.conf")]
    pub config: PathBuf,
    /// Cinder's database: `mysql://`, `postgresql://` or `sqlite:///`, as SQLAlchemy writes it, or the file of a dump that
    /// `mariadb-dump`, `mysqldump` or `pg_dump` wrote as text. Without: `[database] connection` of its configuration.
    #[arg(
        long,
        env = "SPRINGFORM_CINDER_DATABASE",
        hide_env_values = true,
        value_name = "URL|FILE"
    )]
    pub database: Option<String>,
    /// The configuration of the new host. Made from Cinder's if it is not there; else it is used as it is and not changed.
    #[arg(
        long,
        env = "SPRINGFORM_CONFIG",
        default_value = "springform.toml",
        value_name = "FILE"
    )]
    pub into: PathBuf,
    /// Where the drivers' components are, for a configuration that is made.
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/usr/lib/springform",
        env = "SPRINGFORM_DRIVERS"
    )]
    pub drivers: PathBuf,
    /// Only this backend of Cinder, by its section; what is on others stays Cinder's. May be repeated.
    #[arg(long = "backend", value_name = "SECTION")]
    pub backends: Vec<String>,
    /// Show everything that would be taken over, left out or refused, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Ask the arrays whether they have every volume and snapshot, in its size. They are only read.
    #[arg(long)]
    pub verify: bool,
    /// Every service of Cinder is stopped, although its database says that one was alive a minute ago.
    #[arg(long)]
    pub cinder_is_stopped: bool,
}
