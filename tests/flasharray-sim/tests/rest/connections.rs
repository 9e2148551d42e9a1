use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::Rig;

#[tokio::test]
async fn luns_count_up_from_one_and_are_reused() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v1,v2,v3").await;
    a.post("hosts?names=h", json!({"iqns": ["iqn.x"]})).await;
    let made = a
        .post("connections?host_names=h&volume_names=v1,v2", Value::Null)
        .await;
    assert_eq!(
        (made[0]["lun"].as_u64(), made[1]["lun"].as_u64()),
        (Some(1), Some(2))
    );
    a.delete("connections?host_names=h&volume_names=v1").await;
    let made = a
        .post("connections?host_names=h&volume_names=v3", Value::Null)
        .await;
    assert_eq!(made[0]["lun"], 1);
    assert_eq!(
        a.get("connections?volume_names=v3").await[0]["host"]["name"],
        "h"
    );
    assert_eq!(a.get("connections").await.len(), 2);
}

#[tokio::test]
async fn refusals_say_what_is_missing_or_in_the_way() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("hosts?names=h", json!({})).await;
    let post = |path: &'static str| a.refused(Method::POST, path, Value::Null);
    assert_eq!(
        post("connections?host_names=x&volume_names=v").await,
        ["Host does not exist."]
    );
    assert_eq!(
        post("connections?host_names=h&volume_names=x").await,
        ["Volume does not exist."]
    );
    a.post("connections?host_names=h&volume_names=v", Value::Null)
        .await;
    assert_eq!(
        post("connections?host_names=h&volume_names=v").await,
        ["Connection already exists."]
    );
    let delete = |path: &'static str| a.refused(Method::DELETE, path, Value::Null);
    assert!(
        delete("hosts?names=h").await[0].contains("cannot be deleted due to existing connections")
    );
    assert!(
        a.refused(Method::PATCH, "volumes?names=v", json!({"destroyed": true}))
            .await[0]
            .contains("existing connections")
    );
    a.delete("connections?host_names=h&volume_names=v").await;
    assert_eq!(
        delete("connections?host_names=h&volume_names=v").await,
        ["Connection does not exist."]
    );
    a.delete("hosts?names=h").await;
    assert_eq!(delete("hosts?names=h").await, ["Host does not exist."]);
}

#[tokio::test]
async fn nvme_hosts_get_a_namespace_instead_of_a_lun() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("hosts?names=h", json!({"nqns": ["nqn.2014-08.org:x"]}))
        .await;
    let made = &a
        .post("connections?host_names=h&volume_names=v", Value::Null)
        .await[0];
    assert_eq!(made["nsid"], 1);
    assert!(made.get("lun").is_none());
}
