//! The simulated FlashArray as a program. One line of JSON on standard output
//! tells where everything is; the log goes to standard error.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::Parser as _;
use flasharray_sim::Sim;
use flasharray_sim::cli::Cli;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before anybody knows that we run: a signal must not get lost.
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let sim = Sim::start(cli.config()?)?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", sim.summary()).context("cannot write to standard output")?;
        out.flush()?;
        tracing::info!("control and I/O on {}", sim.control_url());
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        drop(sim);
        Ok(())
    })
}
