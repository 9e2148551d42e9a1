//! Measures the whole host. `cargo xtask bench start|create|api|failover|mix` builds what it needs and runs it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use springform_suite::bench;

/// Measures the whole host.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// From starting the program to ready, with three drivers.
    Start {
        /// Starts that are measured.
        #[arg(default_value_t = 30)]
        rounds: usize,
    },
    /// The API on the driver that does nothing, beside Cinder's figures.
    Api {
        /// Volumes made by each number of clients.
        #[arg(default_value_t = 512)]
        volumes: usize,
        /// The program of another version, to be measured in turn with this one in place of Cinder's figures.
        #[arg(long)]
        beside: Option<PathBuf>,
    },
    /// A failover, beside the upstream Cinder driver's.
    Failover {
        /// Replicated volumes; at most 1,000 are looked at afterwards.
        #[arg(default_value_t = 1000)]
        volumes: usize,
        /// Milliseconds that each request to an array takes.
        #[arg(default_value_t = 5)]
        latency_ms: u64,
        /// Without the upstream driver.
        #[arg(long)]
        alone: bool,
    },
    /// What the host holds while many clients do everything at once.
    Mix {
        /// Clients.
        #[arg(default_value_t = 64)]
        clients: usize,
        /// How long.
        #[arg(default_value_t = 30.0)]
        minutes: f64,
    },
    /// What the host adds to creating a replicated volume.
    Create {
        /// Volumes for each latency.
        #[arg(default_value_t = 300)]
        rounds: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Start { rounds } => bench::start::report(rounds).await,
        What::Api { volumes, beside } => match beside {
            None => bench::api::report(volumes).await,
            Some(other) => bench::api::report_beside(&other, volumes).await,
        },
        What::Failover {
            volumes,
            latency_ms,
            alone,
        } => bench::failover::report(volumes, latency_ms, alone).await,
        What::Mix { clients, minutes } => bench::mix::report(clients, minutes).await,
        What::Create { rounds } => bench::create::report(rounds).await,
    }
}
