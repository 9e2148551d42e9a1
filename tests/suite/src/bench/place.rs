//! A host on the driver that does nothing, and a client of it: what benchmarks of the API measure.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::future::try_join_all;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::guests;
use crate::host::{Host, free_address};

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A host on the driver that does nothing, and a client of it.
pub(super) struct Place {
    host: Host,
    client: Client,
    /// What its start took until it was ready, milliseconds.
    pub(super) start_ms: f64,
    _folder: tempfile::TempDir,
}

impl Place {
    /// Starts the host that was built.
    pub(super) async fn open() -> anyhow::Result<Self> {
        Self::of(&guests::springform()?).await
    }

    /// Starts a program, twice: the first start compiles.
    pub(super) async fn of(program: &Path) -> anyhow::Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let config = folder.path().join("springform.toml");
        let driver = guests::guest("noop")?;
        std::fs::write(
            &config,
            format!(
                "[service]\nlisten = \"{address}\"\nlog_filter = \"warn\"\n\n[driver.noop]\npath = \"{}\"\n\n\
                [[backend]]\nvolume_backend_name = \"noop\"\ndriver = \"noop\"\nsan_ip = \"127.0.0.1:9\"\n",
                driver.display()
            ),
        )?;
        // The first start compiles the driver; what is measured is the second.
        Host::start_program(program, &config, address)
            .await?
            .stop()
            .await?;
        let begun = Instant::now();
        let host = Host::start_program(program, &config, address).await?;
        let start_ms = millis(begun);
        let client = Client::builder().pool_max_idle_per_host(512).build()?;
        let place = Self {
            host,
            client,
            start_ms,
            _folder: folder,
        };
        place.ready().await?;
        Ok(place)
    }

    /// Waits until volumes can be placed, and takes the limits off.
    async fn ready(&self) -> anyhow::Result<()> {
        let unlimited = json!({"quota_class_set": {"volumes": -1, "gigabytes": -1}});
        self.ask(
            Method::PUT,
            "/v3/os-quota-class-sets/default",
            Some(&unlimited),
        )
        .await?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let found = self
                .ask(Method::GET, "/v3/scheduler-stats/get_pools", None)
                .await?;
            if found
                .pointer("/pools")
                .and_then(Value::as_array)
                .is_some_and(|pools| !pools.is_empty())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("the backend does not come up:\n{}", self.host.log())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let text = self.text(method, path, body).await?;
        Ok(serde_json::from_slice(&text)?)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.host.url);
        let request = self.client.request(method, url);
        let request = request.header("X-Service-Token", "nova:service");
        request.header("OpenStack-API-Version", "volume 3.71")
    }

    /// The status of the answer to a look.
    pub(super) async fn status(&self, path: &str) -> anyhow::Result<StatusCode> {
        let answer = self.request(Method::GET, path).send().await?;
        let status = answer.status();
        // Read to its end, or the connection is not used again.
        answer.bytes().await?;
        Ok(status)
    }

    /// The body of an answer that says yes.
    pub(super) async fn text(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.bytes().await?;
        ensure!(
            status.is_success(),
            "{path}: {status} {}",
            String::from_utf8_lossy(&text)
        );
        Ok(text.to_vec())
    }

    /// Creates a volume and looks at it until it is available; the milliseconds that took.
    async fn create_one(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let made = self
            .ask(
                Method::POST,
                "/v3/volumes",
                Some(&json!({"volume": {"size": 1}})),
            )
            .await?;
        let id = made
            .pointer("/volume/id")
            .and_then(Value::as_str)
            .context("the answer to a create has no id")?;
        let path = format!("/v3/volumes/{id}");
        while begun.elapsed() < PATIENCE {
            let seen = self.ask(Method::GET, &path, None).await?;
            match seen.pointer("/volume/status").and_then(Value::as_str) {
                Some("available") => return Ok(millis(begun)),
                Some("creating") => tokio::time::sleep(Duration::from_millis(1)).await,
                other => bail!("a volume became {}", other.unwrap_or("nothing")),
            }
        }
        bail!("a volume did not become available:\n{}", self.host.log())
    }

    /// Some clients at a time, each creating its share: what each create took, and how many there were a second.
    pub(super) async fn create(
        &self,
        clients: usize,
        volumes: usize,
    ) -> anyhow::Result<(Vec<f64>, f64)> {
        let share = volumes.div_ceil(clients);
        let begun = Instant::now();
        let each = (0..clients).map(|_| async {
            let mut took = Vec::with_capacity(share);
            for _ in 0..share {
                took.push(self.create_one().await?);
            }
            anyhow::Ok(took)
        });
        let took: Vec<f64> = try_join_all(each).await?.into_iter().flatten().collect();
        let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
        Ok((took, rate))
    }

    /// Makes sure that there are as many volumes.
    pub(super) async fn fill(&self, wanted: usize) -> anyhow::Result<()> {
        let found = self.ask(Method::GET, "/v3/volumes/summary", None).await?;
        let there = usize::try_from(
            found
                .pointer("/volume-summary/total_count")
                .and_then(Value::as_u64)
                .unwrap_or(0),
        )?;
        if there < wanted {
            self.create(16, wanted - there).await?;
        }
        Ok(())
    }

    pub(super) async fn any(&self) -> anyhow::Result<String> {
        let found = self.ask(Method::GET, "/v3/volumes?limit=1", None).await?;
        Ok(found
            .pointer("/volumes/0/id")
            .and_then(Value::as_str)
            .context("there is no volume")?
            .to_owned())
    }

    /// How many times a second a path is read by some clients at a time, for so long and at least once by each.
    pub(super) async fn rate(
        &self,
        clients: usize,
        path: &str,
        long: Duration,
    ) -> anyhow::Result<f64> {
        let end = Instant::now() + long;
        let begun = Instant::now();
        let each = (0..clients).map(|_| async {
            let mut count = 0_u32;
            while count == 0 || Instant::now() < end {
                self.text(Method::GET, path, None).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
        let count: u32 = try_join_all(each).await?.into_iter().sum();
        Ok(f64::from(count) / begun.elapsed().as_secs_f64())
    }

    /// Resident memory of the host, MiB, as the system counts it.
    pub(super) fn memory(&self) -> anyhow::Result<f64> {
        let pid = self.host.pid().context("the host has ended")?;
        let text =
            std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|line| line.split_whitespace().next())
            .context("the system does not say")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
