//! The API as clients feel it: creates until `available`, lists, 16 and 256 clients, memory, start, on the driver that does nothing.
//!
//! Beside it stand Cinder's figures on the same kind of machine. They move with what else runs there, so a ratio is an order of
//! magnitude, not a measurement; run it on a machine that does nothing else.

use std::path::Path;

use super::place::Place;
use super::quantile;
use crate::guests;

/// What was measured of Cinder: version 29.0.0, API, scheduler and volume service with a driver that does nothing, MariaDB,
/// RabbitMQ, on a machine of two cores.
mod peer {
    /// Create until `available`, one client, median, milliseconds.
    pub const CREATE_P50: f64 = 504.0;
    /// The same, 99th percentile.
    pub const CREATE_P99: f64 = 793.0;
    /// Volumes that become available a second with 16 clients.
    pub const CREATES: f64 = 4.0;
    /// Lists of 1,000 volumes in detail a second, 16 clients.
    pub const LISTS: f64 = 1.7;
    /// Volumes shown a second.
    pub const SHOWS: f64 = 66.0;
    /// Proportional memory of all its processes, MiB.
    pub const MEMORY: f64 = 1740.8;
}

/// How often two versions are measured in turn; the middle of each figure counts.
const ROUNDS: usize = 3;

/// Something that is measured.
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    /// The same of Cinder.
    peer: Option<f64>,
}

/// Measures and prints. `volumes`: how many are made by each number of clients.
///
/// # Errors
/// The host does not start, or answers otherwise than it should.
pub async fn report(volumes: usize) -> anyhow::Result<()> {
    println!(
        "the API on a driver that does nothing  (ratios: to Cinder 29.0.0 measured on a machine of two cores)"
    );
    for figure in figures(&Place::open().await?, volumes).await? {
        let Figure {
            what,
            value,
            unit,
            peer,
        } = figure;
        match peer {
            None => println!("{what:<36} {value:>10.1} {unit}"),
            Some(peer) => println!("{what:<36} {value:>10.1} {unit:<9} {:>9.3}×", value / peer),
        }
    }
    Ok(())
}

/// Measures the host that was built and another version of it in turn, and prints the ratios.
///
/// # Errors
/// One of them does not start, or answers otherwise than it should.
pub async fn report_beside(other: &Path, volumes: usize) -> anyhow::Result<()> {
    let this = guests::springform()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(figures(&Place::of(&this).await?, volumes).await?);
        theirs.push(figures(&Place::of(other).await?, volumes).await?);
    }
    println!("the API on a driver that does nothing, the middle of {ROUNDS} rounds in turn");
    println!(
        "{:<36} {:>10} {:>10} {:<9} {:>9}",
        "", "this", "other", "", "this/other"
    );
    let Some(first) = ours.first() else {
        return Ok(());
    };
    for (at, Figure { what, unit, .. }) in first.iter().enumerate() {
        let middle = |rounds: &[Vec<Figure>]| {
            let values = rounds.iter().filter_map(|round| Some(round.get(at)?.value));
            quantile(&mut values.collect::<Vec<_>>(), 0.5)
        };
        let (this, other) = (middle(&ours), middle(&theirs));
        println!(
            "{what:<36} {this:>10.1} {other:>10.1} {unit:<9} {:>9.3}×",
            this / other
        );
    }
    Ok(())
}

async fn figures(place: &Place, volumes: usize) -> anyhow::Result<Vec<Figure>> {
    let mut all = Vec::new();
    let mut add = |what: &str, value: f64, unit: &'static str, peer: Option<f64>| {
        let what = what.to_owned();
        all.push(Figure {
            what,
            value,
            unit,
            peer,
        });
    };
    add("start to ready", place.start_ms, "ms", None);
    add("memory, idle", place.memory()?, "MiB", Some(peer::MEMORY));
    let mut took = place.create(1, volumes).await?.0;
    let mut at = |share: f64| quantile(&mut took, share);
    add(
        "create until available, p50",
        at(0.5),
        "ms",
        Some(peer::CREATE_P50),
    );
    add(
        "create until available, p99",
        at(0.99),
        "ms",
        Some(peer::CREATE_P99),
    );
    for clients in [16, 256] {
        let (mut took, rate) = place.create(clients, volumes).await?;
        let what = format!("creates until available, {clients} clients");
        add(&what, rate, "a second", Some(peer::CREATES));
        for (share, what) in [(0.5, "  each of them, p50"), (0.99, "  each of them, p99")] {
            add(what, quantile(&mut took, share), "ms", None);
        }
    }
    place.fill(1000).await?;
    for clients in [1, 16, 256] {
        let rate = place.rate(clients, "/v3/volumes/detail?limit=1000").await?;
        let what = format!("lists of 1,000 in detail, {clients} clients");
        add(&what, rate, "a second", Some(peer::LISTS));
    }
    let one = place.any().await?;
    for clients in [16, 256] {
        let rate = place.rate(clients, &format!("/v3/volumes/{one}")).await?;
        let what = format!("shows of one volume, {clients} clients");
        add(&what, rate, "a second", Some(peer::SHOWS));
    }
    add(
        "memory, after the load",
        place.memory()?,
        "MiB",
        Some(peer::MEMORY),
    );
    Ok(all)
}
