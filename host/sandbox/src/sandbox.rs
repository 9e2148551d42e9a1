//! The sandbox of a process.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::binding::Binding;
use crate::cache::Cache;
use crate::config::SandboxConfig;
use crate::driver::BoundDriver;
use crate::error::{BindError, LoadError};
use crate::inspect::{self, Inspection};
use crate::program::Program;
use crate::shares::Shares;
use crate::state::CallState;
use crate::{engine, linker};

/// Loads drivers and binds them. Clones share everything; make one for each process.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    config: SandboxConfig,
    engine: Engine,
    linker: Linker<CallState>,
    cache: Option<Cache>,
    compilers: Arc<Semaphore>,
    shares: Shares,
}

impl Sandbox {
    /// Builds the engine, opens the cache.
    ///
    /// # Errors
    /// When this machine cannot run the engine, or the cache directory cannot be made private.
    pub fn new(config: SandboxConfig) -> anyhow::Result<Self> {
        let engine = engine::build(&config)
            .map_err(anyhow::Error::from)
            .context("cannot start the WebAssembly engine")?;
        let linker = linker::build(&engine)
            .map_err(anyhow::Error::from)
            .context("cannot link the host's interfaces")?;
        let cache = match &config.cache_dir {
            Some(dir) => Some(Cache::open(dir, config.cache_entries).with_context(|| {
                format!(
                    "cannot use {} as the private directory of compiled drivers",
                    dir.display()
                )
            })?),
            None => None,
        };
        Ok(Self(Arc::new(Inner {
            engine,
            linker,
            cache,
            compilers: Arc::new(Semaphore::new(config.compile_concurrency.max(1))),
            shares: Shares::new(config.max_concurrency, config.reserved_per_driver),
            config,
        })))
    }

    /// Looks at a driver file without compiling or running it.
    ///
    /// # Errors
    /// When it is none that this host could serve.
    pub fn inspect(&self, path: &Path) -> Result<Inspection, LoadError> {
        inspect::inspect(&self.read(path)?)
    }

    /// Loads a driver: inspects, compiles (or takes the compiled form from the cache), links, test-instantiates and lets it
    /// describe itself.
    ///
    /// # Errors
    /// Each refusal names what is wrong with the file and what to do.
    pub async fn load(&self, path: &Path) -> Result<Arc<Program>, LoadError> {
        let since = Instant::now();
        let _turn = self.0.compilers.clone().acquire_owned().await;
        let this = self.clone();
        let path = path.to_owned();
        // A compilation cannot be interrupted. When its time is up the answer is given and the thread is left to finish;
        // it keeps its turn, so that abandoned ones cannot pile up.
        let (give, take) = tokio::sync::oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let _turn = _turn;
            // Nobody waiting any more is no failure.
            drop(give.send(this.compile(&path)));
        });
        let limit = self.0.config.compile_timeout;
        let (component, inspection, from_cache) = tokio::time::timeout(limit, take)
            .await
            .map_err(|_| LoadError::CompileTimeout(limit))?
            .map_err(|_| {
                LoadError::Compile("the compiler failed; the host's log has its reason".to_owned())
            })??;
        let program = Program::prepare(
            &self.0.engine,
            &self.0.linker,
            &component,
            inspection,
            &self.0.config.limits,
        )
        .await?;
        Ok(program.loaded(from_cache, since))
    }

    /// Binds a driver to one backend's targets.
    ///
    /// # Errors
    /// When a target's address, TLS trust or secret cannot work.
    pub fn bind(&self, program: Arc<Program>, binding: Binding) -> Result<BoundDriver, BindError> {
        BoundDriver::new(
            self.0.engine.clone(),
            self.0.shares.of(&program.description().name),
            program,
            binding,
            &self.0.config.limits,
        )
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, LoadError> {
        let read = |source| LoadError::Read {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(read)?.len();
        let limit = self.0.config.compile_max_bytes;
        if size > limit {
            return Err(LoadError::TooLarge { size, limit });
        }
        std::fs::read(path).map_err(read)
    }

    fn compile(&self, path: &Path) -> Result<(Component, Inspection, bool), LoadError> {
        let bytes = self.read(path)?;
        let inspection = inspect::survey(&bytes)?;
        let Inner { engine, cache, .. } = &*self.0;
        if let Some(component) = cache
            .as_ref()
            .and_then(|c| c.get(engine, &inspection.digest))
        {
            return Ok((component, inspection, true));
        }
        inspect::validate(&bytes)?;
        let component = Component::from_binary(engine, &bytes)
            .map_err(|e| LoadError::Compile(format!("{e:#}")))?;
        if let Some(cache) = cache {
            cache.put(engine, &inspection.digest, &component);
        }
        Ok((component, inspection, false))
    }
}
