//! A whole API over a real database, called without a socket.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod array;

pub mod driver;
pub mod form;
pub mod furnished;
pub mod written;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use springform_api::{
    ApiRouter, ApiState, Auth, DEFAULT_PROJECT, Limits, NovaService, Policy, Tokens, router,
};
use springform_control::{
    BackendConfig, Clock, Control, ControlConfig, DriverConfig, DriverLoader, Inspected,
    LoadRefusal, Loaded,
};
use springform_model::contract::{ReplicationKind, Target};
use springform_store::{Durability, Keyring, Store, StoreOptions};
use tempfile::TempDir;
use tower::ServiceExt;

use array::{Array, Loader};

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

    async fn inspect(&self, _path: &Path, _driver: &str) -> Result<Inspected, LoadRefusal> {
        Err(LoadRefusal::new(
            "load",
            "there are no drivers in this test",
        ))
    }
}

pub struct Api {
    pub router: ApiRouter,
    pub control: Control,
    pub folder: TempDir,
}

/// What a router is made of beside the array.
type Parts = (Auth, Limits, Policy, Option<NovaService>);

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

    /// Tokens `admin-token-of-test`, `member-token-of-test`, `reader-token-of-test`, `no-role-of-the-test` of one project,
    /// `other-token-of-the-test`, `other-reader-of-the-test` of another one, `usual-token-of-the-test` of the project of
    /// callers who name none, and `service-token-of-the-test`.
    pub async fn with_tokens(policy: &str) -> Self {
        let (auth, policy) = Self::tokens(policy);
        Self::with(auth, Limits::default(), policy).await
    }

    /// The same users, and a backend as in [`Api::with_array`].
    pub async fn with_tokens_and_array(array: &Arc<Array>) -> Self {
        Self::with_policy_and_array("", array).await
    }

    /// The same with another policy.
    pub async fn with_policy_and_array(policy: &str, array: &Arc<Array>) -> Self {
        let (auth, policy) = Self::tokens(policy);
        let parts = (auth, Limits::default(), policy, None);
        Self::with_users(array, &["pure"], &["a"], parts).await
    }

    /// As [`Api::with_array`], for these callers and with this Nova to ask.
    pub async fn with_nova(array: &Arc<Array>, auth: Auth, nova: Option<NovaService>) -> Self {
        let parts = (auth, Limits::default(), Policy::default(), nova);
        Self::with_users(array, &["pure"], &["a"], parts).await
    }

    /// The tokens of [`Api::with_tokens`].
    pub fn known_tokens() -> Auth {
        Self::tokens("").0
    }

    fn tokens(policy: &str) -> (Auth, Policy) {
        let folder = tempfile::tempdir().unwrap();
        let entry = |token: &str, project: &str, role: &str| {
            format!(
                "[[token]]\ntoken = \"{token}\"\nuser = \"u\"\nproject = \"{project}\"\nroles = [\"{role}\"]\n"
            )
        };
        let text = entry("admin-token-of-test", "aa", "admin")
            + &entry("member-token-of-test", "bb", "member")
            + &entry("reader-token-of-test", "bb", "reader")
            + &entry("other-token-of-the-test", "cc", "member")
            + &entry("other-reader-of-the-test", "cc", "reader")
            + &entry("no-role-of-the-test", "bb", "auditor")
            + &entry("usual-token-of-the-test", DEFAULT_PROJECT, "member")
            + &entry("service-token-of-the-test", "dd", "service");
        let tokens = folder.path().join("tokens.toml");
        std::fs::write(&tokens, text).unwrap();
        std::fs::set_permissions(&tokens, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let tokens = Tokens::read(&tokens).unwrap();
        let policy = Policy::read(&folder.path().join("policy.toml")).unwrap();
        (Auth::Tokens(tokens), policy)
    }

    pub async fn with(auth: Auth, limits: Limits, policy: Policy) -> Self {
        let parts = (auth, limits, policy, None);
        Self::assemble(parts, ControlConfig::default(), Arc::new(NoDrivers)).await
    }

    /// With a backend `springform@pure` that has one pool and answers.
    pub async fn with_array(array: &Arc<Array>) -> Self {
        Self::with_backends(array, &["pure"]).await
    }

    /// With a backend that has arrays `a` and `b`, on which nothing can be failed over.
    pub async fn with_pair(array: &Arc<Array>, name: &str) -> Self {
        Self::with_targets(array, &[name], &["a", "b"]).await
    }

    /// With backends that all have the one array.
    pub async fn with_backends(array: &Arc<Array>, names: &[&str]) -> Self {
        Self::with_targets(array, names, &["a"]).await
    }

    /// With backends that have arrays `a` and `b`.
    pub async fn with_pairs(array: &Arc<Array>, names: &[&str]) -> Self {
        Self::with_targets(array, names, &["a", "b"]).await
    }

    async fn with_targets(array: &Arc<Array>, names: &[&str], targets: &[&str]) -> Self {
        let parts = (Auth::NoAuth, Limits::default(), Policy::default(), None);
        Self::with_users(array, names, targets, parts).await
    }

    async fn with_users(
        array: &Arc<Array>,
        names: &[&str],
        targets: &[&str],
        parts: Parts,
    ) -> Self {
        let target = |name: &&str| Target {
            name: (*name).into(),
            primary: *name == "a",
            kind: (*name != "a").then_some(ReplicationKind::Async),
            options: Vec::new(),
            reachable: true,
            extensions: Vec::new(),
        };
        let targets: Vec<Target> = targets.iter().map(target).collect();
        let backend = |name: &&str| BackendConfig::new(*name, "simulated", targets.clone());
        let config = ControlConfig {
            drivers: vec![DriverConfig {
                name: "simulated".into(),
                path: "one".into(),
            }],
            backends: names.iter().map(backend).collect(),
            ..ControlConfig::default()
        };
        let api = Self::assemble(parts, config, Arc::new(Loader(array.clone()))).await;
        api.wait_for(|| async {
            api.control
                .backends()
                .all(|backend| backend.status().is_up())
        })
        .await;
        api
    }

    async fn assemble(
        (auth, limits, policy, nova): Parts,
        config: ControlConfig,
        loader: Arc<dyn DriverLoader>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            durability: Durability::Process,
            explain: true,
            keys: Some(Keyring::parse(&"5a".repeat(32)).unwrap()),
            ..StoreOptions::default()
        };
        let path = folder.path().join("springform.db");
        let store = Store::open_with(&path, options).await.unwrap();
        let control = Control::start(config, store, loader, Clock::system())
            .await
            .unwrap();
        let drivers_dir = folder.path().join("drivers");
        // Where nobody is asked who they are, other names than this one are refused.
        let public = auth.is_open().then(|| "http://cloud:8776".to_owned());
        let router = router(ApiState {
            control: control.clone(),
            auth,
            policy,
            limits,
            public_endpoint: public,
            nova,
            drivers_dir,
        });
        Self {
            router,
            control,
            folder,
        }
    }

    /// Waits for something that is bound to happen.
    pub async fn wait_for<F: Future<Output = bool>>(&self, happened: impl Fn() -> F) {
        let waiting = async {
            while !happened().await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .expect("it never happened");
    }

    /// Shows a record once nothing is under way with it.
    pub async fn settled(&self, path: &str) -> Value {
        let busy = |body: &Value| {
            let record = body.as_object().and_then(|body| body.values().next());
            let status = record.and_then(|record| record["status"].as_str());
            matches!(
                status,
                Some(
                    "creating" | "extending" | "deleting" | "retyping" | "unmanaging" | "reverting"
                )
            )
        };
        self.wait_for(|| async { !busy(&self.get(path).await.body) })
            .await;
        let body = self.get(path).await.body;
        let record = body.as_object().and_then(|body| body.values().next());
        record.cloned().unwrap_or_default()
    }

    /// Makes a volume of so many GiB and waits for it; gives its path.
    pub async fn volume(&self, size: u64) -> String {
        let body = serde_json::json!({"volume": {"size": size}});
        let made = self.post("/v3/volumes", body).await;
        assert_eq!(made.status, 202, "{}", made.text);
        let path = format!(
            "/v3/volumes/{}",
            made.body["volume"]["id"].as_str().unwrap()
        );
        assert_eq!(self.settled(&path).await["status"], "available");
        path
    }

    /// As a client of this microversion.
    pub async fn at(&self, version: &str, method: &str, path: &str, body: Value) -> Got {
        let version = format!("volume {version}");
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let headers = [("openstack-api-version", version.as_str())];
        self.send(method, path, &headers, body).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Got {
        let host = [("host", "cloud:8776")];
        let headers = [&host, headers].concat();
        self.plain(method, path, &headers, body).await
    }

    /// With these headers and no others.
    pub async fn plain(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Got {
        let mut request = Request::builder().method(method).uri(path);
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
