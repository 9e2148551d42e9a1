//! The real Prometheus and its promtool, which judge metrics and alarms: Debian's package, unpacked below the target
//! directory. Nothing is installed, so no service starts and no right of root is needed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell::{self, command, target};

/// Where tests look for the programs, see `tests/suite/src/prometheus.rs`.
pub const VARIABLE: &str = "SPRINGFORM_PROMETHEUS";

/// The folder with `prometheus` and `promtool`: that of this machine's own, else of the unpacked package.
pub fn folder() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(own) = std::env::split_paths(&path).find(|folder| complete(folder)) {
        return Ok(own);
    }
    let tools = target().join("tools/prometheus");
    let programs = tools.join("usr/bin");
    if !complete(&programs) {
        std::fs::create_dir_all(&tools)
            .with_context(|| format!("cannot make {}", tools.display()))?;
        fetch(&tools).context(
            "no Prometheus: it is not on PATH, and Debian's package could not be had; install `prometheus`",
        )?;
    }
    if !complete(&programs) {
        bail!(
            "Debian's package left no prometheus and promtool in {}",
            programs.display()
        );
    }
    Ok(programs)
}

fn complete(folder: &Path) -> bool {
    ["prometheus", "promtool"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// Which version is Debian's to say: within a release it changes by repairs only, and older ones leave the mirror.
fn fetch(tools: &Path) -> anyhow::Result<()> {
    let download = || {
        let mut download = command("apt-get");
        download
            .args(["-q", "download", "prometheus"])
            .current_dir(tools);
        shell::run(&mut download)
    };
    if download().is_err() {
        // A fresh machine has no lists of packages.
        shell::run(command("apt-get").args(["-q", "update"]))?;
        download()?;
    }
    let mut archives = std::fs::read_dir(tools)?.filter_map(|entry| Some(entry.ok()?.path()));
    let archive = archives
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get left no package")?;
    shell::run(command("dpkg-deb").arg("-x").arg(archive).arg(tools))
}
