//! The real Prometheus and its promtool, which judge metrics and alarms.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::debian;

/// Where tests look for the programs, see `tests/suite/src/prometheus.rs`.
pub const VARIABLE: &str = "SPRINGFORM_PROMETHEUS";

/// The folder with `prometheus` and `promtool`: that of this machine's own, else of the unpacked package.
pub fn folder() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(own) = std::env::split_paths(&path).find(|folder| complete(folder)) {
        return Ok(own);
    }
    let files = ["usr/bin/prometheus", "usr/bin/promtool"];
    let folder = debian::unpacked("prometheus", &["prometheus"], &files)
        .context("no Prometheus: it is not on PATH; install `prometheus`")?;
    Ok(folder.join("usr/bin"))
}

fn complete(folder: &Path) -> bool {
    ["prometheus", "promtool"]
        .iter()
        .all(|program| folder.join(program).is_file())
}
