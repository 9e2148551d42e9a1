//! The disk under the host's database: a small file system in memory where this program may mount one, so that a full disk is a full
//! disk; a folder otherwise.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Size of the file system.
const SIZE: &str = "size=96m";

/// A disk.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes one in a folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder.join("disk");
        std::fs::create_dir(&folder).context("no folder for the disk")?;
        let mounted = rustix::process::geteuid().is_root() && mount(&folder, &[SIZE]);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder, mounted })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is a file system of its own.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.mounted
    }

    /// Fills it but for so many bytes.
    ///
    /// # Errors
    /// Another reason than that it is full.
    pub fn fill(&self, left: u64) -> anyhow::Result<()> {
        let path = self.folder.join("ballast");
        let mut file = std::fs::File::create(&path)?;
        let block = vec![0_u8; 4096];
        loop {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(full) if full.kind() == std::io::ErrorKind::StorageFull => break,
                Err(other) => return Err(other).context("cannot fill the disk"),
            }
        }
        let written = file.metadata()?.len();
        file.set_len(written.saturating_sub(left))?;
        Ok(())
    }

    /// Makes room again.
    pub fn free(&self) {
        // Nothing to remove is room enough.
        let _ = std::fs::remove_file(self.folder.join("ballast"));
    }

    /// Copies what is on it beside it, where it outlives the mount.
    pub fn keep(&self, folder: &Path) {
        if self.mounted {
            let kept = folder.join("disk-kept");
            let _ = std::fs::create_dir(&kept);
            let _ = Command::new("cp")
                .arg("-a")
                .arg(self.folder.join("."))
                .arg(kept)
                .status();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount")
                .arg("--lazy")
                .arg(&self.folder)
                .status();
        }
    }
}

fn mount(folder: &Path, options: &[&str]) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", &options.join(","), "springform-chaos"]);
    command
        .arg(folder)
        .output()
        .is_ok_and(|done| done.status.success())
}
