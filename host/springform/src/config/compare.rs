//! Two readings of the operator's file: what cannot change while the host runs, by name, and what differs in each backend,
//! in words that hold no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Config;
use super::backend::{BackendConfig, RawOption, RawValue, TargetConfig, Trust};
use super::driver::{DriverConfig, LimitsConfig};
use super::nova::NovaConfig;
use super::problem::Problem;
use super::section::{self, Node};
use super::service::{ApiLimits, AuthConfig, ServiceConfig};
use super::webhook::WebhookConfig;

/// What authority files held when they were read; a renewed one has the same name.
pub type Authorities = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Reads the authority files of all arrays.
#[must_use]
pub fn authorities(config: &Config) -> Authorities {
    let arrays = config.backends.iter().flat_map(arrays);
    let files = arrays.filter_map(|array| match &array.trust {
        Trust::CaFile(path) => Some(path.clone()),
        Trust::System | Trust::Fingerprint(_) => None,
    });
    // One that cannot be read is refused where it is used.
    files
        .map(|path| (path.clone(), std::fs::read(path).ok()))
        .collect()
}

fn arrays(backend: &BackendConfig) -> impl Iterator<Item = &TargetConfig> {
    std::iter::once(&backend.primary).chain(&backend.replicas)
}

/// What is otherwise in `wanted` than in `serving` and can only change with a restart.
#[must_use]
pub fn fixed(serving: &Config, wanted: &Config) -> Vec<Problem> {
    let lines = Lines::of(&wanted.path);
    let mut problems = Vec::new();
    let tables = [
        ("service", service(&serving.service, &wanted.service)),
        ("auth", auth(&serving.auth, &wanted.auth)),
        ("nova", nova(serving.nova.as_ref(), wanted.nova.as_ref())),
        (
            "scheduler",
            unequal(&[("weighers", serving.scheduler == wanted.scheduler)]),
        ),
        ("limits", limits(&serving.limits, &wanted.limits)),
        (
            "audit",
            unequal(&[("keep_days", serving.audit == wanted.audit)]),
        ),
    ];
    for (table, keys) in tables {
        for key in keys {
            problems.push(Problem {
                line: lines.key(table, key),
                text: format!(
                    "`{table}.{key}` cannot change while the host runs; restart it for that"
                ),
            });
        }
    }
    for name in webhooks(&serving.webhooks, &wanted.webhooks) {
        problems.push(Problem::general(format!(
            "[[webhook]] \"{name}\" cannot change while the host runs; restart it for that"
        )));
    }
    for backend in &wanted.backends {
        let before = serving.backends.iter().find(|b| b.name == backend.name);
        if before.is_some_and(|before| before.host != backend.host) {
            problems.push(Problem::at(
                backend.line,
                format!(
                    "[[backend]] \"{}\": `backend_host` cannot change while the host runs; restart it for that",
                    backend.name
                ),
            ));
        }
    }
    problems
}

/// The names of those that are not equal.
fn unequal(keys: &[(&'static str, bool)]) -> Vec<&'static str> {
    let unequal = keys.iter().filter(|(_, equal)| !equal);
    unequal.map(|(key, _)| *key).collect()
}

// Taken apart in full, so that nobody adds a key and forgets it here.
fn service(a: &ServiceConfig, b: &ServiceConfig) -> Vec<&'static str> {
    let ServiceConfig {
        listen,
        public_endpoint,
        tls,
        behind_tls_proxy,
        database,
        sealing_key,
        state_dir,
        host,
        region,
        availability_zone,
        default_volume_type,
        no_snapshot_gb_quota,
        shutdown_grace,
        observe_interval,
        log,
        log_filter,
        // It says how the rest of the file is read, and has been obeyed.
        allow_inline_secrets: _,
    } = a;
    unequal(&[
        ("listen", *listen == b.listen),
        ("public_endpoint", *public_endpoint == b.public_endpoint),
        // Other files are another certificate, which the next connection is shown.
        ("tls_certificate_file", tls.is_some() == b.tls.is_some()),
        ("behind_tls_proxy", *behind_tls_proxy == b.behind_tls_proxy),
        ("database", *database == b.database),
        ("sealing_key_file", *sealing_key == b.sealing_key),
        ("state_dir", *state_dir == b.state_dir),
        ("host", *host == b.host),
        ("region", *region == b.region),
        (
            "availability_zone",
            *availability_zone == b.availability_zone,
        ),
        (
            "default_volume_type",
            *default_volume_type == b.default_volume_type,
        ),
        (
            "no_snapshot_gb_quota",
            *no_snapshot_gb_quota == b.no_snapshot_gb_quota,
        ),
        (
            "shutdown_grace_seconds",
            *shutdown_grace == b.shutdown_grace,
        ),
        ("observe_seconds", *observe_interval == b.observe_interval),
        ("log", *log == b.log),
        ("log_filter", *log_filter == b.log_filter),
    ])
}

fn nova(a: Option<&NovaConfig>, b: Option<&NovaConfig>) -> Vec<&'static str> {
    let url = |nova: Option<&NovaConfig>| nova.map(|nova| nova.url.clone());
    let ca_file = |nova: Option<&NovaConfig>| nova.and_then(|nova| nova.ca_file.clone());
    unequal(&[
        ("url", url(a) == url(b)),
        ("ca_file", ca_file(a) == ca_file(b)),
    ])
}

fn auth(a: &AuthConfig, b: &AuthConfig) -> Vec<&'static str> {
    let AuthConfig {
        mode,
        policy_file,
        keystone_url,
        keystone_user,
        keystone_password_env,
        keystone_password_file,
        keystone_project,
        keystone_domain,
        keystone_ca_file,
        keystone_cache,
    } = a;
    unequal(&[
        ("mode", *mode == b.mode),
        ("policy_file", *policy_file == b.policy_file),
        ("keystone_url", *keystone_url == b.keystone_url),
        ("keystone_user", *keystone_user == b.keystone_user),
        (
            "keystone_password_env",
            *keystone_password_env == b.keystone_password_env,
        ),
        (
            "keystone_password_file",
            *keystone_password_file == b.keystone_password_file,
        ),
        ("keystone_project", *keystone_project == b.keystone_project),
        ("keystone_domain", *keystone_domain == b.keystone_domain),
        ("keystone_ca_file", *keystone_ca_file == b.keystone_ca_file),
        (
            "keystone_cache_seconds",
            *keystone_cache == b.keystone_cache,
        ),
    ])
}

fn limits(a: &ApiLimits, b: &ApiLimits) -> Vec<&'static str> {
    let ApiLimits {
        body_bytes,
        concurrent_requests,
        requests_per_second,
        burst,
        request_timeout,
        header_timeout,
        body_timeout,
        write_timeout,
        connections,
        connections_per_address,
    } = a;
    unequal(&[
        ("body_kib", *body_bytes == b.body_bytes),
        (
            "concurrent_requests",
            *concurrent_requests == b.concurrent_requests,
        ),
        (
            "requests_per_second",
            *requests_per_second == b.requests_per_second,
        ),
        ("burst", *burst == b.burst),
        (
            "request_timeout_seconds",
            *request_timeout == b.request_timeout,
        ),
        (
            "header_timeout_seconds",
            *header_timeout == b.header_timeout,
        ),
        ("body_timeout_seconds", *body_timeout == b.body_timeout),
        ("write_timeout_seconds", *write_timeout == b.write_timeout),
        ("connections", *connections == b.connections),
        (
            "connections_per_address",
            *connections_per_address == b.connections_per_address,
        ),
    ])
}

fn webhooks(a: &[WebhookConfig], b: &[WebhookConfig]) -> BTreeSet<String> {
    let missing = |from: &[WebhookConfig], other: &[WebhookConfig]| -> Vec<String> {
        let differs = from.iter().filter(|one| !other.contains(one));
        differs.map(|one| one.name.clone()).collect()
    };
    missing(a, b).into_iter().chain(missing(b, a)).collect()
}

/// Where keys stand in a file.
struct Lines(BTreeMap<String, section::Item>);

impl Lines {
    /// None are known of a file that cannot be read any more.
    fn of(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let items = toml::de::DeTable::parse(&text)
            .map(|document| section::read_document(&text, document.get_ref()));
        Self(items.unwrap_or_default())
    }

    fn key(&self, table: &str, key: &str) -> Option<usize> {
        match &self.0.get(table)?.node {
            Node::Table(items) => Some(items.get(key)?.line),
            _ => None,
        }
    }
}

/// What each backend that stands in both readings has otherwise, but for the names of its arrays.
#[must_use]
pub fn changed(
    serving: (&Config, &Authorities),
    wanted: (&Config, &Authorities),
) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for backend in &wanted.0.backends {
        let Some(before) = serving.0.backends.iter().find(|b| b.name == backend.name) else {
            continue;
        };
        let mut what = Vec::new();
        if before.primary.name == backend.primary.name {
            // Those of another array are no change of this one.
            what.extend(options(&before.options, &backend.options));
        }
        for array in arrays(backend) {
            let Some(was) = arrays(before).find(|was| was.name == array.name) else {
                continue;
            };
            let name = &array.name;
            if was.address != array.address {
                what.push(format!("address of {name}"));
            }
            if trusted(was, serving.1) != trusted(array, wanted.1) {
                what.push(format!("trust of {name}"));
            }
            if was.kind.is_some() && array.kind.is_some() {
                let keys = options(&was.options, &array.options);
                what.extend(keys.into_iter().map(|key| format!("{key} of {name}")));
            }
        }
        let drivers = [&serving.0.drivers, &wanted.0.drivers].map(|d| d.get(&backend.driver));
        if let [Some(was), Some(is)] = drivers {
            what.extend(driver(was, is));
        }
        if !what.is_empty() {
            all.insert(backend.name.clone(), what);
        }
    }
    all
}

fn trusted<'a>(array: &'a TargetConfig, read: &'a Authorities) -> (&'a Trust, Option<&'a Vec<u8>>) {
    let held = match &array.trust {
        Trust::CaFile(path) => read.get(path).and_then(Option::as_ref),
        Trust::System | Trust::Fingerprint(_) => None,
    };
    (&array.trust, held)
}

/// The keys whose values differ.
fn options(a: &[RawOption], b: &[RawOption]) -> BTreeSet<String> {
    let values = |options: &[RawOption]| -> BTreeMap<String, RawValue> {
        let pairs = options.iter();
        pairs.map(|o| (o.key.clone(), o.value.clone())).collect()
    };
    let (a, b) = (values(a), values(b));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differs = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    differs.cloned().collect()
}

fn driver(a: &DriverConfig, b: &DriverConfig) -> Vec<String> {
    // How many calls there may be at once is the control plane's, and seen there.
    let limits = |driver: &DriverConfig| LimitsConfig {
        concurrent_calls: None,
        ..driver.limits.clone()
    };
    let keys = [
        ("limits", limits(a) == limits(b)),
        ("grants", a.grant == b.grant),
        ("sha256", a.sha256 == b.sha256),
        ("verification", a.verification == b.verification),
    ];
    let keys = unequal(&keys).into_iter();
    keys.map(|key| format!("{key} of driver {}", b.name))
        .collect()
}
