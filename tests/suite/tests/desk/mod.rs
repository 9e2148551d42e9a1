//! An operator's desk: the real host, one replicated volume on simulated arrays, and the command line.
#![allow(dead_code)]

mod busy;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flasharray_sim::{SimConfig, SimControl};
use serde_json::{Value, json};
use springform_suite::cinder::Cinder;
use springform_suite::guests;
use springform_suite::host::Host;
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Shape, Site};
use springform_suite::truth;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::Instant;

pub const PATIENCE: Duration = Duration::from_secs(120);
pub const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
pub const BACKEND: [&str; 2] = ["--backend", PRIMARY];
/// A copy is sent, and the host looks every second.
const WATCHED: Shape = Shape {
    service: "observe_seconds = 1",
    ..Shape::COPIED
};

/// A host with one replicated volume of which a copy has arrived; time passes on its arrays by itself.
pub struct Desk {
    pub site: Site,
    pub cloud: Cinder,
    pub host: Host,
    pub volume: String,
    pub clock: tokio::task::JoinHandle<()>,
    still: Arc<AtomicBool>,
}

pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A command that has not ended.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    err: String,
}

impl Running {
    /// Waits until it tells of something.
    pub async fn says(&mut self, what: &str) {
        let heard = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.err += &line;
                self.err.push('\n');
                if line.contains(what) {
                    return true;
                }
            }
            false
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert!(heard == Ok(true), "never {what}: {}", self.err);
    }

    /// Waits for its end.
    pub async fn ends(mut self) -> Said {
        let ended = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.err += &line;
                self.err.push('\n');
            }
            let mut out = String::new();
            let mut pipe = self.child.stdout.take().unwrap();
            pipe.read_to_string(&mut out).await.unwrap();
            (self.child.wait().await.unwrap().code().unwrap(), out)
        };
        let Ok((code, out)) = tokio::time::timeout(PATIENCE, ended).await else {
            panic!("it never ended: {}", self.err)
        };
        let err = self.err;
        Said { code, out, err }
    }
}

/// `springform db` on the database of a site.
pub async fn database(site: &Site, verb: &str, file: &Path) -> Said {
    let output = Command::new(guests::springform().unwrap())
        .args(["db", verb])
        .arg(file)
        .arg("--config")
        .arg(site.config())
        .output()
        .await
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Desk {
    /// `springform db` on the database of the host.
    pub async fn database(&self, verb: &str, file: &Path) -> Said {
        database(&self.site, verb, file).await
    }

    pub async fn new() -> Self {
        Self::with("").await
    }

    /// With lines added to the backend's section.
    pub async fn with(lines: &str) -> Self {
        Self::on(SimConfig::pair(PRIMARY, SECOND), lines).await
    }

    /// Whose host looks at replication every second.
    pub async fn watching() -> Self {
        let arrays = SimConfig::pair(PRIMARY, SECOND).test_clock();
        Self::at(Site::shaped(arrays, WATCHED).unwrap(), "", "async").await
    }

    /// The same, and a copy is sent every so many seconds. The clock of the arrays is behind and stands still.
    pub async fn copying_every(seconds: u64) -> Self {
        let behind = Duration::from_secs(2 * 3700 + 300);
        let since = std::time::UNIX_EPOCH.elapsed().unwrap() - behind;
        let mut arrays = SimConfig::pair(PRIMARY, SECOND).test_clock();
        arrays.clock_start_ms = Some(u64::try_from(since.as_millis()).unwrap());
        let lines = format!("pure_replica_interval_default = {seconds}");
        let desk = Self::at(Site::shaped(arrays, WATCHED).unwrap(), &lines, "async").await;
        desk.time_stands_still(true);
        desk
    }

    /// Whose database is in this folder.
    pub async fn keeping(database: &Path) -> Self {
        let site = Site::new().unwrap();
        let file = database.join("springform.db");
        let line = format!("[service]\ndatabase = \"{}\"", file.display());
        let text = std::fs::read_to_string(site.config()).unwrap();
        std::fs::write(site.config(), text.replace("[service]", &line)).unwrap();
        Self::at(site, "", "async").await
    }

    /// Whose volume is on both arrays at once.
    pub async fn stretched() -> Self {
        Self::at(Site::stretched().unwrap(), "", "sync").await
    }

    /// In front of these arrays, of which the host is told two.
    pub async fn on(arrays: SimConfig, lines: &str) -> Self {
        Self::at(Site::with(arrays.test_clock()).unwrap(), lines, "async").await
    }

    async fn at(site: Site, lines: &str, kind: &str) -> Self {
        let text = std::fs::read_to_string(site.config()).unwrap();
        let text = text.replace(
            "[[backend.replication_device]]",
            &format!("{lines}\n[[backend.replication_device]]"),
        );
        std::fs::write(site.config(), text).unwrap();
        let host = site.host().await.unwrap();
        let cloud = site.cinder();
        cloud.service_becomes(SERVICE, "state", "up").await.unwrap();
        let status = cloud.service_becomes(SERVICE, "replication_status", "enabled");
        status.await.unwrap();
        let kind = format!("<in> {kind}");
        let specs = json!({"replication_enabled": "<is> True", "replication_type": kind});
        cloud.create_type("replicated", &specs).await.unwrap();
        let volume = cloud
            .create_volume("ledger", 1, "replicated")
            .await
            .unwrap();
        cloud.volume_becomes(&volume, "available").await.unwrap();
        for _ in 0..2 {
            site.control.advance(3700.0).await.unwrap();
        }
        let control = SimControl::new(&site.sim.control_url());
        let still = Arc::new(AtomicBool::new(false));
        let stands = still.clone();
        let clock = tokio::spawn(async move {
            loop {
                // One request that is lost on a busy machine does not end time.
                if !stands.load(Ordering::SeqCst)
                    && let Err(error) = control.advance(5.0).await
                {
                    eprintln!("no time passed on the arrays: {error:#}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self {
            site,
            cloud,
            host,
            volume,
            clock,
            still,
        }
    }

    /// Whether no time passes on the arrays.
    pub fn time_stands_still(&self, still: bool) {
        self.still.store(still, Ordering::SeqCst);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(guests::springform().unwrap());
        command
            .args(["--url", &self.host.url])
            .args(arguments)
            .env("SPRINGFORM_TOKEN", "admin:0123456789abcdef0123456789abcdef")
            // Golden files are as wide as they are.
            .env_remove("COLUMNS");
        command
    }

    /// A command that goes on by itself.
    pub fn starts(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let err = String::new();
        Running { child, lines, err }
    }

    /// A command that succeeds, and for which time goes on only once it told of something.
    pub async fn tells_of(&self, arguments: &[&str], what: &str) -> Said {
        let mut running = self.starts(arguments);
        running.says(what).await;
        self.time_stands_still(false);
        let said = running.ends().await;
        assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
        said
    }

    pub async fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().await.unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A command that succeeds, if not at once then when what the host does by itself is over.
    pub async fn does(&self, arguments: &[&str]) -> Said {
        self.ends_with(&[0], arguments).await
    }

    /// The same with a command that has more than one good end.
    pub async fn ends_with(&self, codes: &[i32], arguments: &[&str]) -> Said {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.run(arguments).await;
            if codes.contains(&said.code) {
                return said;
            }
            let passes = said.err.contains("in the way") || said.err.contains("does not answer");
            assert!(
                passes && Instant::now() < deadline,
                "{arguments:?}: {}\n{}\n{}",
                said.out,
                said.err,
                self.host.log()
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// What a command prints once it says this of something.
    pub async fn says(&self, arguments: &[&str], what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.does(arguments).await.out;
            if said.contains(what) {
                return said;
            }
            assert!(Instant::now() < deadline, "never {what}: {said}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A command that is refused.
    pub async fn refused(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments).await;
        assert_eq!(said.code, 1, "{arguments:?}: {}", said.out);
        said.err
    }

    pub async fn served_by(&self) -> String {
        let plan = ["plan", "reprotect", "--volume", &self.volume];
        let asked = [&["--format", "json"][..], &plan].concat();
        // While an array is dark, nothing can be protected (2): what serves is in the plan all the same.
        let answer = self.ends_with(&[0, 2], &asked).await;
        let plan: Value = serde_json::from_str(&answer.out).unwrap();
        plan["volumes"][0]["source"].as_str().unwrap().to_owned()
    }

    /// A machine is connected to the volume.
    pub async fn attach(&self) {
        let attached = self.cloud.attach(&self.volume, "compute1", INITIATOR);
        attached.await.unwrap();
    }

    fn on_the_array(&self) -> String {
        format!("volume-{}-cinder", self.volume)
    }

    /// Waits until the metrics hold this line.
    pub async fn shows(&self, number: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = reqwest::get(format!("{}/metrics", self.host.url));
            let text = answer.await.unwrap().text().await.unwrap();
            if text.lines().any(|line| line == number) {
                return;
            }
            assert!(Instant::now() < deadline, "no {number} in {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What becomes of a write of the machine on one array.
    pub async fn write(&self, array: &str, bytes: &[u8]) -> bool {
        let name = self.on_the_array();
        let control = &self.site.control;
        let status = control.write(array, INITIATOR, &name, 0, bytes).await;
        status.is_ok_and(|status| status.is_success())
    }

    /// What the machine reads on one array; none where it is not let.
    pub async fn read(&self, array: &str, bytes: usize) -> Option<Vec<u8>> {
        let name = self.on_the_array();
        let control = &self.site.control;
        let read = control.read(array, INITIATOR, &name, 0, bytes).await;
        read.ok()?.ok().map(|bytes| bytes.to_vec())
    }

    /// Lets every write of the host fail from now on, or no longer.
    pub async fn disk_fails(&self, fails: bool) {
        let pid = self.host.pid().unwrap().to_string();
        let limit = if fails {
            "--fsize=1:"
        } else {
            "--fsize=unlimited:"
        };
        let set = Command::new("prlimit")
            .args(["--pid", &pid, limit])
            .status();
        assert!(set.await.unwrap().success());
    }

    /// The first array is dark, and the second serves.
    pub async fn loses_the_first(&self) {
        self.site.control.power(PRIMARY, false).await.unwrap();
        self.does(&["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"])
            .await;
        assert_eq!(self.served_by().await, SECOND);
    }

    /// The host is started again; machines go on meanwhile.
    pub async fn restarts(self) -> Self {
        self.stopped_for(|| Ok(())).await
    }

    /// The host is stopped, something is done to its files, and it is started again.
    pub async fn stopped_for(self, work: impl FnOnce() -> std::io::Result<()>) -> Self {
        assert!(self.host.stop().await.unwrap());
        work().unwrap();
        let host = self.site.host().await.unwrap();
        let up = self.cloud.service_becomes(SERVICE, "state", "up");
        up.await.unwrap();
        Self { host, ..self }
    }

    /// The same, but the host has no time to end.
    pub async fn killed_for(self, work: impl FnOnce() -> std::io::Result<()>) -> Self {
        self.host.kill().await.unwrap();
        work().unwrap();
        let host = self.site.host().await.unwrap();
        let up = self.cloud.service_becomes(SERVICE, "state", "up");
        up.await.unwrap();
        Self { host, ..self }
    }

    /// Changes the configuration file.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.site.config()).unwrap();
        std::fs::write(self.site.config(), change(text)).unwrap();
    }

    /// The file names the second array as the primary, and another one as what it replicates to.
    pub fn names_a_successor(&self, third: &str) {
        let sim = &self.site.sim;
        let address = |array: &str| sim.address(array).to_string();
        self.edit(|text| {
            text.replace(&address(SECOND), "<third>")
                .replace(&address(PRIMARY), &address(SECOND))
                .replace("<third>", &address(third))
                .replace(&sim.api_token(SECOND), "<third>")
                .replace(&sim.api_token(PRIMARY), &sim.api_token(SECOND))
                .replace("<third>", &sim.api_token(third))
                .replace(
                    &format!("backend_id = \"{SECOND}\""),
                    &format!("backend_id = \"{third}\""),
                )
                .replace(
                    "driver = \"pure-async\"\n",
                    &format!("driver = \"pure-async\"\nprimary_id = \"{SECOND}\"\n"),
                )
        });
    }

    /// What the host says is what its arrays hold.
    pub async fn is_true(&self) {
        let wrong = truth::contradictions(&self.cloud, &self.site.control);
        let wrong = wrong.await.unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    pub async fn ends(self) {
        self.clock.abort();
        assert!(self.host.stop().await.unwrap());
    }
}

impl Desk {
    /// Refused for another reason than an array that has not been seen to answer again.
    pub async fn refused_when_it_answers(&self, arguments: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.refused(arguments).await;
            if !text.contains("does not answer") {
                return text;
            }
            assert!(Instant::now() < deadline, "{text}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}
