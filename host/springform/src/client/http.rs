//! One HTTP client for the admin API, with errors an operator can use.

use std::path::Path;

use anyhow::{Context, bail};
use reqwest::{Certificate, Method, Response};
use serde_json::Value;

use super::refusal::Refused;
use crate::cli::{Connection, Format};

/// A host that is talked to.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    /// How answers are written.
    pub format: Format,
}

/// Nobody answered: nothing is known of what was asked. A host that is being restarted answers later.
#[derive(Debug, thiserror::Error)]
#[error("cannot talk to the host at {base}: {reason}{}", self.advice.map(|advice| format!("; {advice}")).unwrap_or_default())]
pub struct Unreachable {
    base: String,
    reason: String,
    advice: Option<&'static str>,
}

impl Unreachable {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        self.advice
    }
}

impl Client {
    /// Prepares to talk to a host; nothing is sent yet.
    ///
    /// # Errors
    /// The machine's TLS roots cannot be read.
    pub fn new(connection: &Connection) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("springform/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &connection.cacert {
            for authority in authorities(path)? {
                http = http.add_root_certificate(authority);
            }
        }
        Ok(Self {
            http: http.build().context("cannot prepare HTTPS")?,
            base: connection.url.trim_end_matches('/').to_owned(),
            token: connection.token.clone(),
            format: connection.format,
        })
    }

    /// GET, JSON back.
    ///
    /// # Errors
    /// Not reached, or refused with a reason.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.json(Method::GET, path, None).await
    }

    /// POST with a JSON body, JSON back (null where there is none).
    ///
    /// # Errors
    /// Not reached, or refused with a reason.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// DELETE, JSON back (null where there is none).
    ///
    /// # Errors
    /// Not reached, or refused with a reason.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.json(Method::DELETE, path, None).await
    }

    /// PUT of a component.
    ///
    /// # Errors
    /// Not reached, or refused with a reason.
    pub async fn put_wasm(
        &self,
        path: &str,
        component: Vec<u8>,
        signatures: &str,
    ) -> anyhow::Result<Value> {
        let query = [("signatures", signatures)];
        let signed = !signatures.is_empty();
        let request = self
            .request(Method::PUT, path)
            .query(if signed { &query[..] } else { &[] })
            .header("content-type", "application/wasm")
            .body(component);
        read(self.send(request).await?).await
    }

    /// GET of an event stream.
    ///
    /// # Errors
    /// Not reached, or refused with a reason.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Response> {
        let request = self
            .request(Method::GET, path)
            .header("accept", "text/event-stream");
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        read(response).await?;
        bail!("the host answered with no event stream")
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        read(self.send(request).await?).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}/admin/v1{path}", self.base));
        match &self.token {
            Some(token) => request.header("x-auth-token", token),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.map_err(|error| {
            let cause = innermost(&error);
            let (reason, advice) = if cause.contains("UnknownIssuer") {
                (
                    "its certificate was not signed by an authority that is known here".to_owned(),
                    Some("name that with --cacert"),
                )
            } else if error.is_connect() && !cause.contains("certificate") {
                (
                    "nothing answers there".to_owned(),
                    Some("is `springform serve` running?"),
                )
            } else {
                (cause, None)
            };
            let base = self.base.clone();
            Unreachable {
                base,
                reason,
                advice,
            }
            .into()
        })
    }
}

fn authorities(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let shown = path.display();
    let pem = std::fs::read(path).with_context(|| format!("--cacert {shown} cannot be read"))?;
    let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    anyhow::ensure!(
        !found.is_empty(),
        "--cacert {shown} holds no certificate in PEM form"
    );
    Ok(found)
}

fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

async fn read(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let text = response
        .text()
        .await
        .context("the host broke off its answer")?;
    let value: Value = match text.trim() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or(Value::Null),
    };
    if status.is_success() {
        return Ok(value);
    }
    Err(Refused::new(status, &value).into())
}
