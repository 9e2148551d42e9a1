//! What the array itself takes for a replicated volume: the same requests as the driver makes, by a native client that does
//! nothing else, over a connection that is kept.

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{PRIMARY, Site};

/// One request of a create, as the array has seen it from the driver.
#[derive(Debug, Clone)]
pub struct Step {
    method: Method,
    path: String,
    query: String,
}

/// A client with a session.
pub struct Native {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Native {
    /// Logs in.
    ///
    /// # Errors
    /// The array does not answer.
    pub async fn log_in(site: &Site) -> anyhow::Result<Self> {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(site.sim.ca_file())?)?;
        let http = reqwest::Client::builder()
            .add_root_certificate(ca)
            .tcp_nodelay(true)
            .build()?;
        let base = format!("https://{}/api/2.26", site.sim.address(PRIMARY));
        let answer = http
            .post(format!("{base}/login"))
            .header("api-token", site.sim.api_token(PRIMARY))
            .send()
            .await?;
        let token = answer
            .headers()
            .get("x-auth-token")
            .context("the array gave no session")?
            .to_str()?
            .to_owned();
        Ok(Self { http, base, token })
    }

    /// Makes the requests of a create for another volume.
    ///
    /// # Errors
    /// The array refuses one.
    pub async fn replay(
        &self,
        steps: &[Step],
        old: &str,
        new: &str,
        bytes: u64,
    ) -> anyhow::Result<()> {
        for step in steps {
            let query = step.query.replace(old, new);
            let url = format!(
                "{}/{}?{query}",
                self.base,
                step.path.trim_start_matches('/')
            );
            let mut request = self
                .http
                .request(step.method.clone(), url)
                .header("x-auth-token", &self.token);
            let path = step.path.trim_matches('/');
            if step.method == Method::POST && path == "volumes" {
                request = request.json(&json!({ "provisioned": bytes }));
            } else if path == "volumes/tags/batch" {
                request = request.json(&tags());
            } else if step.method != Method::GET {
                request = request.header("content-length", "0");
            }
            let answer = request.send().await?;
            let status = answer.status();
            let body = answer.bytes().await?;
            if status != StatusCode::OK {
                bail!(
                    "{} {}: {status}: {}",
                    step.method,
                    step.path,
                    String::from_utf8_lossy(&body)
                );
            }
        }
        Ok(())
    }
}

/// What the driver writes beside a volume, in as many bytes.
fn tags() -> Value {
    let tag = |key: &str, value: &str| {
        json!({
            "namespace": "openstack-integration.purestorage.com",
            "key": key,
            "value": value,
            "copyable": false,
        })
    };
    json!([
        tag("DataStoreType", "Direct Access"),
        tag("ProjectId", "0123456789abcdef0123456789abcdef"),
        tag("VolType", "Data"),
    ])
}

/// The requests that mention a volume, in their order.
///
/// # Errors
/// The array does not answer, or has seen none.
pub async fn requests_of(site: &Site, volume: &str) -> anyhow::Result<Vec<Step>> {
    let text = |line: &Value, key: &str| {
        line.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut steps = Vec::new();
    for line in site.control.requests(PRIMARY).await? {
        let query = text(&line, "query");
        if query.contains(volume) {
            steps.push(Step {
                method: text(&line, "method").parse()?,
                path: text(&line, "path"),
                query,
            });
        }
    }
    anyhow::ensure!(
        !steps.is_empty(),
        "the array has seen no request for {volume}"
    );
    Ok(steps)
}
