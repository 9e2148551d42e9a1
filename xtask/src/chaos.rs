//! `cargo xtask chaos`: builds the programs and lets them be killed.

use clap::Args;

use crate::guests;
use crate::shell::{cargo, command, run, target};

/// One seed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Chaos {
    /// Decides what tenants and operators ask for and what goes wrong.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long it goes on, minutes; then all is healed and judged.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
}

impl Chaos {
    /// Builds what is needed and runs it.
    pub fn run(&self) -> anyhow::Result<()> {
        build()?;
        play(self.seed, self.minutes)
    }
}

/// The components and programs that take part, as the tests have them.
pub fn build() -> anyhow::Result<()> {
    guests::build()?;
    run(cargo().args([
        "build",
        "--locked",
        "-p",
        "springform",
        "-p",
        "flasharray-sim",
        "-p",
        "springform-suite",
        "--bins",
    ]))
}

/// Runs one seed.
pub fn play(seed: u64, minutes: f64) -> anyhow::Result<()> {
    run(command(target().join("debug/springform-chaos"))
        .args(["--seed", &seed.to_string()])
        .args(["--minutes", &minutes.to_string()])
        .env("SPRINGFORM_GUESTS", target().join("guests")))
}
