//! Odd requests and the status that Cinder 29 answers them with. Each group of rows names the place in Cinder's source.
//! `tests/upstream/test_odd_requests.py` asks a whole Cinder many more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod groups;
mod kinds;
mod lists;
mod volumes;

use serde_json::{Value, json};
use support::furnished::{ADMIN, MEMBER, Things, call, furnished};
use support::{Api, Got};

/// Method, path with `{parts}`, body with `<parts>`, status.
type Row = (&'static str, &'static str, &'static str, u16);

/// Another project's member.
const STRANGER: &str = "other-token-of-the-test";

struct World {
    api: Api,
    things: Things,
}

impl World {
    async fn new() -> Self {
        let (api, mut things) = furnished().await;
        for (name, path, key, body) in [
            (
                "type_id",
                "types",
                "volume_type",
                json!({"name": "unused", "extra_specs": {"key": "x"}}),
            ),
            (
                "private_id",
                "types",
                "volume_type",
                json!({"name": "private", "os-volume-type-access:is_public": false}),
            ),
            (
                "group_type_id",
                "group_types",
                "group_type",
                json!({"name": "free", "group_specs": {"key": "x"}}),
            ),
            (
                "qos_id",
                "qos-specs",
                "qos_specs",
                json!({"name": "qos", "key": "x"}),
            ),
        ] {
            let body = json!({key: body}).to_string();
            let made = call(&api, ADMIN, "POST", &format!("/v3/{path}"), "3.71", &body).await;
            assert!(made.status.is_success(), "{path}: {}", made.text);
            things
                .0
                .push((name, made.body[key]["id"].as_str().unwrap().to_owned()));
        }
        Self { api, things }
    }

    async fn send(&self, token: &str, version: &str, (method, path, body, _): Row) -> Got {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut path = format!("/v3{}", self.things.fill(path));
        let (mut query, mut body) = (query.to_owned(), body.to_owned());
        for (name, id) in &self.things.0 {
            body = body.replace(&format!("<{name}>"), id);
            query = query.replace(&format!("<{name}>"), id);
        }
        body = body
            .replace("<255>", &"x".repeat(255))
            .replace("<256>", &"x".repeat(256));
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        call(&self.api, token, method, &path, version, &body).await
    }

    /// Sends every row and compares the statuses; all that differ are shown.
    async fn holds(&self, token: &str, version: &str, rows: &[Row]) {
        let mut wrong = Vec::new();
        for row in rows {
            let got = self.send(token, version, *row).await;
            if got.status != row.3 {
                wrong.push(format!("{row:?} at {version}: {} {}", got.status, got.text));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// How many a list has.
    async fn many(&self, token: &str, path: &'static str) -> usize {
        let got = self.send(token, "3.71", ("GET", path, "", 200)).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text);
        let lists = got.body.as_object().unwrap().iter();
        let mut lists = lists.filter(|(key, _)| !key.ends_with("_links"));
        lists
            .find_map(|(_, value)| Value::as_array(value))
            .unwrap()
            .len()
    }
}
