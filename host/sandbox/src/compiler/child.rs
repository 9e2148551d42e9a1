//! What happens in the compiler's process: take a component from standard input, give the compiled form to standard output.

use std::io::{ErrorKind, Read, Write};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use super::confine::{self, Bounds};
use crate::engine;
use crate::error::LoadError;
use crate::inspect;

/// Status of a compiler that says on standard error, as JSON, why it refused.
pub const REFUSED: u8 = 3;

/// Why a component was not compiled, as it crosses from one process to the other.
#[derive(Debug, Serialize, Deserialize)]
pub enum Refusal {
    /// Not valid, or of WebAssembly that drivers are not given.
    Malformed {
        /// Where.
        offset: usize,
        /// What the validator said.
        reason: String,
    },
    /// The compiler gave up.
    Compile(String),
    /// No memory is left.
    Memory,
}

impl Refusal {
    /// The same for whoever wanted the component loaded; `memory` is what the compiler had, bytes.
    pub fn into_error(self, memory: u64) -> LoadError {
        match self {
            Self::Malformed { offset, reason } => LoadError::Malformed { offset, reason },
            Self::Compile(reason) => LoadError::Compile(reason),
            Self::Memory => LoadError::CompileMemory(memory >> 20),
        }
    }
}

/// Validates and compiles.
///
/// # Errors
/// What is wrong with the component.
pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    match inspect::validate(bytes) {
        Ok(()) => {}
        Err(LoadError::Malformed { offset, reason }) => {
            return Err(Refusal::Malformed { offset, reason });
        }
        Err(other) => return Err(Refusal::Compile(other.to_string())),
    }
    engine.precompile_component(bytes).map_err(|error| {
        let io = error
            .chain()
            .find_map(|e| e.downcast_ref::<std::io::Error>());
        match io.is_some_and(|e| e.kind() == ErrorKind::OutOfMemory) {
            true => Refusal::Memory,
            false => Refusal::Compile(format!("{error:#}")),
        }
    })
}

/// Runs the program as a compiler: `arguments` are those behind [`COMPILER_MODE`](super::COMPILER_MODE). Call it before any
/// thread is started. It gives up files, sockets and everything else that the compiler does not need, for good.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    match confined(arguments) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(refusal)) => {
            // Where nobody reads it, the status says that it failed.
            drop(serde_json::to_writer(std::io::stderr(), &refusal));
            ExitCode::from(REFUSED)
        }
        Err(error) => {
            drop(write!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn confined(arguments: &[String]) -> anyhow::Result<Result<(), Refusal>> {
    let bounds = Bounds::parse(arguments)?;
    confine::enter(bounds)?;
    let engine = engine::compiler(bounds.stack).map_err(anyhow::Error::from)?;
    let mut bytes = Vec::new();
    match std::io::stdin().lock().read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::OutOfMemory => return Ok(Err(Refusal::Memory)),
        read => {
            read?;
        }
    }
    Ok(match compile(&engine, &bytes) {
        Ok(code) => {
            let mut out = std::io::stdout().lock();
            out.write_all(&code)?;
            out.flush()?;
            Ok(())
        }
        Err(refusal) => Err(refusal),
    })
}
