//! How a simulation is set up: from code, a TOML file or the command line.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::core::array::ArraySpec;
use crate::core::link::LinkKind;
use crate::core::world::Settings;

/// Whether time passes by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockMode {
    /// Real time.
    #[default]
    Wall,
    /// Time stands still until it is advanced by a request.
    Test,
}

/// What two arrays are connected for.
pub type ConnectionKind = LinkKind;

/// One array.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArrayConfig {
    /// Name; other arrays know it by this.
    pub name: String,
    /// API token; `token-<name>` if empty.
    pub api_token: String,
    /// Version of Purity.
    pub purity_version: String,
    /// REST versions, ascending; empty for 2.0 to 2.52.
    pub rest_versions: Vec<String>,
    /// Usable bytes.
    pub capacity_bytes: u64,
    /// Port on 127.0.0.1; 0 for any.
    pub port: u16,
    /// Most volumes, destroyed ones included.
    pub volume_limit: Option<usize>,
}

impl Default for ArrayConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            api_token: String::new(),
            purity_version: "6.6.10".to_owned(),
            rest_versions: Vec::new(),
            capacity_bytes: 100 << 40,
            port: 0,
            volume_limit: None,
        }
    }
}

impl ArrayConfig {
    /// An array with defaults.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The token that clients log in with.
    pub fn token(&self) -> String {
        if self.api_token.is_empty() {
            format!("token-{}", self.name)
        } else {
            self.api_token.clone()
        }
    }

    pub(crate) fn spec(&self) -> ArraySpec {
        let versions = if self.rest_versions.is_empty() {
            // 2.12 and 2.18 were never published.
            (0..=52)
                .filter(|minor| ![12, 18].contains(minor))
                .map(|minor| format!("2.{minor}"))
                .collect()
        } else {
            self.rest_versions.clone()
        };
        ArraySpec {
            name: self.name.clone(),
            api_token: self.token(),
            purity: self.purity_version.clone(),
            rest_versions: versions,
            capacity: self.capacity_bytes,
        }
    }
}

/// A whole simulation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// The arrays.
    pub arrays: Vec<ArrayConfig>,
    /// Which arrays are connected, and for what.
    pub connections: Vec<(String, String, ConnectionKind)>,
    /// Whether time passes by itself.
    pub clock: ClockMode,
    /// Where the clock starts, in milliseconds since the epoch; now if none.
    pub clock_start_ms: Option<u64>,
    /// HTTPS with a generated certificate; otherwise plain HTTP.
    pub tls: bool,
    /// Bytes per second of asynchronous replication on each link.
    pub bandwidth: u64,
    /// How long a pod resyncs after a reconnect, in milliseconds, besides its bytes.
    pub resync_ms: u64,
    /// How long a pod resyncs after stretching, in milliseconds.
    pub stretch_ms: u64,
    /// How long destroyed objects can be recovered, in milliseconds.
    pub eradication_ms: u64,
    /// How long a session lives without a request, in milliseconds.
    pub session_ms: u64,
    /// Items in an answer when the client sets no limit.
    pub page_size: usize,
    /// How long every REST request takes, in milliseconds.
    pub latency_ms: u64,
    /// Port of the control and I/O listener; 0 for any.
    pub control_port: u16,
    /// Where to put (or find again) the certificates; a new directory that is
    /// removed at the end if none.
    pub cert_dir: Option<PathBuf>,
    /// Where to keep the state between runs.
    pub state: Option<PathBuf>,
    /// Log every request.
    pub log_requests: bool,
}

impl Default for SimConfig {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            arrays: Vec::new(),
            connections: Vec::new(),
            clock: ClockMode::Wall,
            clock_start_ms: None,
            tls: true,
            bandwidth: settings.bandwidth,
            resync_ms: settings.resync_ms,
            stretch_ms: settings.stretch_ms,
            eradication_ms: settings.eradication_ms,
            session_ms: settings.session_ms,
            page_size: settings.page,
            latency_ms: 0,
            control_port: 0,
            cert_dir: None,
            state: None,
            log_requests: false,
        }
    }
}

impl SimConfig {
    /// One array.
    pub fn single(name: &str) -> Self {
        Self {
            arrays: vec![ArrayConfig::named(name)],
            ..Self::default()
        }
    }

    /// Two arrays, connected for stretched pods and replication.
    pub fn pair(a: &str, b: &str) -> Self {
        Self {
            arrays: vec![ArrayConfig::named(a), ArrayConfig::named(b)],
            ..Self::default()
        }
        .connect(a, b, ConnectionKind::Sync)
    }

    /// Three arrays: `a` and `b` connected for stretched pods, both connected
    /// to `c` for asynchronous replication.
    pub fn trio(a: &str, b: &str, c: &str) -> Self {
        let mut config = Self::pair(a, b);
        config.arrays.push(ArrayConfig::named(c));
        config
            .connect(a, c, ConnectionKind::Async)
            .connect(b, c, ConnectionKind::Async)
    }

    /// Adds a connection.
    #[must_use]
    pub fn connect(mut self, a: &str, b: &str, kind: ConnectionKind) -> Self {
        self.connections.push((a.to_owned(), b.to_owned(), kind));
        self
    }

    /// Uses a clock that only moves on request.
    #[must_use]
    pub fn test_clock(mut self) -> Self {
        self.clock = ClockMode::Test;
        self
    }

    /// Sets the replication bandwidth, in bytes per second.
    #[must_use]
    pub fn bandwidth(mut self, rate: u64) -> Self {
        self.bandwidth = rate;
        self
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read or does not describe a simulation.
    pub fn from_toml(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).context("not a valid simulation")?;
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.arrays.is_empty() {
            bail!("a simulation needs at least one array");
        }
        for (n, array) in self.arrays.iter().enumerate() {
            if array.name.is_empty() {
                bail!("array {n} has no name");
            }
            let twice = self.arrays.iter().skip(n + 1).any(|a| a.name == array.name);
            if twice {
                bail!("there are two arrays called {}", array.name);
            }
        }
        for (a, b, _) in &self.connections {
            for end in [a, b] {
                if !self.arrays.iter().any(|array| array.name == *end) {
                    bail!("connection {a}:{b}: there is no array {end}");
                }
            }
            if a == b {
                bail!("connection {a}:{b}: an array cannot be connected to itself");
            }
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            bandwidth: self.bandwidth,
            resync_ms: self.resync_ms,
            stretch_ms: self.stretch_ms,
            eradication_ms: self.eradication_ms,
            session_ms: self.session_ms,
            page: self.page_size.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_describes_a_simulation() {
        let config = SimConfig::from_toml(
            r#"
            clock = "test"
            connections = [["a", "b", "sync"]]
            [[arrays]]
            name = "a"
            [[arrays]]
            name = "b"
            purity_version = "6.1.5"
            "#,
        )
        .unwrap();
        assert_eq!(config.clock, ClockMode::Test);
        assert_eq!(config.arrays[0].token(), "token-a");
        assert_eq!(config.connections[0].2, ConnectionKind::Sync);
    }

    #[test]
    fn a_connection_to_nowhere_is_refused() {
        let config = SimConfig::single("a").connect("a", "b", ConnectionKind::Sync);
        assert!(
            config
                .check()
                .unwrap_err()
                .to_string()
                .contains("no array b")
        );
    }
}
