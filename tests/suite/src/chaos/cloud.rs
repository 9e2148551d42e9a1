//! A client that expects nothing: a host that is killed, stopped or full answers late, otherwise, or not at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Records of the largest page that the API gives.
const PAGE: usize = 1000;
/// Ends the query for one.
const LARGEST_PAGE: &str = "limit=1000";

/// The project of the administrator and of most tenants.
pub const PROJECT: &str = "0123456789abcdef0123456789abcdef";

/// A client of the host.
#[derive(Debug)]
pub struct Cloud {
    http: reqwest::Client,
    base: String,
    accepted: AtomicU64,
}

impl Cloud {
    /// A client of the host at this URL that waits so long for an answer.
    ///
    /// # Errors
    /// The system's TLS cannot be set up.
    pub fn new(base: &str, patience: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(patience).build()?,
            base: base.to_owned(),
            accepted: AtomicU64::new(0),
        })
    }

    /// Changes that the host has accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Sends a request as a user of a project; `None` without an answer, when it may have been done.
    pub async fn send_as(
        &self,
        project: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(StatusCode, Value)> {
        let changes = method != Method::GET;
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("x-auth-token", format!("admin:{project}"))
            .header("x-service-token", "nova:service")
            .header("openstack-api-version", "volume 3.59");
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        if changes && status.is_success() {
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some((status, value))
    }

    /// The same as the administrator.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(StatusCode, Value)> {
        self.send_as(PROJECT, method, path, body).await
    }

    /// What is at a path; `None` if it cannot be read. A list that is asked for with the largest page is read to its end.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let mut all = self.read(path).await?;
        if !path.ends_with(LARGEST_PAGE) {
            return Some(all);
        }
        let mut known = 0;
        while let Some(found) = items(&mut all).filter(|found| found.len() >= known + PAGE) {
            known = found.len();
            let last = found.last().map(|last| text(last, "/id").to_owned())?;
            let mut next = self.read(&format!("{path}&marker={last}")).await?;
            let next = items(&mut next).map(std::mem::take).unwrap_or_default();
            items(&mut all)?.extend(next);
        }
        Some(all)
    }

    async fn read(&self, path: &str) -> Option<Value> {
        let (status, value) = self.send(Method::GET, path, None).await?;
        status.is_success().then_some(value)
    }

    /// Posts; `None` unless it is accepted.
    pub async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let (status, value) = self.send(Method::POST, path, Some(body)).await?;
        status.is_success().then_some(value)
    }

    /// An action on a volume; gives back the status.
    pub async fn act(&self, volume: &str, action: &str, with: Value) -> Option<StatusCode> {
        let path = format!("/v3/volumes/{volume}/action");
        let body = json!({ action: with });
        let answer = self.send(Method::POST, &path, Some(&body)).await;
        answer.map(|(status, _)| status)
    }

    /// Installs a component for a driver.
    pub async fn install(&self, driver: &str, component: Vec<u8>) -> Option<StatusCode> {
        let path = format!("{}/admin/v1/drivers/{driver}", self.base);
        let request = self.http.put(path).body(component);
        let request = request.header("content-type", "application/wasm");
        let request = request.header("x-auth-token", format!("admin:{PROJECT}"));
        Some(request.send().await.ok()?.status())
    }
}

/// The records in an answer; its links are a list, too.
fn items(answer: &mut Value) -> Option<&mut Vec<Value>> {
    let members = answer.as_object_mut()?.values_mut();
    let mut lists = members.filter_map(Value::as_array_mut);
    lists.find(|list| list.first().is_some_and(|one| one.get("id").is_some()))
}

/// The text at a place.
#[must_use]
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

/// The list at a place.
#[must_use]
pub fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// The number at a place.
#[must_use]
pub fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer).and_then(Value::as_u64)
}
