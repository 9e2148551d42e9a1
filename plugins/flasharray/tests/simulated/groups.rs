//! Consistency groups: one point in time for every member, under the names that Cinder's driver gives.

use springform_sdk::interfaces::groups::Group;
use springform_sdk::types::{Error, Failure, FailureCode, ReplicationKind, Snapshot, Volume};

use crate::rig::{MIB, Rig, filled, replicated, stretched};

pub fn group(id: &str, replication: Option<ReplicationKind>) -> Group {
    Group {
        id: id.to_owned(),
        name: "databases".to_owned(),
        project: "p".to_owned(),
        replication,
        target: None,
        array_name: None,
        extensions: Vec::new(),
    }
}

pub fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        name: format!("snapshot-{id}"),
        size: MIB,
        array_name: None,
        group_snapshot: Some("cg".to_owned()),
        extensions: Vec::new(),
    }
}

pub fn run<T>(
    rig: &Rig,
    call: impl Fn(&flasharray::volume::Volumes<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    rig.call("group", |d| Ok(call(&d.volumes())?))
        .map_err(|error| match error {
            Error::Failed(failure) => failure,
            Error::Pending(pending) => panic!("pending: {}", pending.waiting_for),
        })
}

pub fn created(rig: &Rig, mut group: Group) -> Group {
    group.array_name = Some(run(rig, |v| v.create_group(&group)).unwrap());
    group
}

pub fn inside(mut volume: Volume, group: &Group) -> Volume {
    volume.group = Some(group.id.clone());
    volume
}

fn members(rig: &Rig, group: &Group) -> Vec<String> {
    let name = group.array_name.as_deref().unwrap().replace("::", "%3A%3A");
    let found = rig.get(
        "a",
        &format!("/protection-groups/volumes?group_names={name}"),
    );
    let names = found.as_array().unwrap().iter();
    names
        .map(|m| m["member"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Bytes of a copy: a machine has to be connected to read them.
pub fn content(rig: &Rig, volume: &Volume) -> Vec<u8> {
    rig.call("connect", |d| {
        Ok(d.volumes().connect(volume, &crate::rig::connector())?)
    })
    .unwrap();
    let placement = volume.placement.as_ref().unwrap();
    rig.read(&placement.target, &placement.array_name, 3)
}

#[test]
fn a_group_lives_and_dies_under_the_name_that_cinder_gives_it() {
    let rig = Rig::pair();
    rig.set_up();
    let group = created(&rig, group("g1", None));
    assert_eq!(group.array_name.as_deref(), Some("consisgroup-g1-cinder"));
    assert_eq!(created(&rig, group.clone()), group, "made already");

    let one = filled(&rig, inside(replicated("v1"), &group), b"one");
    let two = filled(&rig, replicated("v2"), b"two");
    assert_eq!(members(&rig, &group), ["volume-v1-cinder"]);
    for _ in 0..2 {
        run(&rig, |v| {
            v.update_group(
                &group,
                std::slice::from_ref(&two),
                std::slice::from_ref(&one),
            )
        })
        .unwrap();
        assert_eq!(members(&rig, &group), ["volume-v2-cinder"]);
    }
    for _ in 0..2 {
        run(&rig, |v| v.delete_group(&group)).unwrap();
    }
    // The name is free again, although the array keeps what was deleted for a day.
    created(&rig, group.clone());
    assert!(members(&rig, &group).is_empty());
}

#[test]
fn a_volume_of_a_group_that_only_the_cloud_knows_is_made_all_the_same() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = filled(&rig, inside(replicated("v1"), &group("g1", None)), b"one");
    assert_eq!(
        volume.placement.unwrap().replication,
        Some(ReplicationKind::Async)
    );
}

#[test]
fn a_snapshot_of_a_group_holds_one_point_of_every_member_and_can_fill_another_group() {
    let rig = Rig::pair();
    rig.set_up();
    let source = created(&rig, group("g1", None));
    let volumes = [
        filled(&rig, inside(replicated("v1"), &source), b"one"),
        filled(&rig, inside(replicated("v2"), &source), b"two"),
    ];
    let snapshots = [snapshot("s1"), snapshot("s2")];
    for _ in 0..2 {
        let taken = run(&rig, |v| {
            v.snapshot_group(&source, "cg", &volumes, &snapshots)
        })
        .unwrap();
        let names: Vec<_> = taken
            .iter()
            .map(|t| t.result.as_ref().unwrap().array_name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "consisgroup-g1-cinder.cgsnapshot-cg-cinder.volume-v1-cinder",
                "consisgroup-g1-cinder.cgsnapshot-cg-cinder.volume-v2-cinder",
            ]
        );
    }
    for volume in &volumes {
        let name = &volume.placement.as_ref().unwrap().array_name;
        rig.write("a", name, b"new");
    }

    let copy = created(&rig, group("g2", None));
    let mut copies = [
        inside(replicated("c1"), &copy),
        inside(replicated("c2"), &copy),
    ];
    let made = run(&rig, |v| {
        v.fill_group(&copy, &copies, &source, Some("cg"), &volumes)
    })
    .unwrap();
    for (volume, outcome) in copies.iter_mut().zip(made) {
        volume.placement = Some(outcome.result.unwrap());
    }
    assert_eq!(content(&rig, &copies[0]), b"one");
    assert_eq!(content(&rig, &copies[1]), b"two");
    assert_eq!(members(&rig, &copy).len(), 2);

    for _ in 0..2 {
        run(&rig, |v| v.delete_group_snapshot(&source, "cg", &[])).unwrap();
    }
}

#[test]
fn a_group_is_cloned_as_it_is_now_and_nothing_else_is_left_on_the_array() {
    let rig = Rig::pair();
    rig.set_up();
    let source = created(&rig, group("g1", None));
    let volumes = [filled(&rig, inside(replicated("v1"), &source), b"one")];
    let copy = created(&rig, group("g2", None));
    let mut copies = [inside(replicated("c1"), &copy)];
    for _ in 0..2 {
        let made = run(&rig, |v| {
            v.fill_group(&copy, &copies, &source, None, &volumes)
        })
        .unwrap();
        copies[0].placement = Some(made[0].result.clone().unwrap());
    }
    assert_eq!(content(&rig, &copies[0]), b"one");
    let left = rig.get(
        "a",
        "/protection-group-snapshots?source_names=consisgroup-g1-cinder",
    );
    assert_eq!(left, serde_json::json!([]));
}

#[test]
fn a_volume_that_the_array_does_not_know_as_a_member_becomes_one_and_is_in_the_snapshot() {
    let rig = Rig::pair();
    rig.set_up();
    let source = created(&rig, group("g1", None));
    let volumes = [
        filled(&rig, inside(replicated("v1"), &source), b"one"),
        filled(&rig, replicated("v2"), b"two"),
    ];
    for _ in 0..2 {
        let taken = run(&rig, |v| {
            v.snapshot_group(&source, "cg", &volumes, &[snapshot("s1"), snapshot("s2")])
        })
        .unwrap();
        for one in &taken {
            let name = &one.result.as_ref().unwrap().array_name;
            assert!(name.starts_with("consisgroup-g1-cinder.cgsnapshot-cg-cinder."));
        }
    }
    assert_eq!(members(&rig, &source).len(), 2);
}

#[test]
fn a_volume_that_cannot_be_a_member_on_the_array_fails_alone() {
    let rig = Rig::pair();
    rig.set_up();
    let source = created(&rig, group("g1", None));
    let gone = {
        let mut volume = filled(&rig, replicated("v2"), b"two");
        let placement = volume.placement.as_mut().unwrap();
        placement.array_name = "volume-v3-cinder".to_owned();
        volume
    };
    let volumes = [
        filled(&rig, inside(replicated("v1"), &source), b"one"),
        gone,
    ];
    let taken = run(&rig, |v| {
        v.snapshot_group(&source, "cg", &volumes, &[snapshot("s1"), snapshot("s2")])
    })
    .unwrap();
    assert!(taken[0].result.is_ok());
    let failure = taken[1].result.clone().unwrap_err();
    assert_eq!(failure.code, FailureCode::FailedPrecondition);
    assert!(failure.message.contains("volume-v3-cinder"));
}

#[test]
fn a_group_of_stretched_volumes_is_in_their_pod_and_its_snapshots_are_on_both_arrays() {
    let rig = Rig::stretched();
    rig.set_up();
    let source = created(&rig, group("g1", Some(ReplicationKind::Sync)));
    assert_eq!(
        source.array_name.as_deref(),
        Some("cinder-pod::consisgroup-g1-cinder")
    );
    let volumes = [filled(&rig, inside(stretched("v1"), &source), b"one")];
    assert_eq!(members(&rig, &source), ["cinder-pod::volume-v1-cinder"]);
    let taken = run(&rig, |v| {
        v.snapshot_group(&source, "cg", &volumes, &[snapshot("s1")])
    })
    .unwrap();
    let name = taken[0].result.clone().unwrap().array_name;
    assert_eq!(
        name,
        "cinder-pod::consisgroup-g1-cinder.cgsnapshot-cg-cinder.volume-v1-cinder"
    );
    for array in ["a", "b"] {
        let name = name.replace("::", "%3A%3A");
        let found = rig.get(array, &format!("/volume-snapshots?names={name}"));
        assert_eq!(found.as_array().unwrap().len(), 1, "{array}");
    }
    let copy = created(&rig, group("g2", Some(ReplicationKind::Sync)));
    let mut copied = inside(stretched("c1"), &copy);
    let made = run(&rig, |v| {
        v.fill_group(
            &copy,
            std::slice::from_ref(&copied),
            &source,
            Some("cg"),
            &volumes,
        )
    })
    .unwrap();
    copied.placement = Some(made[0].result.clone().unwrap());
    assert_eq!(content(&rig, &copied), b"one");
}
