//! What is owed to which array when records go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use springform_model::contract::{
    Call, FailoverMode, GroupSpec, Migration, Placement, Side, SnapshotSpec, VolumeSpec,
};
use springform_model::replication::obligation::{
    Cause, Obligation, ObligationKind, ObligationState,
};
use springform_model::replication::relation::{Event, Relation};
use springform_model::time::Timestamp;

fn arrays(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn cause(targets: &[String]) -> Cause<'_> {
    Cause {
        backend: "pure1",
        targets,
        operation: "op",
        at: Timestamp(7),
    }
}

fn volume(on: &str, generation: u64) -> VolumeSpec {
    VolumeSpec {
        id: "v".to_owned(),
        name: "volume-v".to_owned(),
        display_name: String::new(),
        project: "p".to_owned(),
        size: 1 << 30,
        volume_type: None,
        group: None,
        placement: Some(Placement {
            array_name: "volume-v-cinder".to_owned(),
            target: on.to_owned(),
            serial: Some("S1".to_owned()),
            metadata: Vec::new(),
            replication: None,
            extensions: Vec::new(),
        }),
        generation,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    }
}

/// A relation after an unplanned failover to `b`.
fn failed_over() -> Relation {
    let begin = Event::Begin {
        operation: "over".to_owned(),
        to: "b".to_owned(),
        mode: FailoverMode::Unplanned,
        expected: None,
        acknowledge: None,
        drill: None,
    };
    let relation = Relation::new("v", "pure1", "a", 0, true);
    let (moving, _) = relation.step(begin, Timestamp(1)).unwrap();
    let promoted = Event::Promoted("over".to_owned());
    moving.step(promoted, Timestamp(2)).unwrap().0
}

fn targets(owed: &[Obligation]) -> Vec<&str> {
    owed.iter().map(|o| o.target.as_str()).collect()
}

#[test]
fn a_volume_that_never_moved_is_nowhere_else() {
    let known = arrays(&["a", "b"]);
    let relation = Relation::new("v", "pure1", "a", 0, true);
    let owed = cause(&known).volume_deleted(&volume("a", 0), Some(&relation));
    assert!(owed.is_empty());
}

#[test]
fn every_array_that_a_volume_may_have_left_is_owed_its_deletion_and_the_one_that_serves_is_not() {
    let known = arrays(&["a", "b", "c"]);
    let relation = failed_over();
    let spec = volume("b", relation.generation);
    let owed = cause(&known).volume_deleted(&spec, Some(&relation));
    assert_eq!(targets(&owed), ["a", "c"]);
    let Call::DeleteVolume { volume } = &owed[0].call else {
        panic!("{:?}", owed[0].call)
    };
    let placement = volume.placement.as_ref().unwrap();
    // The serial is that of the array which serves: on another one it would not be found under it.
    assert_eq!((placement.target.as_str(), &placement.serial), ("a", &None));
    assert_eq!(owed[0].generation, relation.generation);
}

#[test]
fn what_is_owed_twice_has_one_record() {
    let known = arrays(&["a", "b"]);
    let spec = volume("b", 1);
    let first = cause(&known).volume_deleted(&spec, None);
    let again = cause(&known).volume_deleted(&spec, None);
    assert_eq!(first[0].id, again[0].id);
}

#[test]
fn a_volume_that_is_given_up_is_fenced_where_it_can_still_be_written_and_not_deleted() {
    let known = arrays(&["a", "b"]);
    let relation = failed_over();
    let spec = volume("b", relation.generation);
    let owed = cause(&known).volume_unmanaged(&spec, Some(&relation));
    assert_eq!(owed[0].kind, ObligationKind::Fence);
    let fenced = Event::Fenced {
        target: "a".to_owned(),
    };
    let (fenced, _) = relation.step(fenced, Timestamp(3)).unwrap();
    assert!(
        cause(&known)
            .volume_unmanaged(&spec, Some(&fenced))
            .is_empty()
    );
}

#[test]
fn an_array_that_is_not_configured_is_owed_nothing_until_it_is_again() {
    let relation = failed_over();
    let spec = volume("b", relation.generation);
    let owed = cause(&arrays(&["b"])).volume_deleted(&spec, Some(&relation));
    assert_eq!(owed[0].state, ObligationState::Abandoned);
    assert_eq!(owed[0].known(&arrays(&["b"])), None);
    let back = owed[0].known(&arrays(&["a", "b"]));
    assert_eq!(back, Some(ObligationState::Pending));
}

#[test]
fn snapshots_and_groups_are_owed_to_the_array_that_holds_them() {
    let known = arrays(&["a", "b"]);
    let snapshot = SnapshotSpec {
        id: "s".to_owned(),
        name: "snapshot-s".to_owned(),
        size: 1 << 30,
        array_name: Some("volume-v-cinder.snapshot-s".to_owned()),
        group_snapshot: None,
        extensions: Vec::new(),
    };
    let owed = cause(&known).snapshot_deleted(&volume("b", 1), &snapshot, "a");
    assert_eq!(
        (owed.target.as_str(), owed.object.as_str()),
        ("a", "volume-v-cinder.snapshot-s")
    );
    let group = GroupSpec {
        id: "g".to_owned(),
        name: String::new(),
        project: "p".to_owned(),
        replication: None,
        target: Some("b".to_owned()),
        array_name: Some("consisgroup-g-cinder".to_owned()),
        extensions: Vec::new(),
    };
    let owed = cause(&known).group_deleted(&group);
    assert_eq!(targets(&owed), ["a"]);
    let Call::DeleteGroup { group: there } = &owed[0].call else {
        panic!("{:?}", owed[0].call)
    };
    assert_eq!(there.target.as_deref(), Some("a"));
    let owed = cause(&known).group_snapshot_deleted(&group, "gs", &[snapshot], "a");
    assert_eq!(owed.kind, ObligationKind::DeleteGroupSnapshot);
}

#[test]
fn after_a_move_between_backends_each_array_is_owed_what_is_its_own_and_each_move_by_itself() {
    let side = |backend: &str| Side {
        backend: backend.to_owned(),
        target: format!("{backend}-array"),
        array_id: None,
        array_name: None,
        extensions: Vec::new(),
    };
    let migration = |id: &str| Migration {
        id: id.to_owned(),
        source: side("pure1"),
        destination: side("pure2"),
        extensions: Vec::new(),
    };
    let known = arrays(&["pure1-array"]);
    let call = |id: &str, moved| Call::ReleaseVolume {
        volume: volume("pure1-array", 0),
        migration: migration(id),
        moved,
    };
    let volume = volume("pure1-array", 0);
    let owed = cause(&known).left_behind(&volume, &migration("m1"), call("m1", true));
    assert_eq!(owed.kind, ObligationKind::DeleteVolume);
    assert_eq!(
        (owed.target.as_str(), owed.object.as_str()),
        ("pure1-array", "volume-v-cinder")
    );
    assert_eq!(owed.state, ObligationState::Pending);
    let ended = |id: &str, target: &str| {
        cause(&known).migration_ended(&volume, &migration(id), target, call(id, false))
    };
    let first = ended("m1", "pure1-array");
    assert_eq!(first.kind, ObligationKind::EndMigration);
    assert_ne!(first.id, ended("m2", "pure1-array").id);
    let gone = ended("m1", "another");
    assert_eq!(gone.state, ObligationState::Abandoned);
}
