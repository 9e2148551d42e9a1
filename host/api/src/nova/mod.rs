//! Nova, as far as attachments are repaired through it, and asked about. The token is the caller's own, for one request: the
//! host keeps none.

mod service;

pub use service::NovaService;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, Url};
use serde_json::{Map, Value, json};
use springform_control::compute::{Attached, Compute, ComputeError, Server};
use uuid::Uuid;

/// The oldest version that tells, and takes, whether a volume goes with its server (Train).
const VERSION: &str = "2.79";
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of Nova's own words that are passed on.
const WORDS: usize = 300;

/// A Nova.
pub struct Nova {
    client: Client,
    base: String,
    token: String,
    version: &'static str,
}

impl fmt::Debug for Nova {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Nova");
        shown.field("base", &self.base).finish_non_exhaustive()
    }
}

/// The URL that paths are put behind.
fn base(url: &str) -> Result<String, String> {
    let wrong = || {
        "nova must be the URL of the compute API, such as https://nova.example.org:8774/v2.1"
            .to_owned()
    };
    let url = Url::parse(url).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none();
    if !plain {
        return Err(wrong());
    }
    let mut base = url.as_str().trim_end_matches('/').to_owned();
    if url.path() == "/" {
        base.push_str("/v2.1");
    }
    Ok(base)
}

fn client(authority: Option<Certificate>) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("springform/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT);
    if let Some(authority) = authority {
        builder = builder
            .add_root_certificate(authority)
            .tls_built_in_root_certs(false);
    }
    builder
        .build()
        .map_err(|error| format!("HTTPS cannot be prepared: {error}"))
}

impl Nova {
    /// Prepares; nothing is sent yet.
    ///
    /// # Errors
    /// In words: what is given is no URL of an API.
    pub fn new(url: &str, token: &str) -> Result<Self, String> {
        Ok(Self {
            client: client(None)?,
            base: base(url)?,
            token: token.to_owned(),
            version: VERSION,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("x-auth-token", &self.token)
            .header("accept", "application/json")
            .header("openstack-api-version", format!("compute {}", self.version))
            .header("x-openstack-nova-api-version", self.version)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ComputeError> {
        let answer = request
            .send()
            .await
            .map_err(|error| ComputeError::Unavailable(innermost(&error.without_url())))?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(ComputeError::Denied(
                "it does not know the token; get a new one".to_owned(),
            )),
            status if status.is_server_error() || status.is_redirection() => {
                Err(ComputeError::Unavailable(format!("it answered {status}")))
            }
            _ => Ok(answer),
        }
    }

    /// The object under the one key of the answer; none for 404.
    async fn read(&self, path: &str, key: &str) -> Result<Option<Value>, ComputeError> {
        let answer = self.send(self.request(Method::GET, path)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::FORBIDDEN => Err(ComputeError::Denied(words(answer).await)),
            status if status.is_success() => {
                let nonsense =
                    || ComputeError::Unavailable(format!("its answer has no `{key}` in it"));
                let mut body: Value = answer.json().await.map_err(|_| nonsense())?;
                match body.get_mut(key).map(Value::take) {
                    Some(found @ Value::Object(_)) => Ok(Some(found)),
                    _ => Err(nonsense()),
                }
            }
            _ => Err(ComputeError::Refused(words(answer).await)),
        }
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// Why it refuses: `{"<fault>": {"message": …}}`.
async fn words(answer: Response) -> String {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let message = body
        .as_object()
        .and_then(|body| body.values().next())
        .and_then(|fault| fault.get("message"))
        .and_then(Value::as_str);
    match message {
        Some(message) => message.chars().take(WORDS).collect(),
        None => format!("it answered {status}"),
    }
}

/// A part of a path. What is no UUID is no server and no volume, and must not become another path.
fn id(text: &str) -> Result<Uuid, ComputeError> {
    text.parse()
        .map_err(|_| ComputeError::Refused(format!("{} is no UUID", text.escape_default())))
}

fn volumes(server: &str) -> Result<String, ComputeError> {
    Ok(format!("/servers/{}/os-volume_attachments", id(server)?))
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

#[async_trait]
impl Compute for Nova {
    async fn server(&self, server: &str) -> Result<Option<Server>, ComputeError> {
        let path = format!("/servers/{}", id(server)?);
        let found = self.read(&path, "server").await?;
        Ok(found.map(|server| Server {
            status: text(&server, "status").unwrap_or_default(),
            root_device: text(&server, "OS-EXT-SRV-ATTR:root_device_name"),
        }))
    }

    async fn attached(&self, server: &str, volume: &str) -> Result<Option<Attached>, ComputeError> {
        let path = format!("{}/{}", volumes(server)?, id(volume)?);
        let found = self.read(&path, "volumeAttachment").await?;
        Ok(found.map(|attached| Attached {
            device: text(&attached, "device"),
            tag: text(&attached, "tag"),
            delete_on_termination: attached
                .get("delete_on_termination")
                .and_then(Value::as_bool),
        }))
    }

    async fn detach(&self, server: &str, volume: &str) -> Result<(), ComputeError> {
        let path = format!("{}/{}", volumes(server)?, id(volume)?);
        let answer = self.send(self.request(Method::DELETE, &path)).await?;
        match answer.status() {
            // Somebody else was faster.
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(ComputeError::Refused(words(answer).await)),
        }
    }

    async fn attach(
        &self,
        server: &str,
        volume: &str,
        attached: &Attached,
    ) -> Result<(), ComputeError> {
        let mut wanted = Map::new();
        wanted.insert("volumeId".to_owned(), json!(id(volume)?));
        if let Some(device) = &attached.device {
            wanted.insert("device".to_owned(), json!(device));
        }
        if let Some(tag) = &attached.tag {
            wanted.insert("tag".to_owned(), json!(tag));
        }
        if let Some(goes) = attached.delete_on_termination {
            wanted.insert("delete_on_termination".to_owned(), json!(goes));
        }
        let request = self
            .request(Method::POST, &volumes(server)?)
            .json(&json!({ "volumeAttachment": wanted }));
        let answer = self.send(request).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(ComputeError::Refused(words(answer).await))
    }
}
