use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Array, Rig, names};
use flasharray_sim::SimConfig;

const MIB: usize = 1 << 20;

/// A group `g` of volume `v` on a, replicated to c each hour; c has allowed it.
async fn replicated(rig: &Rig) -> (Array, Array) {
    let (a, c) = (rig.array("a").await, rig.array("c").await);
    a.volume("v").await;
    rig.host(&a, "v").await;
    a.post("protection-groups?names=g", Value::Null).await;
    a.post(
        "protection-groups/volumes?group_names=g&member_names=v",
        Value::Null,
    )
    .await;
    a.patch(
        "protection-groups?names=g",
        json!({"replication_schedule": {"frequency": 3_600_000}}),
    )
    .await;
    a.post(
        "protection-groups/targets?group_names=g&member_names=c",
        Value::Null,
    )
    .await;
    (a, c)
}

async fn enable(a: &Array, c: &Array) {
    c.patch(
        "protection-groups/targets?group_names=a:g",
        json!({"allowed": true}),
    )
    .await;
    a.patch(
        "protection-groups?names=g",
        json!({"replication_schedule": {"enabled": true}}),
    )
    .await;
}

async fn transfers(c: &Array) -> Vec<(String, f64)> {
    let items = c
        .get("protection-group-snapshots/transfer?names=a:g&sort=started-")
        .await;
    let line = |item: &Value| {
        (
            item["name"].as_str().unwrap().to_owned(),
            item["progress"].as_f64().unwrap(),
        )
    };
    items.iter().map(line).collect()
}

/// What a volume made from the newest complete snapshot on c holds.
async fn failed_over(rig: &Rig, c: &Array, group: &str, length: usize) -> Vec<u8> {
    let path = format!(
        "protection-group-snapshots/transfer?names={group}&destroyed=false&filter=progress%3D%221.0%22&sort=started-"
    );
    let newest = c.get(&path).await[0]["name"].as_str().unwrap().to_owned();
    c.post(
        "volumes?names=restored&overwrite=true",
        json!({"source": {"name": format!("{newest}.v")}}),
    )
    .await;
    if c.get("hosts").await.is_empty() {
        rig.host(c, "restored").await;
    }
    rig.read("c", "restored", length).await.unwrap()
}

#[tokio::test]
async fn a_target_appears_on_the_other_array_and_must_allow_it() {
    let rig = Rig::trio();
    let (a, c) = replicated(&rig).await;
    let there = &c.get("protection-groups?names=a:g").await[0];
    assert_eq!(
        (
            there["is_local"].as_bool(),
            there["source"]["name"].as_str()
        ),
        (Some(false), Some("a"))
    );
    assert_eq!(
        a.get("protection-groups/targets?group_names=g").await[0]["allowed"],
        false
    );
    assert_eq!(
        c.get("protection-groups/targets?group_names=a:g").await[0]["allowed"],
        false
    );
    enable(&a, &c).await;
    assert_eq!(
        a.get("protection-groups/targets?group_names=g").await[0]["allowed"],
        true
    );
    let again = c
        .refused(
            Method::PATCH,
            "protection-groups/targets?group_names=a:g",
            json!({"allowed": true}),
        )
        .await;
    assert!(again[0].contains("already allowed on"));
    let again = a
        .refused(
            Method::POST,
            "protection-groups/targets?group_names=g&member_names=c",
            Value::Null,
        )
        .await;
    assert!(again[0].contains("already includes"));
    assert!(
        !c.refused(
            Method::PATCH,
            "protection-groups?names=a:g",
            json!({"replication_schedule": {"enabled": false}})
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn replication_follows_its_schedule_and_lags_by_the_bandwidth() {
    // 64 KiB/s: 1 MiB takes 16 seconds.
    let rig = Rig::new(
        SimConfig::trio("a", "b", "c")
            .test_clock()
            .bandwidth(64 << 10),
    );
    let (a, c) = replicated(&rig).await;
    rig.write("a", "v", 0, &vec![1; MIB]).await;
    enable(&a, &c).await;
    rig.control.advance(8.0).await.unwrap();
    assert_eq!(transfers(&c).await, [("a:g.1".to_owned(), 0.5)]);
    let part = &c.get("volume-snapshots/transfer?source_names=a:v").await[0];
    assert_eq!(
        (part["name"].as_str(), part["progress"].as_f64()),
        (Some("a:g.1.v"), Some(0.5))
    );
    assert!(
        c.get("volume-snapshots").await.is_empty(),
        "parts must not be visible before they are complete"
    );
    rig.control.advance(8.0).await.unwrap();
    assert_eq!(transfers(&c).await, [("a:g.1".to_owned(), 1.0)]);
    let item = &c.get("protection-group-snapshots/transfer?names=a:g").await[0];
    assert_eq!(item["data_transferred"], MIB);
    assert_eq!(
        item["completed"].as_u64().unwrap() - item["started"].as_u64().unwrap(),
        16_000
    );
    assert_eq!(
        names(
            &c.get("volume-snapshots?filter=name%3D%27a%3Ag.1.*%27")
                .await
        ),
        ["a:g.1.v"]
    );
    // Only what changed is sent the next time.
    rig.write("a", "v", 0, &vec![2; 4096]).await;
    rig.control.advance(3600.0 + 1.0).await.unwrap();
    let (a, c) = (rig.array("a").await, rig.array("c").await);
    let item = &c
        .get("protection-group-snapshots/transfer?names=a:g&sort=started-")
        .await[0];
    assert_eq!(
        (item["name"].as_str(), item["data_transferred"].as_u64()),
        (Some("a:g.2"), Some(4096))
    );
    // What is written after the snapshot is lost in a failover.
    rig.write("a", "v", 0, &[3; 4096]).await;
    rig.control.power("a", false).await.unwrap();
    let bytes = failed_over(&rig, &c, "a:g", MIB).await;
    assert_eq!((bytes[0], bytes[4095], bytes[4096]), (2, 2, 1));
    drop(a);
}

#[tokio::test]
async fn a_snapshot_is_replicated_on_request() {
    let rig = Rig::trio();
    let (a, c) = replicated(&rig).await;
    let early = a
        .refused(
            Method::POST,
            "protection-group-snapshots?source_names=g&replicate_now=true",
            Value::Null,
        )
        .await;
    assert!(early[0].contains("no target that allows it"), "{early:?}");
    c.patch(
        "protection-groups/targets?group_names=a:g",
        json!({"allowed": true}),
    )
    .await;
    rig.write("a", "v", 0, b"now").await;
    a.post(
        "protection-group-snapshots?source_names=g&replicate_now=true",
        json!({"suffix": "hand"}),
    )
    .await;
    rig.control.advance(1.0).await.unwrap();
    assert_eq!(transfers(&c).await, [("a:g.hand".to_owned(), 1.0)]);
    assert_eq!(failed_over(&rig, &c, "a:g", 3).await, b"now");
    assert_eq!(
        names(&a.get("remote-protection-group-snapshots").await),
        ["c:a:g.hand"]
    );
}

#[tokio::test]
async fn a_cut_link_pauses_a_transfer_and_mending_it_goes_on_from_there() {
    let rig = Rig::new(
        SimConfig::trio("a", "b", "c")
            .test_clock()
            .bandwidth(64 << 10),
    );
    let (a, c) = replicated(&rig).await;
    rig.write("a", "v", 0, &vec![1; MIB]).await;
    enable(&a, &c).await;
    rig.control.advance(4.0).await.unwrap();
    rig.control.link("a", "c", false).await.unwrap();
    assert_eq!(
        a.get("array-connections?names=c").await[0]["status"],
        "connecting"
    );
    rig.control.advance(100.0).await.unwrap();
    assert_eq!(transfers(&c).await, [("a:g.1".to_owned(), 0.25)]);
    rig.control.link("a", "c", true).await.unwrap();
    rig.control.advance(12.0).await.unwrap();
    assert_eq!(transfers(&c).await, [("a:g.1".to_owned(), 1.0)]);
}

#[tokio::test]
async fn a_transfer_can_be_stuck_and_the_next_waits_for_it() {
    let rig = Rig::new(
        SimConfig::trio("a", "b", "c")
            .test_clock()
            .bandwidth(64 << 10),
    );
    let (a, c) = replicated(&rig).await;
    rig.write("a", "v", 0, &vec![1; MIB]).await;
    let body = json!({"progress": 0.6, "from": "a", "to": "c"});
    rig.control
        .call(Method::POST, "/transfers/stuck", &body)
        .await
        .unwrap();
    enable(&a, &c).await;
    rig.control.advance(3.0 * 3600.0).await.unwrap();
    let c = rig.array("c").await;
    let (name, progress) = transfers(&c).await.remove(0);
    assert_eq!(name, "a:g.1");
    assert!((progress - 0.6).abs() < 0.001, "{progress}");
    rig.control
        .call(Method::POST, "/transfers/stuck", &json!({"stuck": false}))
        .await
        .unwrap();
    rig.control.advance(10.0).await.unwrap();
    assert_eq!(
        transfers(&c).await,
        [("a:g.2".to_owned(), 1.0), ("a:g.1".to_owned(), 1.0)]
    );
}

#[tokio::test]
async fn a_group_in_a_pod_replicates_from_whichever_side_is_left() {
    let rig = Rig::trio();
    let (a, b, c) = (
        rig.array("a").await,
        rig.array("b").await,
        rig.array("c").await,
    );
    a.post("pods?names=p", json!({})).await;
    a.volume("p::v").await;
    a.post("pods/arrays?group_names=p&member_names=b", Value::Null)
        .await;
    a.post("protection-groups?names=p::g", Value::Null).await;
    a.post(
        "protection-groups/volumes?group_names=p::g&member_names=p::v",
        Value::Null,
    )
    .await;
    a.post(
        "protection-groups/targets?group_names=p::g&member_names=c",
        Value::Null,
    )
    .await;
    c.patch(
        "protection-groups/targets?group_names=p:g",
        json!({"allowed": true}),
    )
    .await;
    a.patch(
        "protection-groups?names=p::g",
        json!({"replication_schedule": {"frequency": 3_600_000}}),
    )
    .await;
    a.patch(
        "protection-groups?names=p::g",
        json!({"replication_schedule": {"enabled": true}}),
    )
    .await;
    rig.control.power("a", false).await.unwrap();
    rig.host(&b, "p%3A%3Av").await;
    rig.write("b", "p::v", 0, b"from b").await;
    rig.control.advance(3601.0).await.unwrap();
    let c = rig.array("c").await;
    assert_eq!(
        names(&c.get("volume-snapshots").await),
        ["p:g.1.v", "p:g.2.v"]
    );
    assert_eq!(failed_over(&rig, &c, "p:g", 6).await, b"from b");
}

#[tokio::test]
async fn the_target_keeps_what_its_retention_says() {
    let rig = Rig::trio();
    let (a, c) = replicated(&rig).await;
    let body = json!({"target_retention": {"all_for_sec": 7200, "per_day": 0, "days": 0}});
    a.patch("protection-groups?names=g", body).await;
    enable(&a, &c).await;
    rig.control.advance(6.0 * 3600.0 + 60.0).await.unwrap();
    let (a, c) = (rig.array("a").await, rig.array("c").await);
    assert_eq!(
        names(&c.get("protection-group-snapshots?destroyed=false").await),
        ["a:g.5", "a:g.6", "a:g.7"]
    );
    assert_eq!(names(&a.get("protection-group-snapshots").await), ["g.7"]);
}

#[tokio::test]
async fn all_volumes_of_a_replicated_snapshot_are_restored_in_one_step() {
    let rig = Rig::trio();
    let (a, c) = replicated(&rig).await;
    a.volume("w").await;
    a.post(
        "protection-groups/volumes?group_names=g&member_names=w",
        Value::Null,
    )
    .await;
    rig.write("a", "v", 0, b"one").await;
    enable(&a, &c).await;
    rig.control.advance(1.0).await.unwrap();
    c.post(
        "protection-groups?names=back&source_names=a:g.1",
        Value::Null,
    )
    .await;
    assert_eq!(names(&c.get("volumes").await), ["v", "w"]);
    assert_eq!(
        c.get("protection-groups?names=back").await[0]["volume_count"],
        2
    );
    rig.host(&c, "v").await;
    assert_eq!(rig.read("c", "v", 3).await.unwrap(), b"one");
    rig.write("c", "v", 0, b"two").await;
    let path = "protection-groups?names=back&source_names=a:g";
    let refused = c.refused(Method::POST, path, Value::Null).await;
    assert!(refused[0].contains("already exists"), "{refused:?}");
    c.post(&format!("{path}&overwrite=true"), Value::Null).await;
    assert_eq!(rig.read("c", "v", 3).await.unwrap(), b"one");
}
