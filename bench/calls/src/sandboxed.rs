//! Our call: a fresh instance, every limit on, requests through the broker.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use springform_model::contract::{Call, Context, Driver as _, Placement, Target, VolumeSpec};
use springform_sandbox::{
    Allocation, Binding, BoundDriver, Program, Sandbox, SandboxConfig, TargetBinding, TlsTrust,
};
use tokio::time::Instant;

/// Drivers that are installed to see what one more costs at rest.
pub const INSTALLED: usize = 16;

/// A driver bound to the loopback array.
#[derive(Clone)]
pub struct Sandboxed {
    driver: Arc<BoundDriver>,
}

/// What loading told.
pub struct Loaded {
    /// The driver.
    pub driver: Sandboxed,
    /// Milliseconds to compile and load.
    pub compiled: f64,
    /// Milliseconds to load from the cache.
    pub cached: f64,
}

/// A sandbox that keeps compiled drivers below `folder`.
///
/// # Errors
/// When this machine cannot run it.
pub fn sandbox(folder: &Path, allocation: Allocation) -> anyhow::Result<Sandbox> {
    Sandbox::new(SandboxConfig {
        cache_dir: Some(folder.join("cache")),
        allocation,
        ..SandboxConfig::default()
    })
}

impl Sandboxed {
    /// Loads the component compiled, then from the cache.
    ///
    /// # Errors
    /// When it cannot be loaded or bound.
    pub async fn load(
        component: &Path,
        array: SocketAddr,
        folder: &Path,
        allocation: Allocation,
    ) -> anyhow::Result<Loaded> {
        let begun = Instant::now();
        sandbox(folder, allocation)?.load(component).await?;
        let compiled = millis(begun);
        let sandbox = sandbox(folder, allocation)?;
        let begun = Instant::now();
        let program = sandbox.load(component).await?;
        let cached = millis(begun);
        Ok(Loaded {
            driver: Self::bind(&sandbox, program, array)?,
            compiled,
            cached,
        })
    }

    /// Binds a loaded driver to an array.
    ///
    /// # Errors
    /// When the address is none.
    pub fn bind(
        sandbox: &Sandbox,
        program: Arc<Program>,
        array: SocketAddr,
    ) -> anyhow::Result<Self> {
        let target = TargetBinding {
            max_connections: 64,
            ..TargetBinding::new("array-a", array.to_string(), TlsTrust::PlainHttp)
        };
        let binding = Binding {
            driver: "bench".to_owned(),
            backend: "pure1".to_owned(),
            generation: 1,
            targets: vec![target],
            limits: None,
        };
        let driver = Arc::new(sandbox.bind(program, binding)?);
        Ok(Self { driver })
    }

    /// One call.
    ///
    /// # Errors
    /// The driver's failure or a fault.
    pub async fn extend(&self, new_size: u64, request: bool) -> anyhow::Result<()> {
        self.driver
            .call(
                context(request),
                Call::ExtendVolume {
                    volume: volume(),
                    new_size,
                },
            )
            .await?;
        Ok(())
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The same component as other vendors' would be: each with a custom section of its own, so that it is another file with another
/// digest and another compiled form.
///
/// # Errors
/// When they cannot be written.
pub fn copies(component: &Path, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let bytes = std::fs::read(component)?;
    (0..u8::try_from(INSTALLED)?)
        .map(|n| {
            // Section 0 (custom), 3 bytes: a name of one byte, and one byte of content.
            let mut copy = bytes.clone();
            copy.extend([0, 3, 1, b'n', n]);
            let path = folder.join(format!("copy-{n}.wasm"));
            std::fs::write(&path, copy)?;
            Ok(path)
        })
        .collect()
}

fn context(request: bool) -> Context {
    Context {
        operation_id: "6f7f2a4e-5d0b-4f7c-9a52-0c2f4f9b3c11".to_owned(),
        backend: "pure1".to_owned(),
        options: if request {
            vec![("bench".to_owned(), "request".to_owned())]
        } else {
            Vec::new()
        },
        targets: vec![Target {
            name: "array-a".to_owned(),
            primary: true,
            kind: None,
            options: Vec::new(),
            reachable: true,
            extensions: Vec::new(),
        }],
        state: Vec::new(),
        cursor: Vec::new(),
        deadline_ms: 30_000,
        now: 1_790_000_000_000,
        extensions: Vec::new(),
    }
}

fn volume() -> VolumeSpec {
    let id = "5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d";
    VolumeSpec {
        id: id.to_owned(),
        name: format!("volume-{id}"),
        display_name: "bench".to_owned(),
        project: "p".to_owned(),
        size: 1 << 30,
        volume_type: None,
        group: None,
        placement: Some(Placement {
            array_name: format!("volume-{id}-cinder"),
            target: "array-a".to_owned(),
            serial: None,
            metadata: Vec::new(),
            replication: None,
            extensions: Vec::new(),
        }),
        generation: 0,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    }
}
