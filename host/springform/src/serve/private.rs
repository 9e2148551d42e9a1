//! What belongs to the host's user alone: its files and directories, whatever the umask it was started with.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit};
use springform_api::Limits;

use crate::config::ServiceConfig;

/// What the host keeps in its state directory.
const OURS: &[&str] = &["cache", "drivers", "sealing.key"];
/// Descriptors for everything but connections: the database, arrays, drivers, logs.
const OTHER_FILES: usize = 256;

/// Makes files private from now on, and the state directory.
///
/// # Errors
/// A directory that others may read and that is not the host's alone; the message has the command.
pub fn prepare(service: &ServiceConfig) -> anyhow::Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let dir = &service.state_dir;
    let shown = dir.display();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("[service] state_dir {shown} cannot be made"))?;
    tighten(dir, only_ours(dir).unwrap_or(false))?;
    for kept in ["cache", "drivers"] {
        let inner = dir.join(kept);
        if inner.is_dir() {
            tighten(&inner, true)?;
        }
    }
    Ok(())
}

/// Whether nobody but us keeps anything in a directory.
fn only_ours(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes a directory from everybody else. One that holds other people's things is left alone: that is the operator's to decide.
fn tighten(dir: &Path, ours: bool) -> anyhow::Result<()> {
    let shown = dir.display();
    let data = fs::metadata(dir).with_context(|| format!("{shown} cannot be looked at"))?;
    let mode = data.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    if ours && fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).is_ok() {
        tracing::warn!(dir = %shown, was = format!("{:04o}", mode & 0o7777), "the directory was open to other users, and is private now");
        return Ok(());
    }
    bail!(
        "[service] state_dir {shown} is open to other users (mode {:04o}) and holds other things than the host's own; \
         run `chmod 700 {shown}`, or name a directory of the host's own",
        mode & 0o7777
    )
}

/// Lets this process have as many files as it may, and no more connections than there are files for.
pub fn fit_to_descriptors(limits: &mut Limits) {
    let have = rustix::process::getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: have.maximum,
        maximum: have.maximum,
    };
    let current = match rustix::process::setrlimit(Resource::Nofile, wanted) {
        Ok(()) => have.maximum,
        Err(_) => have.current,
    };
    let files = current.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let most = files.saturating_sub(OTHER_FILES).max(64);
    if most < limits.connections {
        tracing::warn!(
            wanted = limits.connections,
            may = most,
            "this process may not open as many files as [limits] connections asks for; raise LimitNOFILE or `ulimit -n`"
        );
        limits.connections = most;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_directory_of_ours_is_closed_and_one_with_other_things_is_left_to_the_operator() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        fs::create_dir_all(dir.join("cache")).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        tighten(&dir, only_ours(&dir).unwrap()).unwrap();
        assert_eq!(mode(&dir), 0o700);

        fs::write(dir.join("notes"), "").unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
        let error = tighten(&dir, only_ours(&dir).unwrap()).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
        assert_eq!(mode(&dir), 0o750, "nothing was done to it");
    }
}
