//! `cargo xtask demo`: builds what the demo needs and becomes it.

use clap::Args;

use crate::guests;
use crate::shell::{cargo, command, run, step, target};

/// The demo.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the walk, with status 0 or 1.
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Builds and runs it.
    pub fn run(&self) -> anyhow::Result<()> {
        step("components", guests::build)?;
        step("programs", || {
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
        })?;
        let mut demo = command(target().join("debug/springform-demo"));
        if self.once {
            demo.arg("--once");
        }
        demo.env("SPRINGFORM_GUESTS", target().join("guests"));
        run(&mut demo)
    }
}
