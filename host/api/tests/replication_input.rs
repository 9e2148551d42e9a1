//! What every route of replication says to input that cannot work: a status of the 400s, the reason, and what to do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use springform_control::replication::{Order, Plan, Scope};
use springform_model::cloud::{Metadata, ReplicationStatus, Service, Volume, VolumeStatus};
use springform_model::contract::{FailoverMode, Placement, ReplicationKind};
use springform_model::operation::Verb;
use springform_model::replication::relation::{Debt, DebtState, Relation};
use springform_model::time::Timestamp;
use springform_store::Changes;
use support::array::Array;
use support::{Api, Got};

/// Every route that begins something, with the fields it takes beside its scope.
const ROUTES: [(&str, &[&str]); 11] = [
    ("plans", &["to", "mode", "point", "verb"]),
    (
        "failover",
        &[
            "to",
            "mode",
            "point",
            "plan",
            "acknowledge",
            "allow_attached",
        ],
    ),
    ("failback", &["to", "plan", "acknowledge", "allow_attached"]),
    ("reprotect", &["to", "plan", "acknowledge"]),
    ("resync", &["to", "acknowledge"]),
    ("enable", &[]),
    ("disable", &[]),
    ("promote", &["dry_run"]),
    ("reconcile", &["dry_run"]),
    ("fence", &[]),
    ("drills", &["to", "point", "minutes"]),
];

async fn api() -> Api {
    Api::with_pair(&Arc::new(Array::default()), "pure").await
}

fn body(field: &str, value: Value) -> Value {
    let mut body = json!({"scope": {"backend": "pure"}});
    body[field] = value;
    body
}

async fn refused(api: &Api, route: &str, body: &Value) -> Got {
    let got = api.post(&format!("/admin/v1/{route}"), body.clone()).await;
    let shown: String = body.to_string().chars().take(300).collect();
    assert!(
        got.status.is_client_error(),
        "{route} {shown}: {} {}",
        got.status,
        got.text
    );
    assert!(!got.message().is_empty(), "{route} {shown}: {}", got.text);
    got
}

/// Values that a field never takes.
fn wrong(field: &str) -> Vec<Value> {
    let long = "x".repeat(300);
    let huge = json!(1e300);
    let words = [
        json!(5),
        json!(""),
        json!([]),
        json!({}),
        json!(true),
        json!(long),
    ];
    let mut wrong = match field {
        "mode" | "verb" => vec![json!("careful")],
        "to" | "plan" => vec![json!("nosuch")],
        "point" => vec![],
        "acknowledge" => {
            let with = |generation: Value| json!([{"target": "a", "role": "primary", "generation": generation}]);
            let one = json!({"target": "a", "role": "primary", "generation": 1});
            vec![
                json!("yes"),
                json!(5),
                json!({}),
                json!([5]),
                with(json!(-1)),
                with(json!(1.5)),
                with(huge.clone()),
                with(json!(u64::MAX)),
                with(json!("many")),
                with(Value::Null),
                json!([{"target": "a", "role": "king", "generation": 1}]),
                json!([{"target": "a", "role": "primary", "generation": 1, "and": 1}]),
                json!(vec![one; 1025]),
            ]
        }
        "allow_attached" | "dry_run" => {
            vec![json!("perhaps"), json!(5), json!([]), json!({}), json!(-1)]
        }
        "minutes" => vec![
            json!(0),
            json!(-5),
            json!(7 * 24 * 60 + 1),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1.5),
            huge,
            json!("soon"),
            json!([]),
            json!({}),
        ],
        other => panic!("{other}"),
    };
    if matches!(field, "mode" | "verb" | "to" | "plan" | "point") {
        wrong.extend(words);
    }
    wrong
}

#[tokio::test]
async fn a_wrong_value_in_any_field_of_any_route_is_refused() {
    let api = api().await;
    for (route, fields) in ROUTES {
        for field in fields {
            for value in wrong(field) {
                refused(&api, route, &body(field, value)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_scope_is_refused_by_every_route() {
    let api = api().await;
    let many: Vec<String> = (0..1025).map(|n| n.to_string()).collect();
    let scopes = [
        Value::Null,
        json!(5),
        json!("pure"),
        json!([]),
        json!({}),
        json!({"backend": ""}),
        json!({"backend": 5}),
        json!({"backend": "x".repeat(300)}),
        json!({"backend": "pure", "group": "g"}),
        json!({"backend": "pure", "volumes": ["a"]}),
        json!({"group": "g", "project": "p"}),
        json!({"volumes": []}),
        json!({"volumes": "a"}),
        json!({"volumes": [1]}),
        json!({"volumes": [""]}),
        json!({"volumes": ["a", "a"]}),
        json!({"volumes": ["a\0b"]}),
        json!({"volumes": many}),
        json!({"group": ""}),
        json!({"project": {}}),
        json!({"volume": "a"}),
    ];
    for (route, _) in ROUTES {
        for scope in &scopes {
            refused(&api, route, &json!({ "scope": scope })).await;
        }
        refused(&api, route, &json!({})).await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_by_every_route() {
    let api = api().await;
    for (route, _) in ROUTES {
        for (scope, name) in [
            (json!({"backend": "nosuch"}), "nosuch"),
            (json!({"volumes": ["no-volume"]}), "no-volume"),
            (json!({"group": "no-group"}), "no-group"),
            (json!({"project": "no-project"}), "no-project"),
        ] {
            let got = refused(&api, route, &json!({ "scope": scope })).await;
            assert_eq!(got.status, 404, "{route} {scope}: {}", got.text);
            assert!(got.message().contains(name), "{route}: {}", got.text);
        }
    }
    for path in [
        "drills/nosuch/stop",
        "drills/nosuch/commit",
        "operations/nosuch/cancel",
    ] {
        let got = refused(&api, path, &json!({})).await;
        assert_eq!(got.status, 404, "{path}: {}", got.text);
        assert!(got.message().contains("nosuch"), "{path}: {}", got.text);
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_by_every_route() {
    let api = api().await;
    let deep = "[".repeat(100_000);
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "5",
        "\"scope\"",
        "{\"scope\":",
        &deep,
    ];
    for (route, _) in ROUTES {
        for body in bodies {
            let path = format!("/admin/v1/{route}");
            let got = api.send("POST", &path, &[], body.to_owned()).await;
            let shown: String = body.chars().take(20).collect();
            assert!(
                got.status.is_client_error() && !got.message().is_empty(),
                "{route} {shown}: {} {}",
                got.status,
                got.text
            );
        }
    }
}

#[tokio::test]
async fn a_promotion_is_of_a_whole_backend() {
    let api = api().await;
    replicated(&api, 0).await;
    let got = refused(&api, "promote", &json!({"scope": {"volumes": ["v"]}})).await;
    assert_eq!(got.status, 400, "{}", got.text);
    assert!(got.message().contains("whole backend"), "{}", got.text);
}

/// A volume `v` on `b`, whose old primary `a` was left behind with an older generation; `a` is what is configured as
/// primary. `past` failovers more have come and gone since.
async fn replicated(api: &Api, past: u64) {
    let placement = Placement {
        array_name: "volume-v".into(),
        target: "b".into(),
        serial: None,
        metadata: Vec::new(),
        replication: Some(ReplicationKind::Async),
        extensions: Vec::new(),
    };
    let volume = Volume {
        id: "v".into(),
        project_id: "p".into(),
        user_id: "u".into(),
        name: None,
        description: None,
        size: 1,
        status: VolumeStatus::Available,
        previous_status: None,
        migration_status: None,
        availability_zone: "nova".into(),
        type_id: None,
        type_name: None,
        snapshot_id: None,
        source_volid: None,
        group_id: None,
        metadata: Metadata::new(),
        admin_metadata: Metadata::new(),
        image_metadata: Metadata::new(),
        bootable: false,
        multiattach: false,
        consumes_quota: true,
        backend: Some("pure".into()),
        host: Some("springform@pure#pool".into()),
        placement: Some(placement),
        replication_status: Some(ReplicationStatus::FailedOver),
        generation: 2 + past,
        attachments: Vec::new(),
        operation: None,
        transfer_id: None,
        growing_to: None,
        taking_over: None,
        created_at: Timestamp(0),
        updated_at: None,
        launched_at: None,
    };
    let mut relation = Relation::new("v", "pure", "b", 2 + past, true);
    relation.debts.push(Debt {
        target: "a".into(),
        generation: 1,
        state: DebtState::Owed,
        since: Timestamp(0),
    });
    let store = api.control.store();
    let rows = Changes::new().insert(&volume).insert(&relation);
    store.commit(rows).await.unwrap();
    // The host writes down what it sees of the backend meanwhile.
    api.wait_for(|| async {
        let mut away = store.get::<Service>("pure").await.unwrap().unwrap();
        away.record.active_target = Some("b".into());
        away.record.replication_status = ReplicationStatus::FailedOver;
        store.commit(Changes::new().update(&away)).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn an_acknowledgement_of_yesterday_is_refused_with_the_one_to_send_now() {
    let api = api().await;
    replicated(&api, 3).await;
    let yesterday = json!({"target": "a", "role": "primary", "generation": 2});
    for route in ["failback", "reprotect", "resync"] {
        for given in [
            Value::Null,
            yesterday.clone(),
            json!({"target": "b", "role": "primary", "generation": 5}),
        ] {
            let mut sent = body("acknowledge", given);
            sent["to"] = json!("a");
            let got = refused(&api, route, &sent).await;
            assert_eq!(got.status, 422, "{route}: {}", got.text);
            let now = r#"{"target":"a","role":"primary","generation":5}"#;
            assert!(got.message().contains(now), "{route}: {}", got.text);
        }
    }
}

#[tokio::test]
async fn a_plan_that_is_old_or_was_made_from_something_else_is_a_conflict_and_says_to_make_another()
{
    let api = api().await;
    replicated(&api, 0).await;
    let now = Timestamp::now();
    let plan = |id: &str, verb: Verb, expires_at: Timestamp| Plan {
        id: id.into(),
        verb,
        order: Order {
            scope: Scope::Backend("pure".into()),
            to: Some("a".into()),
            mode: FailoverMode::Planned,
            point: None,
        },
        backend: "pure".into(),
        target: "a".into(),
        volumes: Vec::new(),
        total: 1,
        possible: 1,
        worst_loss_seconds: None,
        loss_bytes: 0,
        acknowledge: Vec::new(),
        interrupts: Vec::new(),
        fingerprint: "of another day".into(),
        created_at: now,
        expires_at,
    };
    let soon = now.plus_micros(600_000_000);
    for (route, verb) in [
        ("failover", Verb::Failover),
        ("failback", Verb::Failback),
        ("reprotect", Verb::Reprotect),
    ] {
        let (old, other) = (format!("old-{route}"), format!("other-{route}"));
        let changes = Changes::new()
            .put(&plan(&old, verb, Timestamp(1)))
            .put(&plan(&other, verb, soon));
        api.control.store().commit(changes).await.unwrap();
        for (id, said) in [(old, "is too old"), (other.clone(), "has changed since")] {
            let got = refused(&api, route, &body("plan", json!(id))).await;
            assert_eq!(got.status, 409, "{route}: {}", got.text);
            assert!(
                got.message().contains(said) && got.message().contains("make a new one"),
                "{route}: {}",
                got.text
            );
        }
        let elsewhere = json!({"scope": {"volumes": ["v"]}, "plan": other});
        let got = refused(&api, route, &elsewhere).await;
        assert_eq!(got.status, 400, "{route}: {}", got.text);
    }
}

/// The routes of a backend itself.
const OF_A_BACKEND: [&str; 3] = ["freeze", "thaw", "reset-active-backend"];

#[tokio::test]
async fn a_wrong_body_of_freeze_thaw_or_reset_is_refused_and_changes_nothing() {
    let api = api().await;
    let deep = "[".repeat(100_000);
    let long = json!({"to": "x".repeat(300)}).to_string();
    let bodies = [
        "{",
        "null",
        "[]",
        "5",
        "\"freeze\"",
        "{\"to\":",
        "{\"frozen\":true}",
        "{\"to\":5}",
        "{\"to\":\"\"}",
        "{\"to\":[\"b\"]}",
        "{\"to\":\"b\",\"and\":1}",
        &long,
        &deep,
    ];
    for verb in OF_A_BACKEND {
        for body in bodies {
            let path = format!("/admin/v1/backends/pure/{verb}");
            let got = api.send("POST", &path, &[], body.to_owned()).await;
            let shown: String = body.chars().take(20).collect();
            assert!(
                got.status.is_client_error() && !got.message().is_empty(),
                "{verb} {shown}: {} {}",
                got.status,
                got.text
            );
        }
    }
    let stored = api.control.store().get::<Service>("pure").await.unwrap();
    let service = stored.unwrap().record;
    assert!(!service.frozen && !service.disabled && service.active_target.is_none());
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_named_whatever_its_name_is_made_of() {
    let api = api().await;
    let long = "x".repeat(300);
    for verb in OF_A_BACKEND {
        for name in [
            "nosuch",
            "pur",
            "pure%20",
            "%00",
            "..",
            "springform@pure",
            &long,
        ] {
            let path = format!("/admin/v1/backends/{name}/{verb}");
            let got = api.post(&path, json!({})).await;
            assert!(
                got.status.is_client_error() && !got.message().is_empty(),
                "{verb} {name}: {} {}",
                got.status,
                got.text
            );
        }
    }
}

#[tokio::test]
async fn freeze_and_thaw_refuse_what_is_so_already() {
    let api = api().await;
    let ask = async |verb: &str| {
        let path = format!("/admin/v1/backends/pure/{verb}");
        api.post(&path, json!({})).await
    };
    let early = ask("thaw").await;
    assert!(early.status.is_client_error(), "{}", early.text);
    assert!(early.message().contains("is not frozen"), "{}", early.text);
    assert_eq!(ask("freeze").await.body["frozen"], true);
    let twice = ask("freeze").await;
    assert!(twice.status.is_client_error(), "{}", twice.text);
    assert!(twice.message().contains("frozen already"), "{}", twice.text);
    assert_eq!(ask("thaw").await.body["frozen"], false);
}

#[tokio::test]
async fn a_reset_is_refused_with_what_has_to_be_done_first_and_names_the_targets_there_are() {
    let api = api().await;
    let path = "/admin/v1/backends/pure/reset-active-backend";
    let early = api.post(path, json!({})).await;
    assert!(early.status.is_client_error(), "{}", early.text);
    assert!(
        early.message().contains("disabled and frozen"),
        "{}",
        early.text
    );
    let frozen = api.post("/admin/v1/backends/pure/freeze", json!({})).await;
    assert_eq!(frozen.status, 200, "{}", frozen.text);
    let unknown = api.post(path, json!({"to": "nosuch"})).await;
    assert_eq!(unknown.status, 400, "{}", unknown.text);
    assert!(
        unknown.message().contains("nosuch") && unknown.message().contains("it has"),
        "{}",
        unknown.text
    );
    let reset = api.post(path, json!({"to": "b"})).await;
    assert_eq!(reset.body["active_target"], "b", "{}", reset.text);
}
