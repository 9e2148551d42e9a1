//! A client of the Cinder API, as small as the walk needs.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client.
#[derive(Debug, Clone)]
pub struct Cinder {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Cinder {
    /// A client of the host at this URL.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.to_owned(),
            token: "admin:0123456789abcdef0123456789abcdef".to_owned(),
        }
    }

    /// One that shows another token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self
        }
    }

    /// A request to any path; gives back status and JSON.
    ///
    /// # Errors
    /// The host does not answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.sent(request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("x-auth-token", &self.token)
            .header("openstack-api-version", "volume 3.59")
    }

    async fn sent(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// A request that must succeed.
    ///
    /// # Errors
    /// It does not; the message has the answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let shown = format!("{method} {path}");
        let (status, value) = self.send(method, path, body).await?;
        if !status.is_success() {
            bail!("{shown}: {status}: {value}");
        }
        Ok(value)
    }

    /// Creates a type with extra specs; gives back its id.
    ///
    /// # Errors
    /// It is refused.
    pub async fn create_type(&self, name: &str, specs: &Value) -> anyhow::Result<String> {
        let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
        let id = id(
            &self.ask(Method::POST, "/v3/types", Some(&body)).await?,
            "/volume_type/id",
        )?;
        let body = json!({ "extra_specs": specs });
        self.ask(
            Method::POST,
            &format!("/v3/types/{id}/extra_specs"),
            Some(&body),
        )
        .await?;
        Ok(id)
    }

    /// Creates a volume; gives back its id. It is not available yet.
    ///
    /// # Errors
    /// It is refused.
    pub async fn create_volume(
        &self,
        name: &str,
        size: u64,
        volume_type: &str,
    ) -> anyhow::Result<String> {
        let body = json!({"volume": {"name": name, "size": size, "volume_type": volume_type}});
        id(
            &self.ask(Method::POST, "/v3/volumes", Some(&body)).await?,
            "/volume/id",
        )
    }

    /// A volume.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn volume(&self, id: &str) -> anyhow::Result<Value> {
        let answer = self
            .ask(Method::GET, &format!("/v3/volumes/{id}"), None)
            .await?;
        Ok(answer.get("volume").cloned().unwrap_or_default())
    }

    /// Waits until a volume has a status; another final status is an error with the host's explanation.
    ///
    /// # Errors
    /// It gets another final status, or none in time.
    pub async fn volume_becomes(&self, id: &str, status: &str) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let volume = self.volume(id).await?;
            let now = volume
                .get("status")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            if now == status {
                return Ok(volume);
            }
            if now.starts_with("error") || Instant::now() > deadline {
                let messages = self
                    .ask(Method::GET, "/v3/messages", None)
                    .await
                    .unwrap_or_default();
                bail!("volume {id} is {now} and was to become {status}; messages: {messages}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Connects a host to a volume through an attachment; gives back the attachment.
    ///
    /// # Errors
    /// It is refused.
    pub async fn attach(&self, volume: &str, host: &str, initiator: &str) -> anyhow::Result<Value> {
        let body = json!({"attachment": {
            "volume_uuid": volume, "mode": "rw",
            "connector": {"host": host, "initiator": initiator, "ip": "127.0.0.1", "multipath": true, "os_type": "linux", "platform": "x86_64"},
        }});
        let answer = self
            .ask(Method::POST, "/v3/attachments", Some(&body))
            .await?;
        let attachment = answer.get("attachment").cloned().unwrap_or_default();
        let path = format!("/v3/attachments/{}/action", id(&attachment, "/id")?);
        self.ask(Method::POST, &path, Some(&json!({"os-complete": {}})))
            .await?;
        Ok(attachment)
    }

    /// Takes an attachment away, as Nova does: with its service token.
    ///
    /// # Errors
    /// It is refused.
    pub async fn detach(&self, attachment: &Value) -> anyhow::Result<()> {
        let path = format!("/v3/attachments/{}", id(attachment, "/id")?);
        let request = self.request(Method::DELETE, &path);
        let request = request.header("x-service-token", "nova:service");
        match self.sent(request).await? {
            (status, _) if status.is_success() => Ok(()),
            (status, value) => bail!("DELETE {path}: {status}: {value}"),
        }
    }

    /// The volume service of a backend.
    ///
    /// # Errors
    /// There is none.
    pub async fn service(&self, host: &str) -> anyhow::Result<Value> {
        let answer = self
            .ask(Method::GET, &format!("/v3/os-services?host={host}"), None)
            .await?;
        let services = answer
            .get("services")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut services = services.into_iter();
        services
            .find(|service| service.get("host").and_then(Value::as_str) == Some(host))
            .with_context(|| format!("there is no service {host}"))
    }

    /// Waits until a field of a service has a value.
    ///
    /// # Errors
    /// It has not in time.
    pub async fn service_becomes(
        &self,
        host: &str,
        field: &str,
        value: &str,
    ) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let service = self.service(host).await?;
            if service.get(field).and_then(Value::as_str) == Some(value) {
                return Ok(service);
            }
            if Instant::now() > deadline {
                bail!("the service {host} was to have {field} = {value}: {service}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A PUT on the services: `enable`, `freeze`, `failover_host` …
    ///
    /// # Errors
    /// It is refused.
    pub async fn put_service(&self, verb: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::PUT, &format!("/v3/os-services/{verb}"), Some(body))
            .await
    }
}

/// A text at a place in an answer.
///
/// # Errors
/// It is not there.
pub fn id(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned)
        .with_context(|| format!("the answer has no {pointer}: {value}"))
}
