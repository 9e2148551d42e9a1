//! Groups: made, filled, changed, deleted.

use springform_control::ErrorKind;
use springform_control::groups::{CreateGroup, GroupSource, UpdateGroup};
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{GroupStatus, VolumeStatus};
use springform_model::operation::OperationState;
use springform_store::Query;

use crate::common::{admin, until};
use crate::rig::Rig;

#[tokio::test]
async fn a_group_is_kept_on_an_array_whose_driver_keeps_groups_and_dies_with_its_volumes() {
    let rig = Rig::new(true).await;
    let group = rig.group("consistent").await;
    assert_eq!(group.status, GroupStatus::Available);
    assert_eq!(group.array_name, Some(format!("{}.group", group.id)));
    assert_eq!(group.backend.as_deref(), Some("pure1"));
    let inside = rig.volume(Some(&group.id)).await;
    assert_eq!(inside.status, VolumeStatus::Available);
    let outside = rig.volume(None).await;

    let joined = rig.update(&group.id, &[&outside.id], &[]).await;
    assert_eq!(
        (joined.status, joined.operation),
        (GroupStatus::Available, None)
    );
    assert_eq!(
        rig.control.groups().volumes(&group.id).await.unwrap().len(),
        2
    );
    assert!(rig.array.groups.lock().unwrap()[&group.id].contains(&outside.id));
    rig.update(&group.id, &[], &[&outside.id]).await;
    let left = rig
        .control
        .volumes()
        .get(&admin(), &outside.id)
        .await
        .unwrap();
    assert_eq!((left.group_id, left.operation), (None, None));

    let groups = rig.control.groups();
    let refused = groups.delete(&admin(), &group.id, false).await.unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "Invalid Group: Group {} still contains volumes. The delete-volumes flag is required to delete it.",
            group.id
        )
    );
    groups.delete(&admin(), &group.id, true).await.unwrap();
    rig.group_is_gone(&group.id).await;
    assert!(rig.array.groups.lock().unwrap().is_empty());
    let left: Vec<String> = rig.array.volumes.lock().unwrap().keys().cloned().collect();
    assert_eq!(left, [outside.id]);
}

#[tokio::test]
async fn a_driver_without_groups_gets_one_call_for_each_volume() {
    let rig = Rig::new(false).await;
    let group = rig.group("plain").await;
    assert_eq!(
        (group.status, group.array_name),
        (GroupStatus::Available, None)
    );
    let one = rig.volume(Some(&group.id)).await;
    let two = rig.volume(Some(&group.id)).await;
    let taken = rig.take(&group.id).await;
    assert_eq!(
        (taken.status, taken.consistent),
        (GroupStatus::Available, false)
    );
    assert_eq!(rig.calls("volumes.create-snapshot").await, 2);

    let source = GroupSource::Snapshot(taken.id.clone());
    let groups = rig.control.groups();
    let copy = groups
        .create_from(&admin(), Some("c".into()), None, source)
        .await
        .unwrap();
    assert_eq!(rig.ended(&copy.operation).await, OperationState::Succeeded);
    let members = groups.volumes(&copy.id).await.unwrap();
    assert_eq!(members.len(), 2);
    assert!(
        members
            .iter()
            .all(|member| member.status == VolumeStatus::Available)
    );
    assert_eq!(
        rig.seen(&copy.id).await.group_snapshot_id,
        Some(taken.id.clone())
    );

    let snapshots = rig.control.group_snapshots();
    snapshots.delete(&admin(), &taken.id).await.unwrap();
    until(|| async { snapshots.get(&admin(), &taken.id).await.is_err() }).await;
    assert!(rig.array.snapshots.lock().unwrap().is_empty());
    assert_eq!(
        rig.control
            .snapshots()
            .list(&admin(), Query::new(), true)
            .await
            .unwrap(),
        []
    );
    groups.delete(&admin(), &group.id, true).await.unwrap();
    rig.group_is_gone(&group.id).await;
    let left = rig.array.volumes.lock().unwrap().clone();
    assert!(!left.contains_key(&one.id) && !left.contains_key(&two.id));
    assert!(
        rig.array
            .log
            .lock()
            .unwrap()
            .iter()
            .all(|call| !call.starts_with("groups."))
    );
}

#[tokio::test]
async fn the_backend_of_a_group_suits_its_type_and_every_volume_type() {
    let rig = Rig::with(true, 2).await;
    // Alone, `gold` goes to pure1, which has more room.
    rig.volume_type("second", &[("volume_backend_name", "pure2")])
        .await;
    let wanted = CreateGroup {
        group_type: "plain".into(),
        volume_types: vec!["gold".into(), "second".into()],
        ..CreateGroup::default()
    };
    let made = rig.control.groups().create(&admin(), wanted).await.unwrap();
    rig.ended(&made.operation).await;
    assert_eq!(rig.seen(&made.id).await.backend.as_deref(), Some("pure2"));
    assert_eq!(
        rig.volume(Some(&made.id)).await.backend.as_deref(),
        Some("pure2")
    );

    rig.volume_type("first", &[("volume_backend_name", "pure1")])
        .await;
    let wanted = CreateGroup {
        group_type: "plain".into(),
        volume_types: vec!["first".into(), "second".into()],
        ..CreateGroup::default()
    };
    let made = rig.control.groups().create(&admin(), wanted).await.unwrap();
    rig.ended(&made.operation).await;
    assert_eq!(rig.seen(&made.id).await.status, GroupStatus::Error);
}

#[tokio::test]
async fn a_volume_is_made_in_a_group_only_with_one_of_its_types() {
    let rig = Rig::new(true).await;
    let group = rig.group("plain").await;
    rig.volume_type("lead", &[]).await;
    let ask = |kind: Option<&str>, group: &str| CreateVolume {
        size: 1,
        volume_type: kind.map(str::to_owned),
        group_id: Some(group.to_owned()),
        ..CreateVolume::default()
    };
    let volumes = rig.control.volumes();
    let untyped = volumes
        .create(&admin(), ask(None, &group.id))
        .await
        .unwrap_err();
    assert!(untyped.message.contains("volume_type must be provided"));
    let other = volumes
        .create(&admin(), ask(Some("lead"), &group.id))
        .await
        .unwrap_err();
    assert!(
        other
            .message
            .contains("requested type must be supported by this group")
    );
    let nowhere = volumes
        .create(&admin(), ask(Some("gold"), "nosuch"))
        .await
        .unwrap_err();
    assert_eq!(
        (nowhere.kind, nowhere.message.as_str()),
        (ErrorKind::NotFound, "Group nosuch could not be found.")
    );
    assert_eq!(rig.control.groups().volumes(&group.id).await.unwrap(), []);
}

#[tokio::test]
async fn members_that_cannot_join_or_leave_are_refused_in_cinders_words() {
    let rig = Rig::new(true).await;
    let (group, other) = (rig.group("plain").await, rig.group("plain").await);
    let inside = rig.volume(Some(&other.id)).await;
    let update = |wanted: UpdateGroup| {
        let (control, id) = (rig.control.clone(), group.id.clone());
        async move {
            control
                .groups()
                .update(&admin(), &id, wanted)
                .await
                .unwrap_err()
                .message
        }
    };
    let add = |id: &str| UpdateGroup {
        add: vec![id.to_owned()],
        ..UpdateGroup::default()
    };
    assert_eq!(
        update(add(&inside.id)).await,
        format!(
            "Invalid volume: Cannot add volume {} to group {} because it is already in group {}.",
            inside.id, group.id, other.id
        )
    );
    assert!(
        update(add("nosuch"))
            .await
            .ends_with("because volume cannot be found.")
    );
    let remove = UpdateGroup {
        remove: vec![inside.id.clone()],
        ..UpdateGroup::default()
    };
    assert!(
        update(remove)
            .await
            .ends_with("because it is not in the group.")
    );
    assert!(
        update(UpdateGroup::default())
            .await
            .starts_with("Invalid Group: Cannot update group")
    );
    let both = UpdateGroup {
        add: vec![inside.id.clone()],
        remove: vec![inside.id.clone()],
        ..UpdateGroup::default()
    };
    assert!(
        update(both)
            .await
            .contains("are in both add and remove volume list.")
    );
}

#[tokio::test]
async fn a_volume_that_cannot_be_deleted_leaves_the_group_to_be_deleted_again() {
    let rig = Rig::new(true).await;
    let group = rig.group("plain").await;
    let (good, bad) = (
        rig.volume(Some(&group.id)).await,
        rig.volume(Some(&group.id)).await,
    );
    rig.array.sick.lock().unwrap().insert(bad.id.clone());
    let groups = rig.control.groups();
    groups.delete(&admin(), &group.id, true).await.unwrap();
    until(|| async { rig.seen(&group.id).await.operation.is_none() }).await;
    assert_eq!(rig.seen(&group.id).await.status, GroupStatus::ErrorDeleting);
    let left = groups.volumes(&group.id).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0].id, left[0].status),
        (&bad.id, VolumeStatus::ErrorDeleting)
    );
    assert!(!rig.array.volumes.lock().unwrap().contains_key(&good.id));

    rig.array.sick.lock().unwrap().clear();
    groups.delete(&admin(), &group.id, true).await.unwrap();
    rig.group_is_gone(&group.id).await;
    assert!(rig.array.volumes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_project_has_no_more_groups_than_its_quota() {
    let rig = Rig::new(true).await;
    let limits = [("groups".to_owned(), 1)].into_iter().collect();
    rig.control.quotas().set("p", limits).await.unwrap();
    rig.group("plain").await;
    let refused = rig.ask("plain").await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (
            ErrorKind::OverLimit,
            "GroupLimitExceeded: Maximum number of groups allowed (1) exceeded"
        )
    );
    let usage = rig.control.quotas().usage_of("p").await.unwrap();
    assert_eq!(usage["groups"].in_use, 1);
}

#[tokio::test]
async fn an_administrator_resets_states_by_cinders_words_only() {
    let rig = Rig::new(true).await;
    let group = rig.group("plain").await;
    let groups = rig.control.groups();
    let reset = groups
        .reset_status(&admin(), &group.id, "ERROR")
        .await
        .unwrap();
    assert_eq!(reset.status, GroupStatus::Error);
    let refused = groups
        .reset_status(&admin(), &group.id, "blue")
        .await
        .unwrap_err();
    assert!(
        refused
            .message
            .starts_with("Invalid Group Status: Group status: blue is invalid")
    );
    let member = springform_control::Caller::new("u", "p", vec!["member".into()]);
    let refused = groups
        .reset_status(&member, &group.id, "error")
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let stranger = springform_control::Caller::new("u", "q", vec!["member".into()]);
    assert_eq!(
        groups.get(&stranger, &group.id).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}
