//! Chaos with a seed: `cargo xtask chaos --seed N --minutes M`. The last line is `kills N, operations N, violations N`, and the exit
//! status says whether there were violations.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use springform_suite::chaos;

/// Set in the mount namespace of its own.
const INSIDE: &str = "SPRINGFORM_CHAOS_MOUNTS";

/// Chaos.
#[derive(Debug, Parser)]
struct Cli {
    /// Decides what is asked for and what goes wrong.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long it goes on, minutes.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if rustix::process::geteuid().is_root() && std::env::var_os(INSIDE).is_none() {
        mounts_of_its_own();
    }
    tokio::runtime::Runtime::new()?.block_on(run(&cli))
}

/// Goes on in a mount namespace of its own, so that its disk is gone with it, however it ends; stays here where that is not allowed.
fn mounts_of_its_own() {
    let words = ["--mount", "--propagation", "private"];
    let allowed = Command::new("unshare").args(words).arg("true").status();
    if let (true, Ok(program)) = (
        allowed.is_ok_and(|it| it.success()),
        std::env::current_exe(),
    ) {
        let mut command = Command::new("unshare");
        command
            .args(words)
            .arg(program)
            .args(std::env::args_os().skip(1));
        let why = command.env(INSIDE, "1").exec();
        eprintln!("no mounts of its own: {why}");
    }
}

async fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let long = Duration::from_secs_f64(cli.minutes * 60.0);
    let report = chaos::run(cli.seed, long).await?;
    for violation in &report.violations {
        println!("seed {}: {violation}", cli.seed);
    }
    if let Some(kept) = &report.kept {
        println!("logs and database: {}", kept.display());
    }
    println!(
        "copies and connections that were left on arrays: {}",
        report.leftovers
    );
    let violations = report.violations.len();
    println!(
        "kills {}, operations {}, violations {violations}",
        report.kills, report.operations
    );
    Ok(if violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
