use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{GIB, Rig, names};

#[tokio::test]
async fn a_volume_is_created_extended_renamed_and_limited() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    let made = a
        .post(
            "volumes?names=v",
            json!({"provisioned": GIB, "qos": {"iops_limit": 500}}),
        )
        .await;
    let serial = made[0]["serial"].as_str().unwrap();
    assert_eq!(serial.len(), 24);
    assert!(
        serial
            .chars()
            .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    );
    assert_eq!(made[0]["qos"]["iops_limit"], 500);
    let grown = a
        .patch("volumes?names=v", json!({"provisioned": 2 * GIB}))
        .await;
    assert_eq!(grown[0]["provisioned"], 2 * GIB);
    let shrunk = a
        .refused(
            Method::PATCH,
            "volumes?names=v",
            json!({"provisioned": GIB}),
        )
        .await;
    assert!(shrunk[0].contains("truncation"), "{shrunk:?}");
    a.patch("volumes?names=v&truncate=true", json!({"provisioned": GIB}))
        .await;
    a.patch("volumes?names=v", json!({"name": "w"})).await;
    a.patch(
        "volumes?names=w",
        json!({"qos": {"bandwidth_limit": 1 << 20}}),
    )
    .await;
    let found = a.get("volumes?names=w").await;
    assert_eq!(found[0]["id"], made[0]["id"]);
    assert_eq!(
        found[0]["qos"],
        json!({"iops_limit": 500, "bandwidth_limit": 1 << 20})
    );
    assert_eq!(
        a.refused(Method::GET, "volumes?names=v", Value::Null).await,
        ["Volume does not exist."]
    );
}

#[tokio::test]
async fn a_destroyed_volume_keeps_its_name_until_it_is_eradicated() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("volume-snapshots?source_names=v", json!({"suffix": "s"}))
        .await;
    let gone = a.patch("volumes?names=v", json!({"destroyed": true})).await;
    assert_eq!(gone[0]["time_remaining"], 24 * 3600 * 1000);
    assert_eq!(
        a.get("volume-snapshots?names=v.s").await[0]["destroyed"],
        true
    );
    assert!(
        a.refused(Method::PATCH, "volumes?names=v", json!({"destroyed": true}))
            .await[0]
            .contains("has been destroyed")
    );
    assert!(
        a.refused(Method::POST, "volumes?names=v", json!({"provisioned": GIB}))
            .await[0]
            .contains("already exists")
    );
    a.patch("volumes?names=v", json!({"destroyed": false}))
        .await;
    assert_eq!(
        a.get("volume-snapshots?names=v.s").await[0]["destroyed"],
        false
    );
    assert_eq!(
        a.refused(Method::DELETE, "volumes?names=v", Value::Null)
            .await,
        ["Volume is not destroyed."]
    );
    a.patch("volumes?names=v", json!({"destroyed": true})).await;
    a.delete("volumes?names=v").await;
    assert!(a.get("volumes").await.is_empty());
    a.volume("v").await;
}

#[tokio::test]
async fn the_eradication_timer_runs_on_the_clock_of_the_world() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.patch("volumes?names=v", json!({"destroyed": true})).await;
    rig.control.advance(23.9 * 3600.0).await.unwrap();
    let a = rig.array("a").await;
    assert_eq!(names(&a.get("volumes?destroyed=true").await), ["v"]);
    rig.control.advance(600.0).await.unwrap();
    assert!(a.get("volumes").await.is_empty());
}

#[tokio::test]
async fn a_batch_is_done_completely_or_not_at_all_and_every_item_has_its_error() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v1,v2").await;
    let errors = a
        .refused(
            Method::PATCH,
            "volumes?names=v1,x,v2,y",
            json!({"destroyed": true}),
        )
        .await;
    assert_eq!(errors, ["Volume does not exist.", "Volume does not exist."]);
    assert_eq!(a.get("volumes?destroyed=false").await.len(), 2);
    let errors = a
        .refused(
            Method::POST,
            "volumes?names=v3,v1",
            json!({"provisioned": GIB}),
        )
        .await;
    assert_eq!(errors, ["Volume already exists."]);
    assert_eq!(a.get("volumes").await.len(), 2);
    let (status, answer) = a
        .call(
            Method::GET,
            "volumes?names=v1,x&allow_errors=true",
            Value::Null,
        )
        .await;
    assert_eq!(
        (status, answer["errors"][0]["context"].as_str()),
        (207, Some("x"))
    );
}

#[tokio::test]
async fn many_volumes_come_in_pages_that_join() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    for batch in 0..5 {
        let list: Vec<String> = (0..500)
            .map(|n| format!("v{:04}", batch * 500 + n))
            .collect();
        a.post(
            &format!("volumes?names={}", list.join(",")),
            json!({"provisioned": GIB}),
        )
        .await;
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let (_, page) = a
            .call(
                Method::GET,
                &format!("volumes?continuation_token={token}&total_item_count=true"),
                Value::Null,
            )
            .await;
        assert_eq!(page["total_item_count"], 2500);
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        if page["more_items_remaining"] == false {
            break;
        }
        page["continuation_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut token);
    }
    assert_eq!(pages, 3);
    assert_eq!(
        seen,
        (0..2500).map(|n| format!("v{n:04}")).collect::<Vec<_>>()
    );
    let last = a.get("volumes?sort=name-&limit=2&offset=1").await;
    assert_eq!(names(&last), ["v2498", "v2497"]);
    let some = a
        .get("volumes?filter=name%3D%27v000*%27+and+provisioned%3E1")
        .await;
    assert_eq!(some.len(), 10);
}

#[tokio::test]
async fn limits_of_the_array_refuse_new_volumes() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    let post = |path: &'static str, body: Value| {
        let control = rig.control.clone();
        async move { control.call(Method::POST, path, &body).await.unwrap() }
    };
    post("/arrays/a/volume-limit", json!({"limit": 2})).await;
    let refused = a
        .refused(
            Method::POST,
            "volumes?names=w,x",
            json!({"provisioned": GIB}),
        )
        .await;
    assert!(refused[0].contains("limit reached"), "{refused:?}");
    a.volume("w").await;
    post("/arrays/a/volume-limit", json!({"limit": null})).await;
    post("/arrays/a/capacity", json!({"full": true})).await;
    let refused = a
        .refused(Method::POST, "volumes?names=x", json!({"provisioned": GIB}))
        .await;
    assert!(refused[0].contains("full"), "{refused:?}");
    let space = &a.get("arrays/space").await[0];
    assert_eq!(space["space"]["total_physical"], space["capacity"]);
}

#[tokio::test]
async fn tags_are_set_shown_and_removed_by_namespace() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v,w").await;
    let tag =
        |value: &str| json!([{"namespace": "ns", "key": "k", "value": value, "copyable": false}]);
    let set = a
        .call(
            Method::PUT,
            "volumes/tags/batch?resource_names=v,w",
            tag("1"),
        )
        .await;
    assert_eq!(set.1["items"].as_array().unwrap().len(), 2);
    a.call(Method::PUT, "volumes/tags/batch?resource_names=v", tag("2"))
        .await;
    let tags = a.get("volumes/tags?namespaces=ns&resource_names=v").await;
    assert_eq!((tags.len(), tags[0]["value"].as_str()), (1, Some("2")));
    a.delete("volumes/tags?namespaces=ns&resource_names=v")
        .await;
    assert_eq!(a.get("volumes/tags?namespaces=ns").await.len(), 1);
}

#[tokio::test]
async fn volume_groups_hold_volumes_and_rename_them() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post(
        "volume-groups?names=vg",
        json!({"qos": {"iops_limit": 1000}}),
    )
    .await;
    a.volume("v").await;
    a.volume("vg/w").await;
    let moved = a
        .patch("volumes?names=v", json!({"volume_group": {"name": "vg"}}))
        .await;
    assert_eq!(
        (
            moved[0]["name"].as_str(),
            moved[0]["volume_group"]["name"].as_str()
        ),
        (Some("vg/v"), Some("vg"))
    );
    assert_eq!(a.get("volume-groups?names=vg").await[0]["volume_count"], 2);
    assert!(
        a.refused(
            Method::PATCH,
            "volume-groups?names=vg",
            json!({"destroyed": true})
        )
        .await[0]
            .contains("not empty")
    );
    a.patch("volumes?names=vg/v", json!({"volume_group": {"name": ""}}))
        .await;
    a.patch("volumes?names=vg/w", json!({"destroyed": true}))
        .await;
    assert_eq!(a.get("volume-groups?names=vg").await[0]["volume_count"], 0);
    a.patch("volume-groups?names=vg", json!({"destroyed": true}))
        .await;
    a.delete("volume-groups?names=vg").await;
    assert_eq!(names(&a.get("volumes").await), ["v"]);
}
