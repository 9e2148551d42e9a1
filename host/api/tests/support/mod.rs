//! A whole API over a real database, called without a socket.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod driver;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use springform_api::{ApiState, Auth, Limits, Policy, Tokens, router};
use springform_control::{
    BackendConfig, Clock, Control, ControlConfig, DriverLoader, Inspected, LoadRefusal, Loaded,
};
use springform_store::Store;
use tempfile::TempDir;
use tower::ServiceExt;

/// Refuses every driver: these tests are about HTTP.
struct NoDrivers;

#[async_trait::async_trait]
impl DriverLoader for NoDrivers {
    async fn load(&self, _path: &Path, _backend: &BackendConfig) -> Result<Loaded, LoadRefusal> {
        Err(LoadRefusal::new(
            "load",
            "there are no drivers in this test",
        ))
    }

    async fn inspect(&self, _path: &Path) -> Result<Inspected, LoadRefusal> {
        Err(LoadRefusal::new(
            "load",
            "there are no drivers in this test",
        ))
    }
}

pub struct Api {
    pub router: Router,
    pub folder: TempDir,
}

pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Got {
    /// The message of an error, whatever key it stands under.
    pub fn message(&self) -> &str {
        let inner = self.body.as_object().and_then(|body| body.values().next());
        inner
            .and_then(|inner| inner.get("message"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

impl Api {
    pub async fn new() -> Self {
        Self::with(Auth::NoAuth, Limits::default(), Policy::default()).await
    }

    /// Tokens `admin-token-of-test`, `member-token-of-test`, `reader-token-of-test`, `other-token-of-the-test`.
    pub async fn with_tokens(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entry = |token: &str, project: &str, role: &str| {
            format!(
                "[[token]]\ntoken = \"{token}\"\nuser = \"u\"\nproject = \"{project}\"\nroles = [\"{role}\"]\n"
            )
        };
        let text = entry("admin-token-of-test", "aa", "admin")
            + &entry("member-token-of-test", "bb", "member")
            + &entry("reader-token-of-test", "bb", "reader")
            + &entry("other-token-of-the-test", "cc", "member");
        std::fs::write(folder.path().join("tokens.toml"), text).unwrap();
        std::fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let tokens = Tokens::read(&folder.path().join("tokens.toml")).unwrap();
        let policy = Policy::read(&folder.path().join("policy.toml")).unwrap();
        Self::with(Auth::Tokens(tokens), Limits::default(), policy).await
    }

    pub async fn with(auth: Auth, limits: Limits, policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("springform.db"))
            .await
            .unwrap();
        let config = ControlConfig::default();
        let control = Control::start(config, store, Arc::new(NoDrivers), Clock::system())
            .await
            .unwrap();
        let drivers_dir = folder.path().join("drivers");
        let router = router(ApiState {
            control,
            auth,
            policy,
            limits,
            public_endpoint: None,
            drivers_dir,
        });
        Self { router, folder }
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Got {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "cloud:8776");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(body.into()).unwrap())
            .await
            .unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Got {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Got {
        self.send(
            "GET",
            path,
            &[("openstack-api-version", "volume 3.71")],
            Body::empty(),
        )
        .await
    }

    pub async fn put(&self, path: &str, body: Value) -> Got {
        self.send(
            "PUT",
            path,
            &[("openstack-api-version", "volume 3.71")],
            body.to_string(),
        )
        .await
    }

    pub async fn post(&self, path: &str, body: Value) -> Got {
        self.send(
            "POST",
            path,
            &[("openstack-api-version", "volume 3.71")],
            body.to_string(),
        )
        .await
    }

    pub async fn delete(&self, path: &str) -> Got {
        self.send(
            "DELETE",
            path,
            &[("openstack-api-version", "volume 3.71")],
            Body::empty(),
        )
        .await
    }
}
