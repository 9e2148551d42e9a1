//! The operator's file. Field names follow Cinder's where Cinder has one; unknown keys are refused by name; secrets are
//! named, not written; every problem is reported at once, with its line.
//!
//! Two passes. [`Config::load`] reads what the host itself understands. The options of a backend belong to its driver,
//! so [`BackendConfig::resolve`] checks them against the driver's own description, and runs when that is known.

mod audit;
mod backend;
pub mod check;
pub mod compare;
mod driver;
mod nova;
mod problem;
mod resolve;
mod scheduler;
mod secret;
mod section;
mod service;
mod verification;
mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use audit::AuditConfig;
pub use backend::{BackendConfig, RawOption, RawValue, TargetConfig, Trust};
pub use driver::{DriverConfig, Grant, LimitsConfig, Requests};
pub use nova::NovaConfig;
pub use problem::{ConfigError, Problem, suggestion};
pub use resolve::{Resolved, ResolvedTarget};
pub use scheduler::SchedulerConfig;
pub use secret::{Secret, secret_from};
pub use service::{
    ApiLimits, AuthConfig, AuthMode, LogFormat, SealingKeySource, ServiceConfig, TlsFiles,
};
pub use verification::Verification;
pub use webhook::WebhookConfig;

use problem::Problems;
use section::Section;

/// A configuration that was read and makes sense as far as the host can tell without its drivers.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// `[service]`.
    pub service: ServiceConfig,
    /// `[auth]`.
    pub auth: AuthConfig,
    /// `[audit]`: how long the audit log is kept.
    pub audit: AuditConfig,
    /// `[nova]`, where there is one to ask.
    pub nova: Option<NovaConfig>,
    /// `[scheduler]`: which pool is the best.
    pub scheduler: SchedulerConfig,
    /// `[limits]`: what the API takes from its clients.
    pub limits: ApiLimits,
    /// `[verification]`: whose signatures components need.
    pub verification: Verification,
    /// `[driver.<name>]`.
    pub drivers: BTreeMap<String, DriverConfig>,
    /// `[[backend]]`, in the order of the file.
    pub backends: Vec<BackendConfig>,
    /// `[[webhook]]`, in the order of the file.
    pub webhooks: Vec<WebhookConfig>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let text = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "there is no such file; name one with --config or SPRINGFORM_CONFIG, \
                     and see examples/springform.toml"
                        .to_owned()
                }
                _ => format!("cannot be read: {error}"),
            };
            ConfigError::general(path, text)
        })?;
        Self::parse(path, &text)
    }

    /// Checks the text of a file. `path` is for messages, and relative paths in the text start from its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let document = toml::de::DeTable::parse(text).map_err(|error| {
            let line = error.span().map(|span| section::line_of(text, span.start));
            ConfigError {
                path: path.to_owned(),
                problems: vec![Problem {
                    line,
                    text: format!("is not valid TOML: {}", error.message()),
                }],
            }
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let problems = Problems::default();
        let items = section::read_document(text, document.get_ref());
        let mut root = Section::new("the file", 1, items, &problems);

        let service = ServiceConfig::read(root.table("service", "[service]"), &folder);
        let auth = AuthConfig::read(root.table("auth", "[auth]"), &folder, &service);
        let audit = AuditConfig::read(root.table("audit", "[audit]"));
        let nova = NovaConfig::read(root.table("nova", "[nova]"), &folder, &auth);
        let limits = ApiLimits::read(root.table("limits", "[limits]"), &service);
        let scheduler = SchedulerConfig::read(root.table("scheduler", "[scheduler]"));
        let verification = Verification::read(root.table("verification", "[verification]"));
        let drivers = root.table("driver", "[driver]");
        let drivers = driver::read_all(drivers, &folder, &verification);
        let backends = backend::read_all(&mut root, &folder, &service, &drivers);
        let webhooks = webhook::read_all(&mut root, &folder, &service);
        root.finish();

        let problems = problems.take();
        if problems.is_empty() {
            Ok(Self {
                path: path.to_owned(),
                service,
                auth,
                audit,
                nova,
                scheduler,
                limits,
                verification,
                drivers,
                backends,
                webhooks,
            })
        } else {
            Err(ConfigError {
                path: path.to_owned(),
                problems,
            })
        }
    }
}
