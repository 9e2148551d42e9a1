use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{GIB, Rig, names};

#[tokio::test]
async fn a_snapshot_is_a_moment_and_a_copy_of_it_is_a_volume() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    rig.host(&a, "v").await;
    rig.write("a", "v", 0, b"before").await;
    a.post("volume-snapshots?source_names=v", json!({"suffix": "s"}))
        .await;
    rig.write("a", "v", 0, b"after!").await;
    a.post("volumes?names=copy", json!({"source": {"name": "v.s"}}))
        .await;
    a.post("connections?host_names=h&volume_names=copy", Value::Null)
        .await;
    assert_eq!(rig.read("a", "copy", 6).await.unwrap(), b"before");
    assert_eq!(rig.read("a", "v", 6).await.unwrap(), b"after!");
    // Reverting keeps identity and connections.
    let id = a.get("volumes?names=v").await[0]["id"].clone();
    a.post(
        "volumes?names=v&overwrite=true",
        json!({"source": {"name": "v.s"}}),
    )
    .await;
    assert_eq!(a.get("volumes?names=v").await[0]["id"], id);
    assert_eq!(rig.read("a", "v", 6).await.unwrap(), b"before");
}

#[tokio::test]
async fn a_copy_has_the_size_of_the_snapshot() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("volume-snapshots?source_names=v", json!({"suffix": "s"}))
        .await;
    a.patch("volumes?names=v", json!({"provisioned": 2 * GIB}))
        .await;
    let copy = a
        .post("volumes?names=c", json!({"source": {"name": "v.s"}}))
        .await;
    assert_eq!(copy[0]["provisioned"], GIB);
    let missing = a
        .refused(
            Method::POST,
            "volumes?names=d",
            json!({"source": {"name": "v.x"}}),
        )
        .await;
    assert!(missing[0].contains("does not exist"));
}

#[tokio::test]
async fn snapshots_follow_their_volume_and_have_a_life_of_their_own() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("volume-snapshots?source_names=v", json!({"suffix": "s"}))
        .await;
    a.post("volume-snapshots?source_names=v", Value::Null).await;
    a.patch("volumes?names=v", json!({"name": "w"})).await;
    assert_eq!(names(&a.get("volume-snapshots").await), ["w.1", "w.s"]);
    a.patch("volume-snapshots?names=w.s", json!({"name": "t"}))
        .await;
    assert!(
        a.refused(Method::DELETE, "volume-snapshots?names=w.t", Value::Null)
            .await[0]
            .contains("not destroyed")
    );
    a.patch("volume-snapshots?names=w.t", json!({"destroyed": true}))
        .await;
    assert!(
        a.refused(
            Method::PATCH,
            "volume-snapshots?names=w.t",
            json!({"destroyed": true})
        )
        .await[0]
            .contains("has been destroyed")
    );
    a.delete("volume-snapshots?names=w.t").await;
    let missing = a
        .refused(
            Method::PATCH,
            "volume-snapshots?names=w.t",
            json!({"destroyed": true}),
        )
        .await;
    assert!(
        missing[0].contains("No such volume or snapshot") && missing[0].contains("does not exist")
    );
    assert!(
        a.refused(
            Method::POST,
            "volume-snapshots?source_names=w",
            json!({"suffix": "1"})
        )
        .await[0]
            .contains("already exists")
    );
    assert_eq!(
        names(&a.get("volume-snapshots?source_names=w").await),
        ["w.1"]
    );
}
