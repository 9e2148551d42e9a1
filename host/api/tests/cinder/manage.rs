//! Taking over what exists on an array, giving it back, and the lists of what could be.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::array::Array;

/// A volume that there is not.
const NO_VOLUME: &str = "00000000-0000-4000-8000-000000000000";
const HOST: &str = "springform@pure%23pool";

fn filled(names: &[&str]) -> Arc<Array> {
    let array = Arc::new(Array::default());
    for (n, name) in names.iter().enumerate() {
        let size = (n as u64 + 1) << 30;
        array.volumes.lock().unwrap().insert((*name).into(), size);
    }
    array
}

async fn manage(api: &Api, path: &str, reference: Value) -> crate::support::Got {
    let body = json!({"volume": {
        "host": "springform@pure#pool", "ref": reference, "name": "mine", "description": null, "volume_type": null,
        "availability_zone": null, "metadata": {"a": "b"}, "bootable": true, "cluster": null,
    }});
    api.post(path, body).await
}

fn path_of(taken: &crate::support::Got) -> String {
    assert_eq!(taken.status, 202, "{}", taken.text);
    format!(
        "/v3/volumes/{}",
        taken.body["volume"]["id"].as_str().unwrap()
    )
}

#[tokio::test]
async fn a_volume_is_taken_over_under_both_paths_and_given_back() {
    for path in ["/v3/manageable_volumes", "/v3/os-volume-manage"] {
        let array = filled(&["legacy"]);
        let api = Api::with_array(&array).await;
        let taken = manage(&api, path, json!({"source-name": "legacy"})).await;
        assert_eq!(taken.body["volume"]["status"], "creating");
        let volume = path_of(&taken);
        let shown = api.settled(&volume).await;
        assert_eq!(
            (&shown["status"], &shown["size"]),
            (&json!("available"), &json!(1))
        );
        assert_eq!(
            (&shown["bootable"], &shown["metadata"]["a"]),
            (&json!("true"), &json!("b"))
        );
        let id = shown["id"].as_str().unwrap();
        assert!(
            array
                .volumes
                .lock()
                .unwrap()
                .contains_key(&format!("volume-{id}"))
        );
        let action = format!("{volume}/action");
        assert_eq!(
            api.post(&action, json!({"os-unmanage": {}})).await.status,
            202
        );
        api.wait_for(|| async { api.get(&volume).await.status == 404 })
            .await;
        let left: Vec<String> = array.volumes.lock().unwrap().keys().cloned().collect();
        assert_eq!(left, [format!("volume-{id}-unmanaged")]);
    }
}

#[tokio::test]
async fn a_volume_may_keep_its_name_and_is_taken_over_only_once() {
    let array = filled(&["legacy"]);
    let api = Api::with_array(&array).await;
    let one = || {
        manage(
            &api,
            "/v3/manageable_volumes",
            json!({"keep-name": "legacy"}),
        )
    };
    let (a, b) = tokio::join!(one(), one());
    let (taken, refused) = if a.status == 202 { (a, b) } else { (b, a) };
    assert_eq!(
        (refused.status.as_u16(), refused.message()),
        (
            400,
            "Unable to manage existing volume. Volume legacy already managed."
        )
    );
    let shown = api.settled(&path_of(&taken)).await;
    assert_eq!(shown["metadata"]["array_volume_name"], "legacy");
    let again = manage(
        &api,
        "/v3/manageable_volumes",
        json!({"source-name": "legacy"}),
    )
    .await;
    assert_eq!(again.status, 400);
    assert_eq!(
        array.volumes.lock().unwrap().keys().collect::<Vec<_>>(),
        ["legacy"]
    );
}

#[tokio::test]
async fn what_is_not_there_ends_in_error_and_is_free_for_the_next_try() {
    let array = filled(&[]);
    let api = Api::with_array(&array).await;
    let volume =
        path_of(&manage(&api, "/v3/manageable_volumes", json!({"source-name": "x"})).await);
    assert_eq!(api.settled(&volume).await["status"], "error");
    array.volumes.lock().unwrap().insert("x".into(), 1 << 30);
    let volume =
        path_of(&manage(&api, "/v3/manageable_volumes", json!({"source-name": "x"})).await);
    assert_eq!(api.settled(&volume).await["status"], "available");
}

#[tokio::test]
async fn a_request_without_host_or_reference_or_service_is_refused() {
    let api = Api::with_array(&Arc::default()).await;
    let ask = |volume: Value| api.post("/v3/manageable_volumes", json!({"volume": volume}));
    let host = "springform@pure#pool";
    for (volume, code) in [
        (json!({"host": host}), 400),
        (json!({"ref": {"source-name": "x"}}), 400),
        (json!({"host": host, "ref": {}}), 400),
        (json!({"host": host, "ref": 7}), 400),
        (
            json!({"host": host, "cluster": "c", "ref": {"source-name": "x"}}),
            400,
        ),
        (
            json!({"host": "nowhere@x#y", "ref": {"source-name": "x"}}),
            400,
        ),
        (
            json!({"host": host, "ref": {"source-name": "x"}, "volume_type": "none"}),
            404,
        ),
    ] {
        let got = ask(volume.clone()).await;
        assert_eq!(got.status, code, "{volume}: {}", got.text);
    }
    let body = json!({"host": "springform@pure", "binary": "cinder-volume"});
    assert_eq!(api.put("/v3/os-services/disable", body).await.status, 200);
    let got = ask(json!({"host": host, "ref": {"source-name": "x"}})).await;
    assert_eq!(got.status, 503);
    let tokens = Api::with_tokens("").await;
    let member = [("x-auth-token", "member-token-of-test")];
    let got = tokens
        .send("POST", "/v3/os-volume-manage", &member, "{}")
        .await;
    assert_eq!(got.status, 403);
}

#[tokio::test]
async fn what_could_be_managed_is_listed_page_by_page() {
    let array = filled(&["a", "b", "busy", "c", "d", "e", "f"]);
    let api = Api::with_array(&array).await;
    let list = async |path: &str, query: &str| {
        let got = api.get(&format!("/v3/{path}?host={HOST}{query}")).await;
        assert_eq!(got.status, 200, "{}", got.text);
        got.body["manageable-volumes"].as_array().unwrap().clone()
    };
    let names = |list: &[Value]| -> Vec<String> {
        let name = |entry: &Value| {
            entry["reference"]["source-name"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        list.iter().map(name).collect()
    };
    let all = list("manageable_volumes", "").await;
    assert_eq!(names(&all), ["a", "b", "busy", "c", "d", "e", "f"]);
    assert_eq!(
        all[0],
        json!({"reference": {"source-name": "a"}, "size": 1, "safe_to_manage": true})
    );
    let page = list("os-volume-manage", "&limit=2&offset=1").await;
    assert_eq!(names(&page), ["b", "busy"]);
    // The marker is what the page before showed: `{"source-name":"d"}`.
    let page = list(
        "manageable_volumes",
        "&limit=2&marker=%7B%22source-name%22%3A%22d%22%7D",
    )
    .await;
    assert_eq!(names(&page), ["e", "f"]);
    let page = list("manageable_volumes", "&limit=2&sort=size:desc").await;
    assert_eq!(names(&page), ["f", "e"]);
    let unknown = api
        .get(&format!("/v3/manageable_volumes?host={HOST}&marker=zz"))
        .await;
    assert_eq!(unknown.status, 400);

    let taken = manage(&api, "/v3/manageable_volumes", json!({"keep-name": "a"})).await;
    let id = api.settled(&path_of(&taken)).await["id"].clone();
    let detail = list("manageable_volumes/detail", "&limit=3").await;
    assert_eq!(
        detail[0],
        json!({"reference": {"source-name": "a"}, "size": 1, "safe_to_manage": false,
            "reason_not_safe": "already managed", "cinder_id": id, "extra_info": null})
    );
    assert_eq!(detail[2]["reason_not_safe"], "connected");
    assert_eq!(api.get("/v3/manageable_volumes").await.status, 400);
    assert_eq!(
        api.get("/v3/manageable_volumes?host=nowhere").await.status,
        404
    );
    let old = format!("/v3/os-volume-manage?host={HOST}");
    assert_eq!(api.at("3.7", "GET", &old, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_snapshot_is_listed_taken_over_and_given_back() {
    for path in ["manageable_snapshots", "os-snapshot-manage"] {
        let array = Arc::new(Array::default());
        let api = Api::with_array(&array).await;
        let volume = api.volume(2).await;
        let id = volume.rsplit('/').next().unwrap();
        array
            .snapshots
            .lock()
            .unwrap()
            .insert("v.old".into(), 2 << 30);
        let list = format!("/v3/{path}/detail?host={HOST}");
        let found = api.get(&list).await.body["manageable-snapshots"][0].clone();
        assert_eq!(
            found,
            json!({"reference": {"source-name": "v.old"}, "size": 2, "safe_to_manage": true, "reason_not_safe": null,
                "source_reference": {"source-name": "v"}, "cinder_id": null, "extra_info": null})
        );
        let body =
            json!({"snapshot": {"volume_id": id, "ref": {"keep-name": "v.old"}, "name": "s"}});
        let taken = api.post(&format!("/v3/{path}"), body.clone()).await;
        assert_eq!(taken.status, 202, "{}", taken.text);
        assert_eq!(taken.body["snapshot"]["status"], "creating");
        let sid = taken.body["snapshot"]["id"].as_str().unwrap();
        let snapshot = format!("/v3/snapshots/{sid}");
        let shown = api.settled(&snapshot).await;
        assert_eq!(
            (&shown["status"], &shown["size"]),
            (&json!("available"), &json!(2))
        );
        let again = api.post(&format!("/v3/{path}"), body).await;
        assert_eq!(
            (again.status.as_u16(), again.message()),
            (
                400,
                "Unable to manage existing snapshot. Snapshot v.old already managed."
            )
        );
        let listed = api.get(&list).await.body["manageable-snapshots"][0].clone();
        assert_eq!(
            (&listed["cinder_id"], &listed["safe_to_manage"]),
            (&json!(sid), &json!(false))
        );
        let action = format!("{snapshot}/action");
        assert_eq!(
            api.post(&action, json!({"os-unmanage": {}})).await.status,
            202
        );
        api.wait_for(|| async { api.get(&snapshot).await.status == 404 })
            .await;
        assert!(
            array
                .snapshots
                .lock()
                .unwrap()
                .contains_key("v.old-unmanaged")
        );
        let missing = json!({"snapshot": {"volume_id": NO_VOLUME, "ref": {"source-name": "x"}}});
        assert_eq!(api.post(&format!("/v3/{path}"), missing).await.status, 404);
    }
}
