//! `[service]`, `[auth]` and `[limits]`: the host itself and its API.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::section::Section;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Files of the API's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those of its authorities, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Line of the certificate, for messages.
    pub line: usize,
}

/// Where the key is that secrets in the database are sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealingKeySource {
    /// A file; made where it is not there and nothing is sealed yet.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A credential that systemd hands over, by name.
    Credential(String),
}

/// `[service]`.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// How clients reach it, where that differs from `listen` (behind a proxy).
    pub public_endpoint: Option<String>,
    /// The API's certificate and key; none: it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether a proxy in front speaks TLS with the clients.
    pub behind_tls_proxy: bool,
    /// The database file.
    pub database: PathBuf,
    /// The key of the secrets in the database.
    pub sealing_key: SealingKeySource,
    /// Installed drivers, the compilation cache and its key. Private to the user the host runs as.
    pub state_dir: PathBuf,
    /// First half of Cinder's `host@backend`.
    pub host: String,
    /// Region shown to clients.
    pub region: String,
    /// Availability zone of backends that do not name their own.
    pub availability_zone: String,
    /// Name of the type that a volume gets when its creator names none.
    pub default_volume_type: Option<String>,
    /// Whether the GiB of snapshots are left out of the quota `gigabytes`.
    pub no_snapshot_gb_quota: bool,
    /// How long a stopping host lets calls finish; what is then still open stays in the journal.
    pub shutdown_grace: Duration,
    /// How often replication is observed while all is well.
    pub observe_interval: Duration,
    /// Log format.
    pub log: LogFormat,
    /// Log filter: `info`, `springform_control=debug,info`.
    pub log_filter: String,
    /// Whether secrets may stand in the file.
    pub allow_inline_secrets: bool,
}

impl ServiceConfig {
    pub(super) fn read(mut section: Section<'_>, folder: &Path) -> Self {
        let listen = section.text_at("listen").and_then(|(text, line)| {
            text.parse::<SocketAddr>()
                .map_err(|_| {
                    section.report(
                        line,
                        format!("has `listen = \"{text}\"`; it must be an address and a port: \"127.0.0.1:8776\""),
                    );
                })
                .ok()
        });
        let path = |text: Option<String>, default: &str| {
            folder.join(text.unwrap_or_else(|| default.to_owned()))
        };
        let state_dir = path(section.text("state_dir"), "springform-state");
        let service = Self {
            sealing_key: read_sealing_key(&mut section, folder, &state_dir),
            listen: listen
                .unwrap_or_else(|| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8776)),
            public_endpoint: section.text("public_endpoint"),
            tls: read_tls(&mut section, folder),
            behind_tls_proxy: section.boolean("behind_tls_proxy").unwrap_or(false),
            database: path(section.text("database"), "springform.db"),
            state_dir,
            host: section
                .text("host")
                .unwrap_or_else(|| "springform".to_owned()),
            region: section
                .text("region")
                .unwrap_or_else(|| "RegionOne".to_owned()),
            availability_zone: section
                .text("availability_zone")
                .unwrap_or_else(|| "nova".to_owned()),
            default_volume_type: section.text("default_volume_type"),
            no_snapshot_gb_quota: section.boolean("no_snapshot_gb_quota").unwrap_or(false),
            shutdown_grace: Duration::from_secs(
                section
                    .number("shutdown_grace_seconds", 0..=3600)
                    .unwrap_or(30),
            ),
            observe_interval: Duration::from_secs(
                section.number("observe_seconds", 1..=3600).unwrap_or(60),
            ),
            log: section
                .choice(
                    "log",
                    &[("plain", LogFormat::Plain), ("json", LogFormat::Json)],
                )
                .unwrap_or(LogFormat::Plain),
            log_filter: section
                .text("log_filter")
                .unwrap_or_else(|| "info".to_owned()),
            allow_inline_secrets: section.boolean("allow_inline_secrets").unwrap_or(false),
        };
        section.finish();
        service
    }
}

/// Where the key is kept if nothing is said: not beside the database, whose copies would have it with them.
const SEALING_KEY: &str = "sealing.key";

fn read_sealing_key(
    section: &mut Section<'_>,
    folder: &Path,
    state_dir: &Path,
) -> SealingKeySource {
    let file = section.text("sealing_key_file");
    let variable = section.text("sealing_key_env");
    let credential = section.text("sealing_key_credential");
    match (file, variable, credential) {
        (None, None, None) => SealingKeySource::File(state_dir.join(SEALING_KEY)),
        (Some(file), None, None) => SealingKeySource::File(folder.join(file)),
        (None, Some(variable), None) => SealingKeySource::Env(variable),
        (None, None, Some(name)) => SealingKeySource::Credential(name),
        _ => {
            section.report(
                section.line,
                "names its sealing key in two ways; keep one of `sealing_key_file`, `sealing_key_env` and `sealing_key_credential`",
            );
            SealingKeySource::File(state_dir.join(SEALING_KEY))
        }
    }
}

fn read_tls(section: &mut Section<'_>, folder: &Path) -> Option<TlsFiles> {
    let certificate = section.text_at("tls_certificate_file");
    let key = section.text_at("tls_key_file");
    match (certificate, key) {
        (Some((certificate, line)), Some((key, _))) => Some(TlsFiles {
            certificate: folder.join(certificate),
            key: folder.join(key),
            line,
        }),
        (None, None) => None,
        (Some((_, line)), None) => {
            section.report(
                line,
                "has `tls_certificate_file` and needs the key `tls_key_file`",
            );
            None
        }
        (None, Some((_, line))) => {
            section.report(
                line,
                "has `tls_key_file` and needs the key `tls_certificate_file`",
            );
            None
        }
    }
}

/// Who may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthMode {
    /// Everybody is admin. Only on a loopback address.
    NoAuth,
    /// Tokens from a file.
    Tokens(PathBuf),
    /// Keystone validates tokens.
    Keystone,
}

/// `[auth]`.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Mode.
    pub mode: AuthMode,
    /// Rules that override the built-in ones.
    pub policy_file: Option<PathBuf>,
    /// Keystone: its URL, `https://keystone:5000/v3`.
    pub keystone_url: Option<String>,
    /// Keystone: the service user with which tokens are validated.
    pub keystone_user: Option<String>,
    /// Keystone: variable that holds the service user's password.
    pub keystone_password_env: Option<String>,
    /// Keystone: file that holds the service user's password.
    pub keystone_password_file: Option<PathBuf>,
    /// Keystone: project of the service user.
    pub keystone_project: String,
    /// Keystone: domain of the service user and its project.
    pub keystone_domain: String,
    /// Keystone: CA file; none: the system's roots.
    pub keystone_ca_file: Option<PathBuf>,
    /// Keystone: how long a validated token is believed.
    pub keystone_cache: Duration,
}

impl AuthConfig {
    pub(super) fn read(mut section: Section<'_>, folder: &Path, service: &ServiceConfig) -> Self {
        let word = section.choice(
            "mode",
            &[
                ("noauth", "noauth"),
                ("tokens", "tokens"),
                ("keystone", "keystone"),
            ],
        );
        let tokens_file = section.text("tokens_file");
        let file = |text: Option<String>| text.map(|text| folder.join(text));
        let auth = Self {
            mode: match (word.unwrap_or("noauth"), tokens_file) {
                ("tokens", Some(path)) => AuthMode::Tokens(folder.join(path)),
                ("tokens", None) => {
                    section.report(
                        section.line,
                        "has `mode = \"tokens\"` and needs the key `tokens_file`",
                    );
                    AuthMode::NoAuth
                }
                ("keystone", _) => AuthMode::Keystone,
                _ => AuthMode::NoAuth,
            },
            policy_file: file(section.text("policy_file")),
            keystone_url: section.text("keystone_url"),
            keystone_user: section.text("keystone_user"),
            keystone_password_env: section.text("keystone_password_env"),
            keystone_password_file: file(section.text("keystone_password_file")),
            keystone_project: section
                .text("keystone_project")
                .unwrap_or_else(|| "service".to_owned()),
            keystone_domain: section
                .text("keystone_domain")
                .unwrap_or_else(|| "Default".to_owned()),
            keystone_ca_file: file(section.text("keystone_ca_file")),
            keystone_cache: Duration::from_secs(
                section
                    .number("keystone_cache_seconds", 0..=3600)
                    .unwrap_or(60),
            ),
        };
        auth.check(&section, word, service);
        section.finish();
        auth
    }

    fn check(&self, section: &Section<'_>, word: Option<&str>, service: &ServiceConfig) {
        if self.mode == AuthMode::Keystone {
            let missing = [
                ("keystone_url", self.keystone_url.is_none()),
                ("keystone_user", self.keystone_user.is_none()),
                (
                    "keystone_password_file",
                    self.keystone_password_env.is_none() && self.keystone_password_file.is_none(),
                ),
            ];
            for (key, _) in missing.iter().filter(|(_, missing)| *missing) {
                section.report(
                    section.line,
                    format!("has `mode = \"keystone\"` and needs the key `{key}`"),
                );
            }
        }
        let open = word.unwrap_or("noauth") == "noauth" && !service.listen.ip().is_loopback();
        if open {
            section.report(
                section.line,
                format!(
                    "lets everybody in as admin (`mode = \"noauth\"`), which is allowed on a loopback address only, \
                     and [service] listens on {}; use `mode = \"tokens\"` or `\"keystone\"`",
                    service.listen
                ),
            );
        }
        let in_clear = service.tls.is_none() && !service.behind_tls_proxy;
        if self.mode != AuthMode::NoAuth && in_clear && !service.listen.ip().is_loopback() {
            section.report(
                section.line,
                format!(
                    "lets clients send their tokens to {} in clear; set `tls_certificate_file` and `tls_key_file` in [service], \
                     or `behind_tls_proxy = true` where a proxy speaks TLS with the clients",
                    service.listen
                ),
            );
        }
    }
}

/// `[limits]`: what the API takes from its clients.
#[derive(Debug, Clone)]
pub struct ApiLimits {
    /// Largest request body, bytes.
    pub body_bytes: u64,
    /// Requests at a time; more are answered 503.
    pub concurrent_requests: u64,
    /// Requests a second of one user in a project, or of one address with `mode = "noauth"`; none: not limited.
    pub requests_per_second: Option<u64>,
    /// Requests such a client may make at once before the rate applies.
    pub burst: u64,
    /// Time a request may take.
    pub request_timeout: Duration,
    /// Time the head of a request may take to arrive, and the TLS handshake.
    pub header_timeout: Duration,
    /// Time the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// Time a client may leave its answer unread.
    pub write_timeout: Duration,
    /// Connections open at a time.
    pub connections: u64,
    /// Of these, connections from one address.
    pub connections_per_address: u64,
}

impl ApiLimits {
    pub(super) fn read(mut section: Section<'_>, service: &ServiceConfig) -> Self {
        let mut seconds =
            |key, default| Duration::from_secs(section.number(key, 1..=3600).unwrap_or(default));
        let request_timeout = seconds("request_timeout_seconds", 60);
        let header_timeout = seconds("header_timeout_seconds", 10);
        let body_timeout = seconds("body_timeout_seconds", 30);
        let write_timeout = seconds("write_timeout_seconds", 30);
        let connections = section.number("connections", 1..=100_000).unwrap_or(4096);
        // Behind a proxy every client has the proxy's address, and one on this machine is a proxy as often as not.
        let one_address = match service.behind_tls_proxy || service.listen.ip().is_loopback() {
            true => connections,
            false => 1024,
        };
        let limits = Self {
            body_bytes: section.number("body_kib", 1..=1 << 20).unwrap_or(112) * 1024,
            concurrent_requests: section
                .number("concurrent_requests", 1..=100_000)
                .unwrap_or(1024),
            requests_per_second: section.number("requests_per_second", 1..=1_000_000),
            burst: section.number("burst", 1..=1_000_000).unwrap_or(200),
            request_timeout,
            header_timeout,
            body_timeout,
            write_timeout,
            connections,
            connections_per_address: section
                .number("connections_per_address", 1..=100_000)
                .unwrap_or(one_address),
        };
        section.finish();
        limits
    }
}
