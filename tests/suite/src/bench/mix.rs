//! Memory under everything at once: many clients make, attach, copy, snapshot, extend, list and delete for a long time, and what the
//! host holds is looked at meanwhile. After it is warm it must not grow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::place::Place;

/// How much more than after a third of the time it may hold at the end.
const GROWTH: f64 = 1.10;
/// How long anything may take before the client does something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the mix and prints what the host holds, thirty times.
///
/// # Errors
/// The host does not start, or grows.
pub async fn report(clients: usize, minutes: f64) -> anyhow::Result<()> {
    let place = Arc::new(Place::open().await?);
    let (over, operations) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut all = JoinSet::new();
    for n in 0..clients {
        let client = Client {
            place: place.clone(),
            over: over.clone(),
            operations: operations.clone(),
            name: format!("machine{n}"),
        };
        all.spawn(client.live());
    }
    let long = Duration::from_secs_f64(minutes * 60.0);
    let begun = Instant::now();
    println!(
        "{clients} clients, {minutes} minutes\n{:>8} {:>12} {:>10}",
        "seconds", "operations", "MiB"
    );
    let mut held = Vec::new();
    for tick in 1..=30_u32 {
        tokio::time::sleep_until(begun + long * tick / 30).await;
        let now = place.memory()?;
        held.push(now);
        let done = operations.load(Ordering::Relaxed);
        println!(
            "{:>8.0} {done:>12} {now:>10.1}",
            begun.elapsed().as_secs_f64()
        );
    }
    over.store(true, Ordering::Relaxed);
    all.join_all().await;
    println!("idle again {:>20.1} MiB", place.memory()?);
    let largest = |part: Option<&[f64]>| part.into_iter().flatten().copied().fold(0.0, f64::max);
    let (warm, end) = (largest(held.get(5..10)), largest(held.get(25..)));
    println!(
        "a third: {warm:.1} MiB, the end: {end:.1} MiB, {:.2}×",
        end / warm
    );
    ensure!(
        end <= warm * GROWTH,
        "the host grows: {warm:.1} MiB after a third, {end:.1} MiB at the end"
    );
    Ok(())
}

struct Client {
    place: Arc<Place>,
    over: Arc<AtomicBool>,
    operations: Arc<AtomicU64>,
    name: String,
}

impl Client {
    async fn live(self) {
        while !self.over.load(Ordering::Relaxed) {
            // What did not go at a loaded moment is left; it is the memory that is judged.
            let _ = self.round().await;
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        if method != Method::GET {
            self.operations.fetch_add(1, Ordering::Relaxed);
        }
        let text = self.place.text(method, path, body.as_ref()).await?;
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    async fn becomes(&self, path: &str, field: &str, status: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let seen = self.ask(Method::GET, path, None).await?;
            let now = seen
                .pointer(field)
                .and_then(Value::as_str)
                .unwrap_or_default();
            if now == status || now.starts_with("error") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn gone(&self, path: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.place.status(path).await? {
                StatusCode::NOT_FOUND => return Ok(()),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        Ok(())
    }

    async fn create(&self, body: Value) -> anyhow::Result<String> {
        let made = self
            .ask(Method::POST, "/v3/volumes", Some(json!({ "volume": body })))
            .await?;
        let id = made
            .pointer("/volume/id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let path = format!("/v3/volumes/{id}");
        self.becomes(&path, "/volume/status", "available").await?;
        Ok(id.to_owned())
    }

    async fn round(&self) -> anyhow::Result<()> {
        let volume = self.create(json!({"size": 1, "name": self.name})).await?;
        let path = format!("/v3/volumes/{volume}");
        let connector = json!({
            "host": self.name, "initiator": format!("iqn.1993-08.org.debian:01:{}", self.name), "ip": "127.0.0.1",
            "multipath": true, "os_type": "linux", "platform": "x86_64",
        });
        let body =
            json!({"attachment": {"volume_uuid": volume, "mode": "rw", "connector": connector}});
        let made = self
            .ask(Method::POST, "/v3/attachments", Some(body))
            .await?;
        let attachment = made
            .pointer("/attachment/id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let attachment = format!("/v3/attachments/{attachment}");
        self.ask(
            Method::POST,
            &format!("{attachment}/action"),
            Some(json!({"os-complete": {}})),
        )
        .await?;
        self.ask(Method::GET, "/v3/volumes/detail?limit=50", None)
            .await?;
        let body = json!({"snapshot": {"volume_id": volume, "force": true}});
        let made = self.ask(Method::POST, "/v3/snapshots", Some(body)).await?;
        let snapshot = made
            .pointer("/snapshot/id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let snapshot_path = format!("/v3/snapshots/{snapshot}");
        self.becomes(&snapshot_path, "/snapshot/status", "available")
            .await?;
        let extend = json!({"os-extend": {"new_size": 2}});
        self.ask(Method::POST, &format!("{path}/action"), Some(extend))
            .await?;
        self.becomes(&path, "/volume/status", "in-use").await?;
        let copy = self
            .create(json!({"size": 2, "source_volid": volume}))
            .await?;
        let restored = self
            .create(json!({"size": 1, "snapshot_id": snapshot}))
            .await?;
        self.ask(
            Method::PUT,
            &path,
            Some(json!({"volume": {"metadata": {"by": self.name}}})),
        )
        .await?;
        self.ask(Method::GET, "/v3/limits", None).await?;
        self.ask(Method::DELETE, &attachment, None).await?;
        self.ask(Method::DELETE, &snapshot_path, None).await?;
        self.gone(&snapshot_path).await?;
        for volume in [volume, copy, restored] {
            let path = format!("/v3/volumes/{volume}");
            self.ask(Method::DELETE, &path, None).await?;
            self.gone(&path).await?;
        }
        Ok(())
    }
}
