//! Words of `springform driver`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with drivers.
#[derive(Debug, Subcommand)]
pub enum DriverCommand {
    /// Show which driver generation serves each backend.
    List,
    /// Look at a component file without compiling or running it, or at an installed driver.
    Inspect {
        /// A `.wasm` file or the name of a driver.
        subject: String,
        /// Compile the file and let it describe itself, without network and configuration: options, features, protocols.
        #[arg(long)]
        describe: bool,
    },
    /// Show which requests the driver that serves may send, and where each line comes from.
    Grants {
        /// Name of the driver.
        name: String,
    },
    /// Hand a component to the host, with the signatures beside it (FILE.minisig). It does not serve until it is activated.
    #[command(after_help = include_str!("examples/driver-install.txt"))]
    Install {
        /// Name of the driver.
        name: String,
        /// The component.
        file: PathBuf,
    },
    /// Let an installed component serve. Calls under way end on the one they began with.
    #[command(after_help = include_str!("examples/driver-activate.txt"))]
    Activate {
        /// Name of the driver.
        name: String,
        /// Its digest, or the beginning of it; without: the one installed last.
        #[arg(long)]
        digest: Option<String>,
    },
    /// Go back to the generation that served before.
    #[command(after_help = include_str!("examples/driver-rollback.txt"))]
    Rollback {
        /// Name of the driver.
        name: String,
    },
    /// Sign a component with a secret key of minisign (`minisign -G` makes one); the signature goes into FILE.minisig.
    Sign(SignArgs),
    /// Say whether a component may be loaded as a driver: digest and signatures, by the configuration. No host is needed.
    Verify {
        /// The component.
        file: PathBuf,
        /// Name of the driver that it shall be.
        #[arg(long)]
        driver: String,
        /// The configuration.
        #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
        config: PathBuf,
    },
}

/// With what to sign what.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The component.
    pub file: PathBuf,
    /// File of the secret key.
    #[arg(long)]
    pub secret_key: PathBuf,
    /// File with the password of the secret key; without: it is asked for, where the key has one.
    #[arg(long)]
    pub password_file: Option<PathBuf>,
    /// What the signature says beside the file's name, for people: a version, a ticket.
    #[arg(long)]
    pub comment: Option<String>,
}
