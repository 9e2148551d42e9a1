//! Tokens of Keystone: validated with the service's own token, remembered for a while.
//!
//! A token that was good stays so for at most [`KeystoneConfig::fresh`] without asking again; one that was bad is not asked about again
//! for [`STALE`], so that a client which retries for ever does not make us flood Keystone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Identity;
use crate::http::ApiError;

/// How long a bad token is not asked about again.
const STALE: Duration = Duration::from_secs(10);
/// Tokens remembered at most.
const REMEMBERED: usize = 10_000;
/// Bytes of an answer read at most.
const ANSWER_BYTES: usize = 4 << 20;

/// The service user that validates tokens.
#[derive(Clone)]
pub struct KeystoneConfig {
    /// `https://keystone:5000/v3`.
    pub url: String,
    /// Service user.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// Its domain, by name.
    pub user_domain: String,
    /// Its project.
    pub project: String,
    /// The project's domain, by name.
    pub project_domain: String,
    /// Authority that signed Keystone's certificate, PEM; none: the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// How long a good token is believed without asking again; a minute is usual.
    pub fresh: Duration,
}

impl std::fmt::Debug for KeystoneConfig {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeystoneConfig")
            .field("url", &self.url)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why Keystone cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum KeystoneError {
    /// The HTTP client cannot be made.
    #[error("the client for Keystone at {url} cannot be made: {reason}")]
    Client {
        /// URL.
        url: String,
        /// Cause.
        reason: String,
    },
}

/// Whether a token has to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It must be.
    Needed,
    /// It may have ended a while ago; how long ago is Keystone's `allow_expired_window`.
    MayHaveEnded,
}

impl Life {
    /// What Keystone is asked besides.
    fn query(self) -> &'static str {
        match self {
            Self::Needed => "",
            Self::MayHaveEnded => "&allow_expired=1",
        }
    }
}

#[derive(Debug, Clone)]
struct Remembered {
    identity: Option<Identity>,
    until: Instant,
}

/// A Keystone.
#[derive(Debug)]
pub struct Keystone {
    config: KeystoneConfig,
    client: reqwest::Client,
    own_token: tokio::sync::Mutex<Option<String>>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
}

impl Keystone {
    /// A Keystone that is asked when the first token comes.
    ///
    /// # Errors
    /// For a certificate authority that cannot be read.
    pub fn new(config: KeystoneConfig) -> Result<Self, KeystoneError> {
        let refused = |error: reqwest::Error| KeystoneError::Client {
            url: config.url.clone(),
            reason: error.to_string(),
        };
        let mut builder = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &config.ca_pem {
            let authority = reqwest::Certificate::from_pem(pem).map_err(refused)?;
            builder = builder
                .add_root_certificate(authority)
                .tls_built_in_root_certs(false);
        }
        let client = builder.build().map_err(refused)?;
        Ok(Self {
            config,
            client,
            own_token: tokio::sync::Mutex::new(None),
            remembered: Mutex::default(),
        })
    }

    /// Whose a token is. One that has ended counts where another service vouches for it with a token of its own: a call that was
    /// begun in time may take longer than its token lives.
    ///
    /// # Errors
    /// 401 for one that Keystone does not know, 503 where it does not answer.
    pub async fn identify(&self, token: Option<&str>, life: Life) -> Result<Identity, ApiError> {
        let Some(token) = token.filter(|token| !token.is_empty() && token.len() <= 16_384) else {
            return Err(self.challenge());
        };
        let digest = Sha256::new().chain_update(token).chain_update(life.query());
        let digest: [u8; 32] = digest.finalize().into();
        let now = Instant::now();
        if let Some(known) = self.recall(&digest, now) {
            return known.ok_or_else(|| self.challenge());
        }
        let (identity, lives) = match self.ask(token, life).await {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(url = %self.config.url, %reason, "Keystone cannot be asked about a token");
                return Err(ApiError::busy(
                    "The identity service does not answer. Try again.",
                    5,
                ));
            }
        };
        let until = now
            + match (&identity, life) {
                (None, _) => STALE,
                (Some(_), Life::Needed) => self.config.fresh.min(lives),
                (Some(_), Life::MayHaveEnded) => self.config.fresh,
            };
        self.remember(
            digest,
            Remembered {
                identity: identity.clone(),
                until,
            },
        );
        identity.ok_or_else(|| self.challenge())
    }

    fn challenge(&self) -> ApiError {
        ApiError::unauthenticated(&format!(
            "Keystone uri=\"{}\"",
            self.config.url.trim_end_matches("/v3")
        ))
    }

    fn recall(&self, digest: &[u8; 32], now: Instant) -> Option<Option<Identity>> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(digest)
            .filter(|known| known.until > now)
            .map(|known| known.identity.clone())
    }

    fn remember(&self, digest: [u8; 32], known: Remembered) {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            let now = Instant::now();
            remembered.retain(|_, known| known.until > now);
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
        }
        remembered.insert(digest, known);
    }

    /// Asks Keystone; a second time with a new token of our own where the old one has ended.
    async fn ask(&self, token: &str, life: Life) -> Result<(Option<Identity>, Duration), String> {
        for renewed in [false, true] {
            let own = self.own_token(renewed).await?;
            let url = format!(
                "{}/auth/tokens?nocatalog{}",
                self.config.url.trim_end_matches('/'),
                life.query()
            );
            let request = self
                .client
                .get(url)
                .header("x-auth-token", own)
                .header("x-subject-token", token);
            let response = request
                .send()
                .await
                .map_err(|error| error.without_url().to_string())?;
            match response.status().as_u16() {
                200 => {
                    let body = bounded(response).await?;
                    return read_identity(&body).map(|(identity, lives)| (Some(identity), lives));
                }
                404 => return Ok((None, Duration::ZERO)),
                401 | 403 if !renewed => {}
                status => return Err(format!("it answered {status}")),
            }
        }
        Err("it does not accept the service user's token".into())
    }

    async fn own_token(&self, renew: bool) -> Result<String, String> {
        let mut own = self.own_token.lock().await;
        if let Some(token) = own.as_ref().filter(|_| !renew) {
            return Ok(token.clone());
        }
        let config = &self.config;
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": config.user, "password": config.password.expose_secret(), "domain": {"name": config.user_domain}}}},
            "scope": {"project": {"name": config.project, "domain": {"name": config.project_domain}}},
        }});
        let url = format!("{}/auth/tokens?nocatalog", config.url.trim_end_matches('/'));
        let response = self
            .client
            .post(url)
            .json(&body)
            .send()
            .await
            .map_err(|error| error.without_url().to_string())?;
        if response.status().as_u16() != 201 {
            return Err(format!(
                "the service user cannot log in: it answered {}",
                response.status().as_u16()
            ));
        }
        let token = response
            .headers()
            .get("x-subject-token")
            .and_then(|token| token.to_str().ok());
        let token = token
            .ok_or("its answer to the service user has no token")?
            .to_owned();
        *own = Some(token.clone());
        Ok(token)
    }
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error.without_url().to_string())?
    {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err("its answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn read_identity(body: &[u8]) -> Result<(Identity, Duration), String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "its answer is no JSON")?;
    let text = |pointer: &str| {
        answer
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let roles = answer
        .pointer("/token/roles")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let roles = roles
        .filter_map(|role| role.get("name")?.as_str())
        .map(str::to_ascii_lowercase)
        .collect();
    // A token without a project (system or domain scope) sees no project's records.
    let identity = Identity {
        user: text("/token/user/id").ok_or("its answer names no user")?,
        project: text("/token/project/id").unwrap_or_default(),
        roles,
    };
    // Whoever wrote no end of life is asked again soon.
    let lives = text("/token/expires_at")
        .and_then(|end| seconds_until(&end))
        .unwrap_or(5);
    Ok((identity, Duration::from_secs(lives)))
}

/// Seconds from now until `2026-11-21T09:00:00.000000Z`.
fn seconds_until(end: &str) -> Option<u64> {
    let end = springform_model::time::Timestamp::parse(end)?;
    Some(end.seconds_since(springform_model::time::Timestamp::now()))
}
