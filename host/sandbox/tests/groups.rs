//! Calls to the optional interface `groups`, in a component that the SDK made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use springform_model::contract::{Call, Driver, GroupSpec, SnapshotSpec};
use springform_sandbox::{BoundDriver, World};
use support::{context, driver, load, sandbox, volume};

fn group(id: &str) -> GroupSpec {
    GroupSpec {
        id: id.to_owned(),
        name: "databases".to_owned(),
        project: "p".to_owned(),
        replication: None,
        target: None,
        array_name: None,
        extensions: Vec::new(),
    }
}

fn snapshot(id: &str) -> SnapshotSpec {
    SnapshotSpec {
        id: id.to_owned(),
        name: format!("snapshot-{id}"),
        size: 1 << 30,
        array_name: None,
        group_snapshot: Some("cg1".to_owned()),
        extensions: Vec::new(),
    }
}

/// What the fixture says it was told.
async fn told(driver: &BoundDriver, call: Call) -> String {
    driver
        .call(context("", ""), call)
        .await
        .unwrap_err()
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_made_with_the_sdk_may_have_groups() {
    let program = load(&sandbox(), "grouped").await;
    assert_eq!(program.world(), World::Full);
    assert!(program.description().has("groups"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_is_in_the_world_that_its_description_promises() {
    let program = load(&sandbox(), "pure_async").await;
    assert_eq!(
        program.world() == World::Full,
        program.description().has("groups")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_life_reaches_the_guest_as_it_was_asked_for() {
    let driver = driver("grouped", vec![]).await;
    let name = driver
        .call(context("", ""), Call::CreateGroup { group: group("g1") })
        .await
        .unwrap()
        .into_name()
        .unwrap();
    assert_eq!(name, "pure1/g1");

    let update = Call::UpdateGroup {
        group: group("g1"),
        add: vec![volume("v1"), volume("v2")],
        remove: vec![volume("v3")],
    };
    assert!(
        told(&driver, update)
            .await
            .contains("update g1 add v1+v2 remove v3")
    );
    let delete = Call::DeleteGroup { group: group("g1") };
    assert!(told(&driver, delete).await.contains("delete g1"));
    for (call, word) in [
        (
            Call::EnableGroupReplication {
                group: group("g1"),
                volumes: vec![volume("v1")],
            },
            "enable g1 for v1",
        ),
        (
            Call::DisableGroupReplication {
                group: group("g1"),
                volumes: vec![volume("v2")],
            },
            "disable g1 for v2",
        ),
        (
            Call::DeleteGroupSnapshot {
                group: group("g1"),
                snapshot_id: "cg1".to_owned(),
                snapshots: vec![snapshot("s1"), snapshot("s2")],
            },
            "delete cg1 of g1 with 2",
        ),
    ] {
        let text = told(&driver, call).await;
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_a_group_snapshot_comes_back_in_the_order_asked() {
    let driver = driver("grouped", vec![]).await;
    let taken = driver
        .call(
            context("", ""),
            Call::CreateGroupSnapshot {
                group: group("g1"),
                snapshot_id: "cg1".to_owned(),
                volumes: vec![volume("v1"), volume("v2")],
                snapshots: vec![snapshot("s1"), snapshot("s2")],
            },
        )
        .await
        .unwrap()
        .into_group_snapshot()
        .unwrap();
    let names: Vec<_> = taken
        .iter()
        .map(|t| {
            (
                t.id.as_str(),
                t.result.as_ref().unwrap().array_name.as_str(),
            )
        })
        .collect();
    assert_eq!(names, [("s1", "g1.cg1.v1"), ("s2", "g1.cg1.v2")]);

    let made = driver
        .call(
            context("", ""),
            Call::CreateGroupFrom {
                group: group("g2"),
                volumes: vec![volume("n1")],
                source: group("g1"),
                snapshot_id: Some("cg1".to_owned()),
                source_volumes: vec![volume("v1")],
            },
        )
        .await
        .unwrap()
        .into_outcomes()
        .unwrap();
    let placement = made[0].result.as_ref().unwrap();
    assert_eq!(
        (made[0].id.as_str(), placement.array_name.as_str()),
        ("n1", "g1/cg1/v1 in g2")
    );
}
