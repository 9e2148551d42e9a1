//! Backends of a `cinder.conf`, and the file of a host with the same ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use springform_model::contract::{Description, OptionSchema};

use super::conf::{Conf, DEFAULT, is_true};
use super::report::Report;

/// Drivers of Cinder whose arrays are taken over here, with the protocol that they mean.
const DRIVERS: &[(&str, &str)] = &[
    ("cinder.volume.drivers.pure.PureISCSIDriver", "iscsi"),
    ("cinder.volume.drivers.pure.PureFCDriver", "fc"),
    ("cinder.volume.drivers.pure.PureNVMEDriver", "nvme"),
];

/// Options of a backend that mean nothing here because what they switch is always so, or is the host's.
const MEANINGLESS: &[&str] = &[
    "volume_driver",
    "volume_backend_name",
    "backend_host",
    "backend_availability_zone",
    "replication_device",
    "san_ip",
    "driver_ssl_cert_verify",
    "driver_ssl_cert_path",
    "pure_trisync_enabled",
    "driver_data_namespace",
    "suppress_requests_ssl_warnings",
];

/// One backend of Cinder.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Section; the second half of `host@backend`.
    pub name: String,
    /// `host@backend`.
    pub host: String,
    /// Name of the primary array.
    pub primary: String,
    /// Names of the arrays it replicates to.
    pub replicas: Vec<String>,
    /// Under which word Cinder keeps what its machines log in with.
    pub machines: String,
    /// Pod of volumes that are replicated synchronously.
    pub pod: String,
    /// The driver here: `pure-async`.
    pub driver: &'static str,
    /// `[[backend]]` and what belongs to it, but for options of the driver.
    head: String,
    devices: Vec<(String, Vec<(String, String)>)>,
    options: Vec<(String, String)>,
    /// Files of secrets: name and content.
    secrets: Vec<(String, String)>,
}

/// A host that serves what a `cinder.conf` says.
#[derive(Debug)]
pub struct Plan {
    /// Its backends.
    pub backends: Vec<Backend>,
    host: String,
    zone: String,
    default_type: Option<String>,
    no_snapshot_gb_quota: bool,
}

/// Reads the backends that are enabled; with `only`, those.
pub fn read(conf: &Conf, only: &[String], report: &mut Report) -> Plan {
    let host = conf
        .get(DEFAULT, "host")
        .map_or_else(own_name, str::to_owned);
    let zone = conf
        .get(DEFAULT, "storage_availability_zone")
        .unwrap_or("nova");
    let enabled = conf.get(DEFAULT, "enabled_backends").unwrap_or_default();
    let enabled: Vec<&str> = enabled
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    for name in only.iter().filter(|name| !enabled.contains(&name.as_str())) {
        report.refuse("--backend names no section of enabled_backends", name);
    }
    let wanted = |name: &&&str| only.is_empty() || only.iter().any(|one| one == **name);
    let backends: Vec<Backend> = enabled
        .iter()
        .filter(wanted)
        .filter_map(|name| backend(conf, name, &host, report))
        .collect();
    if backends.is_empty() && !report.is_refused() {
        report.refuse("cinder.conf enables no backend that can be taken over", "");
    }
    for (key, _) in conf.section(DEFAULT) {
        if !matches!(
            key.as_str(),
            "host"
                | "storage_availability_zone"
                | "default_volume_type"
                | "no_snapshot_gb_quota"
                | "enabled_backends"
        ) {
            report.leave("options of [DEFAULT] without a counterpart here", key);
        }
    }
    let used = |name: &str| name == DEFAULT || backends.iter().any(|b| b.name == name);
    for name in conf.names().filter(|name| !used(name)) {
        report.leave("sections without a counterpart here", format!("[{name}]"));
    }
    Plan {
        backends,
        host,
        zone: zone.to_owned(),
        default_type: conf.get(DEFAULT, "default_volume_type").map(str::to_owned),
        no_snapshot_gb_quota: conf
            .get(DEFAULT, "no_snapshot_gb_quota")
            .is_some_and(is_true),
    }
}

/// The machine's name, which Cinder takes where nobody says another one.
fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn backend(conf: &Conf, name: &str, host: &str, report: &mut Report) -> Option<Backend> {
    let get = |key: &str| conf.get(name, key);
    let class = get("volume_driver").unwrap_or_default();
    let Some((_, protocol)) = DRIVERS.iter().find(|(known, _)| *known == class) else {
        report.refuse(
            "there is no driver here for this one of Cinder; leave its backend out by naming the others with --backend",
            format!("[{name}] volume_driver = {class}"),
        );
        return None;
    };
    if get("volume_backend_name").is_some_and(|known| known != name) {
        report.refuse(
            "the section and its volume_backend_name have to be the same: it is the second half of host@backend, and what types \
             name; rename one of them in Cinder first (cinder-manage volume update_host renames the hosts of volumes)",
            format!("[{name}] volume_backend_name = {}", get("volume_backend_name").unwrap_or_default()),
        );
    }
    let own_host = get("backend_host").unwrap_or(host);
    let mut head = String::new();
    let _ = writeln!(head, "[[backend]]\nvolume_backend_name = {}", toml(name));
    if own_host != host {
        let _ = writeln!(head, "backend_host = {}", toml(own_host));
    }
    if let Some(zone) = get("backend_availability_zone") {
        let _ = writeln!(head, "backend_availability_zone = {}", toml(zone));
    }
    match get("san_ip") {
        Some(address) => {
            let _ = writeln!(head, "san_ip = {}", toml(address));
        }
        None => report.refuse("a backend has no san_ip", format!("[{name}]")),
    }
    trust(
        &mut head,
        get("driver_ssl_cert_verify"),
        get("driver_ssl_cert_path"),
        &format!("[{name}]"),
        report,
    );
    if *protocol != "iscsi" && get("pure_storage_protocol").is_none() {
        let _ = writeln!(head, "pure_storage_protocol = {}", toml(protocol));
    }
    let mut secrets = Vec::new();
    let (mut devices, mut replicas, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for text in conf.all(name, "replication_device") {
        let keys: Vec<(&str, &str)> = text
            .split(',')
            .filter_map(|pair| pair.trim().split_once(':'))
            .collect();
        let of = |key: &str| keys.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        let id = of("backend_id").unwrap_or_default();
        kinds.push(of("type").unwrap_or("async"));
        replicas.push(id.to_owned());
        let mut device = "[[backend.replication_device]]\n".to_owned();
        let mut options = Vec::new();
        for (key, value) in &keys {
            match *key {
                "api_token" => {
                    let file = format!("{name}.{id}.token");
                    let _ = writeln!(
                        device,
                        "api_token_file = {}",
                        toml(&format!("secrets/{file}"))
                    );
                    secrets.push((file, (*value).to_owned()));
                }
                "ssl_cert_verify" | "ssl_cert_path" => {}
                "backend_id" | "san_ip" | "type" => {
                    let _ = writeln!(device, "{key} = {}", toml(value));
                }
                _ => options.push(((*key).to_owned(), (*value).to_owned())),
            }
        }
        trust(
            &mut device,
            of("ssl_cert_verify"),
            of("ssl_cert_path"),
            &format!("[{name}] replication_device {id}"),
            report,
        );
        devices.push((device, options));
    }
    if let Some(token) = get("pure_api_token") {
        let file = format!("{name}.token");
        let _ = writeln!(
            head,
            "pure_api_token_file = {}",
            toml(&format!("secrets/{file}"))
        );
        secrets.push((file, token.to_owned()));
    }
    let driver = match (get("pure_trisync_enabled").is_some_and(is_true), &kinds) {
        (true, _) => "pure-trisync",
        (false, kinds) if kinds.contains(&"sync") => "pure-activecluster",
        _ => "pure-async",
    };
    let _ = writeln!(head, "driver = {}", toml(driver));
    let options = conf.section(name).iter();
    let options = options
        .filter(|(key, _)| !MEANINGLESS.contains(&key.as_str()) && key != "pure_api_token")
        .cloned()
        .collect();
    Some(Backend {
        name: name.to_owned(),
        host: format!("{own_host}@{name}"),
        primary: name.to_owned(),
        replicas,
        machines: get("driver_data_namespace").unwrap_or(name).to_owned(),
        pod: get("pure_replication_pod_name")
            .unwrap_or("cinder-pod")
            .to_owned(),
        driver,
        head,
        devices,
        options,
        secrets,
    })
}

fn trust(
    text: &mut String,
    verify: Option<&str>,
    path: Option<&str>,
    which: &str,
    report: &mut Report,
) {
    if let Some(path) = path {
        let _ = writeln!(text, "ca_file = {}", toml(path));
    } else if !verify.is_some_and(is_true) {
        report.leave(
            "Cinder did not check the certificate; here it is always checked: the system's authorities have to know it, or name it \
             with ca_file or fingerprint",
            which,
        );
    }
}

impl Plan {
    /// The file. Options that the driver does not know stay in it as comments, and are reported.
    pub fn toml(
        &self,
        drivers: &Path,
        described: &BTreeMap<&'static str, Description>,
        report: &mut Report,
    ) -> String {
        let mut text = "# Made by `springform import cinder`.\n\n[service]\n".to_owned();
        let _ = writeln!(text, "host = {}", toml(&self.host));
        let _ = writeln!(text, "availability_zone = {}", toml(&self.zone));
        if let Some(kind) = &self.default_type {
            let _ = writeln!(text, "default_volume_type = {}", toml(kind));
        }
        if self.no_snapshot_gb_quota {
            text.push_str("no_snapshot_gb_quota = true\n");
        }
        let mut known: Vec<&str> = self.backends.iter().map(|b| b.driver).collect();
        known.sort_unstable();
        known.dedup();
        for driver in known {
            let path = component(drivers, driver);
            let _ = writeln!(
                text,
                "\n[driver.{driver}]\npath = {}",
                toml(&path.display().to_string())
            );
        }
        for backend in &self.backends {
            let driver = described.get(backend.driver);
            let _ = write!(text, "\n{}", backend.head);
            let name = format!("[{}]", backend.name);
            let known = driver.map(|driver| driver.options.as_slice());
            options(&mut text, &name, &backend.options, known, report);
            for (device, more) in &backend.devices {
                let _ = write!(text, "\n{device}");
                let known = driver.map(|driver| driver.target_options.as_slice());
                options(&mut text, &name, more, known, report);
            }
        }
        text
    }

    /// The same file with its secrets in it, to be used and never written.
    pub fn with_secrets(&self, text: &str) -> String {
        let inline = "[service]\nallow_inline_secrets = true\n";
        let mut text = text.replacen("[service]\n", inline, 1);
        for (name, content) in self.secrets() {
            let file = format!("_file = {}", toml(&format!("secrets/{name}")));
            text = text.replace(&file, &format!(" = {}", toml(content)));
        }
        text
    }

    /// Files of secrets, below `secrets` beside the configuration.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let secrets = self.backends.iter().flat_map(|backend| &backend.secrets);
        secrets.map(|(name, content)| (name.as_str(), content.as_str()))
    }
}

/// Options of a driver. Those that it does not know become comments; one that is not there to be asked knows all.
fn options(
    text: &mut String,
    whose: &str,
    options: &[(String, String)],
    known: Option<&[OptionSchema]>,
    report: &mut Report,
) {
    for (key, value) in options {
        if known.is_none_or(|known| known.iter().any(|option| option.name == *key)) {
            let _ = writeln!(text, "{key} = {}", scalar(value));
        } else {
            report.leave(
                "options that the driver does not know; they stay in the file as comments",
                format!("{whose} {key}"),
            );
            let _ = writeln!(text, "# {key} is not known here");
        }
    }
}

/// The file of a driver's component.
#[must_use]
pub fn component(drivers: &Path, driver: &str) -> PathBuf {
    drivers.join(format!("{}.wasm", driver.replace('-', "_")))
}

/// A text of TOML.
fn toml(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A value as its driver wants it: a number or a truth value without quotes.
fn scalar(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => "true".to_owned(),
        "false" | "no" | "off" => "false".to_owned(),
        other if other.parse::<i64>().is_ok() => other.to_owned(),
        _ => toml(text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
