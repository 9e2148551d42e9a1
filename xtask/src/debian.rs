//! Programs of Debian's packages, unpacked below the target directory. Nothing is installed, so no service starts and no
//! right of root is needed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell::{self, command, target};

/// The folder below which these packages are unpacked; they are fetched if the folder does not have these files yet.
///
/// # Errors
/// Packages cannot be had, or do not hold the files.
pub fn unpacked(name: &str, packages: &[&str], files: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = target().join("tools").join(name);
    let complete = || files.iter().all(|file| folder.join(file).is_file());
    if !complete() {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        fetch(&folder, packages).with_context(|| {
            let packages = packages.join(", ");
            format!("Debian's packages could not be had ({packages})")
        })?;
    }
    if !complete() {
        let (packages, folder) = (packages.join(", "), folder.display());
        bail!("{packages} left not all of {files:?} in {folder}");
    }
    Ok(folder)
}

/// Which version is Debian's to say: within a release it changes by repairs only, and older ones leave the mirror.
fn fetch(folder: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let download = || {
        let mut download = command("apt-get");
        download
            .args(["-q", "download"])
            .args(packages)
            .current_dir(folder);
        shell::run(&mut download)
    };
    if download().is_err() {
        // A fresh machine has no lists of packages.
        shell::run(command("apt-get").args(["-q", "update"]))?;
        download()?;
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            shell::run(command("dpkg-deb").arg("-x").arg(path).arg(folder))?;
        }
    }
    Ok(())
}
