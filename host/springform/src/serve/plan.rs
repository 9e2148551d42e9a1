//! From the file to what control wants to know. Addresses, trust and secrets stay with the loader.

use std::collections::BTreeMap;
use std::path::PathBuf;

use springform_control::{BackendConfig as ControlBackend, ControlConfig, DriverConfig};
use springform_model::contract::Target;

use super::loader::Loader;
use crate::config::{BackendConfig, Config, Problem, Resolved};

/// Settings of the control plane. Drivers are asked for the defaults of their options; a backend whose driver cannot be
/// asked is planned without, and is down with the reason when control loads it.
pub async fn control(config: &Config, loader: &Loader) -> ControlConfig {
    let (backends, _) = backends(config, loader, &BTreeMap::new()).await;
    ControlConfig {
        drivers: drivers(config),
        backends,
        availability_zone: config.service.availability_zone.clone(),
        default_type: config.service.default_volume_type.clone(),
        no_snapshot_gb_quota: config.service.no_snapshot_gb_quota,
        receivers: config
            .webhooks
            .iter()
            .map(|webhook| webhook.name.clone())
            .collect(),
        observe_interval: config.service.observe_interval,
        host: config.service.host.clone(),
        keep_audit: config.audit.keep,
        weighers: config.scheduler.weighers.clone(),
        ..ControlConfig::default()
    }
}

/// Drivers as control knows them.
pub fn drivers(config: &Config) -> Vec<DriverConfig> {
    let drivers = config.drivers.values();
    drivers
        .map(|driver| DriverConfig {
            name: driver.name.clone(),
            path: driver.path.clone(),
        })
        .collect()
}

/// Backends as control knows them, and what their drivers say is wrong with them. A driver that serves is asked itself,
/// not the component that the file names: another one may have been installed since.
pub async fn backends(
    config: &Config,
    loader: &Loader,
    serving: &BTreeMap<String, PathBuf>,
) -> (Vec<ControlBackend>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut descriptions = BTreeMap::new();
    let asked = config.drivers.values().map(|driver| async move {
        let path = serving.get(&driver.name).unwrap_or(&driver.path);
        (driver, loader.describe(path, &driver.name).await)
    });
    // Together: one that takes its whole time to be compiled does not add to the others'.
    for (driver, described) in futures_util::future::join_all(asked).await {
        match described {
            Ok(description) => {
                descriptions.insert(driver.name.as_str(), description);
            }
            Err(refusal) => problems.push(Problem::at(
                driver.line,
                format!(
                    "[driver.{}] cannot be used: {}",
                    driver.name, refusal.message
                ),
            )),
        }
    }
    let mut planned = Vec::with_capacity(config.backends.len());
    for backend in &config.backends {
        let resolved = match descriptions.get(backend.driver.as_str()) {
            Some(description) => backend.resolve(description),
            None => Err(Vec::new()),
        };
        let driver = config.drivers.get(&backend.driver);
        let parallel = driver.and_then(|driver| driver.limits.concurrent_calls);
        let resolved = match resolved {
            Ok(resolved) => Some(resolved),
            Err(wrong) => {
                problems.extend(wrong);
                None
            }
        };
        planned.push(plan_backend(backend, resolved, parallel));
    }
    (planned, problems)
}

fn plan_backend(
    backend: &BackendConfig,
    resolved: Option<Resolved>,
    parallel: Option<u64>,
) -> ControlBackend {
    let arrays = std::iter::once(&backend.primary).chain(&backend.replicas);
    let targets = arrays.map(|array| Target {
        name: array.name.clone(),
        primary: array.kind.is_none(),
        kind: array.kind.clone(),
        options: resolved
            .iter()
            .flat_map(|resolved| &resolved.targets)
            .find(|target| target.name == array.name)
            .map(|target| target.options.clone())
            .unwrap_or_default(),
        reachable: true,
        extensions: Vec::new(),
    });
    let mut planned = ControlBackend::new(&backend.name, &backend.driver, targets.collect());
    planned.host.clone_from(&backend.host);
    planned
        .availability_zone
        .clone_from(&backend.availability_zone);
    planned.goodness = backend.goodness;
    planned.failback_discards_old_primary = backend.failback_discards_old_primary;
    planned.options = resolved
        .map(|resolved| resolved.options)
        .unwrap_or_default();
    planned.use_chap = planned
        .options
        .iter()
        .any(|(key, value)| key == "use_chap_auth" && value == "true");
    if let Some(parallel) = parallel {
        planned.parallel = usize::try_from(parallel).unwrap_or(planned.parallel);
    }
    planned
}
