//! The arrows of a crate at the commit that last wrote the plan: what is not among them is new.

use std::path::Path;

use anyhow::ensure;

use super::arrows::Arrows;
use super::plan::FILE;
use super::survey;
use super::workspace::Package;
use crate::shell::{command, output, run, target};

/// Reads them from a copy of the sources below the target directory.
///
/// # Errors
/// There is no such commit here, as in a shallow clone, or the crate was not there then.
pub fn arrows(package: &Package) -> anyhow::Result<Arrows> {
    let commit = output(command("git").args(["log", "-1", "--format=%H", "--", FILE]))?;
    ensure!(!commit.is_empty(), "no commit has {FILE}");
    let folder = target().join("house");
    if folder.is_dir() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let archive = folder.join("sources.tar");
    let of = |folder: &Path| folder.join(&package.folder);
    run(command("git")
        .args(["archive", "--format=tar", "-o"])
        .arg(&archive)
        .arg(commit)
        .arg(of(Path::new(""))))?;
    run(command("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(&folder))?;
    survey::arrows(&folder.canonicalize()?, package)
}
