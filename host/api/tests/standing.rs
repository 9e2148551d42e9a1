//! How replication stands, as the admin API tells it from the records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use springform_control::query::Query;
use springform_model::cloud::Volume;
use springform_model::replication::relation::{Debt, DebtState, Relation};
use springform_model::time::Timestamp;
use springform_store::Changes;
use support::Api;
use support::array::Array;

async fn api() -> Api {
    Api::with_pair(&Arc::new(Array::default()), "pure").await
}

/// Gives a volume a relation that stands badly: its old primary was left behind.
async fn left_behind(api: &Api, id: &str) {
    let mut relation = Relation::new(id, "pure", "b", 1, true);
    relation.debts.push(Debt {
        target: "a".into(),
        generation: 0,
        state: DebtState::Owed,
        since: Timestamp(0),
    });
    let row = Changes::new().put(&relation);
    api.control.store().commit(row).await.unwrap();
}

#[tokio::test]
async fn a_backend_is_shown_with_its_arrays_and_what_serves_it() {
    let api = api().await;
    let all = api.get("/admin/v1/backends").await;
    assert_eq!(all.status, StatusCode::OK, "{}", all.text);
    let one = api.get("/admin/v1/backends/pure").await.body;
    assert_eq!(all.body["backends"][0]["backend"], one["backend"]);
    assert_eq!(one["up"], true, "{one}");
    assert_eq!(one["host"], "springform@pure");
    assert_eq!(one["operations"], json!([]));
    let arrays = one["targets"].as_array().unwrap();
    assert_eq!(arrays.len(), 2, "{one}");
    assert_eq!(
        (
            &arrays[0]["target"],
            &arrays[0]["primary"],
            &arrays[0]["active"]
        ),
        (&json!("a"), &json!(true), &json!(true)),
    );
    assert_eq!(arrays[1]["active"], false);
    let unknown = api.get("/admin/v1/backends/nosuch").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.message(), "there is no backend nosuch");
}

#[tokio::test]
async fn volumes_are_listed_page_by_page_and_only_those_to_look_at_where_asked() {
    let api = api().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let path = api.volume(1).await;
        ids.push(path.rsplit('/').next().unwrap().to_owned());
    }
    ids.sort();
    left_behind(&api, &ids[3]).await;
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let path = format!("/admin/v1/volumes?backend=pure&limit=2{marker}");
        let page = api.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let volumes = page.body["volumes"].as_array().unwrap();
        seen.extend(volumes.iter().map(|v| v["id"].as_str().unwrap().to_owned()));
        match page.body["next"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let concerning = api
        .get("/admin/v1/volumes?backend=pure&concerning=true")
        .await;
    let listed = concerning.body["volumes"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{}", concerning.text);
    assert_eq!(listed[0]["id"], ids[3].as_str());
    assert_eq!(listed[0]["serving"], "b");
    assert_eq!(
        listed[0]["concerns"][0],
        "a was left behind and is not fenced yet"
    );
    let one = api.get(&format!("/admin/v1/volumes/{}", ids[0])).await.body;
    assert_eq!(
        (&one["replicated"], &one["phase"], &one["concerns"]),
        (&json!(false), &json!("settled"), &json!([]))
    );
    let elsewhere = api.get("/admin/v1/volumes?backend=nosuch").await;
    assert_eq!(elsewhere.body["volumes"], json!([]));
}

#[tokio::test]
async fn a_volume_whose_array_does_not_answer_is_one_to_look_at() {
    let api = api().await;
    let path = api.volume(1).await;
    let id = path.rsplit('/').next().unwrap();
    let store = api.control.store();
    // The host writes down what it sees of the backend meanwhile.
    api.wait_for(|| async {
        let mut service = store
            .get::<springform_model::cloud::Service>("pure")
            .await
            .unwrap()
            .unwrap();
        service.record.targets = vec![springform_model::contract::TargetHealth {
            target: "a".into(),
            reachable: false,
            array_id: None,
            array_name: None,
            api_version: None,
            array_version: None,
            problems: Vec::new(),
        }];
        store.commit(Changes::new().update(&service)).await.is_ok()
    })
    .await;
    let volume = store.list::<Volume>(&Query::new()).await.unwrap();
    assert_eq!(volume[0].record.placement.as_ref().unwrap().target, "a");
    let one = api.get(&format!("/admin/v1/volumes/{id}")).await.body;
    assert_eq!(
        one["concerns"],
        json!(["a, which serves it, does not answer"]),
        "{one}"
    );
}

#[tokio::test]
async fn a_volume_whose_array_is_not_configured_any_more_is_one_to_look_at() {
    let api = api().await;
    let path = api.volume(1).await;
    let id = path.rsplit('/').next().unwrap();
    let elsewhere = Relation::new(id, "pure", "gone", 1, false);
    let row = Changes::new().put(&elsewhere);
    api.control.store().commit(row).await.unwrap();
    let one = api.get(&format!("/admin/v1/volumes/{id}")).await.body;
    assert_eq!(
        one["concerns"],
        json!(["gone, which serves it, is not configured any more"])
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_what_can() {
    let api = api().await;
    let got = api.get("/admin/v1/volumes?concerning=perhaps").await;
    assert_eq!(
        (got.status, got.message()),
        (StatusCode::BAD_REQUEST, "concerning must be true or false.")
    );
    let got = api.get("/admin/v1/volumes?marker=nosuch").await;
    assert_eq!(got.message(), "marker nosuch could not be found");
    let got = api.get("/admin/v1/volumes/nosuch").await;
    assert_eq!(
        (got.status, got.message()),
        (
            StatusCode::NOT_FOUND,
            "there is no volume nosuch on any backend"
        )
    );
}
