//! What the kernel says of a process: CPU time and memory.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Clock ticks in a second of `/proc/<pid>/stat`; fixed at 100 by the kernel's user-space interface on Linux.
const TICKS: f64 = 100.0;

/// CPU seconds (user and system) that a process has used.
///
/// # Errors
/// When the process is gone.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("read the process's CPU time")?;
    // The command name may hold blanks; fields are counted after its closing bracket.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("understand /proc/<pid>/stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || -> anyhow::Result<f64> {
        Ok(fields
            .next()
            .context("understand /proc/<pid>/stat")?
            .parse()?)
    };
    Ok((next()? + next()?) / TICKS)
}

/// Memory of a process in bytes: its own pages and its share of the common ones (PSS).
///
/// # Errors
/// When the process is gone.
pub fn memory(pid: u32) -> anyhow::Result<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .context("read the process's memory")?;
    let line = rollup
        .lines()
        .find(|l| l.starts_with("Pss:"))
        .context("find Pss in smaps_rollup")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("understand smaps_rollup")?
        .parse()?;
    Ok(kib * 1024)
}

/// Starts this program again with other arguments; returns the child and the first line it printed.
///
/// # Errors
/// When it does not start or says nothing.
pub async fn respawn(arguments: &[&str]) -> anyhow::Result<(Child, String)> {
    let program = std::env::current_exe().context("find this program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start a child process")?;
    let stdout = child.stdout.take().context("read the child's output")?;
    let line = BufReader::new(stdout)
        .lines()
        .next_line()
        .await?
        .context("the child process said nothing")?;
    Ok((child, line))
}
