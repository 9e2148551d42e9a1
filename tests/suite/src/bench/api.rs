//! The API as clients feel it: creates until `available`, lists, 16 and 256 clients, memory, start, on the driver that does nothing.
//!
//! Beside it stand Cinder's figures on the same kind of machine. They move with what else runs there, so a ratio is an order of
//! magnitude, not a measurement; run it on a machine that does nothing else.

use std::path::Path;
use std::time::Duration;

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

/// How often two versions are measured in turn. Short turns: what else the machine does meets both.
const TURNS: usize = 12;
/// How often each of them is started.
const STARTS: usize = 3;
/// How long one version is read from, all turns together.
const READ: Duration = Duration::from_secs(5);

/// Something that is measured.
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    /// The same of Cinder.
    peer: Option<f64>,
}

impl Figure {
    fn new(what: impl Into<String>, value: f64, unit: &'static str, peer: Option<f64>) -> Self {
        let what = what.into();
        Self {
            what,
            value,
            unit,
            peer,
        }
    }
}

/// A figure of every version, in every turn.
struct Row {
    what: String,
    unit: &'static str,
    peer: Option<f64>,
    /// By version, then by turn.
    values: Vec<Vec<f64>>,
}

impl Row {
    /// The middle of a version's turns.
    fn middle(&self, version: usize) -> f64 {
        let values = self.values.get(version);
        quantile(&mut values.cloned().unwrap_or_default(), 0.5)
    }

    /// First quartile, middle and third quartile of the ratios of the first version to the second.
    fn ratios(&self) -> [f64; 3] {
        let [this, other] = self.values.as_slice() else {
            return [f64::NAN; 3];
        };
        let ratios = this.iter().zip(other).map(|(this, other)| this / other);
        let mut ratios: Vec<f64> = ratios.collect();
        [0.25, 0.5, 0.75].map(|share| quantile(&mut ratios, share))
    }
}

/// Measures and prints. `volumes`: how many are made by each number of clients.
///
/// # Errors
/// The host does not start, or answers otherwise than it should.
pub async fn report(volumes: usize) -> anyhow::Result<()> {
    println!(
        "the API on a driver that does nothing  (ratios: to Cinder 29.0.0 measured on a machine of two cores)"
    );
    let place = Place::open().await?;
    let start = Figure::new("start to ready", place.start_ms, "ms", None);
    let mut rows = Vec::new();
    add(&mut rows, 0, vec![start]);
    rows.extend(measure(&[place], volumes, 1).await?);
    for row in rows {
        let (what, unit, value) = (&row.what, row.unit, row.middle(0));
        match row.peer {
            None => println!("{what:<36} {value:>10.1} {unit}"),
            Some(peer) => println!("{what:<36} {value:>10.1} {unit:<9} {:>9.3}×", value / peer),
        }
    }
    Ok(())
}

/// Measures the host that was built and another version of it, which run beside each other, in short turns, and prints the ratios.
///
/// # Errors
/// One of them does not start, or answers otherwise than it should.
pub async fn report_beside(other: &Path, volumes: usize) -> anyhow::Result<()> {
    let this = guests::springform()?;
    let mut rows = Vec::new();
    let mut places = Vec::new();
    for _ in 0..STARTS {
        places.clear();
        for (version, program) in [this.as_path(), other].into_iter().enumerate() {
            let place = Place::of(program).await?;
            let start = Figure::new("start to ready", place.start_ms, "ms", None);
            add(&mut rows, version, vec![start]);
            places.push(place);
        }
    }
    rows.extend(measure(&places, volumes, TURNS).await?);
    println!(
        "the API on a driver that does nothing, two versions in {TURNS} turns: the middle, and half of all ratios"
    );
    println!(
        "{:<36} {:>10} {:>10} {:<9} {:>9}",
        "", "this", "other", "", "this/other"
    );
    for row in rows {
        let (this, other) = (row.middle(0), row.middle(1));
        let [low, middle, high] = row.ratios();
        println!(
            "{:<36} {this:>10.1} {other:>10.1} {:<9} {middle:>9.3}×  {low:.2} to {high:.2}",
            row.what, row.unit
        );
    }
    Ok(())
}

/// Adds what was measured of a version in one turn.
fn add(rows: &mut Vec<Row>, version: usize, figures: Vec<Figure>) {
    for figure in figures {
        let known = rows.iter().position(|row| row.what == figure.what);
        let at = known.unwrap_or(rows.len());
        if known.is_none() {
            rows.push(Row {
                what: figure.what,
                unit: figure.unit,
                peer: figure.peer,
                values: Vec::new(),
            });
        }
        let Some(row) = rows.get_mut(at) else {
            continue;
        };
        if row.values.len() <= version {
            row.values.resize(version + 1, Vec::new());
        }
        if let Some(values) = row.values.get_mut(version) {
            values.push(figure.value);
        }
    }
}

async fn in_turns(
    places: &[Place],
    turns: usize,
    figures: impl AsyncFn(&Place) -> anyhow::Result<Vec<Figure>>,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for turn in 0..turns {
        // Who comes first finds the machine as the other one left it.
        for n in 0..places.len() {
            let version = (n + turn) % places.len();
            let Some(place) = places.get(version) else {
                continue;
            };
            add(&mut rows, version, figures(place).await?);
        }
    }
    Ok(rows)
}

async fn measure(places: &[Place], volumes: usize, turns: usize) -> anyhow::Result<Vec<Row>> {
    let memory = |what: &'static str| {
        async move |place: &Place| {
            let held = place.memory()?;
            Ok(vec![Figure::new(what, held, "MiB", Some(peer::MEMORY))])
        }
    };
    let volumes = volumes.div_ceil(turns);
    let mut rows = in_turns(places, 1, memory("memory, idle")).await?;
    let creates = in_turns(places, turns, async |place| {
        let mut took = place.create(1, volumes).await?.0;
        let mut at = |share: f64| quantile(&mut took, share);
        let (p50, p99) = (at(0.5), at(0.99));
        let known = [(p50, peer::CREATE_P50), (p99, peer::CREATE_P99)];
        let names = ["create until available, p50", "create until available, p99"];
        let figures = names.into_iter().zip(known);
        Ok(figures
            .map(|(what, (value, peer))| Figure::new(what, value, "ms", Some(peer)))
            .collect())
    });
    rows.extend(creates.await?);
    for clients in [16, 256] {
        let creates = in_turns(places, turns, async |place| {
            let (mut took, rate) = place.create(clients, volumes).await?;
            let what = format!("creates until available, {clients} clients");
            let of = |share: f64| format!("  each with {clients} clients, p{:.0}", share * 100.0);
            let mut each = |share| Figure::new(of(share), quantile(&mut took, share), "ms", None);
            Ok(vec![
                Figure::new(what, rate, "a second", Some(peer::CREATES)),
                each(0.5),
                each(0.99),
            ])
        });
        rows.extend(creates.await?);
    }
    for place in places {
        place.fill(1000).await?;
    }
    let share = READ.div_f64(turns as f64);
    for clients in [1, 16, 256] {
        let lists = in_turns(places, turns, async |place| {
            let path = "/v3/volumes/detail?limit=1000";
            let rate = place.rate(clients, path, share).await?;
            let what = format!("lists of 1,000 in detail, {clients} clients");
            Ok(vec![Figure::new(what, rate, "a second", Some(peer::LISTS))])
        });
        rows.extend(lists.await?);
    }
    for clients in [16, 256] {
        let shows = in_turns(places, turns, async |place| {
            let path = format!("/v3/volumes/{}", place.any().await?);
            let rate = place.rate(clients, &path, share).await?;
            let what = format!("shows of one volume, {clients} clients");
            Ok(vec![Figure::new(what, rate, "a second", Some(peer::SHOWS))])
        });
        rows.extend(shows.await?);
    }
    rows.extend(in_turns(places, 1, memory("memory, after the load")).await?);
    Ok(rows)
}
