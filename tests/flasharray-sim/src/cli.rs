//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};

use crate::config::{ArrayConfig, ClockMode, ConnectionKind, SimConfig};

/// Simulated FlashArrays: REST 2.x with bytes behind it, time under control,
/// and misbehaviour on request.
#[derive(Debug, Parser)]
#[command(name = "flasharray-sim", version)]
pub struct Cli {
    /// Names of the arrays.
    #[arg(long, value_delimiter = ',')]
    pub arrays: Vec<String>,
    /// Two arrays and what they are connected for: a:b:sync or a:b:async.
    #[arg(long)]
    pub connect: Vec<String>,
    /// First port of the arrays; any ports without it.
    #[arg(long)]
    pub port_base: Option<u16>,
    /// Port of the control and I/O listener.
    #[arg(long)]
    pub control_port: Option<u16>,
    /// Whether time passes by itself.
    #[arg(long, value_enum)]
    pub clock: Option<Clock>,
    /// File that keeps the state between runs.
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// Replication bandwidth in bytes per second; K, M and G are understood.
    #[arg(long, value_parser = size)]
    pub bandwidth: Option<u64>,
    /// Capacity of each array in bytes; K, M, G and T are understood.
    #[arg(long, value_parser = size)]
    pub capacity: Option<u64>,
    /// Milliseconds that every REST request takes.
    #[arg(long)]
    pub latency_ms: Option<u64>,
    /// Milliseconds that a pod resyncs after a reconnect.
    #[arg(long)]
    pub resync_ms: Option<u64>,
    /// Milliseconds that a pod resyncs after stretching.
    #[arg(long)]
    pub stretch_ms: Option<u64>,
    /// Version of Purity that the arrays claim.
    #[arg(long)]
    pub purity: Option<String>,
    /// Newest REST version that the arrays claim, such as 2.26.
    #[arg(long)]
    pub rest: Option<String>,
    /// Items in an answer when the client sets no limit.
    #[arg(long)]
    pub page_size: Option<usize>,
    /// A simulation described in TOML; other options add to it.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Directory for the certificates, kept between runs.
    #[arg(long)]
    pub cert_dir: Option<PathBuf>,
    /// Plain HTTP.
    #[arg(long)]
    pub no_tls: bool,
    /// Log every request.
    #[arg(long)]
    pub log_requests: bool,
}

/// Whether time passes by itself.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Clock {
    /// It does.
    Wall,
    /// Only on request.
    Test,
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.to_ascii_uppercase().as_bytes().last() {
        Some(b'K') => (text.get(..text.len() - 1), 10),
        Some(b'M') => (text.get(..text.len() - 1), 20),
        Some(b'G') => (text.get(..text.len() - 1), 30),
        Some(b'T') => (text.get(..text.len() - 1), 40),
        _ => (Some(text), 0),
    };
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("{text} is not a number of bytes"))
}

impl Cli {
    /// The simulation that was asked for.
    ///
    /// # Errors
    /// If the file cannot be read or the options make no sense.
    pub fn config(&self) -> anyhow::Result<SimConfig> {
        let mut config = match &self.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                SimConfig::from_toml(&text)?
            }
            None => SimConfig::default(),
        };
        config
            .arrays
            .extend(self.arrays.iter().map(|name| ArrayConfig::named(name)));
        for text in &self.connect {
            let mut parts = text.split(':');
            let (Some(a), Some(b), kind, None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                bail!("--connect {text}: expected a:b:sync or a:b:async");
            };
            let kind = match kind {
                Some("sync") => ConnectionKind::Sync,
                Some("async") | None => ConnectionKind::Async,
                Some(other) => bail!("--connect {text}: {other} is neither sync nor async"),
            };
            config = config.connect(a, b, kind);
        }
        for (n, array) in config.arrays.iter_mut().enumerate() {
            if let Some(base) = self.port_base {
                let offset = u16::try_from(n).context("too many arrays")?;
                array.port = base
                    .checked_add(offset)
                    .context("--port-base is too high")?;
            }
            if let Some(purity) = &self.purity {
                array.purity_version.clone_from(purity);
            }
            if let Some(capacity) = self.capacity {
                array.capacity_bytes = capacity;
            }
            if let Some(newest) = &self.rest {
                let mut versions = array.spec().rest_versions;
                if let Some(at) = versions.iter().position(|version| version == newest) {
                    versions.truncate(at + 1);
                } else {
                    versions.push(newest.clone());
                }
                array.rest_versions = versions;
            }
        }
        config.control_port = self.control_port.unwrap_or(config.control_port);
        config.clock = match self.clock {
            Some(Clock::Wall) => ClockMode::Wall,
            Some(Clock::Test) => ClockMode::Test,
            None => config.clock,
        };
        config.state = self.state.clone().or(config.state);
        config.cert_dir = self.cert_dir.clone().or(config.cert_dir);
        config.bandwidth = self.bandwidth.unwrap_or(config.bandwidth);
        config.latency_ms = self.latency_ms.unwrap_or(config.latency_ms);
        config.resync_ms = self.resync_ms.unwrap_or(config.resync_ms);
        config.stretch_ms = self.stretch_ms.unwrap_or(config.stretch_ms);
        config.page_size = self.page_size.unwrap_or(config.page_size);
        config.tls &= !self.no_tls;
        config.log_requests |= self.log_requests;
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> anyhow::Result<SimConfig> {
        Cli::try_parse_from(std::iter::once(&"flasharray-sim").chain(args))?.config()
    }

    #[test]
    fn arrays_and_connections_come_from_the_command_line() {
        let config = config(&[
            "--arrays",
            "a,b,c",
            "--connect",
            "a:b:sync",
            "--connect",
            "a:c:async",
            "--bandwidth",
            "10M",
            "--port-base",
            "9000",
            "--rest",
            "2.26",
            "--clock",
            "test",
        ])
        .unwrap();
        assert_eq!(config.arrays.len(), 3);
        assert_eq!(config.arrays[2].port, 9002);
        assert_eq!(config.arrays[0].rest_versions.last().unwrap(), "2.26");
        assert_eq!(config.connections[0].2, ConnectionKind::Sync);
        assert_eq!(config.bandwidth, 10 << 20);
    }

    #[test]
    fn a_senseless_connection_is_refused() {
        assert!(config(&["--arrays", "a,b", "--connect", "a:b:fast"]).is_err());
        assert!(config(&["--arrays", "a", "--connect", "a:b:sync"]).is_err());
        assert!(config(&[]).is_err());
    }
}
