//! What the host adds to creating a replicated volume: from the request to `available`, beside the same array requests alone.

use flasharray_sim::SimConfig;
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
        cinder
            .ask(reqwest::Method::PUT, &quotas, Some(&unlimited))
            .await?;
        let (first, _) = create(&cinder).await?;
        let steps = requests_of(&site, &first).await?;
        let native = Native::log_in(&site).await?;

        let (mut alone, mut whole) = (Vec::new(), Vec::new());
        for round in 0..rounds.saturating_add(20) {
            let other = uuid::Uuid::new_v4().to_string();
            let begun = Instant::now();
            native.replay(&steps, &first, &other, GIB).await?;
            let natively = begun.elapsed().as_secs_f64() * 1000.0;
            let (_, took) = create(&cinder).await?;
            // The first ones warm connections and code.
            if round >= 20 {
                alone.push(natively);
                whole.push(took);
            }
        }
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
    }
    Ok(())
}

/// Creates a volume; gives back its id and the milliseconds from the request to the first look that shows it available.
async fn create(cinder: &Cinder) -> anyhow::Result<(String, f64)> {
    let begun = Instant::now();
    let id = cinder.create_volume("bench", 1, "replicated").await?;
    loop {
        let volume = cinder.volume(&id).await?;
        let status = volume
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match status {
            "available" => return Ok((id, begun.elapsed().as_secs_f64() * 1000.0)),
            "creating" => tokio::time::sleep(std::time::Duration::from_micros(100)).await,
            other => anyhow::bail!("the volume {id} is {other}"),
        }
    }
}
