//! A disk under a host's database that fails as disks fail: with file systems of its own where this program may make them (as root,
//! with the memory disks of Linux), with limits on the host's process otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::chaos::disk::Disk;

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is full but for so many bytes.
    Full(u64),
    /// What is written cannot be made durable: `fsync` fails with EIO. It can be read.
    Errors,
    /// The kernel found an error on it and refuses writes until it is remounted: EROFS.
    ReadOnly,
}

/// Where the database is.
#[derive(Debug)]
pub struct BadDisk {
    failure: Failure,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A small file system in memory.
    Small(Disk),
    /// A block device in memory, with ext4 on it.
    Block(Block),
    /// No file system of its own: the host may write nothing.
    Limit(PathBuf),
}

impl BadDisk {
    /// One in this folder that is well so far.
    ///
    /// # Errors
    /// No folder can be made.
    pub fn new(folder: &Path, failure: Failure) -> anyhow::Result<Self> {
        let kind = match failure {
            Failure::Full(_) => {
                let disk = Disk::open(folder)?;
                match disk.is_small() {
                    true => Kind::Small(disk),
                    false => Kind::Limit(disk.folder().to_owned()),
                }
            }
            _ => {
                let place = folder.join("disk");
                std::fs::create_dir(&place)?;
                match Block::mount(&place, failure) {
                    Ok(block) => Kind::Block(block),
                    Err(why) => {
                        eprintln!("no disk of its own, a limit on the host instead: {why:#}");
                        Kind::Limit(place)
                    }
                }
            }
        };
        Ok(Self { failure, kind })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match &self.kind {
            Kind::Small(disk) => disk.folder(),
            Kind::Block(block) => &block.folder,
            Kind::Limit(folder) => folder,
        }
    }

    /// Whether it is a file system of its own.
    #[must_use]
    pub fn is_its_own(&self) -> bool {
        !matches!(self.kind, Kind::Limit(_))
    }

    /// It fails from now on. `host` is the process that writes to it.
    ///
    /// # Errors
    /// The system does not let it fail.
    pub fn breaks(&self, host: u32) -> anyhow::Result<()> {
        match (&self.kind, self.failure) {
            (Kind::Small(disk), Failure::Full(left)) => disk.fill(left),
            (Kind::Block(block), Failure::Errors) => block.set("mem_limit", "4K"),
            (Kind::Block(block), Failure::ReadOnly) => block.finds_itself_broken(),
            _ => limit(host, "--fsize=1:"),
        }
    }

    /// It is well again. One that was [`Failure::ReadOnly`] must be used by nobody then.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn mends(&self, host: u32) -> anyhow::Result<()> {
        match (&self.kind, self.failure) {
            (Kind::Small(disk), _) => {
                disk.free();
                Ok(())
            }
            (Kind::Block(block), Failure::Errors) => block.set("mem_limit", "0"),
            (Kind::Block(block), Failure::ReadOnly) => block.mount_anew(),
            _ => limit(host, "--fsize=unlimited:"),
        }
    }
}

fn limit(host: u32, what: &str) -> anyhow::Result<()> {
    run("prlimit", &["--pid", &host.to_string(), what])
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let done = Command::new(program).args(arguments).output();
    let done = done.with_context(|| format!("{program} cannot be started"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{program} {arguments:?}: {said}");
    Ok(())
}

/// A compressed block device in memory. Beyond its limit of memory every write to it fails, also of what was written before.
#[derive(Debug)]
struct Block {
    name: String,
    folder: PathBuf,
    errors: &'static str,
}

impl Block {
    fn mount(folder: &Path, failure: Failure) -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let number = std::fs::read_to_string("/sys/class/zram-control/hot_add")?;
        let block = Self {
            name: format!("zram{}", number.trim()),
            folder: folder.to_owned(),
            // A write that fails is to stay the only thing that is wrong.
            errors: match failure {
                Failure::ReadOnly => "errors=remount-ro",
                _ => "errors=continue",
            },
        };
        block.set("disksize", "256M")?;
        let device = block.device();
        run("mkfs.ext4", &["-q", "-O", "^has_journal", &device])?;
        block.attach()?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        Ok(block)
    }

    fn device(&self) -> String {
        format!("/dev/{}", self.name)
    }

    fn set(&self, what: &str, value: &str) -> anyhow::Result<()> {
        let path = format!("/sys/block/{}/{what}", self.name);
        std::fs::write(&path, value).with_context(|| path)
    }

    fn attach(&self) -> anyhow::Result<()> {
        let folder = self.folder.display().to_string();
        let options = ["-o", self.errors, &self.device(), &folder];
        run("mount", &options)
    }

    fn detach(&self) -> anyhow::Result<()> {
        run("umount", &[&self.folder.display().to_string()])
    }

    fn finds_itself_broken(&self) -> anyhow::Result<()> {
        let path = format!("/sys/fs/ext4/{}/trigger_fs_error", self.name);
        std::fs::write(&path, "a test").with_context(|| path)
    }

    fn mount_anew(&self) -> anyhow::Result<()> {
        self.detach()?;
        self.attach()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let _ = self.set("mem_limit", "0");
        let number = self.name.trim_start_matches("zram").to_owned();
        // A host that is killed goes a moment later.
        for _ in 0..100 {
            let _ = self.detach();
            if std::fs::write("/sys/class/zram-control/hot_remove", &number).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
