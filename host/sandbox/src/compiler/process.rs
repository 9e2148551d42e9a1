//! The host's side of a compiler's process. Nothing that comes back is believed before its status is known, and no more is read
//! than a compiled driver can have.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::COMPILER_MODE;
use super::child::{REFUSED, Refusal};
use super::confine::Bounds;
use crate::error::LoadError;

/// Bytes of compiled code that are taken. A component grows about threefold.
const MOST_CODE: u64 = 256 << 20;
/// Bytes of what a compiler says when it fails.
const MOST_WORDS: u64 = 16 << 10;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

/// Compiles in a process of `program`, which is killed when `time` is over or nobody waits any more.
///
/// # Errors
/// What is wrong with the component; which bound it ran into; that the process cannot be started.
pub async fn compile(
    program: &Path,
    bounds: Bounds,
    time: Duration,
    bytes: Vec<u8>,
) -> Result<Vec<u8>, LoadError> {
    let mut child = start(program, bounds)
        .map_err(|error| LoadError::CompilerFailed(format!("it cannot be started: {error}")))?;
    let (status, code, words) = tokio::time::timeout(time, exchange(&mut child, bytes))
        .await
        // Dropping the child kills it.
        .map_err(|_| LoadError::CompileTimeout(time))?
        .map_err(|error| LoadError::CompilerFailed(error.to_string()))?;
    verdict(status, code, &words, bounds)
}

fn start(program: &Path, bounds: Bounds) -> std::io::Result<Child> {
    Command::new(program)
        .arg(COMPILER_MODE)
        .args(bounds.arguments())
        // No variable of the host's, which may hold secrets. Two threads leave the other cores to calls.
        .env_clear()
        .env("RAYON_NUM_THREADS", "2")
        // The allocator would set a gigabyte of address space aside before the first byte is asked for, KiB.
        .env("MIMALLOC_ARENA_RESERVE", "32768")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn exchange(
    child: &mut Child,
    bytes: Vec<u8>,
) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let mut input = child.stdin.take();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(input) = &mut input {
            // A compiler that gave up does not read on; its status says why.
            drop(input.write_all(&bytes).await);
        }
        drop(input);
    };
    let ((), code, words) = tokio::join!(feed, read(output, MOST_CODE), read(errors, MOST_WORDS));
    let (code, words) = (code?, words?);
    Ok((child.wait().await?, code, words))
}

/// Reads at most `most` bytes; a stream that goes on is cut off, which ends its writer.
async fn read(stream: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn verdict(
    status: ExitStatus,
    code: Vec<u8>,
    words: &[u8],
    bounds: Bounds,
) -> Result<Vec<u8>, LoadError> {
    match (status.code(), status.signal()) {
        (Some(0), _) if code.len() as u64 == MOST_CODE => Err(LoadError::Compile(format!(
            "it becomes more than {} MiB of code",
            MOST_CODE >> 20
        ))),
        (Some(0), _) => Ok(code),
        (Some(refused), _) if refused == i32::from(REFUSED) => {
            let refusal: Refusal = serde_json::from_slice(words)
                .map_err(|_| LoadError::CompilerFailed("it refused without a reason".to_owned()))?;
            Err(refusal.into_error(bounds.memory))
        }
        // Its own hard limit on CPU is enforced with SIGKILL, as is the memory of a container.
        (_, Some(SIGXCPU | SIGKILL)) => Err(LoadError::CompileCpu(bounds.cpu)),
        // What Rust does where an allocation is refused.
        (_, Some(SIGABRT)) => Err(LoadError::CompileMemory(bounds.memory >> 20)),
        _ => {
            let words: String = String::from_utf8_lossy(words)
                .escape_debug()
                .take(500)
                .collect();
            Err(LoadError::CompilerFailed(format!("{status}: {words}")))
        }
    }
}
