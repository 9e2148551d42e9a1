//! Benchmarks and the long simulation: builds in release, runs the program that measures.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::guests;
use crate::shell::{cargo, command, output, root, run, target};

/// What is measured.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// A sandboxed call beside raw wasmtime, native Rust and a plugin process behind gRPC.
    Calls,
    /// Commits, reads and lists of the store beside plain statements on one connection.
    Store,
    /// Cold start: from starting the host with three compiled drivers to ready.
    Start,
    /// What the host adds to the array's own time when a replicated volume is created.
    Create,
    /// The API on the driver that does nothing: creates, lists, clients, memory, beside Cinder's figures.
    Api {
        /// The program of another version, to be measured in turn with this one in place of Cinder's figures.
        #[arg(long)]
        beside: Option<PathBuf>,
    },
    /// A failover of 1,000 volumes beside the upstream Cinder driver's.
    Failover,
    /// What the host holds while 64 clients do everything at once for half an hour; fails if it grows.
    Mix,
    /// Requests per verb beside the upstream Cinder driver's; writes docs/drivers/requests.md.
    Requests,
}

impl Bench {
    /// Measures and prints.
    pub fn run(self) -> anyhow::Result<()> {
        let (package, binary, words, whole_host) = match &self {
            Self::Calls => (
                "springform-bench-calls",
                "springform-bench-calls",
                "",
                false,
            ),
            Self::Store => {
                let name = "springform-bench-store";
                return measure(name, name, []);
            }
            Self::Start => ("springform-suite", "springform-bench", "start", true),
            Self::Create => ("springform-suite", "springform-bench", "create", true),
            Self::Api { .. } => ("springform-suite", "springform-bench", "api", true),
            Self::Failover => ("springform-suite", "springform-bench", "failover", true),
            Self::Mix => ("springform-suite", "springform-bench", "mix", true),
            Self::Requests => return requests(),
        };
        guests::build()?;
        if whole_host {
            run(cargo().args([
                "build",
                "--release",
                "--locked",
                "-p",
                "springform",
                "-p",
                "flasharray-sim",
            ]))?;
        }
        let mut words = vec![words.to_owned()];
        if let Self::Api {
            beside: Some(other),
        } = &self
        {
            words.extend(["--beside".to_owned(), other.display().to_string()]);
        }
        words.retain(|word| !word.is_empty());
        measure(package, binary, words)?;
        if matches!(self, Self::Failover) {
            let words = ["bench".to_owned(), "1000".to_owned()];
            measure("springform-sim-tests", "springform-sim", words)?;
        }
        Ok(())
    }
}

/// Ours by the library's own test, the upstream driver's by the judges.
fn requests() -> anyhow::Result<()> {
    run(cargo().args(["build", "--locked", "-p", "flasharray-sim"]))?;
    run(cargo()
        .args([
            "test",
            "--locked",
            "-p",
            "flasharray",
            "--test",
            "simulated",
        ])
        .args(["--", "every_verb_costs"])
        .env("UPDATE_GOLDEN", "1"))?;
    let judges = root().join("tests/upstream");
    let environment = output(&mut command(judges.join("venv.sh")))?;
    run(command(Path::new(&environment).join("bin/python"))
        .arg(judges.join("requests_per_verb.py"))
        .arg("--write")
        .arg(root().join("docs/drivers/requests.md"))
        .env("FLASHARRAY_SIM", target().join("debug/flasharray-sim")))
}

/// The long simulation.
#[derive(Debug, Args)]
pub struct Sim {
    /// How many seeds.
    #[arg(long, default_value_t = 2000)]
    pub seeds: u64,
    /// The first seed: one seed is reproduced with `--from N --seeds 1`.
    #[arg(long, default_value_t = 0)]
    pub from: u64,
}

impl Sim {
    /// Runs it.
    pub fn run(&self) -> anyhow::Result<()> {
        let words = [
            "seeds".to_owned(),
            self.seeds.to_string(),
            self.from.to_string(),
        ];
        measure("springform-sim-tests", "springform-sim", words)
    }
}

fn measure(
    package: &str,
    binary: &str,
    words: impl IntoIterator<Item = String>,
) -> anyhow::Result<()> {
    run(cargo()
        .args([
            "run",
            "--release",
            "--locked",
            "-p",
            package,
            "--bin",
            binary,
            "--",
        ])
        .args(words)
        .env("SPRINGFORM_GUESTS", target().join("guests")))
}
