//! Runs the host: wiring of store, control, sandbox and API.

pub mod inspect;

use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;

/// Runs the host until it is told to stop.
///
/// # Errors
/// Why it cannot start.
pub async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let _config = Config::load(path)?;
    anyhow::bail!("this build has no control plane yet")
}
