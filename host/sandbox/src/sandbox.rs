//! The sandbox of a process.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::binding::Binding;
use crate::cache::{self, Cache};
use crate::compiler::{Bounds, Compilers};
use crate::config::SandboxConfig;
use crate::driver::BoundDriver;
use crate::error::{BindError, LoadError};
use crate::file::ComponentFile;
use crate::inspect::{self, Inspection};
use crate::program::Program;
use crate::shares::Shares;
use crate::size::{self, Counts};
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
    compilers: Compilers,
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
            compilers: Compilers::new(
                config.compiler.clone(),
                Bounds {
                    memory: config.compile_memory_bytes,
                    cpu: config.compile_cpu.as_secs().max(1),
                    stack: config.stack_bytes,
                },
                config.compile_timeout,
                config.compile_concurrency,
            ),
            shares: Shares::new(config.max_concurrency, config.reserved_per_driver),
            config,
        })))
    }

    /// Looks at a driver file without compiling or running it.
    ///
    /// # Errors
    /// When it is none that this host could serve.
    pub fn inspect(&self, path: &Path) -> Result<(Inspection, Counts), LoadError> {
        let file = ComponentFile::read(path, self.0.config.compile_max_bytes)?;
        inspect::inspect(file.bytes())
    }

    /// Loads a driver: inspects, compiles (or takes the compiled form from the cache), links, test-instantiates and lets it
    /// describe itself.
    ///
    /// # Errors
    /// Each refusal names what is wrong with the file and what to do.
    pub async fn load(&self, path: &Path) -> Result<Arc<Program>, LoadError> {
        self.load_file(self.read(path).await?).await
    }

    /// Reads a file that shall be a driver and takes its digest; nothing of it is parsed.
    ///
    /// # Errors
    /// It cannot be read, or is larger than the cap.
    pub async fn read(&self, path: &Path) -> Result<ComponentFile, LoadError> {
        let (limit, path) = (self.0.config.compile_max_bytes, path.to_owned());
        // Off the workers that serve calls: it hashes the whole of it.
        let read = tokio::task::spawn_blocking(move || ComponentFile::read(&path, limit));
        read.await.unwrap_or_else(|_| Err(unseen()))
    }

    /// As [`Self::load`], of a file that was read before: what was verified is what is compiled.
    ///
    /// # Errors
    /// As of [`Self::load`].
    pub async fn load_file(&self, file: ComponentFile) -> Result<Arc<Program>, LoadError> {
        let since = Instant::now();
        let (component, inspection, from_cache) = match self.known(file).await? {
            Known::Compiled(component, inspection) => (component, inspection, true),
            Known::Bytes(bytes, inspection) => {
                let component = self.compile(bytes, &inspection).await?;
                (component, inspection, false)
            }
        };
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
            &self.0.config,
        )
    }

    /// Looks for the compiled form of a file. Off the workers that serve calls: it reads the whole of it.
    async fn known(&self, file: ComponentFile) -> Result<Known, LoadError> {
        let this = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let inspection = inspect::survey(file.bytes())?;
            if let Some(component) = this.cached(&inspection.digest) {
                return Ok(Known::Compiled(component, inspection));
            }
            // Counted here, in one pass that holds nothing; everything that costs more is the compiler's.
            size::check(file.bytes())?;
            Ok(Known::Bytes(file.into_bytes(), inspection))
        });
        looked.await.unwrap_or_else(|_| Err(unseen()))
    }

    fn cached(&self, digest: &str) -> Option<Component> {
        let cache = self.0.cache.as_ref()?;
        cache.get(&self.0.engine, digest)
    }

    async fn compile(
        &self,
        bytes: Vec<u8>,
        inspection: &Inspection,
    ) -> Result<Component, LoadError> {
        let code = self.0.compilers.compile(&self.0.engine, bytes).await?;
        let (this, digest) = (self.clone(), inspection.digest.clone());
        let taken = tokio::task::spawn_blocking(move || {
            if let Some(cache) = &this.0.cache {
                cache.put(&this.0.engine, &digest, &code);
            }
            // Mapped from the cache it takes less memory than here.
            match this.cached(&digest) {
                Some(component) => Ok(component),
                None => cache::adopt(&this.0.engine, &code),
            }
        });
        let taken = taken.await;
        taken
            .map_err(|error| LoadError::CompilerFailed(error.to_string()))?
            // It does not fit into the slots of this process, for one.
            .map_err(|error| LoadError::Compile(format!("{error:#}")))
    }
}

fn unseen() -> LoadError {
    LoadError::CompilerFailed("the file could not be looked at, see the log".to_owned())
}

/// What is known of a file once it was read.
enum Known {
    /// It was compiled before.
    Compiled(Component, Inspection),
    /// It may be shown to the compiler.
    Bytes(Vec<u8>, Inspection),
}
