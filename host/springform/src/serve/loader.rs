//! Makes drivers out of files for control: the only place where the configuration's addresses and secrets meet the
//! sandbox.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use springform_control::BackendConfig as ControlBackend;
use springform_control::registry::{DriverLoader, Inspected, LoadRefusal, Loaded};
use springform_model::audit::Sink;
use springform_model::contract::Description;
use springform_sandbox::{
    Binding, BoundDriver, Compiler, Grant, Limits, Origin, Program, Rule, Sandbox, SandboxConfig,
    Secret, TargetBinding, TlsTrust,
};

use crate::config::{
    BackendConfig, Config, DriverConfig, LimitsConfig, Problem, Resolved, ResolvedTarget, Trust,
    Verification,
};
use crate::verification::Rules;

/// Port of an array that names none.
const HTTPS: u16 = 443;

/// Loads drivers for the backends of one configuration.
pub struct Loader {
    sandbox: Sandbox,
    backends: BTreeMap<String, BackendConfig>,
    drivers: BTreeMap<String, DriverConfig>,
    verification: Verification,
}

/// A component that was verified, and by whom it was signed.
struct Verified {
    program: Arc<Program>,
    signers: Vec<String>,
}

impl Loader {
    /// Starts the sandbox. What it denies is told to `audit`.
    ///
    /// # Errors
    /// This machine cannot run it, or its directory cannot be made private.
    pub fn new(config: &Config, audit: Option<Arc<dyn Sink>>) -> anyhow::Result<Self> {
        let largest = config.drivers.values().map(|driver| limits(&driver.limits));
        let mut pool = Limits::default();
        for driver in largest {
            pool.memory_bytes = pool.memory_bytes.max(driver.memory_bytes);
        }
        Ok(Self {
            sandbox: Sandbox::new(SandboxConfig {
                cache_dir: Some(config.service.state_dir.join("cache")),
                limits: pool,
                compiler: Compiler::this_program(),
                audit,
                ..SandboxConfig::default()
            })?,
            backends: by_name(config),
            drivers: config.drivers.clone(),
            verification: config.verification.clone(),
        })
    }

    /// The same sandbox for another configuration.
    #[must_use]
    pub fn with(&self, config: &Config) -> Self {
        Self {
            sandbox: self.sandbox.clone(),
            backends: by_name(config),
            drivers: config.drivers.clone(),
            verification: config.verification.clone(),
        }
    }

    /// The same sandbox without a configuration: what is kept to load others with keeps no secret of one that was replaced.
    #[must_use]
    pub fn without_configuration(&self) -> Self {
        Self {
            sandbox: self.sandbox.clone(),
            backends: BTreeMap::new(),
            drivers: BTreeMap::new(),
            verification: Verification::default(),
        }
    }

    /// What the file of a driver says of itself.
    ///
    /// # Errors
    /// Why the file is no driver, or not this one.
    pub async fn describe(&self, path: &Path, driver: &str) -> Result<Description, LoadRefusal> {
        let verified = self.verified(path, driver).await?;
        Ok(verified.program.description().clone())
    }

    /// Reads a file once, and parses, compiles and runs what it read only if it may be this driver. That holds for every way
    /// in: the configured path, an installed file, a roll-back.
    async fn verified(&self, path: &Path, driver: &str) -> Result<Verified, LoadRefusal> {
        let named = |error| LoadRefusal::new("load", format!("{}: {error}", path.display()));
        let file = self.sandbox.read(path).await.map_err(named)?;
        let rules = match self.drivers.get(driver) {
            Some(driver) => Rules::of(driver),
            None => Rules::general(&self.verification),
        };
        let unverified = |reason| LoadRefusal::new("verify", reason);
        let digest = file.digest().to_owned();
        let signers = rules.admit(&file).map_err(|reason| {
            tracing::warn!(target: "audit", event = "driver-unverified", driver, digest, "{reason}");
            unverified(reason)
        })?;
        let program = self.sandbox.load_file(file).await.map_err(named)?;
        rules
            .admit_version(&program.description().version)
            .map_err(unverified)?;
        tracing::info!(target: "audit", event = "driver-verified", driver, digest, signers = signers.join(","), "a component was verified");
        Ok(Verified { program, signers })
    }

    fn fit(&self, description: &Description, backend: &str) -> Result<Resolved, LoadRefusal> {
        let Some(config) = self.backends.get(backend) else {
            return Err(LoadRefusal::new(
                "validate",
                format!("backend {backend} is not in the configuration"),
            ));
        };
        config
            .resolve(description)
            .map_err(|problems| LoadRefusal::new("validate", sentences(&problems)))
    }
}

fn by_name(config: &Config) -> BTreeMap<String, BackendConfig> {
    let backends = config.backends.iter();
    backends
        .map(|backend| (backend.name.clone(), backend.clone()))
        .collect()
}

#[async_trait]
impl DriverLoader for Loader {
    async fn load(&self, path: &Path, backend: &ControlBackend) -> Result<Loaded, LoadRefusal> {
        let Verified { program, signers } = self.verified(path, &backend.driver).await?;
        let digest = program.digest().to_owned();
        let driver = self.drivers.get(&backend.driver);
        let resolved = self.fit(program.description(), &backend.name)?;
        let granted = driver.and_then(|driver| driver.grant.targets.clone());
        let allowed = |target: &&ResolvedTarget| {
            granted
                .as_ref()
                .is_none_or(|names| names.contains(&target.name))
        };
        let targets: Vec<TargetBinding> = resolved
            .targets
            .iter()
            .filter(allowed)
            .map(|target| bind(target).with_grant(grant(driver, &target.name)))
            .collect();
        let binding = Binding {
            driver: backend.driver.clone(),
            backend: backend.name.clone(),
            generation: 0,
            targets,
            limits: Some(driver.map_or_else(Limits::default, |driver| limits(&driver.limits))),
        };
        let bound = self
            .sandbox
            .bind(program, binding)
            .map_err(|error| LoadRefusal::new("bind", error.to_string()))?;
        let grants = described(&bound, &backend.driver);
        Ok(Loaded {
            driver: Arc::new(bound),
            digest,
            signers,
            grants,
            options: resolved.options,
        })
    }

    async fn inspect(&self, path: &Path, driver: &str) -> Result<Inspected, LoadRefusal> {
        let Verified { program, signers } = self.verified(path, driver).await?;
        Ok(Inspected {
            signers,
            digest: program.digest().to_owned(),
            description: program.description().clone(),
            imports: program.inspection().imports.clone(),
            exports: program.inspection().exports.clone(),
        })
    }
}

/// What the file says of a driver's requests to one target.
fn grant(driver: Option<&DriverConfig>, target: &str) -> Grant {
    let Some(config) = driver.map(|driver| &driver.grant) else {
        return Grant::default();
    };
    let mut grant = Grant {
        refuse_proposal: config.refuse_proposal,
        ..Grant::default()
    };
    let of_target = config.by_target.get(target);
    let both = [
        (Some(&config.requests), Origin::Driver),
        (of_target, Origin::Target),
    ];
    for (requests, origin) in both {
        let Some(requests) = requests else { continue };
        let from = |rule: &Rule| (rule.clone(), origin);
        grant.allow.extend(requests.allow.iter().map(from));
        grant.deny.extend(requests.deny.iter().map(from));
    }
    grant
}

/// A bound driver's grants, one line each, with the place that each comes from.
fn described(bound: &BoundDriver, driver: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let grants = bound.grants();
    let targets = grants.iter().map(|(target, _)| target);
    lines.extend(targets.map(|target| format!("egress https://{target}")));
    for (target, rules) in &grants {
        for (rule, origin) in rules {
            let from = match origin {
                Origin::Component => "the component".to_owned(),
                Origin::Host => "the host, for every driver".to_owned(),
                Origin::Driver => format!("[driver.{driver}.grant]"),
                Origin::Target => format!("[driver.{driver}.grant.target.{target}]"),
            };
            let line = format!("{rule}  # {from}");
            // Only the last of these differs between targets.
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

fn bind(target: &ResolvedTarget) -> TargetBinding {
    let trust = match &target.trust {
        Trust::System => TlsTrust::System,
        Trust::CaFile(path) => TlsTrust::CaFile(path.clone()),
        Trust::Fingerprint(digits) => TlsTrust::Fingerprint(digits.clone()),
    };
    let binding = TargetBinding::new(&target.name, with_port(&target.address), trust);
    match &target.secret {
        Some(secret) => binding.with_secret(Secret::new(secret.reveal())),
        None => binding,
    }
}

fn with_port(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{HTTPS}"),
        Ok(IpAddr::V4(address)) => format!("{address}:{HTTPS}"),
        Err(_)
            if address
                .rsplit(':')
                .next()
                .is_some_and(|port| port.parse::<u16>().is_ok()) =>
        {
            address.to_owned()
        }
        Err(_) => format!("{address}:{HTTPS}"),
    }
}

fn limits(config: &LimitsConfig) -> Limits {
    let mut limits = Limits::default();
    let set = |place: &mut usize, value: Option<u64>| {
        if let Some(value) = value {
            *place = usize::try_from(value).unwrap_or(usize::MAX);
        }
    };
    set(&mut limits.memory_bytes, config.memory_bytes);
    set(&mut limits.requests, config.requests_per_call);
    set(&mut limits.open_requests, config.open_requests);
    set(&mut limits.response_body_bytes, config.response_bytes);
    set(&mut limits.log_bytes, config.log_bytes);
    set(&mut limits.result_bytes, config.result_bytes);
    set(&mut limits.held_bytes, config.held_bytes);
    set(&mut limits.handles, config.handles);
    set(&mut limits.table_elements, config.table_elements);
    set(&mut limits.state_bytes, config.state_bytes);
    if let Some(call) = config.call {
        limits.wall_clock_ms = u64::try_from(call.as_millis()).unwrap_or(u64::MAX);
    }
    limits
}

fn sentences(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| match problem.line {
            Some(line) => format!("line {line}: {}", problem.text),
            None => problem.text.clone(),
        })
        .collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests;
