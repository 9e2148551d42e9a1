//! Secrets that nobody else has ever used, through a whole host at its most talkative: afterwards they are looked for in
//! everything that it wrote, answered, sent and printed, and in its memory once they were exchanged.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use flasharray_sim::SimConfig;
use memchr::memmem;
use reqwest::Method;
use serde_json::{Value, json};
use springform_suite::cinder::{Cinder, id};
use springform_suite::guests;
use springform_suite::host::Host;
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::house::PATIENCE;

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";

/// A secret of its own kind.
fn canary(kind: &str) -> String {
    format!("{kind}-canary-{}", uuid::Uuid::new_v4().simple())
}

/// A site with secrets in files of a folder that is not the host's.
struct Cage {
    site: Site,
    secrets: TempDir,
    /// What must not be found, by what it is.
    known: BTreeMap<String, String>,
    /// Events as they came.
    events: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Cage {
    async fn new() -> Self {
        let arrays = SimConfig::pair(PRIMARY, SECOND).test_clock();
        let mut cage = Self {
            site: Site::with(arrays).unwrap(),
            secrets: tempfile::tempdir().unwrap(),
            known: BTreeMap::new(),
            events: Arc::default(),
        };
        let admin = cage.adds("admin token");
        let tenant = cage.adds("tenant token");
        let service = cage.adds("service token");
        let entry = |token: &str, user: &str, role: &str| {
            format!(
                "[[token]]\ntoken = \"{token}\"\nuser = \"{user}\"\nproject = \"{PROJECT}\"\nroles = [\"{role}\"]\n"
            )
        };
        let tokens = entry(&admin, "ann", "admin")
            + &entry(&tenant, "ten", "member")
            + &entry(&service, "nova", "service");
        cage.secret("tokens.toml", &tokens);
        for array in [PRIMARY, SECOND] {
            let token = cage.adds(&format!("token of {array}"));
            let control = &cage.site.control;
            control.api_token(array, &token, false).await.unwrap();
            cage.secret(array, &token);
        }
        let hook = cage.adds("webhook secret");
        cage.secret("hook", &hook);
        let there = cage.receiver().await;
        let toml = cage.site.toml().unwrap();
        let path = |name: &str| cage.path(name).display().to_string();
        let plain = |array| format!("token = \"{}\"", cage.site.sim.api_token(array));
        let toml = toml
            .replace(
                "[service]\n",
                "[service]\nlog_filter = \"trace\"\nobserve_seconds = 1\n",
            )
            .replace("allow_inline_secrets = true\n", "")
            .replace(
                &plain(PRIMARY),
                &format!("token_file = \"{}\"", path(PRIMARY)),
            )
            .replace(
                &plain(SECOND),
                &format!("token_file = \"{}\"", path(SECOND)),
            )
            .replace("san_ip = ", "use_chap_auth = true\nsan_ip = ")
            .replace(
                "[[backend.replication_device]]\nbackend_id = \"sec2\"\nuse_chap_auth = true\n",
                "[[backend.replication_device]]\nbackend_id = \"sec2\"\n",
            );
        let more = format!(
            "\n[auth]\nmode = \"tokens\"\ntokens_file = \"{}\"\n[[webhook]]\nname = \"ops\"\nurl = \"{there}\"\nsecret_file = \"{}\"\n",
            path("tokens.toml"),
            path("hook")
        );
        std::fs::write(cage.site.config(), toml + &more).unwrap();
        cage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.secrets.path().join(name)
    }

    /// Makes a secret and remembers it.
    fn adds(&mut self, kind: &str) -> String {
        let secret = canary(&kind.replace(' ', "-"));
        self.known.insert(kind.to_owned(), secret.clone());
        secret
    }

    fn secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(self.path(name), text).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path(name), private).unwrap();
    }

    /// Has the arrays' tokens in the configuration itself, as on a test bed.
    fn inlines(&self) {
        let mut toml = std::fs::read_to_string(self.site.config()).unwrap();
        for array in [PRIMARY, SECOND] {
            let there = format!("token_file = \"{}\"", self.path(array).display());
            let token = &self.known[&format!("token of {array}")];
            toml = toml.replace(&there, &format!("token = \"{token}\""));
        }
        let allowed = "[service]\nallow_inline_secrets = true\n";
        std::fs::write(self.site.config(), toml.replacen("[service]\n", allowed, 1)).unwrap();
    }

    /// Somebody who is told of events.
    async fn receiver(&self) -> String {
        let events = self.events.clone();
        let take = async move |headers: HeaderMap, body: Bytes| {
            let mut event = format!("{headers:?}").into_bytes();
            event.extend_from_slice(&body);
            events.lock().unwrap().push(event);
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        there
    }

    fn cloud(&self) -> Cinder {
        self.site.cinder().with_token(&self.known["admin token"])
    }

    /// A command of the operator, with everything it prints.
    async fn runs(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(guests::springform().unwrap())
            .args(arguments)
            .env("SPRINGFORM_URL", format!("http://{}", self.site.address))
            .env("SPRINGFORM_CONFIG", self.site.config())
            .env("SPRINGFORM_TOKEN", &self.known["admin token"])
            .output()
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        [output.stdout, output.stderr].concat()
    }

    /// Remembers the sessions that arrays opened.
    async fn sessions(&mut self) {
        for array in [PRIMARY, SECOND] {
            for token in self.site.control.sessions(array).await.unwrap() {
                let number = self.known.len();
                self.known
                    .insert(format!("session {number} of {array}"), token);
            }
        }
    }

    /// Which secrets are in this, as they are or as base64.
    fn found(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let has = |text: &str| memmem::find(bytes, text.as_bytes()).is_some();
        let found = self.known.iter().filter(|(_, secret)| has(secret));
        found
            .map(|(kind, _)| format!("{kind} in {place}"))
            .collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// A volume that a machine uses, with a credential of its own.
async fn attached(cage: &mut Cage) -> String {
    let cloud = cage.cloud();
    for (field, value) in [("state", "up"), ("replication_status", "enabled")] {
        cloud.service_becomes(SERVICE, field, value).await.unwrap();
    }
    let specs = json!({"replication_enabled": "<is> True", "replication_type": "<in> async"});
    cloud.create_type("replicated", &specs).await.unwrap();
    let volume = cloud
        .create_volume("ledger", 1, "replicated")
        .await
        .unwrap();
    cloud.volume_becomes(&volume, "available").await.unwrap();
    let made = cloud.attach(&volume, "compute1", INITIATOR).await.unwrap();
    let path = format!("/v3/attachments/{}", id(&made, "/id").unwrap());
    let shown = cloud.ask(Method::GET, &path, None).await.unwrap();
    let password = id(&shown, "/attachment/connection_info/auth_password").unwrap();
    assert_eq!(password.len(), 16);
    cage.known.insert("CHAP password".to_owned(), password);
    volume
}

/// Exchanges the token of an array, in the array, in the file that has it and in the host; gives the old one.
async fn rotates(cage: &mut Cage, array: &str) -> String {
    let old = cage.known[&format!("token of {array}")].clone();
    let new = canary("new-token");
    let control = &cage.site.control;
    control.api_token(array, &new, false).await.unwrap();
    let toml = std::fs::read_to_string(cage.site.config()).unwrap();
    match toml.contains(&old) {
        true => std::fs::write(cage.site.config(), toml.replace(&old, &new)).unwrap(),
        false => cage.secret(array, &new),
    }
    let said = cage.runs(&["config", "reload"]).await;
    assert!(
        String::from_utf8_lossy(&said).contains("api_token"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    cage.known.insert(format!("new token of {array}"), new);
    old
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_a_host_writes_answers_sends_or_prints() {
    let mut cage = Cage::new().await;
    let host = cage.site.host().await.unwrap();
    let volume = attached(&mut cage).await;
    cage.sessions().await;
    rotates(&mut cage, PRIMARY).await;
    cage.sessions().await;
    for _ in 0..2 {
        cage.site.control.advance(3700.0).await.unwrap();
    }
    cage.site.control.power(PRIMARY, false).await.unwrap();
    let printed = cage
        .runs(&["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"])
        .await;
    cage.sessions().await;
    let key = cage.site.folder().join("springform-state/sealing.key");
    let key = std::fs::read_to_string(key).unwrap().trim().to_owned();
    cage.known.insert("sealing key".to_owned(), key);
    assert!(cage.known.len() >= 11, "{:?}", cage.known.keys());

    let mut wrong = cage.found("failover", &printed);
    let backup = cage.site.folder().join("backup.db");
    let commands: [&[&str]; 9] = [
        &["status"],
        &["--format", "json", "status", "--backend", PRIMARY],
        &["--format", "json", "status", "--volume", &volume],
        &["--format", "json", "operation", "list"],
        &["--format", "json", "driver", "list"],
        &["--format", "json", "outbox", "list"],
        &["config", "check"],
        &["config", "reload", "--dry-run"],
        &["db", "backup", backup.to_str().unwrap()],
    ];
    for command in commands {
        let printed = cage.runs(command).await;
        wrong.extend(cage.found(&command.join(" "), &printed));
    }
    wrong.extend(answers(&cage).await);
    let until = tokio::time::Instant::now() + PATIENCE;
    while cage.events.lock().unwrap().is_empty() {
        assert!(tokio::time::Instant::now() < until, "no event came");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for event in cage.events.lock().unwrap().iter() {
        wrong.extend(cage.found("an event", event));
    }
    host.kill().await.unwrap();

    let mut looked_at = Vec::new();
    for file in files(cage.site.folder()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&file).unwrap();
        let mut found = cage.found(&name, &bytes);
        // It is where it has to be.
        found.retain(|found| found != "sealing key in sealing.key");
        wrong.extend(found);
        looked_at.push((name, bytes));
    }
    let has = |name: &str, text: &str| {
        let file = looked_at.iter().find(|(known, _)| known == name);
        let (_, bytes) = file.unwrap_or_else(|| panic!("no {name}"));
        memmem::find(bytes, text.as_bytes()).is_some()
    };
    assert!(has("springform.log", "TRACE"), "it said little");
    for name in ["springform.db-wal", "backup.db"] {
        assert!(has(name, &volume), "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Everything that an administrator is told, and what a stranger is.
async fn answers(cage: &Cage) -> Vec<String> {
    let cloud = cage.cloud();
    let mut wrong = Vec::new();
    for path in [
        "/v3/volumes/detail",
        "/v3/attachments/detail?all_tenants=true",
        "/v3/os-services",
        "/v3/messages",
        "/v3/types",
        "/v3/scheduler-stats/get_pools?detail=true",
        "/admin/v1/operations",
        "/admin/v1/backends",
        "/admin/v1/volumes",
        "/admin/v1/drivers",
        "/admin/v1/outbox",
        "/openapi.json",
        "/metrics",
        "/healthz",
        "/readyz",
    ] {
        let (status, answer) = cloud.send(Method::GET, path, None).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {answer}");
        let mut found = cage.found(path, answer.to_string().as_bytes());
        // Whoever may attach is told how: that is what the credential is for.
        found.retain(|found| !(found.starts_with("CHAP") && path.contains("attachments")));
        wrong.extend(found);
    }
    for token in ["admin token", "service token"] {
        let guess = format!("{}x", cage.known[token]);
        let refused = cage.site.cinder().with_token(&guess);
        let (status, answer) = refused.send(Method::GET, "/v3/types", None).await.unwrap();
        assert_eq!(status, 401);
        wrong.extend(cage.found("a refusal", answer.to_string().as_bytes()));
    }
    let nonsense = json!({"volume": {"size": cage.known["tenant token"]}});
    let tenant = cage.site.cinder().with_token(&cage.known["tenant token"]);
    let (status, _): (_, Value) = tenant
        .send(Method::POST, "/v3/volumes", Some(&nonsense))
        .await
        .unwrap();
    assert_eq!(status, 400);
    wrong
}

/// Where a text is in the memory that a process can write to, with what is around it.
fn in_memory(host: &Host, text: &str) -> Vec<String> {
    let pid = host.pid().unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (mut at, to) = (number(from), number(to));
        let mut bytes = vec![0; 1 << 20];
        let mut tail = Vec::new();
        while at < to {
            let wanted = usize::try_from((to - at).min(1 << 20)).unwrap();
            memory.seek(SeekFrom::Start(at)).unwrap();
            // A page of a guard cannot be read.
            if memory.read_exact(&mut bytes[..wanted]).is_err() {
                break;
            }
            let window = [&tail[..], &bytes[..wanted]].concat();
            found.extend(memmem::find_iter(&window, text).map(|place| {
                let around =
                    &window[place.saturating_sub(96)..window.len().min(place + text.len() + 96)];
                format!("{line}: {}", around.escape_ascii())
            }));
            tail = window[window.len().saturating_sub(text.len() - 1)..].to_vec();
            at += wanted as u64;
        }
    }
    found
}

/// Waits until a secret is in the memory of a host no more: a call that began with it may be under way.
async fn leaves_memory(host: &Host, kind: &str, secret: &str) {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = in_memory(host, secret);
        if found.is_empty() {
            return;
        }
        let late = tokio::time::Instant::now() > until;
        assert!(!late, "{kind}: {found:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

/// Exchanges the tokens of both arrays under a host: neither the old ones nor their sessions stay in its memory.
async fn exchanges_all(mut cage: Cage) {
    let host = cage.site.host().await.unwrap();
    attached(&mut cage).await;
    for array in [PRIMARY, SECOND] {
        let sessions = cage.site.control.sessions(array).await.unwrap();
        let there = |session: &String| !in_memory(&host, session).is_empty();
        let it_is = "it is looked for where it would be";
        assert!(sessions.iter().any(there), "{array}: {it_is}");
        let old = rotates(&mut cage, array).await;
        let new = cage.known[&format!("new token of {array}")].clone();
        assert!(!in_memory(&host, &new).is_empty(), "{array}: {it_is}");
        leaves_memory(&host, &format!("token of {array}"), &old).await;
        for session in sessions {
            leaves_memory(&host, &format!("session of {array}"), &session).await;
        }
    }
    host.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_were_exchanged_and_their_sessions_are_not_in_the_memory_of_the_host() {
    exchanges_all(Cage::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_stand_in_the_configuration_itself_do_not_stay_in_the_memory_of_the_host() {
    let cage = Cage::new().await;
    cage.inlines();
    exchanges_all(cage).await;
}
