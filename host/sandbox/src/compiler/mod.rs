//! Compiles components. The host does it in a process of its own, which has no file, socket or configuration: what a component does
//! to the compiler then ends with that process, and its memory and time are the kernel's to bound.

mod child;
mod confine;
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;

pub use child::run as run_compiler;
pub use confine::Bounds;

use crate::error::LoadError;

/// The first argument that makes the program a compiler.
pub const COMPILER_MODE: &str = "compile-driver";

/// Bytes of a component that is compiled without waiting for large ones. Drivers in Rust have half a megabyte.
const SMALL: usize = 4 << 20;

/// How many whole compilations a component waits for its turn.
const QUEUE: u32 = 2;

/// Where components are compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compiler {
    /// On a thread of this process, without limits on memory and without a way to stop it. For programs that are no host.
    #[default]
    InProcess,
    /// In a process of this program, which must begin with [`run_compiler`] when its first argument is [`COMPILER_MODE`].
    Process(PathBuf),
}

impl Compiler {
    /// This very program, even when its file was replaced since it started.
    #[must_use]
    pub fn this_program() -> Self {
        Self::Process(PathBuf::from("/proc/self/exe"))
    }
}

/// Compilers with their turns. Large components wait for each other only, so that they keep no ordinary driver waiting.
pub struct Compilers {
    kind: Compiler,
    bounds: Bounds,
    time: Duration,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Compilers {
    /// `at_once` small components and one large one are compiled at a time, each for at most `time`.
    #[must_use]
    pub fn new(kind: Compiler, bounds: Bounds, time: Duration, at_once: usize) -> Self {
        Self {
            kind,
            bounds,
            time,
            small: Arc::new(Semaphore::new(at_once.max(1))),
            large: Arc::new(Semaphore::new(1)),
        }
    }

    /// The compiled form of a component, for `engine`.
    ///
    /// # Errors
    /// [`LoadError::CompilersBusy`] where no turn came in time; what is wrong with the component; which bound it ran into.
    pub async fn compile(&self, engine: &Engine, bytes: Vec<u8>) -> Result<Vec<u8>, LoadError> {
        let lane = match bytes.len() > SMALL {
            true => &self.large,
            false => &self.small,
        };
        // A host that starts has all its drivers in this queue.
        let patience = self.time.saturating_mul(QUEUE);
        let turn = tokio::time::timeout(patience, lane.clone().acquire_owned())
            .await
            .map_err(|_| LoadError::CompilersBusy(patience))?
            .map_err(|_| LoadError::CompilersBusy(patience))?;
        match &self.kind {
            Compiler::InProcess => in_process(engine, bytes, turn, self.time).await,
            Compiler::Process(program) => {
                let _turn = turn;
                process::compile(program, self.bounds, self.time, bytes).await
            }
        }
    }
}

/// A thread cannot be stopped. When its time is up the answer is given and it is left to finish; it keeps its turn, so that
/// abandoned ones cannot pile up.
async fn in_process(
    engine: &Engine,
    bytes: Vec<u8>,
    turn: OwnedSemaphorePermit,
    time: Duration,
) -> Result<Vec<u8>, LoadError> {
    let engine = engine.clone();
    let thread = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        child::compile(&engine, &bytes)
    });
    tokio::time::timeout(time, thread)
        .await
        .map_err(|_| LoadError::CompileTimeout(time))?
        .map_err(|_| LoadError::CompilerFailed("its thread panicked, see the log".to_owned()))?
        .map_err(|refusal| refusal.into_error(0))
}
