//! `cargo xtask …`: everything a contributor types, on a fresh machine too.

mod bench;
mod chaos;
mod ci;
mod databases;
mod debian;
mod demo;
mod guests;
mod house;
mod judge;
mod mutants;
mod prometheus;
mod shell;
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Two simulated arrays, a host, the walk from a volume to a failover and on; then serves until Ctrl-C.
    Demo(demo::Demo),
    /// Builds what is needed and runs every test.
    Test(tests::Test),
    /// Builds the drivers and the test guests as components.
    BuildGuests,
    /// Measures.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Seeded simulation of hosts, arrays and operators on paused time.
    Sim(bench::Sim),
    /// The real host before real simulators while everything goes wrong that can.
    Chaos(chaos::Chaos),
    /// Shows the structure of the sources, and fails on what makes it worse.
    House(house::House),
    /// The long forms of what the tests do in short.
    Judge(judge::Judge),
    /// What CI runs: format, lints, structure, licences, tests.
    Ci,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Demo(demo) => demo.run(),
        Task::Test(test) => test.run(),
        Task::BuildGuests => guests::build(),
        Task::Bench(bench) => bench.run(),
        Task::Sim(sim) => sim.run(),
        Task::Chaos(chaos) => chaos.run(),
        Task::House(house) => house.run(),
        Task::Judge(judge) => judge.run(),
        Task::Ci => ci::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
