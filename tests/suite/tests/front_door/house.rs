//! A host without arrays, in a directory of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use springform_suite::guests;
use springform_suite::host::free_address;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

pub const PATIENCE: Duration = Duration::from_secs(120);
pub const TOKEN: &str = "a-token-that-is-long-enough";

pub struct House {
    pub folder: TempDir,
    pub address: SocketAddr,
}

impl House {
    /// With these lines in `[service]` and these sections after it.
    pub fn new(service: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let house = Self {
            folder,
            address: free_address().unwrap(),
        };
        let address = house.address;
        let tokens = format!(
            "[[token]]\ntoken = \"{TOKEN}\"\nuser = \"ann\"\nproject = \"ab\"\nroles = [\"admin\"]\n"
        );
        house.write("tokens.toml", &tokens, 0o600);
        let config = format!("[service]\nlisten = \"{address}\"\n{service}\n{sections}\n");
        house.write("springform.toml", &config, 0o644);
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("springform.toml")
    }

    pub fn write(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.path(name), text).unwrap();
        chmod(&self.path(name), mode);
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `springform serve` behind a shell line that ends with it: `umask 0; exec`.
    pub fn serve(&self, before: &str, stderr: impl Into<Stdio>) -> Child {
        let line = format!("{before} \"$0\" serve --config \"$1\"");
        Command::new("sh")
            .args(["-c", &line])
            .arg(guests::springform().unwrap())
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// A host that is ready; its log is in a file.
    pub async fn runs(&self) -> Child {
        let mut log = std::fs::OpenOptions::new();
        let log = log.append(true).create(true).open(self.path("log"));
        let mut child = self.serve("exec", log.unwrap());
        self.is_ready(&mut child, &reqwest::Client::new(), &self.url())
            .await;
        child
    }

    pub async fn is_ready(&self, child: &mut Child, client: &reqwest::Client, url: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = client.get(format!("{url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = child.try_wait().unwrap();
            let log = || std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(ended.is_none(), "{ended:?}\n{}", log());
            assert!(Instant::now() < deadline, "never ready\n{}", log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What becomes of a host that is not to start.
    pub async fn does_not_start(&self) -> String {
        let child = self.serve("exec", Stdio::piped());
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = ended.expect("it started").unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// A command of this host's operator.
    pub async fn run(&self, arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
        Command::new(guests::springform().unwrap())
            .args(arguments)
            .env("SPRINGFORM_URL", self.url())
            .env("SPRINGFORM_CONFIG", self.config())
            .env("SPRINGFORM_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .await
            .unwrap()
    }
}

pub fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
