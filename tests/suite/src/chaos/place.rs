//! Where it happens: three simulators as programs, the host as a program, its database on a disk of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use flasharray_sim::SimControl;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::cloud::text;
use super::disk::Disk;
use crate::guests;
use crate::host::{Host, free_address};

/// A kind of replication, and the arrays that a backend of it has.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Name of the backend, of its type of replicated volumes, and in front of its arrays' names.
    pub name: &'static str,
    /// Driver.
    pub driver: &'static str,
    /// Its component.
    pub component: &'static str,
    /// What a type asks for.
    pub replication: &'static str,
    /// The other arrays: how each is connected, and lines of its section.
    pub targets: &'static [(&'static str, &'static str)],
}

/// All of them.
pub const KINDS: [Kind; 3] = [
    Kind {
        name: "copied",
        driver: "pure-async",
        component: "pure_async",
        replication: "<in> async",
        targets: &[("async", "type = \"async\"")],
    },
    Kind {
        name: "stretched",
        driver: "pure-activecluster",
        component: "pure_activecluster",
        replication: "<in> sync",
        targets: &[("sync", "type = \"sync\"\nuniform = true")],
    },
    Kind {
        name: "three",
        driver: "pure-trisync",
        component: "pure_trisync",
        replication: "<in> trisync",
        targets: &[
            ("sync", "type = \"sync\"\nuniform = true"),
            ("async", "type = \"async\""),
        ],
    },
];

/// Seconds between recovery points.
const INTERVAL: u64 = 4;

/// The arrays of one backend, in a program of their own.
#[derive(Debug)]
pub struct Arrays {
    /// Of which kind.
    pub kind: Kind,
    /// Names; the first is the primary, and called as the backend is.
    pub names: Vec<String>,
    /// Hands on them.
    pub control: SimControl,
    told: Value,
    child: Child,
}

impl Arrays {
    async fn start(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        let others = (2..).take(kind.targets.len());
        let names: Vec<String> = std::iter::once(kind.name.to_owned())
            .chain(others.map(|n| format!("{}-{n}", kind.name)))
            .collect();
        let certificates = folder.join(format!("{}-certificates", kind.name));
        let mut command = Command::new(guests::flasharray_sim()?);
        command.args(["--arrays", &names.join(",")]);
        for (n, name) in names.iter().enumerate().skip(1) {
            for from in names.iter().take(n) {
                let how = kind.targets.get(n - 1).map_or("async", |(how, _)| how);
                command.args(["--connect", &format!("{from}:{name}:{how}")]);
            }
        }
        let log = std::fs::File::create(folder.join(format!("{}.log", kind.name)))?;
        let mut child = command
            .args(["--resync-ms", "500", "--log-requests"])
            .arg("--cert-dir")
            .arg(certificates)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start flasharray-sim")?;
        let out = child.stdout.take().context("no output")?;
        let line = BufReader::new(out).lines().next_line().await?;
        let told: Value = serde_json::from_str(&line.context("the simulator says nothing")?)?;
        Ok(Self {
            kind,
            names,
            control: SimControl::new(text(&told, "/control")),
            told,
            child,
        })
    }

    fn toml(&self, folder: &Path) -> anyhow::Result<String> {
        let driver = guests::guest(self.kind.component)?;
        let primary = self.names.first().context("no array")?;
        let of = |name: &str, field: &str| {
            text(&self.told, &format!("/arrays/{name}/{field}")).to_owned()
        };
        let own = folder.join(format!("{}.wasm", self.kind.driver));
        std::fs::copy(driver, &own)?;
        let mut lines = format!(
            "\n[driver.{driver}]\npath = \"{path}\"\n\n[[backend]]\nvolume_backend_name = \"{name}\"\ndriver = \"{driver}\"\n\
            san_ip = \"{address}\"\npure_api_token = \"{token}\"\nca_file = \"{ca}\"\npure_replica_interval_default = {INTERVAL}\n",
            driver = self.kind.driver,
            path = own.display(),
            name = self.kind.name,
            address = of(primary, "address"),
            token = of(primary, "api_token"),
            ca = text(&self.told, "/ca"),
        );
        for (name, (_, device)) in self.names.iter().skip(1).zip(self.kind.targets) {
            lines += &format!(
                "\n[[backend.replication_device]]\nbackend_id = \"{name}\"\nsan_ip = \"{address}\"\n{device}\napi_token = \"{token}\"\nca_file = \"{ca}\"\n",
                address = of(name, "address"),
                token = of(name, "api_token"),
                ca = text(&self.told, "/ca"),
            );
        }
        Ok(lines)
    }

    /// Lets the program stand still, or go on.
    pub fn stand_still(&self, still: bool) {
        signal(self.child.id(), stop_or_go(still));
    }
}

fn stop_or_go(still: bool) -> Signal {
    if still { Signal::STOP } else { Signal::CONT }
}

fn signal(pid: Option<u32>, signal: Signal) {
    // A process that has ended meanwhile needs no signal.
    if let Some(pid) = pid_of(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn pid_of(pid: Option<u32>) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid?).ok()?)
}

/// Everything that runs.
#[derive(Debug)]
pub struct Place {
    /// Arrays, in the order of [`KINDS`].
    pub arrays: Vec<Arrays>,
    /// The disk under the database.
    pub disk: Disk,
    /// The configuration file, which one operator changes at a time.
    pub config: Mutex<PathBuf>,
    /// Where the host listens.
    pub url: String,
    address: std::net::SocketAddr,
    path: PathBuf,
    host: Mutex<Option<Host>>,
    folder: TempDir,
}

impl Place {
    /// Starts everything and waits until the host is ready.
    ///
    /// # Errors
    /// Something is not built or does not start.
    pub async fn open() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("springform-chaos-")
            .tempdir()?;
        let address = free_address()?;
        let disk = Disk::open(folder.path())?;
        let mut toml = format!(
            "[service]\nlisten = \"{address}\"\nallow_inline_secrets = true\nobserve_seconds = 2\ndatabase = \"{}\"\nshutdown_grace_seconds = 5\n",
            disk.folder().join("springform.db").display(),
        );
        let mut arrays = Vec::new();
        for kind in KINDS {
            let started = Arrays::start(kind, folder.path()).await?;
            toml += &started.toml(folder.path())?;
            arrays.push(started);
        }
        let path = folder.path().join("springform.toml");
        std::fs::write(&path, toml)?;
        let place = Self {
            arrays,
            disk,
            config: Mutex::new(path.clone()),
            url: format!("http://{address}"),
            address,
            path,
            host: Mutex::new(None),
            folder,
        };
        place.start_host().await?;
        Ok(place)
    }

    /// Starts the host unless it runs.
    ///
    /// # Errors
    /// It ends, or does not get ready.
    pub async fn start_host(&self) -> anyhow::Result<()> {
        let mut host = self.host.lock().await;
        if host.is_none() {
            *host = Some(Host::start(&self.path, self.address).await?);
        }
        Ok(())
    }

    /// Kills the host as `kill -9` does.
    pub async fn kill_host(&self) {
        if let Some(host) = self.host.lock().await.take() {
            // It may have ended by itself; it is gone either way.
            let _ = host.kill().await;
        }
    }

    /// Asks the host to stop; whether it ended with status 0.
    ///
    /// # Errors
    /// It does not stop.
    pub async fn stop_host(&self) -> anyhow::Result<bool> {
        match self.host.lock().await.take() {
            Some(host) => host.stop().await,
            None => Ok(true),
        }
    }

    /// The host's process id.
    pub async fn host_pid(&self) -> Option<u32> {
        self.host.lock().await.as_ref().and_then(Host::pid)
    }

    /// Lets the host stand still, or go on.
    pub async fn host_stands_still(&self, still: bool) {
        signal(self.host_pid().await, stop_or_go(still));
    }

    /// Limits what the host may open or write from now on; `None` takes the limit away.
    pub async fn limit(&self, what: Resource, to: Option<u64>) {
        if let Some(pid) = pid_of(self.host_pid().await) {
            let maximum = prlimit(
                Some(pid),
                what,
                Rlimit {
                    current: to,
                    maximum: None,
                },
            );
            if maximum.is_err() {
                // Without the right to raise the hard limit it stays as it is.
                let kept = rustix::process::getrlimit(what).maximum;
                let current = to.or(kept);
                let _ = prlimit(
                    Some(pid),
                    what,
                    Rlimit {
                        current,
                        maximum: kept,
                    },
                );
            }
        }
    }

    /// Adds a line to a file that is kept with the logs.
    pub fn note(&self, file: &str, line: &str) {
        let path = self.folder.path().join(file);
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        // Notes help to understand a violation; without them it is one all the same.
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }

    /// The end of the host's log.
    pub async fn log(&self) -> String {
        let host = self.host.lock().await;
        host.as_ref().map(Host::log).unwrap_or_default()
    }

    /// Ends everything; the folder is kept if asked for, and its path given back.
    pub async fn close(mut self, keep: bool) -> Option<PathBuf> {
        self.kill_host().await;
        for arrays in &mut self.arrays {
            arrays.stand_still(false);
            let _ = arrays.child.kill().await;
        }
        if keep {
            self.disk.keep(self.folder.path());
            return Some(self.folder.keep());
        }
        None
    }
}
