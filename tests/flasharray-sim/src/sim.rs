//! A running simulation.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::config::{ClockMode, SimConfig};
use crate::core::array::Array;
use crate::core::world::World;
use crate::http::{control, listener};
use crate::shared::{Shared, wall_ms};
use crate::tls::{self, CertDir};
use crate::{persist, shared};

/// A running simulation. It has its own threads, so it can be used from
/// synchronous and asynchronous tests alike; dropping it stops it.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    stop: CancellationToken,
    config: SimConfig,
    certs: CertDir,
    control: SocketAddr,
    addresses: Vec<SocketAddr>,
}

impl Sim {
    /// Starts arrays and the control port. They answer when this returns.
    ///
    /// # Errors
    /// If the configuration makes no sense, a port is taken, or certificates
    /// or the saved state cannot be read or written.
    pub fn start(config: SimConfig) -> anyhow::Result<Self> {
        config.check()?;
        let (certs, tls) = tls::prepare(config.cert_dir.as_deref())?;
        let tls = config.tls.then_some(tls);
        let world = match &config.state {
            Some(path) if path.exists() => persist::load(path, &config)?,
            _ => new_world(&config)?,
        };
        let shared = Arc::new(Shared::new(
            world,
            config.clock,
            config.latency_ms,
            config.log_requests,
        ));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("flasharray-sim")
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let stop = CancellationToken::new();
        let (addresses, control) = {
            let _inside = runtime.enter();
            let mut addresses = Vec::new();
            for (n, array) in config.arrays.iter().enumerate() {
                let (open, address) = listener::open(array.port)?;
                addresses.push(address);
                let serve = listener::serve(
                    Arc::clone(&shared),
                    crate::core::key::ArrayIx(n),
                    open,
                    tls.clone(),
                    stop.clone(),
                );
                let name = array.name.clone();
                runtime.spawn(async move {
                    if let Err(error) = serve.await {
                        tracing::error!("array {name} stopped listening: {error:#}");
                    }
                });
            }
            let (open, control) = listener::open(config.control_port)?;
            let app = control::routes(Arc::clone(&shared));
            let stopped = stop.clone().cancelled_owned();
            runtime.spawn(async move {
                let served = axum::serve(open, app).with_graceful_shutdown(stopped);
                if let Err(error) = served.await {
                    tracing::error!("the control port stopped: {error}");
                }
            });
            runtime.spawn(keep_time(Arc::clone(&shared), stop.clone()));
            if let Some(path) = config.state.clone() {
                runtime.spawn(persist::keep(Arc::clone(&shared), path, stop.clone()));
            }
            (addresses, control)
        };
        Ok(Self {
            shared,
            runtime: Some(runtime),
            stop,
            config,
            certs,
            control,
            addresses,
        })
    }

    fn index(&self, array: &str) -> Option<usize> {
        self.config.arrays.iter().position(|a| a.name == array)
    }

    /// Where the REST interface of an array listens; port 0 of 127.0.0.1, where
    /// nobody ever listens, if there is no such array.
    pub fn address(&self, array: &str) -> SocketAddr {
        self.index(array)
            .and_then(|n| self.addresses.get(n))
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The API token of an array; empty if there is none of this name.
    pub fn api_token(&self, array: &str) -> String {
        self.index(array)
            .and_then(|n| self.config.arrays.get(n))
            .map(|array| array.token())
            .unwrap_or_default()
    }

    /// The certificate of the authority that signed those of the arrays (PEM).
    pub fn ca_file(&self) -> &Path {
        self.certs.ca()
    }

    /// Where the control and I/O port listens.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The world itself, locked; time has passed up to now.
    pub fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.shared.world()
    }

    /// The world and the network sides of the arrays.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What a program that starts the simulator needs to know, as JSON.
    pub fn summary(&self) -> serde_json::Value {
        let world = self.world();
        let arrays: serde_json::Map<String, serde_json::Value> = self
            .config
            .arrays
            .iter()
            .zip(&self.addresses)
            .zip(world.arrays())
            .map(|((config, address), array): ((_, _), &Array)| {
                let item = serde_json::json!({
                    "address": address.to_string(),
                    "api_token": config.token(),
                    "id": array.id,
                });
                (config.name.clone(), item)
            })
            .collect();
        serde_json::json!({
            "control": self.control_url(),
            "ca": self.ca_file(),
            "arrays": arrays,
        })
    }

    /// Saves the state, if there is a file for it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self) -> anyhow::Result<()> {
        match &self.config.state {
            Some(path) => persist::save(&self.shared.world(), path),
            None => Ok(()),
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Err(error) = self.save() {
            tracing::error!("the state was not saved: {error:#}");
        }
        if let Some(runtime) = self.runtime.take() {
            // A plain drop would block, which is not allowed inside another runtime.
            runtime.shutdown_background();
        }
    }
}

fn new_world(config: &SimConfig) -> anyhow::Result<World> {
    let start = config.clock_start_ms.unwrap_or_else(wall_ms);
    let specs = config.arrays.iter().map(|array| array.spec()).collect();
    let mut world = World::new(specs, config.settings(), start);
    for (a, b, kind) in &config.connections {
        let (a, b) = world
            .find_array(a)
            .zip(world.find_array(b))
            .context("a connection names an unknown array")?;
        world.connect_arrays(a, b, *kind);
    }
    for (n, array) in config.arrays.iter().enumerate() {
        world.array_mut(crate::core::key::ArrayIx(n))?.volume_limit = array.volume_limit;
    }
    Ok(world)
}

/// Lets things happen on the wall clock even while nobody asks.
async fn keep_time(shared: Arc<Shared>, stop: CancellationToken) {
    if shared.clock_mode() == ClockMode::Test {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => drop(shared::Shared::world(&shared)),
        }
    }
}
