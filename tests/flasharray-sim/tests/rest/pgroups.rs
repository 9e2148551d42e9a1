use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, names};

#[tokio::test]
async fn a_group_has_members_schedules_and_retention() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v,w").await;
    a.post("protection-groups?names=g", Value::Null).await;
    a.post(
        "protection-groups/volumes?group_names=g&member_names=v,w",
        Value::Null,
    )
    .await;
    let again = a
        .refused(
            Method::POST,
            "protection-groups/volumes?group_names=g&member_names=v",
            Value::Null,
        )
        .await;
    assert!(again[0].contains("already includes"));
    a.patch(
        "protection-groups?names=g",
        json!({"target_retention": {"all_for_sec": 60, "per_day": 1, "days": 2}}),
    )
    .await;
    a.patch(
        "protection-groups?names=g",
        json!({"replication_schedule": {"frequency": 3_600_000}}),
    )
    .await;
    let group = &a.get("protection-groups?names=g").await[0];
    assert_eq!(group["volume_count"], 2);
    assert_eq!(group["replication_schedule"]["frequency"], 3_600_000);
    assert_eq!(group["replication_schedule"]["enabled"], false);
    assert_eq!(
        group["target_retention"],
        json!({"all_for_sec": 60, "per_day": 1, "days": 2})
    );
    assert_eq!(group["retention_lock"], "unlocked");
    let of = a.get("protection-groups/volumes?member_names=v").await;
    assert_eq!(of[0]["group"]["name"], "g");
    a.delete("protection-groups/volumes?group_names=g&member_names=v")
        .await;
    assert!(
        a.get("protection-groups/volumes?member_names=v")
            .await
            .is_empty()
    );
    let gone = a
        .refused(
            Method::DELETE,
            "protection-groups/volumes?group_names=g&member_names=v",
            Value::Null,
        )
        .await;
    assert!(gone[0].contains("could not be found"));
    a.patch("volumes?names=w", json!({"destroyed": true})).await;
    assert_eq!(
        a.get("protection-groups?names=g").await[0]["volume_count"],
        0
    );
}

#[tokio::test]
async fn a_group_snapshot_has_a_part_for_each_volume_and_lives_and_dies_as_one() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v,w").await;
    a.post("protection-groups?names=g", Value::Null).await;
    a.post(
        "protection-groups/volumes?group_names=g&member_names=v,w",
        Value::Null,
    )
    .await;
    let made = a
        .post(
            "protection-group-snapshots?source_names=g",
            json!({"suffix": "s"}),
        )
        .await;
    assert_eq!(
        (made[0]["name"].as_str(), made[0]["source"]["name"].as_str()),
        (Some("g.s"), Some("g"))
    );
    assert_eq!(
        names(&a.get("volume-snapshots?filter=name%3D%27g.s.*%27").await),
        ["g.s.v", "g.s.w"]
    );
    assert!(
        a.refused(
            Method::PATCH,
            "volume-snapshots?names=g.s.v",
            json!({"destroyed": true})
        )
        .await[0]
            .contains("part of")
    );
    a.post("volumes?names=copy", json!({"source": {"name": "g.s.v"}}))
        .await;
    a.patch(
        "protection-group-snapshots?names=g.s",
        json!({"destroyed": true}),
    )
    .await;
    assert!(
        a.refused(
            Method::PATCH,
            "protection-group-snapshots?names=g.s",
            json!({"destroyed": true})
        )
        .await[0]
            .contains("has been destroyed")
    );
    assert_eq!(a.get("volume-snapshots?destroyed=true").await.len(), 2);
    a.delete("protection-group-snapshots?names=g.s").await;
    assert!(a.get("volume-snapshots").await.is_empty());
}

#[tokio::test]
async fn a_destroyed_group_can_be_recovered_or_eradicated_with_its_snapshots() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("protection-groups?names=g", Value::Null).await;
    a.post(
        "protection-groups/volumes?group_names=g&member_names=v",
        Value::Null,
    )
    .await;
    a.post(
        "protection-group-snapshots?source_names=g",
        json!({"suffix": "s"}),
    )
    .await;
    a.patch("protection-groups?names=g", json!({"destroyed": true}))
        .await;
    assert!(
        a.refused(Method::POST, "protection-groups?names=g", Value::Null)
            .await[0]
            .contains("already exists")
    );
    assert!(
        a.refused(
            Method::PATCH,
            "protection-groups?names=g",
            json!({"destroyed": true})
        )
        .await[0]
            .contains("has been destroyed")
    );
    a.patch("protection-groups?names=g", json!({"destroyed": false}))
        .await;
    assert_eq!(
        a.get("protection-group-snapshots?names=g.s").await[0]["destroyed"],
        false
    );
    a.patch("protection-groups?names=g", json!({"destroyed": true}))
        .await;
    a.delete("protection-groups?names=g").await;
    assert!(a.get("protection-group-snapshots").await.is_empty());
    assert!(
        a.get("protection-groups/volumes?member_names=v")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_snapshot_schedule_takes_snapshots_and_retention_thins_them() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.post("protection-groups?names=g", Value::Null).await;
    a.post(
        "protection-groups/volumes?group_names=g&member_names=v",
        Value::Null,
    )
    .await;
    let body = json!({
        "snapshot_schedule": {"enabled": true, "frequency": 3_600_000},
        "source_retention": {"all_for_sec": 7200, "per_day": 0, "days": 0},
    });
    a.patch("protection-groups?names=g", body).await;
    rig.control.advance(10.0 * 3600.0).await.unwrap();
    let a = rig.array("a").await;
    assert_eq!(
        names(&a.get("protection-group-snapshots?destroyed=false").await),
        ["g.10", "g.11", "g.9"]
    );
    rig.control.advance(48.0 * 3600.0).await.unwrap();
    let a = rig.array("a").await;
    // What was destroyed a day ago is gone.
    assert!(a.get("protection-group-snapshots").await.len() <= 3 + 25);
}
