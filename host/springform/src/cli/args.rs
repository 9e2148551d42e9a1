//! Words, options and help of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::audit::AuditCommand;
use super::db::DbCommand;
use super::driver::DriverCommand;
use super::image::ImageCommand;
use super::import::ImportCommand;
use super::outbox::OutboxCommand;
use super::scope::{ScopeArgs, StatusArgs, TargetArgs};

/// Driver host for storage replication: vendors' drivers in a sandbox, Cinder's API in front.
#[derive(Debug, Parser)]
#[command(name = "springform", version, arg_required_else_help = true)]
pub struct Cli {
    /// How a running host is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How a running host is reached.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// URL of the host.
    #[arg(
        long,
        global = true,
        env = "SPRINGFORM_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8776",
        value_name = "URL"
    )]
    pub url: String,
    /// Token for the host's API.
    #[arg(
        long,
        global = true,
        env = "SPRINGFORM_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<String>,
    /// Authorities that signed the host's certificate, PEM, besides the system's.
    #[arg(
        long,
        global = true,
        env = "SPRINGFORM_CACERT",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub cacert: Option<PathBuf>,
    /// How answers are written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    Table,
    /// The API's JSON.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the host until SIGTERM or Ctrl-C.
    Serve {
        /// The configuration.
        #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
        config: PathBuf,
    },
    /// Check a configuration, or let a running host read its own again.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Back up the database, or put a backup in its place.
    Db {
        /// What to do with it.
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Look whether the audit log is as the host wrote it, or print it.
    Audit {
        /// What to do with it.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Take over the volumes of a Cinder that is stopped.
    Import {
        /// Whose.
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Say which volumes have the content of images.
    Image {
        /// What to do with them.
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Install, activate, roll back and look at drivers.
    Driver {
        /// What to do.
        #[command(subcommand)]
        command: DriverCommand,
    },
    /// Look at operations of the journal.
    #[command(after_help = include_str!("examples/operation.txt"))]
    Operation {
        /// What to do.
        #[command(subcommand)]
        command: OperationCommand,
    },
    /// Show how replication stands: backends at a glance, or one backend, group, project or volume and what to look at.
    #[command(after_help = include_str!("examples/status.txt"))]
    Status(StatusArgs),
    /// Show what a failover or failback would do, and lose, without doing it.
    #[command(after_help = include_str!("examples/plan.txt"))]
    Plan {
        /// Which verb to plan.
        #[arg(value_enum, default_value_t = PlanVerb::Failover)]
        verb: PlanVerb,
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Where to.
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Move volumes to another array: shows the plan, asks, and carries it out.
    #[command(after_help = include_str!("examples/failover.txt"))]
    Failover {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Where to.
        #[command(flatten)]
        target: TargetArgs,
        /// Carry out this plan, as long as what it was made from still holds.
        #[arg(long, value_name = "ID", conflicts_with_all = ["to", "planned", "unplanned", "point"])]
        plan: Option<String>,
        /// Refuse if a volume is attached.
        #[arg(long)]
        only_detached: bool,
        /// Agree that what only the target has is thrown away.
        #[arg(long)]
        discard: bool,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Move volumes back to their first array without losing what was written since.
    #[command(after_help = include_str!("examples/failback.txt"))]
    Failback {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Agree that what only the first array has, since an unplanned failover left it behind, is thrown away.
        #[arg(long)]
        discard: bool,
        /// Do not replicate the volumes again once they are back; `reprotect` does it later.
        #[arg(long)]
        no_reprotect: bool,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Replicate again from where the volumes are now.
    Reprotect {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// The array to replicate to.
        #[arg(long, value_name = "TARGET")]
        to: Option<String>,
        /// Agree that what only the other side has is thrown away.
        #[arg(long)]
        discard: bool,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Copy to the other arrays once more, now.
    Resync {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// The array to copy to.
        #[arg(long, value_name = "TARGET")]
        to: Option<String>,
        /// Agree that what only the other side has is thrown away.
        #[arg(long)]
        discard: bool,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Switch replication of volumes on.
    Enable {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Switch replication of volumes off; their data stays where it is.
    Disable {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Take the writable role from an array that was left behind and answers again. The host does this by itself; this is for now.
    Fence {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Try a failover on writable copies while replication goes on.
    #[command(after_help = include_str!("examples/drill.txt"))]
    Drill {
        /// What to do.
        #[command(subcommand)]
        command: DrillCommand,
    },
    /// Make the arrays of a changed configuration the backend's own, online, after its primary is gone for good.
    Promote {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Make the arrays match the configuration and say what was changed.
    #[command(after_help = include_str!("examples/reconcile.txt"))]
    Reconcile {
        /// On what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Only say what would be changed.
        #[arg(long)]
        dry_run: bool,
        /// Bring the records up to what the arrays say of promotions, instead: after a restore of the database. Shows what
        /// would be recorded, and asks.
        #[arg(long)]
        adopt: bool,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Refuse changes on a backend while reads and attachments go on.
    Freeze {
        /// Name of the backend.
        backend: String,
    },
    /// Lift a freeze.
    Thaw {
        /// Name of the backend.
        backend: String,
    },
    /// Repair the records of a backend which is disabled and frozen: its primary becomes the active array again.
    ResetActiveBackend {
        /// Name of the backend.
        backend: String,
        /// The array that is the active one in truth; without: the primary.
        #[arg(long, value_name = "TARGET")]
        to: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Events on their way to webhooks.
    Outbox {
        /// What to do.
        #[command(subcommand)]
        command: OutboxCommand,
    },
    /// Attachments after a failover.
    Attachments {
        /// What to do.
        #[command(subcommand)]
        command: AttachmentsCommand,
    },
    /// Print the script that completes these words in a shell.
    Completion {
        /// Shell that is to complete the words.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page.
    Man {
        /// Write a page for each command into this directory instead.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// What to do with a configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a file, its secrets and its drivers without touching an array.
    #[command(after_help = include_str!("examples/config-check.txt"))]
    Check {
        /// The configuration.
        #[arg(long, env = "SPRINGFORM_CONFIG", default_value = "springform.toml")]
        config: PathBuf,
        /// Do not load the drivers: their options stay unchecked.
        #[arg(long)]
        offline: bool,
    },
    /// Let the running host read its own file again: all of it serves, or nothing has changed. SIGHUP to the host does the same.
    #[command(after_help = include_str!("examples/config-reload.txt"))]
    Reload {
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What to do with operations.
#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// List operations, newest first.
    List {
        /// Only those in this state.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this backend.
        #[arg(long)]
        backend: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one operation with its steps.
    Show {
        /// Id.
        id: String,
    },
    /// Follow an operation to its end.
    Watch {
        /// Id.
        id: String,
    },
    /// Ask an operation to stop where that is safe.
    Cancel {
        /// Id.
        id: String,
    },
    /// Try an operation of replication again for the volumes that failed, and only for those.
    Retry {
        /// Id.
        id: String,
        /// Agree that what only the target has is thrown away.
        #[arg(long)]
        discard: bool,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
}

/// What to do with a drill.
#[derive(Debug, Subcommand)]
pub enum DrillCommand {
    /// List drills, newest first.
    List {
        /// Only those of this backend.
        #[arg(long)]
        backend: Option<String>,
    },
    /// Make writable copies on a target.
    #[command(after_help = include_str!("examples/drill-start.txt"))]
    Start {
        /// Of what.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Where; without: the driver's host chooses.
        #[arg(long, value_name = "TARGET")]
        to: Option<String>,
        /// An older recovery point than the newest.
        #[arg(long, value_name = "POINT")]
        point: Option<String>,
        /// Throw the copies away by itself after so many minutes.
        #[arg(long, default_value_t = 240)]
        minutes: u32,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Throw the copies away.
    Stop {
        /// Id of the drill, or of the operation that started it.
        id: String,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Turn the drill into the failover.
    Commit {
        /// Id of the drill, or of the operation that started it.
        id: String,
        /// How to go about it.
        #[command(flatten)]
        wait: Wait,
    },
}

/// What to do with attachments.
#[derive(Debug, Subcommand)]
pub enum AttachmentsCommand {
    /// Attach servers again whose volumes moved; prints commands where it may not.
    Repair {
        /// URL of Nova's API.
        #[arg(long, env = "NOVA_URL")]
        nova: Option<String>,
        /// Only of this backend.
        #[arg(long)]
        backend: Option<String>,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanVerb {
    /// To another array.
    Failover,
    /// Back to the first array.
    Failback,
    /// Replicate again from where the volumes are now.
    Reprotect,
}

impl PlanVerb {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Failback => "failback",
            Self::Reprotect => "reprotect",
        }
    }
}

/// How to go about a verb that takes its time.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Wait {
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Print the operation's id and do not follow it.
    #[arg(long)]
    pub no_wait: bool,
}
