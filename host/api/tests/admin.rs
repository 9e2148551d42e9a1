//! What the admin API says to requests about replication that cannot be taken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::{Value, json};
use support::Api;

const VERBS: [&str; 9] = [
    "failover",
    "failback",
    "reprotect",
    "resync",
    "enable",
    "disable",
    "promote",
    "reconcile",
    "fence",
];

fn nowhere() -> Value {
    json!({"scope": {"backend": "nosuch"}})
}

#[tokio::test]
async fn every_verb_says_which_backend_it_does_not_know() {
    let api = Api::new().await;
    for verb in VERBS.iter().chain(&["plans", "drills"]) {
        let got = api.post(&format!("/admin/v1/{verb}"), nowhere()).await;
        assert_eq!(got.status, 404, "{verb}: {}", got.text);
        assert_eq!(got.message(), "there is no backend nosuch", "{verb}");
        assert_eq!(got.body["error"]["retryable"], false);
    }
    for verb in ["freeze", "thaw", "reset-active-backend"] {
        let got = api
            .post(&format!("/admin/v1/backends/nosuch/{verb}"), json!({}))
            .await;
        assert_eq!(
            (got.status.as_u16(), got.message()),
            (404, "there is no backend nosuch")
        );
    }
}

#[tokio::test]
async fn a_scope_is_exactly_one_thing_and_says_so() {
    let api = Api::new().await;
    for scope in [
        json!({}),
        json!({"backend": "a", "project": "b"}),
        json!({"volumes": []}),
        json!({"volumes": ["a", "a"]}),
        json!({"volumes": "a"}),
        json!({"volume": "a"}),
        json!("pure1"),
    ] {
        let got = api
            .post("/admin/v1/failover", json!({"scope": scope}))
            .await;
        assert_eq!(got.status, 400, "{scope}");
        assert!(!got.message().is_empty(), "{scope}");
    }
    let got = api.post("/admin/v1/failover", json!({})).await;
    assert_eq!(got.message(), "'scope' is a required property");
    let got = api
        .post(
            "/admin/v1/failover",
            json!({"scope": {"volumes": ["nosuch"]}}),
        )
        .await;
    assert_eq!(
        (got.status.as_u16(), got.message()),
        (404, "volume nosuch has no volume on any backend")
    );
}

#[tokio::test]
async fn a_field_that_a_verb_has_no_use_for_is_refused_by_name() {
    let api = Api::new().await;
    for (verb, field) in [
        ("enable", "to"),
        ("failback", "mode"),
        ("fence", "plan"),
        ("drills", "mode"),
    ] {
        let mut body = nowhere();
        body[field] = json!("sec2");
        let got = api.post(&format!("/admin/v1/{verb}"), body).await;
        assert_eq!(got.status, 400, "{verb}");
        assert!(
            got.message().contains(&format!("'{field}' was unexpected")),
            "{}",
            got.text
        );
    }
}

#[tokio::test]
async fn modes_plans_and_acknowledgements_are_refused_with_what_they_should_be() {
    let api = Api::new().await;
    let with = |field: &str, value: Value| {
        let mut body = nowhere();
        body[field] = value;
        body
    };
    for (path, body, said) in [
        (
            "failover",
            with("mode", json!("careful")),
            "'mode' is planned",
        ),
        (
            "failover",
            with("acknowledge", json!("yes")),
            "'acknowledge' is {",
        ),
        (
            "failover",
            with("acknowledge", json!({"target": "a", "role": "primary"})),
            "'generation' is a required property",
        ),
        (
            "failover",
            with(
                "acknowledge",
                json!([{"target": "a", "role": "king", "generation": 2}]),
            ),
            "'role' in 'acknowledge' is",
        ),
        (
            "plans",
            with("verb", json!("drill")),
            "'verb' is failover, failback or reprotect",
        ),
        (
            "drills",
            with("minutes", json!(0)),
            "0 is less than the minimum of 1",
        ),
    ] {
        let got = api.post(&format!("/admin/v1/{path}"), body).await;
        assert_eq!(got.status, 400, "{path} {}", got.text);
        assert!(got.message().contains(said), "{}", got.text);
    }
    let mut body = with("verb", json!("failback"));
    body["mode"] = json!("unplanned");
    let got = api.post("/admin/v1/plans", body).await;
    assert!(
        got.message().contains("has no unplanned mode"),
        "{}",
        got.text
    );
}

#[tokio::test]
async fn drills_and_plans_that_are_not_there_are_not_found() {
    let api = Api::new().await;
    assert_eq!(
        api.get("/admin/v1/drills").await.body,
        json!({"drills": [], "next": null})
    );
    assert_eq!(api.get("/admin/v1/plans/nosuch").await.status, 404);
    for path in ["drills/nosuch/stop", "drills/nosuch/commit"] {
        let got = api.post(&format!("/admin/v1/{path}"), json!({})).await;
        assert_eq!(
            (got.status.as_u16(), got.message()),
            (404, "there is no drill nosuch")
        );
    }
}

#[tokio::test]
async fn replication_is_the_administrators() {
    let api = Api::with_tokens("").await;
    let member = [("x-auth-token", "member-token-of-test")];
    for verb in VERBS
        .iter()
        .chain(&["plans", "drills", "backends/x/freeze"])
    {
        let body = nowhere().to_string();
        let got = api
            .send("POST", &format!("/admin/v1/{verb}"), &member, body)
            .await;
        assert_eq!(got.status, 403, "{verb}");
    }
}
