//! Words of `springform audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which database.
#[derive(Debug, Args)]
pub struct AuditFile {
    /// The configuration, which names the database.
    #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
    pub config: PathBuf,
    /// Another database than that of the configuration: a backup, or one that a restore set aside.
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
}

/// What to do with the audit log. The host may run meanwhile.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Look whether an entry was edited, removed or moved. Exits with 1 and names the first one of each host where so.
    Verify {
        /// Which.
        #[command(flatten)]
        file: AuditFile,
        /// An entry that is known from elsewhere, as the host's log and an export name it: without one, a chain that was cut at
        /// its end or written anew from some entry on looks like any other. May be given several times.
        #[arg(long = "anchor", value_name = "[HOST/]SEQ:HASH")]
        anchors: Vec<String>,
        /// An earlier export: the ends of the chains in it are the anchors.
        #[arg(long, value_name = "EXPORT")]
        since: Option<PathBuf>,
    },
    /// Print the log as lines of JSON: an entry each, then the end of each host's chain, which is to be kept elsewhere.
    Export {
        /// Which.
        #[command(flatten)]
        file: AuditFile,
        /// Leave out what is older: `2026-11-30`, or with a time, UTC.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
    },
}
