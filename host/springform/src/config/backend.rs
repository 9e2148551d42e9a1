//! `[[backend]]` and `[[backend.replication_device]]`: which arrays, how they are reached, and the driver's options as
//! they stand in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use springform_model::contract::ReplicationKind;

use super::driver::DriverConfig;
use super::problem::suggestion;
use super::secret::{self, Secret};
use super::section::{Item, Node, Section};
use super::service::ServiceConfig;

/// One backend.
#[derive(Debug, Clone)]
pub struct BackendConfig {
    /// `volume_backend_name`; also the name of its primary target.
    pub name: String,
    /// Line in the file.
    pub line: usize,
    /// Name of its driver.
    pub driver: String,
    /// `host@backend` as Cinder shows it.
    pub host: String,
    /// Availability zone.
    pub availability_zone: String,
    /// How well the operator speaks of it, 0 to 100, for the scheduler's weigher of this name.
    pub goodness: u8,
    /// Whether Cinder's failback may overwrite what only the primary has since it was left behind.
    pub failback_discards_old_primary: bool,
    /// Whether secrets may stand in the file.
    pub allow_inline_secrets: bool,
    /// The array it is served by first.
    pub primary: TargetConfig,
    /// The arrays it replicates to, in the order of the file, which is the order in which a driver prefers them.
    pub replicas: Vec<TargetConfig>,
    /// What the driver has to make sense of.
    pub options: Vec<RawOption>,
}

/// One array.
#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// Name, unique in the backend.
    pub name: String,
    /// Line in the file.
    pub line: usize,
    /// `san_ip`: host, or host and port.
    pub address: String,
    /// What replicates to it; none for the primary.
    pub kind: Option<ReplicationKind>,
    /// How its certificate is checked.
    pub trust: Trust,
    /// What the driver has to make sense of; empty for the primary, whose options are the backend's.
    pub options: Vec<RawOption>,
}

/// How an array's certificate is checked. There is no "not at all".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Signed by an authority which this machine trusts.
    System,
    /// Signed by an authority in this file.
    CaFile(PathBuf),
    /// Has this SHA-256 fingerprint, 64 lower-case hexadecimal digits.
    Fingerprint(String),
}

/// A key the host does not know itself.
#[derive(Debug, Clone)]
pub struct RawOption {
    /// Key.
    pub key: String,
    /// Value as text; a list joined by commas. Secret where it came from a variable or a file.
    pub value: RawValue,
    /// Line in the file.
    pub line: usize,
}

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValue {
    /// As written.
    Plain(String),
    /// Read from where `<key>_env` or `<key>_file` points; the suffix is no longer part of the key.
    Secret(Secret),
}

/// Reads every `[[backend]]`.
pub(super) fn read_all(
    root: &mut Section<'_>,
    folder: &Path,
    service: &ServiceConfig,
    drivers: &BTreeMap<String, DriverConfig>,
) -> Vec<BackendConfig> {
    let mut names = BTreeSet::new();
    let mut backends = Vec::new();
    for (line, items) in root.tables("backend", "[[backend]]") {
        let named = match items.get("volume_backend_name").map(|item| &item.node) {
            Some(Node::Text(name)) => format!("[[backend]] \"{name}\""),
            _ => "[[backend]]".to_owned(),
        };
        let section = Section::new(named, line, items, root.problems());
        let Some(backend) = read(section, folder, service, drivers) else {
            continue;
        };
        if !names.insert(backend.name.clone()) {
            root.problems().report(
                line,
                format!("[[backend]] \"{}\" stands twice in the file; each backend needs a name of its own", backend.name),
            );
        }
        backends.push(backend);
    }
    backends
}

fn read(
    mut section: Section<'_>,
    folder: &Path,
    service: &ServiceConfig,
    drivers: &BTreeMap<String, DriverConfig>,
) -> Option<BackendConfig> {
    let name = section.required("volume_backend_name");
    let driver = section.required("driver");
    if let Some(driver) = driver
        .as_deref()
        .filter(|driver| !drivers.contains_key(*driver))
    {
        let hint = suggestion(driver, drivers.keys().map(String::as_str));
        section.report(
            section.line,
            format!(
                "has `driver = \"{driver}\"`, and there is no [driver.{driver}] in the file{hint}"
            ),
        );
    }
    let address = section.required("san_ip");
    let primary = section.text("primary_id").or_else(|| name.clone());
    if primary.as_deref() == Some("default") {
        section.report(
            section.line,
            "has `primary_id = \"default\"`, which is the word for failing back",
        );
    }
    let host = section
        .text("backend_host")
        .unwrap_or_else(|| service.host.clone());
    let availability_zone = section
        .text("backend_availability_zone")
        .unwrap_or_else(|| service.availability_zone.clone());
    let goodness = section.number("goodness", 0..=100).unwrap_or(0);
    let failback_discards_old_primary = section
        .boolean("failback_discards_old_primary")
        .unwrap_or(false);
    let trust = read_trust(
        &mut section,
        folder,
        "driver_ssl_cert_path",
        "driver_ssl_cert_verify",
    );
    let replicas = read_replicas(&mut section, folder, primary.as_deref());
    let line = section.line;
    let options = read_options(section, folder);
    let name = name?;
    Some(BackendConfig {
        host: format!("{host}@{name}"),
        line,
        driver: driver?,
        availability_zone,
        goodness: u8::try_from(goodness).unwrap_or(100),
        failback_discards_old_primary,
        allow_inline_secrets: service.allow_inline_secrets,
        primary: TargetConfig {
            name: primary?,
            line,
            address: address?,
            kind: None,
            trust,
            options: Vec::new(),
        },
        name,
        replicas,
        options,
    })
}

fn read_replicas(
    section: &mut Section<'_>,
    folder: &Path,
    primary: Option<&str>,
) -> Vec<TargetConfig> {
    let mut names: BTreeSet<String> = primary.iter().map(|name| (*name).to_owned()).collect();
    let mut replicas = Vec::new();
    for (line, items) in section.tables("replication_device", "[[backend.replication_device]]") {
        let name = format!("{} [[backend.replication_device]]", section.name);
        let mut device = Section::new(name, line, items, section.problems());
        let id = device.required("backend_id");
        let address = device.required("san_ip");
        let kind = device
            .choice("type", &[("async", false), ("sync", true)])
            .unwrap_or(false);
        let trust = read_trust(&mut device, folder, "ssl_cert_path", "ssl_cert_verify");
        if id.as_deref() == Some("default") {
            device.report(
                line,
                "has `backend_id = \"default\"`, which is the word for failing back",
            );
        } else if let Some(id) = id.as_ref().filter(|id| !names.insert((*id).clone())) {
            device.report(
                line,
                format!(
                    "has `backend_id = \"{id}\"`, which another array of this backend has already"
                ),
            );
        }
        let options = read_options(device, folder);
        let (Some(name), Some(address)) = (id, address) else {
            continue;
        };
        let kind = if kind {
            ReplicationKind::Sync
        } else {
            ReplicationKind::Async
        };
        replicas.push(TargetConfig {
            name,
            line,
            address,
            kind: Some(kind),
            trust,
            options,
        });
    }
    replicas
}

fn read_trust(
    section: &mut Section<'_>,
    folder: &Path,
    path_key: &'static str,
    verify_key: &'static str,
) -> Trust {
    let ca_file = section.text("ca_file").or_else(|| section.text(path_key));
    section.known(path_key);
    let fingerprint = section.text_at("fingerprint");
    if section.boolean(verify_key) == Some(false) {
        section.report(
            section.line,
            format!(
                "has `{verify_key} = false`; certificates are always checked here: name the array's authority with \
                 `ca_file`, or pin its certificate with `fingerprint`"
            ),
        );
    }
    match (ca_file, fingerprint) {
        (Some(_), Some((_, line))) => {
            section.report(
                line,
                "has both `ca_file` and `fingerprint`; one of them decides whom to trust",
            );
            Trust::System
        }
        (Some(path), None) => Trust::CaFile(folder.join(path)),
        (None, Some((text, line))) => read_fingerprint(section, &text, line),
        (None, None) => Trust::System,
    }
}

fn read_fingerprint(section: &Section<'_>, text: &str, line: usize) -> Trust {
    let digits: String = text
        .to_lowercase()
        .trim_start_matches("sha256:")
        .chars()
        .filter(|c| *c != ':')
        .collect();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        section.report(
            line,
            "has a `fingerprint` which is not a SHA-256 in hexadecimal; \
             `openssl x509 -in cert.pem -noout -fingerprint -sha256` prints it",
        );
    }
    Trust::Fingerprint(digits)
}

/// Keys of Cinder's configuration that mean something else here, with what to do instead.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "volume_driver",
        "name the driver with `driver`, and its component in [driver.<name>]",
    ),
    ("san_login", "the array is addressed with an API token"),
    ("san_password", "the array is addressed with an API token"),
    (
        "suppress_requests_ssl_warnings",
        "certificates are always checked here; delete the line",
    ),
];

fn read_options(section: Section<'_>, folder: &Path) -> Vec<RawOption> {
    let problems = section.problems();
    let name = section.name.clone();
    let mut options = Vec::new();
    for (key, Item { line, node }) in section.rest() {
        if let Some((_, instead)) = ELSEWHERE.iter().find(|(word, _)| *word == key) {
            problems.report(line, format!("{name} has Cinder's key `{key}`; {instead}"));
            continue;
        }
        let Some(text) = as_text(&node) else {
            problems.report(line, format!("{name} has the unknown table `{key}`"));
            continue;
        };
        let read = if let Some(option) = key.strip_suffix("_env") {
            secret::from_env(option, &text)
                .map(|secret| (option.to_owned(), RawValue::Secret(secret)))
        } else if let Some(option) = key.strip_suffix("_file") {
            secret::from_file(option, &folder.join(&text))
                .map(|secret| (option.to_owned(), RawValue::Secret(secret)))
        } else {
            Ok((key, RawValue::Plain(text)))
        };
        match read {
            Ok((key, value)) => options.push(RawOption { key, value, line }),
            Err(sentence) => problems.report(line, format!("{name} {sentence}")),
        }
    }
    options
}

fn as_text(node: &Node) -> Option<String> {
    match node {
        Node::Text(text) | Node::Scalar(text, _) => Some(text.clone()),
        Node::List(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| as_text(&item.node)).collect();
            texts.map(|texts| texts.join(","))
        }
        Node::Table(_) => None,
    }
}
