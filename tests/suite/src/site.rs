//! A place to fail over in: two simulated arrays with TLS, and a host in front of them, in a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use flasharray_sim::{Sim, SimConfig, SimControl};
use tempfile::TempDir;

use crate::cinder::Cinder;
use crate::guests;
use crate::host::{Host, free_address};

/// The primary's name, and the backend's.
pub const PRIMARY: &str = "pure1";
/// The second array.
pub const SECOND: &str = "sec2";
/// The service's host.
pub const SERVICE: &str = "springform@pure1";

/// Arrays, configuration, and where the host will listen.
pub struct Site {
    /// The arrays.
    pub sim: Sim,
    /// Hands on the arrays.
    pub control: SimControl,
    /// Where the host listens.
    pub address: SocketAddr,
    folder: TempDir,
}

impl Site {
    /// Two arrays on a clock that stands still until it is told otherwise, and a configuration for them.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn new() -> anyhow::Result<Self> {
        Self::with(SimConfig::pair(PRIMARY, SECOND).test_clock())
    }

    /// The same with arrays of one's own.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn with(arrays: SimConfig) -> anyhow::Result<Self> {
        let sim = Sim::start(arrays)?;
        let site = Self {
            control: SimControl::new(&sim.control_url()),
            sim,
            address: free_address()?,
            folder: tempfile::tempdir()?,
        };
        std::fs::write(site.config(), site.toml()?)?;
        Ok(site)
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("springform.toml")
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration's text.
    ///
    /// # Errors
    /// The driver is not built.
    pub fn toml(&self) -> anyhow::Result<String> {
        let driver = guests::guest("pure_async")?;
        let ca = self.sim.ca_file();
        Ok(format!(
            r#"[service]
listen = "{listen}"
allow_inline_secrets = true

[driver.pure-async]
path = "{driver}"

[[backend]]
volume_backend_name = "{PRIMARY}"
driver = "pure-async"
san_ip = "{primary}"
pure_api_token = "{primary_token}"
ca_file = "{ca}"

[[backend.replication_device]]
backend_id = "{SECOND}"
san_ip = "{second}"
type = "async"
api_token = "{second_token}"
ca_file = "{ca}"
"#,
            listen = self.address,
            driver = driver.display(),
            primary = self.sim.address(PRIMARY),
            primary_token = self.sim.api_token(PRIMARY),
            second = self.sim.address(SECOND),
            second_token = self.sim.api_token(SECOND),
            ca = ca.display(),
        ))
    }

    /// Starts the host.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn host(&self) -> anyhow::Result<Host> {
        Host::start(&self.config(), self.address).await
    }

    /// A client of the host.
    #[must_use]
    pub fn cinder(&self) -> Cinder {
        Cinder::new(&format!("http://{}", self.address))
    }
}
