//! Snapshots of groups.

use std::sync::atomic::Ordering;

use springform_control::ErrorKind;
use springform_control::group_snapshots::CreateGroupSnapshot;
use springform_control::groups::GroupSource;
use springform_model::cloud::{GroupStatus, SnapshotStatus};
use springform_model::operation::OperationState;

use crate::common::{admin, until, up};
use crate::rig::Rig;

#[tokio::test]
async fn a_consistent_snapshot_is_one_call_and_a_group_is_filled_from_it_by_another() {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    for _ in 0..3 {
        rig.volume(Some(&group.id)).await;
    }
    let taken = rig.take(&group.id).await;
    assert_eq!(
        (taken.status, taken.consistent),
        (GroupStatus::Available, true)
    );
    assert_eq!(rig.seen(&group.id).await.operation, None);
    assert_eq!(rig.calls("groups.create-snapshot").await, 1);
    assert_eq!(rig.calls("volumes.create-snapshot").await, 0);
    let each = rig
        .control
        .group_snapshots()
        .snapshots(&taken.id)
        .await
        .unwrap();
    assert_eq!(each.len(), 3);
    assert!(
        each.iter()
            .all(|one| one.status == SnapshotStatus::Available && one.array_name.is_some())
    );

    let refused = rig
        .control
        .snapshots()
        .delete(&admin(), &each[0].id, false)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "Invalid snapshot: Snapshot {} must not be part of a group.",
            each[0].id
        )
    );
    let refused = rig
        .control
        .groups()
        .delete(&admin(), &group.id, true)
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        "Invalid Group: Group has existing snapshots."
    );

    for source in [
        GroupSource::Snapshot(taken.id.clone()),
        GroupSource::Group(group.id.clone()),
    ] {
        let copy = rig
            .control
            .groups()
            .create_from(&admin(), None, None, source)
            .await
            .unwrap();
        assert_eq!(rig.ended(&copy.operation).await, OperationState::Succeeded);
        assert_eq!(rig.array.groups.lock().unwrap()[&copy.id].len(), 3);
    }
    assert_eq!(rig.calls("groups.create-from").await, 2);
    rig.control
        .group_snapshots()
        .delete(&admin(), &taken.id)
        .await
        .unwrap();
    until(|| async { rig.array.snapshots.lock().unwrap().is_empty() }).await;
    assert_eq!(rig.calls("groups.delete-snapshot").await, 1);
}

#[tokio::test]
async fn a_type_that_asks_for_consistent_snapshots_finds_no_backend_whose_driver_lacks_them() {
    let rig = Rig::new(false).await;
    let group = rig.group("consistent").await;
    assert_eq!((group.status, &group.backend), (GroupStatus::Error, &None));
    let said = rig.complaint().await;
    assert!(
        said.contains(
            "pure1#pool: CapabilitiesFilter: its consistent_group_snapshot_enabled is False"
        ),
        "{said}"
    );
    // No array has it, so it goes at once.
    rig.control
        .groups()
        .delete(&admin(), &group.id, false)
        .await
        .unwrap();
    assert_eq!(
        rig.control
            .groups()
            .get(&admin(), &group.id)
            .await
            .unwrap_err()
            .kind,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_group_whose_array_lost_its_driver_for_groups_refuses_a_consistent_snapshot_and_takes_none()
 {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    rig.volume(Some(&group.id)).await;
    rig.array.grouping.store(false, Ordering::SeqCst);
    let rig = rig.restart().await;
    up(&rig.control).await;
    let taken = rig.take(&group.id).await;
    assert_eq!(taken.status, GroupStatus::Error);
    assert!(rig.complaint().await.contains("nothing was taken"));
    assert!(rig.array.snapshots.lock().unwrap().is_empty());
    assert_eq!(rig.seen(&group.id).await.operation, None);
    assert!(rig.path().exists());
}

#[tokio::test]
async fn one_member_without_a_snapshot_makes_the_group_snapshot_an_error_that_can_be_deleted() {
    for grouping in [true, false] {
        let rig = Rig::new(grouping).await;
        let group = rig.group("plain").await;
        let (_, bad) = (
            rig.volume(Some(&group.id)).await,
            rig.volume(Some(&group.id)).await,
        );
        rig.array.sick.lock().unwrap().insert(bad.id.clone());
        let taken = rig.take(&group.id).await;
        assert_eq!(taken.status, GroupStatus::Error);
        let snapshots = rig.control.group_snapshots();
        let each = snapshots.snapshots(&taken.id).await.unwrap();
        let failed: Vec<_> = each
            .iter()
            .filter(|one| one.status == SnapshotStatus::Error)
            .collect();
        assert_eq!((each.len(), failed.len()), (2, 1));
        assert_eq!(failed[0].volume_id, bad.id);
        snapshots.delete(&admin(), &taken.id).await.unwrap();
        until(|| async { snapshots.get(&admin(), &taken.id).await.is_err() }).await;
        assert!(rig.array.snapshots.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_group_snapshot_that_was_interrupted_after_the_array_acted_is_finished_after_a_restart() {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    rig.volume(Some(&group.id)).await;
    rig.array.hang.store(true, Ordering::SeqCst);
    let wanted = CreateGroupSnapshot {
        group_id: group.id.clone(),
        ..CreateGroupSnapshot::default()
    };
    let snapshots = rig.control.group_snapshots();
    let made = snapshots.create(&admin(), wanted.clone()).await.unwrap();
    until(|| async { !rig.array.snapshots.lock().unwrap().is_empty() }).await;
    let second = snapshots.create(&admin(), wanted).await.unwrap_err();
    assert_eq!(
        (second.kind, &second.operation),
        (ErrorKind::Conflict, &made.operation)
    );

    let rig = rig.restart().await;
    assert_eq!(rig.ended(&made.operation).await, OperationState::Succeeded);
    let taken = rig
        .control
        .group_snapshots()
        .get(&admin(), &made.id)
        .await
        .unwrap();
    assert_eq!(
        (taken.status, taken.operation),
        (GroupStatus::Available, None)
    );
    assert_eq!(rig.seen(&group.id).await.operation, None);
    assert_eq!(rig.array.snapshots.lock().unwrap().len(), 1);
}
