//! A real Prometheus that scrapes a host and judges its alarms.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::guests;
use crate::host::free_address;

const READY: Duration = Duration::from_secs(120);

/// One of its programs: `prometheus`, `promtool`.
///
/// # Errors
/// It is not there; the message says how it gets there.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let told = std::env::var_os("SPRINGFORM_PROMETHEUS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = guests::target()?.join("tools/prometheus/usr/bin");
    let mut folders = told
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain([unpacked]);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
        .with_context(|| {
            format!("{name} is not there: install Debian's package `prometheus`, or run `cargo xtask test`, which fetches it")
        })
}

/// Feeds a text to promtool.
///
/// # Errors
/// What promtool has to say against it.
pub async fn promtool(arguments: &[&str], text: &str) -> anyhow::Result<String> {
    use tokio::io::AsyncWriteExt;
    let mut child = Command::new(program("promtool")?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start promtool")?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(text.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if !output.status.success() {
        bail!("promtool {}: {said}", arguments.join(" "));
    }
    Ok(said)
}

/// A Prometheus that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    url: String,
    folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes a host every second and judges these rules as often.
    ///
    /// # Errors
    /// It does not get ready; the message has its log.
    pub async fn start(host: &str, rules: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let scraped = host.strip_prefix("http://").unwrap_or(host);
        let mut config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             scrape_configs: [{{job_name: springform, static_configs: [{{targets: ['{scraped}']}}]}}]\n"
        );
        if let Some(rules) = rules {
            std::fs::write(at("rules.yml"), rules)?;
            config.push_str(&format!("rule_files: ['{}']\n", at("rules.yml").display()));
        }
        std::fs::write(at("prometheus.yml"), config)?;
        let address = free_address()?;
        let log = std::fs::File::create(at("log"))?;
        let child = Command::new(program("prometheus")?)
            .arg(format!("--config.file={}", at("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start prometheus")?;
        let mut new = Self {
            child,
            url: format!("http://{address}"),
            folder,
        };
        new.wait_until_ready().await?;
        Ok(new)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        let url = format!("{}/-/ready", self.url);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("prometheus ended ({status}):\n{}", self.log());
            }
            if reqwest::get(&url)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("prometheus did not get ready:\n{}", self.log())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let answer = reqwest::get(format!("{}/api/v1/{path}", self.url)).await?;
        let answer: Value = serde_json::from_str(&answer.text().await?)?;
        Ok(answer.get("data").cloned().unwrap_or_default())
    }

    /// What it knows of the host's `/metrics`: `up`, `down` or `unknown`, and why it cannot be read.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn scrape(&self) -> anyhow::Result<(String, String)> {
        let targets = self.ask("targets").await?;
        let word = |key: &str| word(&targets, &format!("/activeTargets/0/{key}"));
        Ok((word("health"), word("lastError")))
    }

    /// The values of an expression.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn value(&self, expression: &str) -> anyhow::Result<Vec<String>> {
        let found = self.ask(&format!("query?query={expression}")).await?;
        let rows = list(&found, "result");
        Ok(rows.iter().map(|row| word(row, "/value/1")).collect())
    }

    /// The names of the alarms that fire.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn firing(&self) -> anyhow::Result<Vec<String>> {
        let found = self.ask("alerts").await?;
        let alerts = list(&found, "alerts");
        let firing = alerts
            .iter()
            .filter(|alert| word(alert, "/state") == "firing");
        let mut names: Vec<String> = firing
            .map(|alert| word(alert, "/labels/alertname"))
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn word(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    let found = value.get(key).and_then(Value::as_array);
    found.cloned().unwrap_or_default()
}
