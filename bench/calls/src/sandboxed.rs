//! Our call: a fresh instance, every limit on, requests through the broker.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use springform_model::contract::{Call, Context, Driver as _, Placement, Target, VolumeSpec};
use springform_sandbox::{Binding, BoundDriver, Sandbox, SandboxConfig, TargetBinding, TlsTrust};
use tokio::time::Instant;

/// A driver bound to the loopback array.
#[derive(Clone)]
pub struct Sandboxed {
    driver: Arc<BoundDriver>,
}

impl Sandboxed {
    /// Loads the component twice: compiled, then from the cache. Returns both times in milliseconds.
    ///
    /// # Errors
    /// When it cannot be loaded or bound.
    pub async fn load(
        component: &Path,
        array: SocketAddr,
        cache: &Path,
    ) -> anyhow::Result<(Self, (f64, f64))> {
        let config = || SandboxConfig {
            cache_dir: Some(cache.join("cache")),
            ..SandboxConfig::default()
        };
        let begun = Instant::now();
        Sandbox::new(config())?.load(component).await?;
        let compiled = begun.elapsed().as_secs_f64() * 1000.0;
        let sandbox = Sandbox::new(config())?;
        let begun = Instant::now();
        let program = sandbox.load(component).await?;
        let cached = begun.elapsed().as_secs_f64() * 1000.0;
        let target = TargetBinding {
            max_connections: 64,
            ..TargetBinding::new("array-a", array.to_string(), TlsTrust::PlainHttp)
        };
        let binding = Binding {
            backend: "pure1".to_owned(),
            generation: 1,
            targets: vec![target],
            limits: None,
        };
        let driver = Arc::new(sandbox.bind(program, binding)?);
        Ok((Self { driver }, (compiled, cached)))
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
