//! One array as the host reaches it: connections, credential, session, breaker.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::ServerName;
use springform_model::contract::{ClockSkew, CredentialScheme, SessionScheme, TargetFacts};
use springform_model::time::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use wasmtime_wasi_http::Error;

use super::breaker::Breaker;
use super::connector::Connector;
use super::credential::{Credential, Session};
use super::distrust::Distrust;
use super::exchange::{Exchange, NoAnswer};
use super::mask::Mask;
use super::tls;
use crate::account::PaidBody;
use crate::binding::TargetBinding;

/// Idle connections are closed after this time, before the arrays do it.
const IDLE: Duration = Duration::from_secs(25);
/// A version that could not be negotiated is not asked for again before this time.
const RENEGOTIATE: Duration = Duration::from_secs(5);
/// What a new generation's old session gets to say goodbye.
const LOGOUT: Duration = Duration::from_secs(2);

/// Tokens of one target that are masked in its answers: the one in use and those it replaced last.
const MASKED_TOKENS: usize = 4;

/// What the host knows of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// Configured name.
    pub name: String,
    /// False while the breaker is open.
    pub reachable: bool,
    /// API version agreed with the array.
    pub api_version: Option<String>,
    /// Why whoever answers is not believed to be the array.
    pub distrust: Option<String>,
    /// Its clock against ours.
    pub clock: Option<ClockSkew>,
}

/// A target.
pub struct Target {
    name: String,
    backend: String,
    origin: Uri,
    client: Client<Connector, Full<Bytes>>,
    credential: Credential,
    token: ArcSwapOption<HeaderValue>,
    secret_mask: Option<Mask>,
    token_masks: ArcSwap<Vec<Mask>>,
    version: ArcSwapOption<String>,
    login: Mutex<()>,
    negotiation: Mutex<Option<Instant>>,
    slots: Semaphore,
    breaker: Breaker,
    distrust: ArcSwapOption<Distrust>,
    clock: ArcSwapOption<ClockSkew>,
    request_timeout: Duration,
    connect_timeout: Duration,
}

impl Target {
    /// Prepares a target; connects to nothing.
    pub(super) fn new(
        backend: &str,
        binding: &TargetBinding,
        scheme: &CredentialScheme,
    ) -> Result<Self, String> {
        let origin_text = format!(
            "{}://{}/",
            if binding.tls == crate::binding::TlsTrust::PlainHttp {
                "http"
            } else {
                "https"
            },
            binding.address
        );
        let bad_address = || format!("{:?} is not an address; write host:port", binding.address);
        let origin: Uri = origin_text.parse().map_err(|_| bad_address())?;
        let host = origin
            .host()
            .ok_or_else(bad_address)?
            .trim_matches(['[', ']'])
            .to_owned();
        let port = origin.port_u16().unwrap_or(443);
        let tls = match tls::configure(&binding.tls, &host)? {
            Some(config) => Some((
                config,
                ServerName::try_from(host.clone()).map_err(|_| bad_address())?,
            )),
            None => None,
        };
        let address = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(binding.max_connections)
            .build(Connector {
                address: address.into(),
                tls,
                timeout: binding.connect_timeout,
            });
        Ok(Self {
            name: binding.name.clone(),
            backend: backend.to_owned(),
            origin,
            client,
            credential: Credential::new(scheme, binding.secret.as_ref())?,
            token: ArcSwapOption::empty(),
            secret_mask: binding
                .secret
                .as_ref()
                .map(|secret| Mask::of(secret.expose().as_bytes())),
            token_masks: ArcSwap::default(),
            version: ArcSwapOption::empty(),
            login: Mutex::new(()),
            negotiation: Mutex::new(None),
            slots: Semaphore::new(binding.max_connections.max(1)),
            breaker: Breaker::default(),
            distrust: ArcSwapOption::empty(),
            clock: ArcSwapOption::empty(),
            request_timeout: binding.request_timeout,
            connect_timeout: binding.connect_timeout,
        })
    }

    /// Configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    pub(super) fn reachable(&self) -> bool {
        self.breaker.is_closed()
    }

    pub(super) fn version(&self) -> Option<Arc<String>> {
        self.version.load_full()
    }

    pub(super) fn missed(&self) {
        self.breaker.missed(Instant::now());
    }

    /// What the host knows of it.
    #[must_use]
    pub fn state(&self) -> TargetState {
        TargetState {
            name: self.name.clone(),
            reachable: self.reachable(),
            api_version: self.version().map(|v| v.to_string()),
            distrust: self.distrust().map(|why| why.to_string()),
            clock: self.clock.load().as_deref().copied(),
        }
    }

    /// Why whoever answers is not believed to be the array.
    pub(super) fn distrust(&self) -> Option<Arc<Distrust>> {
        self.distrust.load_full()
    }

    /// The header that carries the credential, so that it is taken out of answers too.
    pub(super) fn credential_header(&self) -> Option<&HeaderName> {
        match &self.credential {
            Credential::None => None,
            Credential::Fixed(name, _) => Some(name),
            Credential::Session(session) => Some(&session.token_header),
        }
    }

    /// Sends a request of a driver with the target's credential; the answer holds no secret any more.
    pub(super) async fn exchange(&self, exchange: Exchange) -> Result<Response<PaidBody>, Error> {
        let (mut parts, mut body) = self.credentialed(exchange).await?.into_parts();
        let tokens = self.token_masks.load();
        for mask in self.secret_mask.iter().chain(tokens.iter()) {
            mask.headers(&mut parts.headers);
            body = mask.body(body);
        }
        Ok(Response::from_parts(parts, body))
    }

    async fn credentialed(&self, exchange: Exchange) -> Result<Response<PaidBody>, Error> {
        if !self.breaker.admits(Instant::now()) {
            // An array that is not believed is left alone as one that is away, and not taken for one.
            let distrust = self.distrust();
            return Err(distrust.map_or(Error::DestinationUnavailable, |why| why.for_guest()));
        }
        let _slot = self.slots.acquire().await;
        let session = match &self.credential {
            Credential::None => return self.send(&exchange, None).await,
            Credential::Fixed(name, value) => {
                return self.send(&exchange, Some((name, value))).await;
            }
            Credential::Session(session) => session,
        };
        let token = match self.token.load_full() {
            Some(token) => token,
            None => match self.log_in(session, None).await? {
                Ok(token) => token,
                Err(refusal) => return Ok(refusal),
            },
        };
        let response = self
            .send(&exchange, Some((&session.token_header, &token)))
            .await?;
        if !session
            .scheme
            .expired_statuses
            .contains(&response.status().as_u16())
        {
            return Ok(response);
        }
        match self.log_in(session, Some(&token)).await? {
            Ok(renewed) => {
                self.send(&exchange, Some((&session.token_header, &renewed)))
                    .await
            }
            Err(refusal) => Ok(refusal),
        }
    }

    async fn send(
        &self,
        exchange: &Exchange,
        credential: Option<(&HeaderName, &HeaderValue)>,
    ) -> Result<Response<PaidBody>, Error> {
        let asked = Timestamp::now();
        let result = exchange.send(&self.client, &self.origin, credential).await;
        match &result {
            Ok(response) => {
                self.breaker.answered();
                self.trusted();
                self.compare_clocks(response.headers(), asked);
            }
            Err(NoAnswer::Error(Error::HttpResponseBodySize(_))) => {
                self.breaker.answered();
                self.trusted();
            }
            Err(NoAnswer::Error(error)) => {
                self.breaker.missed(Instant::now());
                // Somebody else's certificate says nothing of an array that does not answer at all.
                self.distrust.store(None);
                tracing::debug!(backend = %self.backend, target_name = %self.name, %error, "exchange with the array failed");
            }
            Err(NoAnswer::Distrusted(why)) => {
                self.breaker.missed(Instant::now());
                self.distrusted(why);
            }
        }
        result.map_err(NoAnswer::for_guest)
    }

    fn trusted(&self) {
        if self.distrust.swap(None).is_some() {
            tracing::info!(backend = %self.backend, target_name = %self.name, "the array is believed again");
        }
    }

    /// Said once, and again when the reason is another one: a call is made every few seconds.
    fn distrusted(&self, why: &Distrust) {
        let before = self.distrust.swap(Some(Arc::new(why.clone())));
        if before.is_none_or(|before| before.kind != why.kind) {
            tracing::warn!(target: "audit", event = "array-distrusted", backend = %self.backend, target_name = %self.name, "the array answers and is not believed: {why}");
        }
    }

    fn compare_clocks(&self, headers: &HeaderMap, asked: Timestamp) {
        let date = headers
            .get(http::header::DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|date| u64::try_from(date.as_millis()).ok());
        let Some(date) = date.map(Timestamp::from_millis) else {
            return;
        };
        let skew = ClockSkew::measured(date, asked, Timestamp::now());
        let before = self.clock.swap(Some(Arc::new(skew)));
        let agreed = before.is_none_or(|before| before.within_bound());
        if agreed && !skew.within_bound() {
            tracing::warn!(backend = %self.backend, target_name = %self.name, seconds = skew.seconds, "the array's clock is {} this host's: how old copies are is unknown", skew.in_words());
        } else if !agreed && skew.within_bound() {
            tracing::info!(backend = %self.backend, target_name = %self.name, "the clocks of array and host agree again");
        }
    }

    /// Logs in, once for all who wait. A refusal of the array is handed on as its answer, without its headers.
    async fn log_in(
        &self,
        session: &Session,
        expired: Option<&Arc<HeaderValue>>,
    ) -> Result<Result<Arc<HeaderValue>, Response<PaidBody>>, Error> {
        let _turn = self.login.lock().await;
        if let Some(token) = self.token.load_full()
            && expired.is_none_or(|old| !Arc::ptr_eq(old, &token))
        {
            return Ok(Ok(token));
        }
        let path = self
            .versioned(&session.scheme, &session.scheme.login_path)
            .await?;
        let mut headers = HeaderMap::new();
        headers.insert(session.secret_header.clone(), session.secret.clone());
        let login = Exchange::new(session.login_method.clone(), &path, headers, Bytes::new())?;
        let response = self.send(&login, None).await?;
        let status = response.status();
        if !status.is_success() {
            self.token.store(None);
            tracing::warn!(target: "audit", event = "login-refused", backend = %self.backend, target_name = %self.name, status = status.as_u16(), "the array refused the login; check the target's secret");
            let mut refusal = Response::new(response.into_body());
            *refusal.status_mut() =
                if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                    StatusCode::UNAUTHORIZED
                } else {
                    status
                };
            return Ok(Err(refusal));
        }
        let token = Arc::new(session.token_of(&response).ok_or_else(|| {
            Error::InternalError(Some(format!(
                "target {} answered the login without a token",
                self.name
            )))
        })?);
        self.mask_token(&token);
        self.token.store(Some(token.clone()));
        Ok(Ok(token))
    }

    /// From now on this token is masked, and a few before it: requests that began with an older one may still be answered.
    fn mask_token(&self, token: &HeaderValue) {
        self.token_masks.rcu(|known| {
            let newest = std::iter::once(Mask::of(token.as_bytes()));
            newest
                .chain(known.iter().take(MASKED_TOKENS - 1).cloned())
                .collect::<Vec<_>>()
        });
    }

    /// A path with `{version}` filled in.
    async fn versioned(&self, scheme: &SessionScheme, path: &str) -> Result<String, Error> {
        if !path.contains("{version}") {
            return Ok(path.to_owned());
        }
        if self.version.load().is_none() {
            self.ask_version(scheme).await?;
        }
        match self.version.load_full() {
            Some(version) => Ok(path.replace("{version}", &version)),
            None => Err(Error::InternalError(Some(format!(
                "target {} speaks none of the API versions of this driver ({})",
                self.name,
                scheme.versions.join(", ")
            )))),
        }
    }

    async fn ask_version(&self, scheme: &SessionScheme) -> Result<(), Error> {
        let (Some(path), Some(pointer)) = (&scheme.version_path, &scheme.version_pointer) else {
            // Nothing to ask: the newest that the driver speaks.
            self.version
                .store(scheme.versions.last().cloned().map(Arc::new));
            return Ok(());
        };
        let response = self
            .send(
                &Exchange::new(Method::GET, path, HeaderMap::new(), Bytes::new())?,
                None,
            )
            .await?;
        let answer: serde_json::Value = serde_json::from_slice(response.body().bytes())
            .map_err(|_| Error::HttpProtocolError)?;
        let offered: Vec<&str> = answer
            .pointer(pointer)
            .and_then(serde_json::Value::as_array)
            .map(|list| list.iter().filter_map(serde_json::Value::as_str).collect())
            .unwrap_or_default();
        let best = scheme
            .versions
            .iter()
            .rev()
            .find(|v| offered.contains(&v.as_str()));
        self.version.store(best.cloned().map(Arc::new));
        Ok(())
    }

    /// Agrees on an API version before a call, if that has not been done. A target that does not answer is not waited for
    /// again and again: the call goes on without.
    pub(super) async fn negotiate(&self, deadline: Instant) {
        let Credential::Session(session) = &self.credential else {
            return;
        };
        if session.scheme.versions.is_empty() || self.version.load().is_some() {
            return;
        }
        let mut not_before = self.negotiation.lock().await;
        let now = Instant::now();
        if self.version.load().is_some()
            || not_before.is_some_and(|at| now < at)
            || !self.breaker.admits(Instant::now())
        {
            return;
        }
        // A part of the call's time only: the driver must be left some to serve without this target.
        let patience = deadline.saturating_duration_since(now) / 4;
        let limit = patience.min(self.connect_timeout.saturating_add(self.request_timeout));
        match tokio::time::timeout(limit, self.ask_version(&session.scheme)).await {
            Ok(Ok(())) if self.version.load().is_some() => *not_before = None,
            outcome => {
                if outcome.is_err() {
                    self.breaker.missed(Instant::now());
                }
                *not_before = Some(Instant::now() + RENEGOTIATE);
                tracing::warn!(backend = %self.backend, target_name = %self.name, "no API version could be agreed with the array yet");
            }
        }
    }
}

impl From<TargetState> for TargetFacts {
    fn from(state: TargetState) -> Self {
        Self {
            target: state.name,
            distrust: state.distrust,
            clock: state.clock,
        }
    }
}

impl Drop for Target {
    /// Ends the session, so that swaps do not use up the array's sessions. Best effort: the session ends by itself too.
    fn drop(&mut self) {
        let Credential::Session(session) = &self.credential else {
            return;
        };
        let (Some(token), Some(path)) = (self.token.load_full(), &session.scheme.logout_path)
        else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let version = self
            .version
            .load_full()
            .map(|v| v.to_string())
            .unwrap_or_default();
        let path = path.replace("{version}", &version);
        let Ok(logout) = Exchange::new(Method::POST, &path, HeaderMap::new(), Bytes::new()) else {
            return;
        };
        let (client, origin, header) = (
            self.client.clone(),
            self.origin.clone(),
            session.token_header.clone(),
        );
        runtime.spawn(async move {
            let send = logout.send(&client, &origin, Some((&header, &token)));
            drop(tokio::time::timeout(LOGOUT, send).await);
        });
    }
}
