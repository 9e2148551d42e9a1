//! Arrays to test, and a client that speaks to one of them over HTTPS.

use flasharray_sim::{Sim, SimConfig, SimControl};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

pub const GIB: u64 = 1 << 30;

/// A running simulation with clients.
pub struct Rig {
    pub sim: Sim,
    pub control: SimControl,
}

/// A client of one array, logged in.
pub struct Array {
    pub http: Client,
    pub base: String,
    pub session: String,
}

/// A client that trusts the simulator.
pub fn client(sim: &Sim) -> Client {
    let pem = std::fs::read(sim.ca_file()).unwrap();
    Client::builder()
        .use_rustls_tls()
        .add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap())
        .build()
        .unwrap()
}

impl Rig {
    pub fn new(config: SimConfig) -> Self {
        let sim = Sim::start(config).unwrap();
        let control = SimControl::new(&sim.control_url());
        Self { sim, control }
    }

    pub fn single() -> Self {
        Self::new(SimConfig::single("a").test_clock())
    }

    pub fn pair() -> Self {
        Self::new(SimConfig::pair("a", "b").test_clock())
    }

    pub fn trio() -> Self {
        Self::new(SimConfig::trio("a", "b", "c").test_clock())
    }

    pub async fn array(&self, name: &str) -> Array {
        let http = client(&self.sim);
        let base = format!("https://{}/api/2.26", self.sim.address(name));
        let answer = http
            .post(format!("{base}/login"))
            .header("api-token", self.sim.api_token(name))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let session = answer.headers()["x-auth-token"]
            .to_str()
            .unwrap()
            .to_owned();
        Array {
            http,
            base,
            session,
        }
    }

    /// A host `h` on an array that sees these volumes.
    pub async fn host(&self, array: &Array, volumes: &str) {
        array
            .post("hosts?names=h", json!({"iqns": ["iqn.2026-01.org.test:h"]}))
            .await;
        array
            .post(
                &format!("connections?host_names=h&volume_names={volumes}"),
                Value::Null,
            )
            .await;
    }

    pub async fn write(&self, array: &str, volume: &str, offset: u64, data: &[u8]) -> u16 {
        self.control
            .write(array, "h", volume, offset, data)
            .await
            .unwrap()
            .as_u16()
    }

    pub async fn read(&self, array: &str, volume: &str, length: usize) -> Result<Vec<u8>, u16> {
        let answer = self
            .control
            .read(array, "h", volume, 0, length)
            .await
            .unwrap();
        answer
            .map(|bytes| bytes.to_vec())
            .map_err(|status| status.as_u16())
    }
}

impl Array {
    pub async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let mut request = self
            .http
            .request(method, format!("{}/{path}", self.base))
            .header("x-auth-token", &self.session);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&text).unwrap_or(Value::Null))
    }

    async fn ok(&self, method: Method, path: &str, body: Value) -> Vec<Value> {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer["items"].as_array().cloned().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Vec<Value> {
        self.ok(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Vec<Value> {
        self.ok(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Vec<Value> {
        self.ok(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) {
        self.ok(Method::DELETE, path, Value::Null).await;
    }

    /// The messages of a refusal, which must be a 400.
    pub async fn refused(&self, method: Method, path: &str, body: Value) -> Vec<String> {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 400, "{path}: {answer}");
        answer["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["message"].as_str().unwrap().to_owned())
            .collect()
    }

    pub async fn volume(&self, name: &str) {
        self.post(
            &format!("volumes?names={name}"),
            json!({"provisioned": GIB}),
        )
        .await;
    }
}

/// The names of some items.
pub fn names(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}
