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
/// The third array, where there is one.
pub const THIRD: &str = "far3";
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
    shape: Shape,
    folder: TempDir,
}

/// Which driver serves the site, and how its second array is configured.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Name of the driver.
    pub driver: &'static str,
    /// Its component.
    pub component: &'static str,
    /// Lines of `[service]` beyond the usual ones.
    pub service: &'static str,
    /// Lines of the `replication_device`.
    pub device: &'static str,
    /// Lines of that of a third array; none where there are two.
    pub third: Option<&'static str>,
}

impl Shape {
    /// Copies are sent to the second array on a schedule.
    pub const COPIED: Self = Self {
        driver: "pure-async",
        component: "pure_async",
        service: "",
        device: r#"type = "async""#,
        third: None,
    };
    /// Volumes are on both arrays, and machines are connected to both.
    pub const STRETCHED: Self = Self {
        driver: "pure-activecluster",
        component: "pure_activecluster",
        service: "observe_seconds = 1",
        device: "type = \"sync\"\nuniform = true",
        third: None,
    };
    /// The same, and a third array is sent copies.
    pub const THREE: Self = Self {
        driver: "pure-trisync",
        component: "pure_trisync",
        third: Some("type = \"async\""),
        ..Self::STRETCHED
    };
}

impl Site {
    /// Two arrays on a clock that stands still until it is told otherwise, and a configuration for them.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn new() -> anyhow::Result<Self> {
        Self::with(SimConfig::pair(PRIMARY, SECOND).test_clock())
    }

    /// Two arrays with a stretched pod.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn stretched() -> anyhow::Result<Self> {
        let arrays = SimConfig::pair(PRIMARY, SECOND).test_clock();
        Self::shaped(arrays, Shape::STRETCHED)
    }

    /// Two arrays with a stretched pod, and a third one.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn three() -> anyhow::Result<Self> {
        let arrays = SimConfig::trio(PRIMARY, SECOND, THIRD).test_clock();
        Self::shaped(arrays, Shape::THREE)
    }

    /// The same with arrays of one's own.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn with(arrays: SimConfig) -> anyhow::Result<Self> {
        Self::shaped(arrays, Shape::COPIED)
    }

    /// The same with a driver of one's own.
    ///
    /// # Errors
    /// Something is not built, or no folder can be made.
    pub fn shaped(arrays: SimConfig, shape: Shape) -> anyhow::Result<Self> {
        let sim = Sim::start(arrays)?;
        let site = Self {
            control: SimControl::new(&sim.control_url()),
            sim,
            address: free_address()?,
            shape,
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
        let Shape {
            driver: name,
            component,
            service,
            device,
            third,
        } = self.shape;
        let third = third.map_or_else(String::new, |lines| self.device(THIRD, lines));
        let driver = guests::guest(component)?;
        let ca = self.sim.ca_file();
        Ok(format!(
            r#"[service]
listen = "{listen}"
allow_inline_secrets = true
{service}

[driver.{name}]
path = "{driver}"

[[backend]]
volume_backend_name = "{PRIMARY}"
driver = "{name}"
san_ip = "{primary}"
pure_api_token = "{primary_token}"
ca_file = "{ca}"
{second}{third}"#,
            listen = self.address,
            driver = driver.display(),
            primary = self.sim.address(PRIMARY),
            primary_token = self.sim.api_token(PRIMARY),
            second = self.device(SECOND, device),
            ca = ca.display(),
        ))
    }

    fn device(&self, name: &str, lines: &str) -> String {
        format!(
            r#"
[[backend.replication_device]]
backend_id = "{name}"
san_ip = "{address}"
{lines}
api_token = "{token}"
ca_file = "{ca}"
"#,
            address = self.sim.address(name),
            token = self.sim.api_token(name),
            ca = self.sim.ca_file().display(),
        )
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
