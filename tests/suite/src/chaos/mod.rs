//! Chaos: the real host before real simulators, tenants and operators at work, and everything goes wrong that can. At the end all is
//! healed, and what the host said is held against what the arrays hold.
//!
//! What is asked for and what goes wrong comes from the seed; which of two goes first is left to real time.
// A JSON value that is indexed by a word is null where it has none; nothing panics.
#![allow(clippy::indexing_slicing)]

pub mod cloud;
mod compare;
pub mod disk;
pub mod ledger;
pub mod operator;
pub mod place;
mod sharing;
pub mod tenant;
pub mod trouble;
pub mod verdict;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use cloud::{Cloud, text};
use ledger::Ledger;
use operator::Operator;
use place::{KINDS, Place};
use tenant::Tenant;

/// Tenants of each backend.
const TENANTS: u64 = 3;
/// How long anybody waits for an answer of the host.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the backends may take to be up at the beginning.
const READY: Duration = Duration::from_secs(180);

/// How it ended.
#[derive(Debug)]
pub struct Report {
    /// How often the host was killed.
    pub kills: u64,
    /// Changes that the host accepted.
    pub operations: u64,
    /// What was not as it must be.
    pub violations: Vec<String>,
    /// Copies of deleted volumes and connections of detached machines on arrays that were away, or left behind, and were not told. They are
    /// counted, and are no violations: nothing that was acknowledged is lost by them.
    pub leftovers: usize,
    /// Where logs and database are, if anything was not as it must be.
    pub kept: Option<PathBuf>,
}

/// What all who take part in it share.
pub struct Chaos {
    /// Where it happens.
    pub place: Place,
    /// The host's client.
    pub cloud: Cloud,
    /// What tenants were told.
    pub ledger: Ledger,
    /// Decides what is done and what goes wrong.
    pub seed: u64,
    /// Kills of the host.
    pub kills: AtomicU64,
    /// Type of the tenants' groups.
    pub group_type: String,
    over: AtomicBool,
    begun: Instant,
    violations: Mutex<Vec<String>>,
    leftovers: Mutex<BTreeSet<String>>,
}

impl Chaos {
    /// Whether it still goes on.
    pub fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// Tells what happens, on standard error.
    pub fn tell(&self, what: &str) {
        eprintln!("{:>7.1} s  {what}", self.begun.elapsed().as_secs_f64());
        self.note(what);
    }

    /// Notes what somebody did beside the logs.
    pub fn note(&self, what: &str) {
        let at = self.begun.elapsed().as_secs_f64();
        self.place
            .note("actors.log", &format!("{at:>7.1} s  {what}"));
    }

    /// Something is on an array that no record knows.
    pub fn leftover(&self, what: String) {
        self.note(&what);
        let mut leftovers = self
            .leftovers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        leftovers.insert(what);
    }

    /// Something is not as it must be.
    pub fn violation(&self, what: String) {
        let at = self.begun.elapsed().as_secs_f64();
        eprintln!("violation: seed {}, {at:.1} s: {what}", self.seed);
        let mut violations = self
            .violations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        violations.push(what);
    }
}

/// Lets it go on for so long, and then judges.
///
/// # Errors
/// It cannot begin: something is not built or does not start.
pub async fn run(seed: u64, long: Duration) -> anyhow::Result<Report> {
    let place = Place::open().await?;
    let cloud = Cloud::new(&place.url, ANSWER)?;
    let group_type = prepare(&cloud).await?;
    let chaos = Arc::new(Chaos {
        place,
        cloud,
        ledger: Ledger::default(),
        seed,
        kills: AtomicU64::new(0),
        group_type,
        over: AtomicBool::new(false),
        begun: Instant::now(),
        violations: Mutex::new(Vec::new()),
        leftovers: Mutex::default(),
    });
    let disk = match chaos.place.disk.is_small() {
        true => "the disk is a small file system",
        false => "the disk is full by a limit on the size of files",
    };
    chaos.tell(&format!("seed {seed}, {} s; {disk}", long.as_secs()));
    let mut actors = JoinSet::new();
    for backend in 0..KINDS.len() {
        for n in 0..TENANTS {
            actors.spawn(Tenant::new(chaos.clone(), backend, n).live());
        }
        if let Some(operator) = Operator::new(chaos.clone(), backend) {
            actors.spawn(operator.live());
        }
    }
    actors.spawn(trouble::of_the_host(chaos.clone()));
    actors.spawn(trouble::of_the_arrays(chaos.clone(), 2));
    actors.spawn(trouble::of_the_arrays(chaos.clone(), 3));
    tokio::time::sleep(long).await;
    chaos.over.store(true, Ordering::Relaxed);
    while let Some(ended) = actors.join_next().await {
        ended.context("a part of the chaos broke")?;
    }
    chaos.tell("all is healed");
    trouble::heal(&chaos).await;
    verdict::judge(&chaos).await;
    let chaos = Arc::into_inner(chaos).context("somebody still takes part")?;
    let violations = chaos
        .violations
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let leftovers = chaos
        .leftovers
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(Report {
        leftovers: leftovers.len(),
        kills: chaos.kills.into_inner(),
        operations: chaos.cloud.accepted(),
        kept: chaos.place.close(!violations.is_empty()).await,
        violations,
    })
}

/// Types for each backend, with and without replication; gives back the type of groups.
async fn prepare(cloud: &Cloud) -> anyhow::Result<String> {
    let unlimited =
        json!({"quota_class_set": {"volumes": -1, "gigabytes": -1, "snapshots": -1, "groups": -1}});
    let path = "/v3/os-quota-class-sets/default";
    let set = cloud.send(Method::PUT, path, Some(&unlimited)).await;
    anyhow::ensure!(
        set.is_some_and(|(status, _)| status.is_success()),
        "quotas stay as they are"
    );
    for kind in KINDS {
        let replicated = json!({
            "volume_backend_name": kind.name, "replication_enabled": "<is> True", "replication_type": kind.replication,
        });
        let plain = json!({"volume_backend_name": kind.name});
        for (name, specs) in [
            (kind.name.to_owned(), replicated),
            (format!("{}-plain", kind.name), plain),
        ] {
            let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
            let made = cloud
                .post("/v3/types", &body)
                .await
                .context("no type is made")?;
            let path = format!("/v3/types/{}/extra_specs", text(&made, "/volume_type/id"));
            cloud
                .post(&path, &json!({ "extra_specs": specs }))
                .await
                .context("no extra specs")?;
        }
        let end = Instant::now() + READY;
        let path = format!("/v3/os-services?host=springform@{}", kind.name);
        loop {
            let seen = cloud.get(&path).await.unwrap_or_default();
            let field = |field| text(&seen, &format!("/services/0/{field}")).to_owned();
            if field("state") == "up" && field("replication_status") == "enabled" {
                break;
            }
            anyhow::ensure!(
                Instant::now() < end,
                "backend {} does not come up: {seen}",
                kind.name
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let body = json!({"group_type": {"name": "together"}});
    let made = cloud
        .post("/v3/group_types", &body)
        .await
        .context("no type of groups")?;
    let id = text(&made, "/group_type/id").to_owned();
    let specs = json!({"group_specs": {"consistent_group_snapshot_enabled": "<is> True"}});
    let path = format!("/v3/group_types/{id}/group_specs");
    cloud
        .post(&path, &specs)
        .await
        .context("no specs of groups")?;
    Ok(id)
}
