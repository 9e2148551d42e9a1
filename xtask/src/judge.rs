//! `cargo xtask judge`: what takes too long for the tests, stage by stage. A stage is a name, a sentence and what it runs.

use anyhow::bail;
use clap::Args;

use crate::bench::{Bench, Sim};
use crate::chaos;
use crate::mutants;
use crate::shell::step;
use crate::tests;

/// A long check.
struct Stage {
    name: &'static str,
    what: &'static str,
    run: fn() -> anyhow::Result<()>,
}

/// All of them, in the order in which they run.
const STAGES: [Stage; 6] = [
    Stage {
        name: "rbac",
        what: "the roles of cinder-tempest-plugin",
        run: || tests::tempest("rbac"),
    },
    Stage {
        name: "pure-async",
        what: "Tempest's volume tests on simulated arrays",
        run: || tests::tempest("pure-async"),
    },
    Stage {
        name: "mutants",
        what: "each check of ownership taken away once",
        run: mutants::run,
    },
    Stage {
        name: "chaos",
        what: "ten seeds of three minutes",
        run: ten_seeds,
    },
    Stage {
        name: "sim",
        what: "20,000 seeds of the simulation on paused time",
        run: many_seeds,
    },
    Stage {
        name: "memory",
        what: "half an hour of 64 clients that do everything at once",
        run: half_an_hour,
    },
];

/// Seeds of chaos, and minutes of each.
const CHAOS: (u64, f64) = (10, 3.0);
/// Seeds of the simulation.
const SEEDS: u64 = 20_000;

/// Runs the long checks.
#[derive(Debug, Args)]
pub struct Judge {
    /// Only these stages.
    stages: Vec<String>,
    /// Say which stages there are.
    #[arg(long)]
    list: bool,
}

impl Judge {
    /// Runs the stages; all of them, also when one fails.
    pub fn run(&self) -> anyhow::Result<()> {
        if self.list {
            for stage in &STAGES {
                println!("{:<12} {}", stage.name, stage.what);
            }
            return Ok(());
        }
        let named = |stage: &&Stage| self.stages.iter().any(|name| name == stage.name);
        if let Some(unknown) = self
            .stages
            .iter()
            .find(|name| STAGES.iter().all(|stage| stage.name != name.as_str()))
        {
            bail!("there is no stage `{unknown}`; `cargo xtask judge --list` names them");
        }
        let mut failed = Vec::new();
        for stage in STAGES
            .iter()
            .filter(|stage| self.stages.is_empty() || named(stage))
        {
            if let Err(why) = step(stage.what, stage.run) {
                eprintln!("==> {}: {why:#}", stage.name);
                failed.push(stage.name);
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        bail!("these stages failed: {}", failed.join(", "))
    }
}

fn ten_seeds() -> anyhow::Result<()> {
    chaos::build()?;
    let (seeds, minutes) = CHAOS;
    let mut failed = Vec::new();
    for seed in 1..=seeds {
        if chaos::play(seed, minutes).is_err() {
            failed.push(seed);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "violations with seeds {failed:?}; one alone: `cargo xtask chaos --seed N --minutes {minutes}`"
    )
}

fn many_seeds() -> anyhow::Result<()> {
    Sim {
        seeds: SEEDS,
        from: 0,
    }
    .run()
}

fn half_an_hour() -> anyhow::Result<()> {
    Bench::Mix.run()
}
