//! A client of the control and I/O port, for tests.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::fault::FaultSpec;

/// A client of the control port.
#[derive(Debug, Clone)]
pub struct SimControl {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

impl SimControl {
    /// A client of the port at `url`, such as `http://127.0.0.1:8080`.
    pub fn new(url: &str) -> Self {
        Self {
            base: url.trim_end_matches('/').to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        json: bool,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let kind = if json {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", kind)
            .body(Full::new(body))?;
        let response = self
            .client
            .request(request)
            .await
            .context("the control port does not answer")?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Sends any request with a JSON body (null for none) and returns the JSON answer.
    ///
    /// # Errors
    /// If the port does not answer or answers with an error.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(serde_json::to_vec(body)?)
        };
        let (status, answer) = self.send(method, path, bytes, true).await?;
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&answer));
        }
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, &body).await
    }

    /// Everything there is.
    pub async fn state(&self) -> anyhow::Result<Value> {
        self.call(Method::GET, "/state", &Value::Null).await
    }

    /// Lets time pass. Returns the new time in milliseconds since the epoch.
    pub async fn advance(&self, seconds: f64) -> anyhow::Result<u64> {
        let answer = self
            .post("/clock/advance", json!({ "seconds": seconds }))
            .await?;
        answer
            .get("now_ms")
            .and_then(Value::as_u64)
            .context("no time in the answer")
    }

    /// Switches an array off or on.
    pub async fn power(&self, array: &str, on: bool) -> anyhow::Result<()> {
        self.post(&format!("/arrays/{array}/power"), json!({ "on": on }))
            .await
            .map(drop)
    }

    /// Gives an array another API token; the old one stays good while it is kept, or nobody is logged in any more.
    pub async fn api_token(&self, array: &str, token: &str, keep: bool) -> anyhow::Result<()> {
        self.post(
            &format!("/arrays/{array}/api-token"),
            json!({"token": token, "keep": keep}),
        )
        .await
        .map(drop)
    }

    /// Tokens of the sessions that are open on an array.
    pub async fn sessions(&self, array: &str) -> anyhow::Result<Vec<String>> {
        let path = format!("/arrays/{array}/sessions");
        let answer = self.call(Method::GET, &path, &Value::Null).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// Lets an array date its answers as if its clock were so many seconds ahead.
    pub async fn date_ahead(&self, array: &str, seconds: i64) -> anyhow::Result<()> {
        self.post(
            &format!("/arrays/{array}/date"),
            json!({ "ahead": seconds }),
        )
        .await
        .map(drop)
    }

    /// Makes an array go silent: it neither answers nor refuses.
    pub async fn silence(&self, array: &str) -> anyhow::Result<()> {
        self.post(
            &format!("/arrays/{array}/power"),
            json!({"on": false, "silent": true}),
        )
        .await
        .map(drop)
    }

    /// Cuts or mends a link.
    pub async fn link(&self, a: &str, b: &str, up: bool) -> anyhow::Result<()> {
        self.post(&format!("/links/{a}/{b}"), json!({ "up": up }))
            .await
            .map(drop)
    }

    /// Sets the bandwidth of a link, in bytes per second.
    pub async fn bandwidth(&self, a: &str, b: &str, rate: u64) -> anyhow::Result<()> {
        self.post(&format!("/links/{a}/{b}"), json!({ "bandwidth": rate }))
            .await
            .map(drop)
    }

    /// Makes the mediator reachable or not.
    pub async fn mediator(&self, reachable: bool) -> anyhow::Result<()> {
        self.post("/mediator", json!({ "reachable": reachable }))
            .await
            .map(drop)
    }

    /// Adds a fault; returns its id.
    pub async fn fault(&self, array: &str, spec: &FaultSpec) -> anyhow::Result<u64> {
        let answer = self
            .post(
                &format!("/arrays/{array}/faults"),
                serde_json::to_value(spec)?,
            )
            .await?;
        answer
            .get("id")
            .and_then(Value::as_u64)
            .context("no id in the answer")
    }

    /// Removes all faults of an array.
    pub async fn clear_faults(&self, array: &str) -> anyhow::Result<()> {
        self.call(
            Method::DELETE,
            &format!("/arrays/{array}/faults"),
            &Value::Null,
        )
        .await
        .map(drop)
    }

    /// The requests an array has seen.
    pub async fn requests(&self, array: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self
            .call(
                Method::GET,
                &format!("/arrays/{array}/requests"),
                &Value::Null,
            )
            .await?;
        Ok(answer.as_array().cloned().unwrap_or_default())
    }

    /// Forgets the requests an array has seen.
    pub async fn forget_requests(&self, array: &str) -> anyhow::Result<()> {
        self.call(
            Method::DELETE,
            &format!("/arrays/{array}/requests"),
            &Value::Null,
        )
        .await
        .map(drop)
    }

    /// Writes as a host; the status is 204 if it was accepted.
    pub async fn write(
        &self,
        array: &str,
        host: &str,
        volume: &str,
        offset: u64,
        data: &[u8],
    ) -> anyhow::Result<StatusCode> {
        let path = format!(
            "/io/{array}/{}/{}?offset={offset}",
            escape(host),
            escape(volume)
        );
        let (status, _) = self
            .send(Method::PUT, &path, Bytes::copy_from_slice(data), false)
            .await?;
        Ok(status)
    }

    /// Reads as a host; on any other status than 200 that status is the error.
    pub async fn read(
        &self,
        array: &str,
        host: &str,
        volume: &str,
        offset: u64,
        length: usize,
    ) -> anyhow::Result<Result<Bytes, StatusCode>> {
        let path = format!(
            "/io/{array}/{}/{}?offset={offset}&length={length}",
            escape(host),
            escape(volume)
        );
        let (status, bytes) = self.send(Method::GET, &path, Bytes::new(), false).await?;
        Ok(if status == StatusCode::OK {
            Ok(bytes)
        } else {
            Err(status)
        })
    }
}
