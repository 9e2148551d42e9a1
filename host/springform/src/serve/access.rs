//! From the file to what the API wants to know: who may enter, and how much they may ask for.

use std::path::PathBuf;

use anyhow::Context;
use springform_api::{
    Auth, Certificate, Keystone, KeystoneConfig, Limits, NovaService, Policy, Tokens,
};

use crate::config::{
    ApiLimits, AuthConfig, AuthMode, NovaConfig, Problem, ServiceConfig, secret_from,
};

/// How callers are known.
///
/// # Errors
/// A token file or Keystone that cannot be used.
pub fn auth(config: &AuthConfig) -> anyhow::Result<Auth> {
    match &config.mode {
        AuthMode::NoAuth => Ok(Auth::NoAuth),
        AuthMode::Tokens(path) => {
            let tokens = Tokens::read(path);
            Ok(Auth::Tokens(
                tokens.map_err(|error| anyhow::anyhow!("[auth] {error}"))?,
            ))
        }
        AuthMode::Keystone => {
            let password = secret_from(
                "keystone_password",
                config.keystone_password_env.as_deref(),
                config.keystone_password_file.as_deref(),
            )
            .map_err(|sentence| anyhow::anyhow!("[auth] {sentence}"))?;
            let ca_pem = match &config.keystone_ca_file {
                Some(path) => Some(
                    std::fs::read(path)
                        .with_context(|| format!("[auth] cannot read {}", path.display()))?,
                ),
                None => None,
            };
            let keystone = Keystone::new(KeystoneConfig {
                url: config.keystone_url.clone().unwrap_or_default(),
                user: config.keystone_user.clone().unwrap_or_default(),
                password: password.reveal().into(),
                user_domain: config.keystone_domain.clone(),
                project: config.keystone_project.clone(),
                project_domain: config.keystone_domain.clone(),
                ca_pem,
                fresh: config.keystone_cache,
            })?;
            Ok(Auth::Keystone(Box::new(keystone)))
        }
    }
}

/// The Nova to ask, where there is one.
///
/// # Errors
/// A URL or an authority that cannot be used.
pub fn nova(config: Option<&NovaConfig>) -> anyhow::Result<Option<NovaService>> {
    let Some(config) = config else {
        return Ok(None);
    };
    let read = |path: &PathBuf| {
        std::fs::read(path).with_context(|| format!("[nova] cannot read {}", path.display()))
    };
    let ca_pem = config.ca_file.as_ref().map(read).transpose()?;
    let nova = NovaService::new(&config.url, ca_pem.as_deref());
    nova.map(Some)
        .map_err(|wrong| anyhow::anyhow!("[nova] {wrong}"))
}

/// Who may do what.
///
/// # Errors
/// A policy file that cannot be used.
pub fn policy(config: &AuthConfig) -> anyhow::Result<Policy> {
    match &config.policy_file {
        Some(path) => Ok(Policy::read(path)?),
        None => Ok(Policy::default()),
    }
}

/// The API's certificate with its key; none where it speaks plain HTTP.
///
/// # Errors
/// What is wrong with the files, with the line that names them.
pub fn certificate(service: &ServiceConfig) -> Result<Option<Certificate>, Problem> {
    let Some(files) = &service.tls else {
        return Ok(None);
    };
    let read = Certificate::read(&files.certificate, &files.key);
    read.map(Some)
        .map_err(|error| Problem::at(files.line, format!("[service]: {error}")))
}

/// How much clients may ask for.
#[must_use]
pub fn limits(config: &ApiLimits) -> Limits {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Limits {
        body_bytes: count(config.body_bytes),
        request_timeout: config.request_timeout,
        concurrency: count(config.concurrent_requests),
        requests_per_second: config.requests_per_second.map_or(0, number),
        burst: number(config.burst),
        header_timeout: config.header_timeout,
        body_timeout: config.body_timeout,
        write_timeout: config.write_timeout,
        connections: count(config.connections),
        connections_per_address: count(config.connections_per_address),
        ..Limits::default()
    }
}
