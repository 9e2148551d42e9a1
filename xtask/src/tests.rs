//! `cargo xtask test`: all of it, in the order in which a failure is found soonest.

use std::process::Command;

use clap::Args;

use crate::databases;
use crate::guests;
use crate::prometheus;
use crate::shell::{cargo, command, root, run, step, target};

/// Runs every test.
#[derive(Debug, Default, Args)]
pub struct Test {
    /// Leave out the Python judges and clients (they need PyPI and Python 3.11).
    #[arg(long)]
    rust_only: bool,
}

impl Test {
    /// Runs them.
    pub fn run(&self) -> anyhow::Result<()> {
        step("components", guests::build)?;
        step("programs", || {
            run(cargo().args(["build", "--locked", "--workspace", "--bins"]))
        })?;
        step("Prometheus", || prometheus::folder().map(drop))?;
        step("tests in Rust", || {
            run(cargo()
                .env(prometheus::VARIABLE, prometheus::folder()?)
                .args(["test", "--locked", "--workspace", "--no-fail-fast"])
                .env("SPRINGFORM_GUESTS", target().join("guests")))
        })?;
        if self.rust_only {
            return Ok(());
        }
        step("judges and clients in Python", python)
    }
}

/// Unmodified upstream programs against the simulator and the host.
pub fn python() -> anyhow::Result<()> {
    let scripts = [
        "tests/upstream/run.sh",
        "tests/clients/run.sh",
        "tests/tempest/run.sh",
    ];
    for name in scripts {
        run(script(name).env(databases::VARIABLE, databases::folder()?))?;
    }
    Ok(())
}

/// A longer stage of Tempest, with what it needs built first.
pub fn tempest(stage: &str) -> anyhow::Result<()> {
    guests::build()?;
    run(cargo().args(["build", "--locked", "--workspace", "--bins"]))?;
    run(script("tests/tempest/run.sh").args(["--stage", stage]))
}

fn script(name: &str) -> Command {
    let debug = target().join("debug");
    let mut bash = command("bash");
    bash.arg(root().join(name))
        .env("FLASHARRAY_SIM", debug.join("flasharray-sim"))
        .env("SPRINGFORM_BIN", debug.join("springform"))
        .env("SPRINGFORM_GUESTS", target().join("guests"));
    bash
}
