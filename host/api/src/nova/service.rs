//! The Nova of the installation, asked as the caller whether a server has a volume.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, StatusCode};
use reqwest::{Certificate, Client, Response};
use serde_json::Value;
use springform_control::compute::{ComputeError, ServerVolumes};
use uuid::Uuid;

use super::{Nova, base, client, text, words};

/// The oldest version that tells by which attachment a server has a volume (Zed); Cinder asks for the same.
const VERSION: &str = "2.89";

/// Where Nova is.
#[derive(Debug, Clone)]
pub struct NovaService {
    client: Client,
    base: String,
}

impl NovaService {
    /// Prepares; nothing is sent. `ca_pem`: the authority that signed its certificate; none: the system's.
    ///
    /// # Errors
    /// In words: no URL of an API, or no certificate.
    pub fn new(url: &str, ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let ca = ca_pem.map(Certificate::from_pem).transpose();
        let ca = ca.map_err(|error| format!("its authority cannot be read: {error}"))?;
        Ok(Self {
            base: base(url)?,
            client: client(ca)?,
        })
    }

    /// The same as somebody sees it whose token this is.
    #[must_use]
    pub fn as_caller(&self, token: &str) -> Arc<dyn ServerVolumes> {
        Arc::new(Nova {
            client: self.client.clone(),
            base: self.base.clone(),
            token: token.to_owned(),
            version: VERSION,
        })
    }
}

#[async_trait]
impl ServerVolumes for Nova {
    async fn attachment(&self, server: &str, volume: &str) -> Result<Option<String>, ComputeError> {
        let (Ok(server), Ok(volume)) = (server.parse::<Uuid>(), volume.parse::<Uuid>()) else {
            // What is no UUID is no server of Nova's.
            return Ok(None);
        };
        let path = format!("/servers/{server}/os-volume_attachments/{volume}");
        match self.told(&path).await? {
            Some(body) => had(&body, server, volume).map(Some),
            None => Ok(None),
        }
    }

    async fn shows(&self, server: &str) -> Result<bool, ComputeError> {
        let Ok(server) = server.parse::<Uuid>() else {
            return Ok(false);
        };
        match self.told(&format!("/servers/{server}")).await? {
            Some(body) => shown(&body, server).map(|()| true),
            None => Ok(false),
        }
    }
}

impl Nova {
    /// What it tells of something; none where it says, in its own words, that there is none.
    async fn told(&self, path: &str) -> Result<Option<Value>, ComputeError> {
        let answer = self.send(self.request(Method::GET, path)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => absent(answer).await.map(|()| None),
            StatusCode::FORBIDDEN => Err(ComputeError::Denied(words(answer).await)),
            StatusCode::NOT_ACCEPTABLE => Err(ComputeError::Refused(format!(
                "it does not know microversion {VERSION}, which needs Nova of Zed (26) or later"
            ))),
            status if status.is_success() => Ok(Some(answer.json().await.unwrap_or_default())),
            _ => Err(ComputeError::Refused(words(answer).await)),
        }
    }
}

/// Not found, if it is Nova that says so: the answer of a proxy that does not know the path must not cost a server its disk.
async fn absent(answer: Response) -> Result<(), ComputeError> {
    let body: Value = answer.json().await.unwrap_or_default();
    match body.get("itemNotFound").is_some_and(Value::is_object) {
        true => Ok(()),
        false => Err(ComputeError::Unavailable(
            "it answered 404, but not as Nova does; see whether [nova] url is right".to_owned(),
        )),
    }
}

/// Refuses an answer about another server.
fn shown(body: &Value, server: Uuid) -> Result<(), ComputeError> {
    let found = body.get("server").and_then(|found| text(found, "id"));
    match found.and_then(|id| id.parse::<Uuid>().ok()) == Some(server) {
        true => Ok(()),
        false => Err(ComputeError::Unavailable(
            "its answer is not about this server".to_owned(),
        )),
    }
}

/// The attachment in an answer, which must be about what was asked.
fn had(body: &Value, server: Uuid, volume: Uuid) -> Result<String, ComputeError> {
    let found = body.get("volumeAttachment").cloned().unwrap_or_default();
    let is = |key: &str, id: Uuid| {
        let said = text(&found, key).and_then(|said| said.parse::<Uuid>().ok());
        said == Some(id)
    };
    if !is("serverId", server) || !is("volumeId", volume) {
        return Err(ComputeError::Unavailable(
            "its answer is not about this server and this volume".to_owned(),
        ));
    }
    text(&found, "attachment_id").ok_or_else(|| {
        ComputeError::Unavailable("its answer does not tell by which attachment".to_owned())
    })
}
