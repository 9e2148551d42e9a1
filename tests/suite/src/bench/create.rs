//! What the host adds to creating a replicated volume: from the request to `available`, beside the same array requests alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use flasharray_sim::SimConfig;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::baseline::{Native, requests_of};
use super::quantile;
use crate::cinder::Cinder;
use crate::site::{PRIMARY, SECOND, SERVICE, Site};

const GIB: u64 = 1 << 30;
/// The project of the suite's client.
const PROJECT: &str = "0123456789abcdef0123456789abcdef";

/// Creates `rounds` volumes for each latency of the array, through the host and natively in turn, and prints both.
///
/// # Errors
/// A volume does not become available.
pub async fn report(rounds: usize) -> anyhow::Result<()> {
    println!(
        "create a replicated volume, until available  (ratios: to the array's requests by a native client)"
    );
    println!(
        "{:<16} {:>9} {:>13} {:>13} {:>13} {:>8} {:>13}",
        "array takes",
        "requests",
        "native p50 ms",
        "host p50 ms",
        "host p99 ms",
        "p50 ×",
        "added p50 ms"
    );
    for latency in [0, 5] {
        let mut arrays = SimConfig::pair(PRIMARY, SECOND).test_clock();
        arrays.latency_ms = latency;
        let site = Site::with(arrays)?;
        let host = site.host().await?;
        let cinder = site.cinder();
        cinder.service_becomes(SERVICE, "state", "up").await?;
        cinder
            .create_type("replicated", &json!({"replication_enabled": "<is> True"}))
            .await?;
        let unlimited = json!({"quota_set": {"volumes": -1, "gigabytes": -1}});
        let quotas = format!("/v3/os-quota-sets/{PROJECT}");
        cinder.ask(Method::PUT, &quotas, Some(&unlimited)).await?;
        let first = create(&cinder).await?.id;
        let steps = requests_of(&site, &first).await?;
        let native = Native::log_in(&site).await?;

        let (mut alone, mut whole, mut made) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds.saturating_add(20) {
            let other = uuid::Uuid::new_v4().to_string();
            let begun = Instant::now();
            native.replay(&steps, &first, &other, GIB).await?;
            let natively = begun.elapsed().as_secs_f64() * 1000.0;
            let one = create(&cinder).await?;
            // The first ones warm connections and code.
            if round >= 20 {
                alone.push(natively);
                whole.push((one.seen - one.asked) / 1000.0);
                made.push(one);
            }
        }
        let parts = parts(&cinder, &made).await?;
        host.stop().await?;
        let (base, p50) = (quantile(&mut alone, 0.5), quantile(&mut whole, 0.5));
        println!(
            "{:<16} {:>9} {base:>13.2} {p50:>13.2} {:>13.2} {:>8.2} {:>13.2}",
            format!("{latency} ms a request"),
            steps.len(),
            quantile(&mut whole, 0.99),
            p50 / base,
            p50 - base
        );
        for (name, mut took) in parts {
            println!("  {name:<74} {:>7.2}", quantile(&mut took, 0.5));
        }
    }
    Ok(())
}

/// A volume as its client saw it come, microseconds.
struct Made {
    id: String,
    asked: f64,
    answered: f64,
    seen: f64,
    /// What the last look took.
    look: f64,
    looks: u32,
}

/// Where the time went, from the client's clock and from the points in time that the host's journal keeps of each operation;
/// milliseconds of every create.
async fn parts(cinder: &Cinder, made: &[Made]) -> anyhow::Result<Vec<(&'static str, Vec<f64>)>> {
    let names = [
        "request until the operation is prepared (type, limits, scheduling)",
        "until the driver is called (first commit, reading, hand-over)",
        "the driver's call: sandbox, its requests, the array",
        "until the operation has its outcome",
        "until seen (reading, second commit, pauses between looks)",
        "the last look itself",
        "looks, each",
        "beside it: request until the answer 202",
    ];
    let mut parts: Vec<(&str, Vec<f64>)> = names.map(|name| (name, Vec::new())).to_vec();
    for one in made {
        let path = format!("/admin/v1/operations?subject={}", one.id);
        let found = cinder.ask(Method::GET, &path, None).await?;
        let at = |pointer: &str| {
            let micros = found.pointer(pointer).and_then(Value::as_i64);
            micros
                .map(|micros| micros as f64)
                .with_context(|| format!("{pointer} is not in {found}"))
        };
        let prepared = at("/operations/0/created_at")?;
        let called = at("/operations/0/steps/0/started_at")?;
        let replied = at("/operations/0/steps/0/finished_at")?;
        let finished = at("/operations/0/finished_at")?;
        let figures = [
            prepared - one.asked,
            called - prepared,
            replied - called,
            finished - replied,
            one.seen - one.look - finished,
            one.look,
            f64::from(one.looks) * 1000.0,
            one.answered - one.asked,
        ];
        for ((_, took), figure) in parts.iter_mut().zip(figures) {
            took.push(figure / 1000.0);
        }
    }
    Ok(parts)
}

/// Creates a volume and looks at it until it is available.
async fn create(cinder: &Cinder) -> anyhow::Result<Made> {
    let asked = now()?;
    let id = cinder.create_volume("bench", 1, "replicated").await?;
    let answered = now()?;
    let mut looks = 0_u32;
    loop {
        let begun = now()?;
        let volume = cinder.volume(&id).await?;
        let seen = now()?;
        looks += 1;
        let status = volume
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match status {
            "available" => {
                return Ok(Made {
                    id,
                    asked,
                    answered,
                    seen,
                    look: seen - begun,
                    looks,
                });
            }
            "creating" => pause().await?,
            other => anyhow::bail!("the volume {id} is {other}"),
        }
    }
}

/// Between two looks. The runtime's own timer counts whole milliseconds, which is as much as is measured here.
async fn pause() -> anyhow::Result<()> {
    Ok(tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_micros(100))).await?)
}

/// The wall clock that the host's journal uses too, microseconds.
fn now() -> anyhow::Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as f64)
}
