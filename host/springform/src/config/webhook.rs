//! `[[webhook]]`: who is told of events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use super::secret::{self, Secret};
use super::section::Section;
use super::service::ServiceConfig;

/// Bytes a secret must have, so that nobody tries all of them.
const LEAST: usize = 16;

/// One receiver of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Name, as the outbox shows it.
    pub name: String,
    /// Where events are sent to.
    pub url: Url,
    /// What they are signed with.
    pub secret: Secret,
    /// CA file; none: the system's roots.
    pub ca_file: Option<PathBuf>,
    /// How long the receiver may take to answer.
    pub timeout: Duration,
}

/// Reads every `[[webhook]]`.
pub(super) fn read_all(
    root: &mut Section<'_>,
    folder: &Path,
    service: &ServiceConfig,
) -> Vec<WebhookConfig> {
    let mut names = BTreeSet::new();
    let mut webhooks = Vec::new();
    for (line, items) in root.tables("webhook", "[[webhook]]") {
        let mut section = Section::new("[[webhook]]", line, items, root.problems());
        let name = section.required("name");
        if let Some(name) = &name {
            section.name = format!("[[webhook]] \"{name}\"");
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                section.report(line, "needs a name of 1 to 64 letters, digits, `-` and `_`");
            }
            if !names.insert(name.clone()) {
                section.report(
                    line,
                    "stands twice in the file; each webhook needs a name of its own",
                );
            }
        }
        let url = read_url(&mut section);
        let secret = read_secret(&mut section, folder, service);
        let ca_file = section.text("ca_file").map(|text| folder.join(text));
        let seconds = section.number("timeout_seconds", 1..=300).unwrap_or(10);
        section.finish();
        if let (Some(name), Some(url), Some(secret)) = (name, url, secret) {
            webhooks.push(WebhookConfig {
                name,
                url,
                secret,
                ca_file,
                timeout: Duration::from_secs(seconds),
            });
        }
    }
    webhooks
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn read_url(section: &mut Section<'_>) -> Option<Url> {
    let missing = section.line;
    let Some((text, line)) = section.text_at("url") else {
        section.report(missing, "needs the key `url`");
        return None;
    };
    let url = match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => {
            section.report(
                line,
                "has a `url` that is none; write one as \"https://hooks.example.org/springform\"",
            );
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        section.report(
            line,
            "has a password in its `url`; events are signed, and the file is no place for secrets",
        );
        return None;
    }
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    if url.scheme() == "http" && !loopback {
        section.report(
            line,
            "has a `url` without TLS, which is allowed to a loopback address only; use https",
        );
        return None;
    }
    Some(url)
}

fn read_secret(
    section: &mut Section<'_>,
    folder: &Path,
    service: &ServiceConfig,
) -> Option<Secret> {
    let plain = section.text_at("secret");
    let variable = section.text("secret_env");
    let file = section.text("secret_file").map(|text| folder.join(text));
    let read = match (plain, variable, file) {
        (Some((text, _)), None, None) if service.allow_inline_secrets => Ok(Secret::new(text)),
        (Some((_, line)), None, None) => {
            section.report(
                line,
                "has the secret `secret` in the file; name a variable with `secret_env` or a file with `secret_file`, \
                 or set `allow_inline_secrets = true` in [service] for a test bed",
            );
            return None;
        }
        (None, variable, file) if variable.is_none() || file.is_none() => {
            secret::secret_from("secret", variable.as_deref(), file.as_deref())
        }
        _ => Err("sets `secret` in two ways; keep one".to_owned()),
    };
    match read {
        Ok(secret) if secret.reveal().len() >= LEAST => Some(secret),
        Ok(_) => {
            section.report(
                section.line,
                format!(
                    "has a secret of less than {LEAST} bytes; make one with `openssl rand -hex 32`"
                ),
            );
            None
        }
        Err(sentence) => {
            section.report(section.line, sentence);
            None
        }
    }
}
