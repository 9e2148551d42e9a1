//! A failover of many replicated volumes: the whole host with its component, beside the unmodified upstream Cinder driver, on
//! simulated arrays that take their time for each request.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use flasharray_sim::SimConfig;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::cinder::Cinder;
use crate::guests;
use crate::host::Host;
use crate::site::{PRIMARY, SECOND, SERVICE, Site};

/// The project of the suite's client.
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
/// Volumes that are made at one time.
const MAKERS: usize = 16;
/// An hour on the arrays' clock: every schedule has run in it.
const AN_HOUR: f64 = 3700.0;
/// How long an operation that is not measured may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often the service is looked at, in milliseconds: what is measured is no more exact than this.
const LOOK: u64 = 5;

/// Fails over `volumes` volumes with both, every request to an array taking `latency_ms`, and prints the ratio; then brings
/// them back and fails over again, to an array that has all of them already. `alone`: without the upstream driver.
///
/// # Errors
/// A volume is not made or not moved, or Python 3.11 is missing.
pub async fn report(volumes: usize, latency_ms: u64, alone: bool) -> anyhow::Result<()> {
    println!(
        "failover of {volumes} replicated volumes, {latency_ms} ms for each request to an array"
    );
    let theirs = match alone {
        true => None,
        false => Some(upstream(volumes, latency_ms).await?),
    };
    if let Some(theirs) = &theirs {
        println!(
            "upstream Cinder driver, failover_host alone   {:>8.3} s  {:>5} requests  1.0×",
            theirs.seconds, theirs.requests
        );
    }
    let place = Place::prepared(volumes).await?;
    let what = "whole host, from the request to failed-over ";
    place
        .measured(what, volumes, latency_ms, theirs.as_ref())
        .await?;
    place.come_home().await?;
    let what = "the same again, after a failback            ";
    place
        .measured(what, volumes, latency_ms, theirs.as_ref())
        .await?;
    place.host.stop().await?;
    Ok(())
}

struct Figures {
    seconds: f64,
    requests: u64,
    /// Processor seconds of the host, and of this process, which the arrays are in.
    busy: (f64, f64),
    /// How often each kind of request was sent.
    sent: BTreeMap<String, u64>,
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
        sent: BTreeMap::new(),
    })
}

/// Arrays, and a host with replicated volumes on the first of them.
struct Place {
    site: Site,
    host: Host,
    cinder: Cinder,
}

impl Place {
    async fn prepared(volumes: usize) -> anyhow::Result<Self> {
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
        Ok(Self { site, host, cinder })
    }

    /// Every schedule runs; the sessions that have ended meanwhile are renewed, as they are for the upstream driver.
    async fn replicate(&self) -> anyhow::Result<()> {
        self.site.control.advance(AN_HOUR).await?;
        self.site.control.advance(AN_HOUR).await?;
        let ask = json!({"verb": "failover", "scope": {"backend": PRIMARY}, "to": SECOND});
        let path = "/admin/v1/plans";
        self.cinder.ask(Method::POST, path, Some(&ask)).await?;
        let ask = json!({"scope": {"backend": PRIMARY}});
        self.carry_out("reconcile", &ask).await
    }

    async fn latency(&self, latency_ms: u64) -> anyhow::Result<()> {
        for array in [PRIMARY, SECOND] {
            let path = format!("/arrays/{array}/latency");
            let slow = json!({"ms": latency_ms, "jitter_ms": 0});
            let control = &self.site.control;
            control.call(http::Method::POST, &path, &slow).await?;
            control.forget_requests(array).await?;
        }
        Ok(())
    }

    async fn measured(
        &self,
        what: &str,
        volumes: usize,
        latency_ms: u64,
        theirs: Option<&Figures>,
    ) -> anyhow::Result<()> {
        let ours = self.fail_over(volumes, latency_ms).await?;
        let faster = theirs.map_or_else(String::new, |theirs| {
            format!("  {:.1}× faster", theirs.seconds / ours.seconds)
        });
        println!(
            "{what}  {:>8.3} s  {:>5} requests{faster}",
            ours.seconds, ours.requests
        );
        println!(
            "    processor time: {:.2} s of the host, {:.2} s of simulator and client",
            ours.busy.0, ours.busy.1
        );
        for (what, times) in &ours.sent {
            println!("    {what:<40} {times:>5}");
        }
        Ok(())
    }

    async fn fail_over(&self, volumes: usize, latency_ms: u64) -> anyhow::Result<Figures> {
        self.replicate().await?;
        self.latency(latency_ms).await?;
        let processes = (self.host.pid().unwrap_or_default(), std::process::id());
        let before = (busy(processes.0), busy(processes.1));
        let begun = Instant::now();
        let to = json!({"host": SERVICE, "backend_id": SECOND});
        self.cinder.put_service("failover_host", &to).await?;
        while self.status().await?.as_deref() != Some("failed-over") {
            tokio::time::sleep(Duration::from_millis(LOOK)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let busy = (busy(processes.0) - before.0, busy(processes.1) - before.1);
        let mut sent = BTreeMap::new();
        for array in [SECOND, PRIMARY] {
            for request in self.site.control.requests(array).await? {
                let field = |name: &str| request.get(name).and_then(Value::as_str);
                let path = field("path").unwrap_or_default();
                let path = path.split('?').next().unwrap_or_default();
                let what = format!("{} {path}", field("method").unwrap_or_default());
                *sent.entry(what).or_insert(0) += 1;
            }
        }
        let path = "/admin/v1/operations?verb=failover&limit=1";
        let told = self.cinder.ask(Method::GET, path, None).await?;
        let moved = self.moved().await?;
        anyhow::ensure!(
            moved == volumes.min(1000),
            "{moved} volumes of {volumes} have failed over: {}",
            told.pointer("/operations/0/error")
                .cloned()
                .unwrap_or_default()
        );
        steps(&told);
        Ok(Figures {
            seconds,
            requests: sent.values().sum(),
            busy,
            sent,
        })
    }

    /// `failed-over` once it is over; an operation that failed says why.
    async fn status(&self) -> anyhow::Result<Option<String>> {
        let service = self.cinder.service(SERVICE).await?;
        let status = service.get("replication_status").and_then(Value::as_str);
        anyhow::ensure!(
            status != Some("error"),
            "the failover has failed: {service}"
        );
        Ok(status.map(str::to_owned))
    }

    async fn moved(&self) -> anyhow::Result<usize> {
        let path = "/v3/volumes/detail?all_tenants=1&limit=1000";
        let shown = self.cinder.ask(Method::GET, path, None).await?;
        let all = shown.get("volumes").and_then(Value::as_array);
        let moved = all.into_iter().flatten().filter(|volume| {
            let status = volume.get("replication_status");
            status.and_then(Value::as_str) == Some("failed-over")
        });
        Ok(moved.count())
    }

    /// Back to the first array and protected from there, at the arrays' full speed.
    async fn come_home(&self) -> anyhow::Result<()> {
        self.latency(0).await?;
        let scope = json!({"backend": PRIMARY});
        let ask = json!({"verb": "failback", "scope": scope, "to": PRIMARY});
        let path = "/admin/v1/plans";
        let plan = self.cinder.ask(Method::POST, path, Some(&ask)).await?;
        let leave = plan.get("acknowledge");
        let ask = json!({"scope": scope, "to": PRIMARY, "acknowledge": leave});
        self.carry_out("failback", &ask).await?;
        let plan = json!({"verb": "reprotect", "scope": scope});
        let plan = self.cinder.ask(Method::POST, path, Some(&plan)).await?;
        let leave = plan.get("acknowledge");
        let ask = json!({"scope": scope, "acknowledge": leave});
        self.carry_out("reprotect", &ask).await
    }

    /// Time passes on the arrays until an operation is over.
    async fn carry_out(&self, verb: &str, ask: &Value) -> anyhow::Result<()> {
        let path = format!("/admin/v1/{verb}");
        let begun = self.cinder.ask(Method::POST, &path, Some(ask)).await?;
        let id = begun.get("operation").and_then(Value::as_str);
        let path = format!("/admin/v1/operations/{}", id.context("no operation")?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self.cinder.ask(Method::GET, &path, None).await?;
            match told.get("state").and_then(Value::as_str) {
                Some("succeeded") => return Ok(()),
                Some("queued" | "running") => {}
                _ => anyhow::bail!("{verb}: {told}"),
            }
            anyhow::ensure!(Instant::now() < deadline, "{verb} does not end: {told}");
            self.site.control.advance(10.0).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
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
