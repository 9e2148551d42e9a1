//! How the sandbox of a process is set up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use springform_model::audit::Sink;

use crate::compiler::Compiler;
use crate::limits::Limits;

/// Where instances get their memory from. See `docs/adr/0001-instance-allocation.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allocation {
    /// A pool of slots that are wiped and reused: half the CPU of a call, and callers do not queue for the process's memory map.
    #[default]
    Pooling,
    /// Memory mapped for the call and unmapped after it: no slot is ever used twice.
    OnDemand,
}

/// Settings of a process's sandbox. They hold for its life.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Directory of compiled components, made private (0700); none: nothing is kept.
    pub cache_dir: Option<PathBuf>,
    /// Limits of drivers whose binding names none of its own.
    pub limits: Limits,
    /// Calls that may hold an instance at one time, over all drivers; one driver gets half of them at most.
    pub max_concurrency: usize,
    /// Calls of each driver that may hold an instance beside these.
    pub reserved_per_driver: usize,
    /// Compiled components that are kept; those unused for longest go first.
    pub cache_entries: usize,
    /// Bytes of a component file that is still accepted.
    pub compile_max_bytes: u64,
    /// Processor time that one compilation may take on its two threads, where it has a process of its own.
    pub compile_cpu: Duration,
    /// Time after which a compilation is given up, whatever it waited for.
    pub compile_timeout: Duration,
    /// Compilations of ordinary components at one time; beside them one of more than 4 MiB.
    pub compile_concurrency: usize,
    /// Bytes of address space that one compilation may take, where it has a process of its own.
    pub compile_memory_bytes: u64,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Bytes of Wasm stack of one call.
    pub stack_bytes: usize,
    /// Where instances get their memory from.
    pub allocation: Allocation,
    /// Who is told of denied requests and of quarantines; none: only the log.
    pub audit: Option<Arc<dyn Sink>>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            limits: Limits::default(),
            max_concurrency: 256,
            reserved_per_driver: 4,
            cache_entries: 64,
            compile_max_bytes: 64 << 20,
            // 45 s of an idle machine: below the 60 s that a request of the API has, so that a client hears the reason.
            compile_cpu: Duration::from_secs(90),
            // A machine on which everything starts at once is slow, and that is no fault of the component.
            compile_timeout: Duration::from_secs(300),
            compile_concurrency: 2,
            compile_memory_bytes: 2 << 30,
            compiler: Compiler::default(),
            stack_bytes: 512 << 10,
            allocation: Allocation::default(),
            audit: None,
        }
    }
}
