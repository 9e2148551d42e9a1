use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, names};

#[tokio::test]
async fn hosts_are_found_by_initiator_in_any_notation() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("hosts?names=i", json!({"iqns": ["iqn.2026-01.org:i"]}))
        .await;
    a.post("hosts?names=f", json!({"wwns": ["2100000e1e09a7f8"]}))
        .await;
    a.post(
        "hosts?names=n",
        json!({"nqns": ["nqn.2014-08.org.nvmexpress:uuid:1"]}),
    )
    .await;
    let filter = |text: &str| {
        format!(
            "hosts?filter={}",
            text.replace(' ', "%20")
                .replace('\'', "%27")
                .replace('=', "%3D")
        )
    };
    assert_eq!(
        names(
            &a.get(&filter("iqns='iqn.2026-01.org:i' and is_local"))
                .await
        ),
        ["i"]
    );
    assert_eq!(
        names(&a.get(&filter("wwns='2100000E1E09A7F8' and is_local")).await),
        ["f"]
    );
    assert_eq!(
        names(
            &a.get(&filter("nqns='nqn.2014-08.org.nvmexpress:uuid:1'"))
                .await
        ),
        ["n"]
    );
    assert!(
        a.get(&filter("iqns='iqn.2026-01.org:i' and not is_local"))
            .await
            .is_empty()
    );
    assert_eq!(
        a.get("hosts?names=f").await[0]["wwns"][0],
        "21:00:00:0E:1E:09:A7:F8"
    );
}

#[tokio::test]
async fn an_initiator_belongs_to_one_host() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("hosts?names=h1", json!({"iqns": ["iqn.x"]})).await;
    let refused = a
        .refused(Method::POST, "hosts?names=h2", json!({"iqns": ["iqn.x"]}))
        .await;
    assert!(refused[0].contains("already in use"), "{refused:?}");
    assert_eq!(names(&a.get("hosts").await), ["h1"]);
    a.patch(
        "hosts?names=h1",
        json!({"remove_iqns": ["iqn.x"], "add_iqns": ["iqn.y"]}),
    )
    .await;
    a.post("hosts?names=h2", json!({"iqns": ["iqn.x"]})).await;
    assert!(
        a.refused(Method::POST, "hosts?names=h2", json!({})).await[0].contains("already exists")
    );
}

#[tokio::test]
async fn passwords_are_not_shown() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("hosts?names=h", Value::Null).await;
    let chap = json!({"chap": {"host_user": "u", "host_password": "secret-secret"}, "personality": "esxi"});
    let host = &a.patch("hosts?names=h", chap).await[0];
    assert_eq!(host["chap"]["host_user"], "u");
    assert_eq!(host["chap"]["host_password"], "****");
    assert_eq!(host["personality"], "esxi");
    assert!(
        !a.refused(
            Method::PATCH,
            "hosts?names=h",
            json!({"personality": "amiga"})
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn host_groups_share_what_they_see() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v,w").await;
    a.post("hosts?names=h1,h2", json!({})).await;
    a.post("host-groups?names=g", Value::Null).await;
    a.post(
        "host-groups/hosts?group_names=g&member_names=h1,h2",
        Value::Null,
    )
    .await;
    let shared = a
        .post("connections?host_group_names=g&volume_names=v", Value::Null)
        .await;
    assert_eq!((shared.len(), shared[0]["lun"].as_u64()), (2, Some(254)));
    let own = a
        .post("connections?host_names=h1&volume_names=w", Value::Null)
        .await;
    assert_eq!(own[0]["lun"], 1);
    assert_eq!(a.get("connections?host_names=h1").await.len(), 2);
    assert_eq!(a.get("volumes?names=v").await[0]["connection_count"], 2);
    assert!(
        a.refused(Method::DELETE, "host-groups?names=g", Value::Null)
            .await[0]
            .contains("not empty")
    );
    a.delete("host-groups/hosts?group_names=g&member_names=h1,h2")
        .await;
    assert!(
        a.refused(Method::DELETE, "host-groups?names=g", Value::Null)
            .await[0]
            .contains("existing connections")
    );
    a.delete("connections?host_group_names=g&volume_names=v")
        .await;
    a.delete("host-groups?names=g").await;
}
