//! Why a driver file was not taken, and why a driver could not be bound.

use std::path::PathBuf;
use std::time::Duration;

/// Why a driver file is refused. Nothing changes when one is: what served before goes on serving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the driver file {path}: {source}; check the path and the permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than the cap.
    #[error(
        "the driver file has {size} bytes and at most {limit} are accepted; a driver in Rust has about 1 MB: check that it is the right file"
    )]
    TooLarge {
        /// Bytes.
        size: u64,
        /// Bytes.
        limit: u64,
    },
    /// No `\0asm` at the start.
    #[error(
        "the file is not WebAssembly: it does not begin with the magic bytes \\0asm; give the path of a component built for wasm32-wasip2"
    )]
    NotWasm,
    /// A module without the component layer.
    #[error(
        "the file is a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Cut off or damaged.
    #[error(
        "the component is truncated or damaged at byte {offset}: {reason}; copy or build it again"
    )]
    Malformed {
        /// Where.
        offset: usize,
        /// What the parser said.
        reason: String,
    },
    /// Made of more than the compiler is shown.
    #[error(
        "the component has more than {limit} {of}, which costs more memory to compile than it is given; ask the vendor for a smaller component"
    )]
    TooComplex {
        /// Of what there is too much.
        of: &'static str,
        /// How much is accepted.
        limit: u64,
    },
    /// It wants more of the host than a driver gets.
    #[error("the component imports {import}, which a driver is not given: {hint}")]
    ForbiddenImport {
        /// The import.
        import: String,
        /// What to do.
        hint: &'static str,
    },
    /// Built for a contract this host does not serve.
    #[error(
        "the component is built for {found} and this host serves springform:driver@{served}; rebuild it with the SDK of that version"
    )]
    WrongVersion {
        /// What it exports or imports.
        found: String,
        /// What the host has.
        served: &'static str,
    },
    /// It exports nothing of the contract.
    #[error(
        "the component exports nothing of springform:driver (it exports {exports}); it is no driver, or was built for another world"
    )]
    WrongWorld {
        /// What it exports.
        exports: String,
    },
    /// A required interface or function is missing.
    #[error(
        "the component does not export {export}, which every driver must; export it, the SDK does it for you"
    )]
    MissingExport {
        /// Full name.
        export: String,
    },
    /// A function or type differs from the contract.
    #[error(
        "the component does not fit springform:driver@{served}: {reason}; rebuild it against the contract of that version"
    )]
    Mismatch {
        /// What the host has.
        served: &'static str,
        /// What differs.
        reason: String,
    },
    /// Compilation failed.
    #[error("the component could not be compiled: {0}")]
    Compile(String),
    /// Compilation took too long, and for most of it others had the machine.
    #[error("compiling the component took more than {} s and was stopped, because the machine has too much to do; try again", .0.as_secs())]
    CompileTimeout(Duration),
    /// Compilation took too much processor time; seconds that it had.
    #[error(
        "compiling the component took more than {0} s of processor time and was stopped; ask the vendor for a smaller component"
    )]
    CompileCpu(u64),
    /// Compilation took too much memory; MiB that it had.
    #[error(
        "compiling the component took more than {0} MiB and was stopped; ask the vendor for a smaller component"
    )]
    CompileMemory(u64),
    /// Others are being compiled.
    #[error("other components are being compiled and no turn came within {} s; try again in a minute", .0.as_secs())]
    CompilersBusy(Duration),
    /// The compiler itself failed: the component did something to it, or the machine has no room for it.
    #[error(
        "the compiler of drivers failed: {0}; try again, and tell the vendor if it happens with this component alone"
    )]
    CompilerFailed(String),
    /// It trapped, or ran into a limit, while it was instantiated or described itself.
    #[error(
        "the driver failed when it was asked to describe itself, without configuration and without network: {0}"
    )]
    Describe(String),
    /// What it says of itself cannot be served.
    #[error("the driver's description cannot be served: {0}")]
    Description(String),
}

/// Why a loaded driver cannot be bound to a backend's targets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A target is configured in a way that cannot work.
    #[error("backend {backend}, target {target}: {reason}")]
    Target {
        /// Backend.
        backend: String,
        /// Target.
        target: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A driver is given more memory than the process set aside for one call when it started.
    #[error(
        "backend {backend}: the driver is given memory_mib = {asked_mib} and this process was started with room for {pool_mib} MiB a call; restart the host, which makes room for the largest of the file"
    )]
    Memory {
        /// Backend.
        backend: String,
        /// MiB.
        asked_mib: usize,
        /// MiB.
        pool_mib: usize,
    },
}
