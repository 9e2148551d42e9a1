//! The real program as a child process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::guests;

/// How long a host may take to be ready on a machine that is busy with other tests.
const READY: Duration = Duration::from_secs(180);

/// A host that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// `http://127.0.0.1:port`.
    pub url: String,
    log: PathBuf,
}

impl Host {
    /// Starts the host that was built and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started or does not get ready; the message has the end of its log.
    pub async fn start(config: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        Self::start_program(&guests::springform()?, config, address).await
    }

    /// Starts a host of any version and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started or does not get ready; the message has the end of its log.
    pub async fn start_program(
        program: &Path,
        config: &Path,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let log = config.with_extension("log");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)?;
        let child = Command::new(program)
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start springform")?;
        let mut host = Self {
            child,
            url: format!("http://{address}"),
            log,
        };
        host.wait_until_ready().await?;
        Ok(host)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        let url = format!("{}/readyz", self.url);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("springform ended ({status}):\n{}", self.log());
            }
            if reqwest::get(&url)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!(
            "springform was not ready after {} s:\n{}",
            READY.as_secs(),
            self.log()
        )
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The end of its log.
    #[must_use]
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(40)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to stop, and waits until it has; gives back whether it ended with status 0.
    ///
    /// # Errors
    /// It does not stop.
    pub async fn stop(mut self) -> anyhow::Result<bool> {
        let pid = self.child.id().context("it has ended already")?;
        let sent = Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await?;
        anyhow::ensure!(sent.success(), "SIGTERM was not delivered");
        let status = tokio::time::timeout(READY, self.child.wait())
            .await
            .context("it does not stop")??;
        Ok(status.success())
    }
}

/// An address on which nothing listens, and which nobody else is given for a minute: the port of a connection that was
/// closed from its side is left out when any port is asked for, and had by whoever asks for this one.
///
/// # Errors
/// The system has none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let caller = TcpStream::connect(address)?;
    let (called, _) = listener.accept()?;
    // In this order: whoever closes first keeps the port.
    drop(called);
    drop(caller);
    Ok(address)
}
