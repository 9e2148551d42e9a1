//! The host is started from an older copy of its database: what the arrays know of promotions is believed over the records.
//! With each of the three drivers, over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use springform_suite::cinder::Cinder;
use springform_suite::guests;
use springform_suite::host::Host;
use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site, THIRD};
use tokio::process::Command;
use tokio::time::Instant;

const INITIATOR: &str = "iqn.1993-08.org.debian:01:c0ffee";
const PATIENCE: Duration = Duration::from_secs(120);
const TOKEN: &str = "admin:0123456789abcdef0123456789abcdef";

/// Of which kind the volume is, and where it moves.
#[derive(Clone, Copy)]
struct Kind {
    replication: &'static str,
    to: &'static str,
    site: fn() -> anyhow::Result<Site>,
}

const COPIED: Kind = Kind {
    replication: "async",
    to: SECOND,
    site: watched,
};
const STRETCHED: Kind = Kind {
    replication: "sync",
    to: SECOND,
    site: Site::stretched,
};
const THREE: Kind = Kind {
    replication: "trisync",
    to: SECOND,
    site: Site::three,
};
const BEYOND: Kind = Kind {
    replication: "trisync",
    to: THIRD,
    site: Site::three,
};

fn watched() -> anyhow::Result<Site> {
    use flasharray_sim::SimConfig;
    use springform_suite::site::Shape;
    let shape = Shape {
        service: "observe_seconds = 1",
        ..Shape::COPIED
    };
    Site::shaped(SimConfig::pair(PRIMARY, SECOND).test_clock(), shape)
}

struct Story {
    kind: Kind,
    site: Site,
    cloud: Cinder,
    volume: String,
    clock: tokio::task::JoinHandle<()>,
}

impl Drop for Story {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

impl Story {
    /// A volume that a machine writes to, a copy of it, and a copy of the database.
    async fn begin(kind: Kind) -> (Self, Host) {
        let site = (kind.site)().unwrap();
        let host = site.host().await.unwrap();
        let cloud = site.cinder();
        cloud
            .service_becomes(SERVICE, "replication_status", "enabled")
            .await
            .unwrap();
        let replication = format!("<in> {}", kind.replication);
        let specs = json!({"replication_enabled": "<is> True", "replication_type": replication});
        cloud.create_type("replicated", &specs).await.unwrap();
        let volume = cloud
            .create_volume("ledger", 1, "replicated")
            .await
            .unwrap();
        cloud.volume_becomes(&volume, "available").await.unwrap();
        cloud.attach(&volume, "compute1", INITIATOR).await.unwrap();
        for _ in 0..2 {
            site.control.advance(3700.0).await.unwrap();
        }
        let control = flasharray_sim::SimControl::new(&site.sim.control_url());
        let clock = tokio::spawn(async move {
            loop {
                let _ = control.advance(5.0).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let story = Self {
            kind,
            site,
            cloud,
            volume,
            clock,
        };
        assert_eq!(
            story.write(PRIMARY, b"on the first").await,
            StatusCode::NO_CONTENT
        );
        (story, host)
    }

    fn name(&self, on: &str) -> String {
        let pod = self.kind.replication != "async" && on != THIRD;
        let bare = format!("volume-{}-cinder", self.volume);
        if pod {
            format!("cinder-pod::{bare}")
        } else {
            bare
        }
    }

    async fn write(&self, on: &str, bytes: &[u8]) -> StatusCode {
        let control = &self.site.control;
        let name = self.name(on);
        control.write(on, INITIATOR, &name, 0, bytes).await.unwrap()
    }

    async fn read(&self, on: &str, bytes: usize) -> Vec<u8> {
        let control = &self.site.control;
        let name = self.name(on);
        let read = control.read(on, INITIATOR, &name, 0, bytes).await.unwrap();
        read.unwrap().to_vec()
    }

    fn database(&self) -> PathBuf {
        self.site.folder().join("springform.db")
    }

    /// A command that comes to an end.
    async fn command(&self, arguments: &[&str]) -> Output {
        let ended = Command::new(guests::springform().unwrap())
            .args(["--url", &format!("http://{}", self.site.address)])
            .args(arguments)
            .env("SPRINGFORM_TOKEN", TOKEN)
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(said) => said.unwrap(),
            Err(_) => {
                let log = self.site.config().with_extension("log");
                let log = std::fs::read_to_string(log).unwrap_or_default();
                panic!("{arguments:?} does not end:\n{log}")
            }
        }
    }

    async fn does(&self, arguments: &[&str]) -> String {
        let said = self.command(arguments).await;
        let text = [said.stdout, said.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(said.status.code(), Some(0), "{arguments:?}: {text}");
        text
    }

    /// The same once no other operation holds the volume: the host fences an array that was left behind by itself.
    async fn does_once_free(&self, arguments: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.command(arguments).await;
            let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
            if said.status.success() {
                return text;
            }
            let passes = text.contains("is under way") && Instant::now() < deadline;
            assert!(passes, "{arguments:?}: {text}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn refused(&self, arguments: &[&str]) -> String {
        let said = self.command(arguments).await;
        let text = [said.stdout, said.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert_ne!(said.status.code(), Some(0), "{arguments:?}: {text}");
        text
    }

    /// What the host says of the volume.
    async fn standing(&self) -> Value {
        let text = self
            .does(&["--format", "json", "status", "--volume", &self.volume])
            .await;
        let found: Value = serde_json::from_str(&text).unwrap();
        found
            .get("volumes")
            .map_or_else(|| found.clone(), |all| all[0].clone())
    }

    async fn says(&self, what: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let standing = self.standing().await;
            let concerns = standing["concerns"].to_string();
            if concerns.contains(what) {
                return standing;
            }
            assert!(Instant::now() < deadline, "never {what}: {standing}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The volume moves, the machine writes where it is now, and the host is started with the records from before.
    async fn forgets_the_move(&self, host: Host) -> Host {
        let to = self.kind.to;
        let backup = self.site.folder().join("backup");
        assert!(host.stop().await.unwrap());
        copy_of(&self.database(), &backup);
        let host = self.site.host().await.unwrap();
        self.cloud
            .service_becomes(SERVICE, "state", "up")
            .await
            .unwrap();
        self.does(&[
            "failover",
            "--backend",
            PRIMARY,
            "--to",
            to,
            "--planned",
            "--yes",
        ])
        .await;
        assert_eq!(
            self.write(to, b"on the other").await,
            StatusCode::NO_CONTENT
        );
        assert!(host.stop().await.unwrap());
        copy_of(&backup.join("springform.db"), self.site.folder());
        let host = self.site.host().await.unwrap();
        self.cloud
            .service_becomes(SERVICE, "state", "up")
            .await
            .unwrap();
        host
    }
}

/// The database with what belongs to it.
fn copy_of(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("springform.db{suffix}");
        let source = from.with_file_name(&name);
        let _ = std::fs::remove_file(to.join(&name));
        if source.exists() {
            std::fs::copy(source, to.join(&name)).unwrap();
        }
    }
}

async fn an_older_record_touches_nothing_and_follows_the_arrays_once_told(kind: Kind) {
    let (story, host) = Story::begin(kind).await;
    let host = story.forgets_the_move(host).await;
    let to = kind.to;
    let newer = story.says("does not know").await;
    assert_eq!(
        newer["serving"], PRIMARY,
        "nothing is changed by itself: {newer}"
    );
    // Twice as many looks as it took to fence the array that serves.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            story.write(to, b"on the other").await,
            StatusCode::NO_CONTENT
        );
    }
    let metrics = reqwest::get(format!("{}/metrics", host.url)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("springform_replication_overtaken_volumes{backend=\"pure1\"} 1"),
        "{metrics}"
    );

    // Neither operators nor tenants change what the record is wrong about.
    for verb in [
        vec![
            "failover",
            "--backend",
            PRIMARY,
            "--to",
            to,
            "--unplanned",
            "--yes",
        ],
        vec![
            "reprotect",
            "--backend",
            PRIMARY,
            "--to",
            to,
            "--discard",
            "--yes",
        ],
        vec!["resync", "--backend", PRIMARY, "--to", to],
        vec!["disable", "--volume", &story.volume],
    ] {
        let said = story.refused(&verb).await;
        assert!(said.contains("--adopt"), "{verb:?}: {said}");
    }
    let path = format!("/v3/volumes/{}/action", story.volume);
    let grown = story
        .cloud
        .ask(
            Method::POST,
            &path,
            Some(&json!({"os-extend": {"new_size": 2}})),
        )
        .await;
    let said = format!("{:#}", grown.unwrap_err());
    assert!(said.contains("--adopt"), "{said}");
    assert_eq!(story.read(to, 12).await, b"on the other");

    // Beforehand it is said what would be recorded.
    let told = story
        .does(&["reconcile", "--backend", PRIMARY, "--adopt", "--dry-run"])
        .await;
    assert!(
        told.contains(&format!(
            "would record volume {}: {to} serves it",
            story.volume
        )),
        "{told}"
    );
    assert_eq!(story.standing().await["serving"], PRIMARY);
    let done = story
        .does(&["reconcile", "--backend", PRIMARY, "--adopt", "--yes"])
        .await;
    assert!(
        done.contains(&format!("recorded volume {}: {to} serves it", story.volume)),
        "{done}"
    );
    let adopted = story.standing().await;
    assert_eq!(adopted["serving"], to, "{adopted}");
    assert_eq!(adopted["generation"], 1, "{adopted}");
    let service = story.cloud.service(SERVICE).await.unwrap();
    assert_eq!(service["active_backend_id"], to, "{service}");
    assert_eq!(service["replication_status"], "failed-over", "{service}");
    let volume = story.cloud.volume(&story.volume).await.unwrap();
    assert_eq!(volume["replication_status"], "failed-over", "{volume}");
    assert_eq!(
        story.write(to, b"still served").await,
        StatusCode::NO_CONTENT
    );

    // Nothing is left to adopt, and the backend can be worked with: home again, with all that was written.
    let again = story
        .does_once_free(&["reconcile", "--backend", PRIMARY, "--adopt", "--yes"])
        .await;
    assert!(!again.contains("recorded"), "{again}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = story
            .command(&["failback", "--backend", PRIMARY, "--discard", "--yes"])
            .await;
        if said.status.success() {
            break;
        }
        let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        assert!(Instant::now() < deadline, "{text}\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(story.standing().await["serving"], PRIMARY);
    assert_eq!(story.read(PRIMARY, 12).await, b"still served");
    assert!(host.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_volumes_follow_the_arrays_and_not_an_older_database() {
    an_older_record_touches_nothing_and_follows_the_arrays_once_told(COPIED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stretched_volumes_follow_the_arrays_and_not_an_older_database() {
    an_older_record_touches_nothing_and_follows_the_arrays_once_told(STRETCHED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_of_three_sites_follow_the_arrays_and_not_an_older_database() {
    an_older_record_touches_nothing_and_follows_the_arrays_once_told(THREE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_left_the_pod_follow_the_arrays_and_not_an_older_database() {
    an_older_record_touches_nothing_and_follows_the_arrays_once_told(BEYOND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_not_acted_on_before_it_was_adopted() {
    let (story, host) = Story::begin(COPIED).await;
    let config = story.site.config().display().to_string();
    let backup = story.site.folder().join("backup.db").display().to_string();
    story
        .does(&["db", "backup", &backup, "--config", &config])
        .await;
    assert!(host.stop().await.unwrap());
    story
        .does(&["db", "restore", &backup, "--config", &config])
        .await;
    let host = story.site.host().await.unwrap();
    story
        .cloud
        .service_becomes(SERVICE, "state", "up")
        .await
        .unwrap();
    // The arrays know nothing newer, and still nobody acts on it.
    let path = format!("/v3/volumes/{}/action", story.volume);
    let grow = json!({"os-extend": {"new_size": 2}});
    let said = story.cloud.ask(Method::POST, &path, Some(&grow)).await;
    let said = format!("{:#}", said.unwrap_err());
    assert!(
        said.contains("was restored") && said.contains("--adopt"),
        "{said}"
    );
    for verb in [
        vec!["failover", "--backend", PRIMARY, "--to", SECOND, "--yes"],
        vec!["fence", "--backend", PRIMARY],
        vec!["reconcile", "--backend", PRIMARY],
    ] {
        let said = story.refused(&verb).await;
        assert!(said.contains("--adopt"), "{verb:?}: {said}");
    }
    let status = story.does(&["status", "--backend", PRIMARY]).await;
    assert!(status.contains("database was restored"), "{status}");
    story
        .does(&["reconcile", "--backend", PRIMARY, "--dry-run"])
        .await;
    story
        .does(&["reconcile", "--backend", PRIMARY, "--adopt", "--yes"])
        .await;
    story
        .cloud
        .ask(Method::POST, &path, Some(&grow))
        .await
        .unwrap();
    story
        .cloud
        .volume_becomes(&story.volume, "in-use")
        .await
        .unwrap();
    // Once is enough: the next start goes on.
    assert!(host.stop().await.unwrap());
    let host = story.site.host().await.unwrap();
    story
        .cloud
        .service_becomes(SERVICE, "state", "up")
        .await
        .unwrap();
    let status = story.does(&["status", "--backend", PRIMARY]).await;
    assert!(!status.contains("database was restored"), "{status}");
    assert!(host.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_adopted_while_an_array_is_away() {
    let (story, host) = Story::begin(COPIED).await;
    let host = story.forgets_the_move(host).await;
    story.says("does not know").await;
    story.site.control.power(SECOND, false).await.unwrap();
    let said = story
        .refused(&["reconcile", "--backend", PRIMARY, "--adopt", "--yes"])
        .await;
    assert!(
        said.contains("array sec2") && said.contains("nothing was adopted"),
        "{said}"
    );
    assert_eq!(story.standing().await["serving"], PRIMARY);
    // What was known of the array is known still.
    story.says("does not know").await;
    assert!(host.stop().await.unwrap());
}
