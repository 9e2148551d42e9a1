//! A failover of many replicated volumes: the whole host with its component, beside the unmodified upstream Cinder driver, on
//! simulated arrays that take their time for each request.

use std::path::Path;

use anyhow::Context as _;
use flasharray_sim::SimConfig;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::cinder::Cinder;
use crate::guests;
use crate::site::{PRIMARY, SECOND, SERVICE, Site};

/// The project of the suite's client.
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
/// Volumes that are made at one time.
const MAKERS: usize = 16;
/// An hour on the arrays' clock: every schedule has run in it.
const AN_HOUR: f64 = 3700.0;

/// Fails over `volumes` volumes with both, every request to an array taking `latency_ms`, and prints the ratio.
///
/// # Errors
/// A volume is not made or not moved, or Python 3.11 is missing.
pub async fn report(volumes: usize, latency_ms: u64) -> anyhow::Result<()> {
    println!(
        "failover of {volumes} replicated volumes, {latency_ms} ms for each request to an array"
    );
    let theirs = upstream(volumes, latency_ms).await?;
    println!(
        "upstream Cinder driver, failover_host alone   {:>8.3} s  {:>5} requests  1.0×",
        theirs.seconds, theirs.requests
    );
    let ours = host(volumes, latency_ms).await?;
    println!(
        "whole host, from the request to failed-over   {:>8.3} s  {:>5} requests  {:.1}× faster",
        ours.seconds,
        ours.requests,
        theirs.seconds / ours.seconds
    );
    println!(
        "    processor time: {:.2} s of the host, {:.2} s of simulator and client",
        ours.busy.0, ours.busy.1
    );
    Ok(())
}

struct Figures {
    seconds: f64,
    requests: u64,
    /// Processor seconds of the host, and of this process, which the arrays are in.
    busy: (f64, f64),
}

/// Processor seconds that a process has used, all its threads together.
fn busy(pid: u32) -> f64 {
    // Fields 14 and 15 are ticks of a hundredth of a second, in user and in system mode; the name before may hold spaces.
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

async fn upstream(volumes: usize, latency_ms: u64) -> anyhow::Result<Figures> {
    let judges = Path::new(env!("CARGO_MANIFEST_DIR")).join("../upstream");
    let environment = Command::new("bash")
        .arg(judges.join("venv.sh"))
        .output()
        .await?;
    anyhow::ensure!(
        environment.status.success(),
        "the environment of the upstream driver cannot be made: {}",
        String::from_utf8_lossy(&environment.stderr)
    );
    let python = Path::new(String::from_utf8(environment.stdout)?.trim()).join("bin/python");
    let simulator = guests::springform()?.with_file_name("flasharray-sim");
    let output = Command::new(python)
        .arg("bench_upstream_failover.py")
        .args([
            "--volumes",
            &volumes.to_string(),
            "--latency-ms",
            &latency_ms.to_string(),
        ])
        .current_dir(&judges)
        .env("FLASHARRAY_SIM", simulator)
        .output()
        .await
        .context("run the upstream driver")?;
    anyhow::ensure!(
        output.status.success(),
        "the upstream driver failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let moved = report
        .pointer("/failover/failed_over")
        .and_then(Value::as_u64);
    anyhow::ensure!(
        moved == u64::try_from(volumes).ok(),
        "the upstream driver moved {moved:?} volumes"
    );
    Ok(Figures {
        seconds: report
            .pointer("/failover/seconds")
            .and_then(Value::as_f64)
            .context("no time")?,
        requests: report
            .pointer("/failover/requests_in_sequence")
            .and_then(Value::as_u64)
            .context("no number of requests")?,
        busy: (0.0, 0.0),
    })
}

async fn host(volumes: usize, latency_ms: u64) -> anyhow::Result<Figures> {
    let site = Site::with(SimConfig::pair(PRIMARY, SECOND).test_clock())?;
    let host = site.host().await?;
    let cinder = site.cinder();
    cinder.service_becomes(SERVICE, "state", "up").await?;
    let unlimited = json!({"quota_set": {"volumes": -1, "gigabytes": -1}});
    let quotas = format!("/v3/os-quota-sets/{PROJECT}");
    cinder.ask(Method::PUT, &quotas, Some(&unlimited)).await?;
    cinder
        .create_type("replicated", &json!({"replication_enabled": "<is> True"}))
        .await?;
    futures_util::stream::iter(0..volumes)
        .map(|n| make(&cinder, n))
        .buffer_unordered(MAKERS)
        .try_collect::<Vec<()>>()
        .await?;
    site.control.advance(AN_HOUR).await?;
    site.control.advance(AN_HOUR).await?;
    for array in [PRIMARY, SECOND] {
        let path = format!("/arrays/{array}/latency");
        let slow = json!({"ms": latency_ms, "jitter_ms": 0});
        site.control.call(http::Method::POST, &path, &slow).await?;
        site.control.forget_requests(array).await?;
    }

    let processes = (host.pid().unwrap_or_default(), std::process::id());
    let before = (busy(processes.0), busy(processes.1));
    let begun = Instant::now();
    cinder
        .put_service(
            "failover_host",
            &json!({"host": SERVICE, "backend_id": SECOND}),
        )
        .await?;
    cinder
        .service_becomes(SERVICE, "replication_status", "failed-over")
        .await?;
    let seconds = begun.elapsed().as_secs_f64();
    let busy = (busy(processes.0) - before.0, busy(processes.1) - before.1);

    let requests =
        site.control.requests(SECOND).await?.len() + site.control.requests(PRIMARY).await?.len();
    let path = "/v3/volumes/detail?all_tenants=1&limit=1000";
    let shown = cinder.ask(Method::GET, path, None).await?;
    let moved = shown
        .get("volumes")
        .and_then(Value::as_array)
        .map_or(0, |all| {
            all.iter()
                .filter(|v| {
                    v.get("replication_status").and_then(Value::as_str) == Some("failed-over")
                })
                .count()
        });
    let path = "/admin/v1/operations?verb=failover&limit=1";
    let told = cinder.ask(Method::GET, path, None).await?;
    if moved != volumes.min(1000) {
        let error = told.pointer("/operations/0/error").cloned();
        anyhow::bail!(
            "{moved} volumes of {volumes} have failed over: {}",
            error.unwrap_or_default()
        );
    }
    steps(&told);
    host.stop().await?;
    Ok(Figures {
        seconds,
        requests: requests as u64,
        busy,
    })
}

/// Where the time went.
fn steps(told: &Value) {
    let steps = told
        .pointer("/operations/0/steps")
        .and_then(Value::as_array);
    for step in steps.into_iter().flatten() {
        let at = |field: &str| step.get(field).and_then(Value::as_i64);
        if let (Some(name), Some(from), Some(to)) = (
            step.get("name").and_then(Value::as_str),
            at("started_at"),
            at("finished_at"),
        ) {
            println!("    {name:<40} {:>10.3} s", (to - from) as f64 / 1e6);
        }
    }
}

async fn make(cinder: &Cinder, n: usize) -> anyhow::Result<()> {
    let id = cinder
        .create_volume(&format!("v{n}"), 1, "replicated")
        .await?;
    cinder.volume_becomes(&id, "available").await.map(drop)
}
