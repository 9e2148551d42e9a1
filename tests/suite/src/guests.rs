//! Where the built programs and components are.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The component of a driver or fixture: `pure_async`, `noop`.
///
/// # Errors
/// It was not built; the message says how.
pub fn guest(name: &str) -> anyhow::Result<PathBuf> {
    let folder = match std::env::var_os("SPRINGFORM_GUESTS") {
        Some(folder) => PathBuf::from(folder),
        None => target()?.join("guests"),
    };
    let path = folder.join(format!("{name}.wasm"));
    if !path.is_file() {
        bail!(
            "{} is not there: run `cargo xtask build-guests`",
            path.display()
        );
    }
    Ok(path)
}

/// The built host.
///
/// # Errors
/// It was not built; the message says how.
pub fn springform() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("SPRINGFORM_BIN") {
        return Ok(PathBuf::from(path));
    }
    let path = profile()?.join("springform");
    if !path.is_file() {
        bail!(
            "{} is not there: run `cargo build -p springform`",
            path.display()
        );
    }
    Ok(path)
}

/// The built simulator.
///
/// # Errors
/// It was not built; the message says how.
pub fn flasharray_sim() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("FLASHARRAY_SIM") {
        return Ok(PathBuf::from(path));
    }
    let path = profile()?.join("flasharray-sim");
    if !path.is_file() {
        bail!(
            "{} is not there: run `cargo build -p flasharray-sim`",
            path.display()
        );
    }
    Ok(path)
}

/// `<target>/debug` or `<target>/release`, from where this program is: `<profile>/x` or `<profile>/deps/x`.
fn profile() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("this program does not know where it is")?;
    let folder = here.parent().context("no folder")?;
    let folder = if folder.ends_with("deps") {
        folder.parent().context("no profile")?
    } else {
        folder
    };
    Ok(folder.to_owned())
}

/// Cargo's target directory, from where this program is.
///
/// # Errors
/// The program does not know where it is.
pub fn target() -> anyhow::Result<PathBuf> {
    let profile = profile()?;
    Ok(profile.parent().map(Path::to_owned).unwrap_or(profile))
}
