//! What the store adds to plain statements on one connection: commits, reads of one record, lists. `cargo xtask bench store`.
//!
//! Each row is measured twice in the same run, through the store and on a connection of this thread to a file of the same content;
//! the ratio is what is to be believed, for both move with what else the machine does.

mod floor;
mod served;
mod volumes;

use std::future::Future;
use std::time::Duration;

use clap::Parser;
use springform_store::Durability;
use tokio::time::Instant;

use crate::floor::Floor;
use crate::served::Served;

/// Measures the store beside plain statements.
#[derive(Debug, Parser)]
struct Cli {
    /// Commits and reads of each kind.
    #[arg(default_value_t = 4000)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds = Cli::parse().rounds;
    println!("microseconds each; ratio: through the store / plain statements on one connection");
    for (durability, name) in [
        (Durability::Process, "without fsync"),
        (Durability::Power, "with fsync"),
    ] {
        let served = Served::new(durability).await?;
        let floor = Floor::new(durability).await?;
        let plain = timed(rounds, async { floor.commits(rounds) }).await?;
        let alone = timed(rounds, served.commits(rounds, 1)).await?;
        row(
            &format!("commit of 3 updates, one client, {name}"),
            alone,
            plain,
        );
        let many = timed(rounds, served.commits(rounds, 64)).await?;
        row(
            &format!("commit of 3 updates, 64 clients, {name}"),
            many,
            plain,
        );
        if durability == Durability::Process {
            for (ids, name) in [(100, "read again soon"), (volumes::COUNT, "seldom read")] {
                let reads = rounds * 10;
                let plain = timed(reads, async { floor.reads(reads, ids) }).await?;
                let here = timed(reads, served.reads(reads, ids)).await?;
                row(&format!("read of one volume, {name}"), here, plain);
            }
            let lists = rounds.div_ceil(20);
            let plain = timed(lists, async { floor.lists(lists) }).await?;
            let here = timed(lists, served.lists(lists)).await?;
            row("list of 1,000 volumes", here, plain);
            let plain = timed(rounds, async { floor.few(rounds) }).await?;
            let here = timed(rounds, served.few(rounds)).await?;
            row("list of one volume", here, plain);
        }
        served.close().await;
    }
    Ok(())
}

/// How long each of these takes.
async fn timed(
    rounds: usize,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed() / u32::try_from(rounds)?)
}

fn row(name: &str, store: Duration, plain: Duration) {
    let (store, plain) = (store.as_secs_f64() * 1e6, plain.as_secs_f64() * 1e6);
    let ratio = store / plain;
    println!("{name:<46} {store:>9.1} {plain:>9.1}  {ratio:.2}×");
}
