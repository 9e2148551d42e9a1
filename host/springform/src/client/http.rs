//! One HTTP client for the admin API, with errors an operator can use.

use std::path::Path;

use anyhow::{Context, bail};
use reqwest::{Certificate, Method, Response, StatusCode};
use serde_json::Value;

use crate::cli::{Connection, Format};
use crate::show::harmless;

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
#[error("cannot talk to the host at {base}: {reason}")]
pub struct Unreachable {
    base: String,
    reason: String,
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
            let reason = if cause.contains("UnknownIssuer") {
                "its certificate was not signed by an authority that is known here; name that with --cacert".to_owned()
            } else if error.is_connect() && !cause.contains("certificate") {
                "nothing answers there; is `springform serve` running?".to_owned()
            } else {
                cause
            };
            let base = self.base.clone();
            Unreachable { base, reason }.into()
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
    bail!(refusal(status, &value))
}

/// The reason in the answer, whichever of the two shapes of error it has: `{"error": {…}}` or Cinder's `{"<fault>": {…}}`.
fn refusal(status: StatusCode, value: &Value) -> String {
    let inner = value
        .as_object()
        .and_then(|fields| fields.values().find(|field| field.get("message").is_some()));
    let Some(error) = inner else {
        return match status {
            StatusCode::UNAUTHORIZED => "the host wants a token: set SPRINGFORM_TOKEN".to_owned(),
            StatusCode::NOT_FOUND => "the host does not know this".to_owned(),
            status => format!("the host answered {status}"),
        };
    };
    let text = |key: &str| error.get(key).and_then(Value::as_str);
    let mut message = harmless(text("message").unwrap_or("refused"));
    if let Some(operation) = text("operation") {
        message.push_str(&format!(
            "\n  in the way: operation {operation}; see `springform operation show {operation}`"
        ));
    }
    if error.get("retryable").and_then(Value::as_bool) == Some(true) {
        message.push_str("\n  trying again later may help");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_conflict_names_the_operation_in_the_way() {
        let value = json!({"error": {"code": 409, "message": "backend pure1 is being failed over", "operation": "op-1", "retryable": true}});
        assert_eq!(
            refusal(StatusCode::CONFLICT, &value),
            "backend pure1 is being failed over\n  in the way: operation op-1; see `springform operation show op-1`\n  trying again later may help"
        );
    }

    #[test]
    fn a_refusal_in_cinders_shape_is_understood_too() {
        let value = json!({"badRequest": {"code": 400, "message": "Invalid input received"}});
        assert_eq!(
            refusal(StatusCode::BAD_REQUEST, &value),
            "Invalid input received"
        );
    }
}
