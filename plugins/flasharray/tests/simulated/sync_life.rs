//! Set-up, the life of stretched volumes, and their connections.

use std::collections::BTreeSet;

use springform_sdk::types::{Error, FailureCode, ReplicationKind, Snapshot};

use crate::rig::{IQN, MIB, Rig, connector, filled, replicated, stretched};

const POD: &str = "cinder-pod";

fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> springform_sdk::types::Failure {
    match result.unwrap_err() {
        Error::Failed(failure) => failure,
        Error::Pending(pending) => panic!("still waiting for {}", pending.waiting_for),
    }
}

fn name(volume: &springform_sdk::types::Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

fn texts(report: &springform_sdk::interfaces::backend::SetupReport) -> Vec<&str> {
    report.changes.iter().map(|c| c.text.as_str()).collect()
}

#[test]
fn set_up_makes_and_stretches_the_pod_once() {
    let rig = Rig::stretched();
    let first = rig.set_up();
    let done = texts(&first);
    assert!(done.contains(&"created pod cinder-pod"), "{done:?}");
    assert!(done.contains(&"stretched pod cinder-pod to b"), "{done:?}");
    let second = rig.set_up();
    assert_eq!(texts(&second), Vec::<&str>::new());
    assert_eq!(second.warnings, Vec::<String>::new());
}

#[test]
fn set_up_waits_for_the_pod_by_name_and_goes_on_when_that_takes_too_long() {
    let rig = Rig::stretched();
    rig.control("POST", &format!("/pods/{POD}/stuck"), r#"{"stuck":true}"#);
    let context = rig.context("setup");
    let waiting = flasharray::driver::Driver::new(rig.kind, &rig, &context)
        .setup()
        .unwrap_err();
    match waiting {
        Error::Pending(pending) => {
            assert_eq!(pending.waiting_for, "pod cinder-pod to come online on b");
        }
        Error::Failed(failure) => panic!("{}", failure.message),
    }
    let mut cursor = Vec::new();
    let mut report = None;
    for _ in 0..20 {
        let mut context = rig.context("setup");
        context.cursor = cursor;
        match flasharray::driver::Driver::new(rig.kind, &rig, &context).setup() {
            Err(Error::Pending(pending)) => {
                cursor = pending.cursor;
                rig.advance(10.0);
            }
            done => {
                report = Some(done.unwrap());
                break;
            }
        }
        cursor = if cursor.is_empty() {
            br#"{"since":0}"#.to_vec()
        } else {
            cursor
        };
    }
    let warnings = report.expect("set-up ends").warnings;
    assert!(
        warnings.iter().any(|w| w.contains("resyncing")),
        "{warnings:?}"
    );
}

#[test]
fn set_up_goes_on_without_the_second_array_and_stretches_when_it_is_back() {
    let rig = Rig::stretched();
    rig.power("b", false);
    let report = rig.set_up();
    assert!(
        report.warnings.iter().any(|w| w.contains("one array only")),
        "{:?}",
        report.warnings
    );
    rig.power("b", true);
    let again = rig.set_up();
    assert!(
        texts(&again).contains(&"stretched pod cinder-pod to b"),
        "{:?}",
        texts(&again)
    );
}

#[test]
fn a_pod_of_the_same_name_on_the_other_array_is_told_apart_from_a_stretched_one() {
    let rig = Rig::stretched();
    {
        let mut world = rig.sim.world();
        let b = world.find_array("b").unwrap();
        world.create_pod(b, POD).unwrap();
    }
    let why = failure(rig.call("setup", |d| d.setup()));
    assert_eq!(why.code, FailureCode::FailedPrecondition);
    assert!(
        why.message.contains("a pod cinder-pod of its own"),
        "{}",
        why.message
    );
}

#[test]
fn a_mediator_out_of_reach_is_a_warning() {
    let rig = Rig::stretched();
    rig.set_up();
    rig.control("POST", "/mediator", r#"{"reachable":false,"arrays":["b"]}"#);
    let report = rig.set_up();
    assert!(
        report.warnings.iter().any(|w| w.contains("mediator")),
        "{:?}",
        report.warnings
    );
}

#[test]
fn a_stretched_volume_lives_in_the_pod_and_is_one_volume_on_both_arrays() {
    let rig = Rig::uniform();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("10000000-0000-0000-0000-000000000001"),
        b"twice",
    );
    let placement = volume.placement.clone().unwrap();
    assert_eq!(
        placement.array_name,
        "cinder-pod::volume-10000000-0000-0000-0000-000000000001-cinder"
    );
    assert_eq!(placement.replication, Some(ReplicationKind::Sync));
    assert_eq!(rig.read("b", &placement.array_name, 5), b"twice");
    let again = rig
        .call("create", |d| d.create(&stretched(&volume.id), None))
        .unwrap();
    assert_eq!(again.serial, placement.serial);
    rig.call("extend", |d| Ok(d.volumes().extend(&volume, 2 * MIB)?))
        .unwrap();
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    for array in ["a", "b"] {
        let world = rig.sim.world();
        let ix = world.find_array(array).unwrap();
        assert!(
            world.array(ix).unwrap().hosts.is_empty(),
            "our host object is gone from {array}"
        );
    }
}

#[test]
fn with_uniform_access_a_machine_gets_the_paths_of_both_arrays() {
    let rig = Rig::uniform();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("10000000-0000-0000-0000-000000000002"),
        b"x",
    );
    let connection = rig
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
    let arrays: BTreeSet<_> = connection.paths.iter().map(|p| p.target.as_str()).collect();
    assert_eq!(arrays, BTreeSet::from(["a", "b"]));
    let ports: BTreeSet<_> = connection.paths.iter().map(|p| p.port.as_str()).collect();
    assert!(
        ports.len() >= 2,
        "each array has its own target name: {ports:?}"
    );

    rig.power("b", false);
    let fewer = rig
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
    assert!(!fewer.paths.is_empty() && fewer.paths.iter().all(|p| p.target == "a"));
    rig.power("b", true);
    rig.advance(60.0);
    rig.power("a", false);
    let other = rig
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
    assert!(!other.paths.is_empty() && other.paths.iter().all(|p| p.target == "b"));
}

#[test]
fn without_uniform_access_a_machine_gets_the_paths_of_the_serving_array() {
    let rig = Rig::stretched();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("10000000-0000-0000-0000-000000000003"),
        b"x",
    );
    let connection = rig
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
    assert!(connection.paths.iter().all(|p| p.target == "a"));
}

#[test]
fn disconnecting_takes_every_path_away_and_a_forced_one_all_machines() {
    let rig = Rig::uniform();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("10000000-0000-0000-0000-000000000004"),
        b"x",
    );
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(&volume, Some(&connector()), true)?)
    })
    .unwrap();
    assert_eq!(rig.read("b", &name(&volume), 1), b"x");
    let gone = rig
        .call("disconnect", |d| {
            Ok(d.volumes().disconnect(&volume, Some(&connector()), false)?)
        })
        .unwrap();
    assert!(gone.last_of_host);
    let connections = |array: &str| {
        let world = rig.sim.world();
        let ix = world.find_array(array).unwrap();
        world.array(ix).unwrap().hosts.len()
    };
    assert_eq!((connections("a"), connections("b")), (0, 0));
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&volume, &connector())?)
    })
    .unwrap();
    rig.call("force", |d| {
        Ok(d.volumes().disconnect(&volume, None, false)?)
    })
    .unwrap();
    assert_eq!((connections("a"), connections("b")), (0, 0));
}

#[test]
fn host_objects_get_the_configured_personality_and_preferred_array_on_both_arrays() {
    let rig = Rig::uniform();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("10000000-0000-0000-0000-000000000005"),
        b"x",
    );
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(&volume, None, false)?)
    })
    .unwrap();
    let mut context = rig.context("connect");
    context.options.extend([
        ("pure_host_personality".to_owned(), "aix".to_owned()),
        ("pure_preferred_array".to_owned(), "b".to_owned()),
    ]);
    let driver = flasharray::driver::Driver::new(rig.kind, &rig, &context);
    let connection = driver.volumes().connect(&volume, &connector()).unwrap();
    assert!(
        connection
            .paths
            .iter()
            .all(|p| p.preferred == (p.target == "b"))
    );
    let arrays = flasharray::arrays::Arrays::new(&rig, &context);
    for array in arrays.all() {
        let hosts = array
            .list("/hosts", &flasharray::query::Query::new())
            .unwrap();
        let host = hosts.first().unwrap();
        assert_eq!(host["personality"], "aix", "on {}", array.name());
        assert_eq!(
            host["preferred_arrays"][0]["name"],
            "b",
            "on {}",
            array.name()
        );
        assert_eq!(host["iqns"][0], IQN);
    }
}

#[test]
fn snapshots_and_clones_cross_the_border_of_the_pod_with_their_bytes() {
    let rig = Rig::uniform();
    rig.set_up();
    let inside = filled(
        &rig,
        stretched("10000000-0000-0000-0000-000000000006"),
        b"first",
    );
    let taken = Snapshot {
        id: "7".to_owned(),
        name: "snapshot-7".to_owned(),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    };
    let snapshot = rig
        .call("snapshot", |d| Ok(d.volumes().snapshot(&inside, &taken)?))
        .unwrap();
    assert_eq!(snapshot.array_name, format!("{}.snapshot-7", name(&inside)));
    rig.write("a", &name(&inside), b"later");

    let copy = |mut volume: springform_sdk::types::Volume, snapshot: Option<&Snapshot>| {
        volume.placement = Some(
            rig.call("copy", |d| d.create(&volume, Some((&inside, snapshot))))
                .unwrap(),
        );
        rig.call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
        volume
    };
    let old = copy(
        stretched("10000000-0000-0000-0000-000000000007"),
        Some(&taken),
    );
    assert!(name(&old).starts_with("cinder-pod::"));
    assert_eq!(rig.read("b", &name(&old), 5), b"first");
    let mut plain = replicated("10000000-0000-0000-0000-000000000008");
    plain.volume_type = None;
    let out = copy(plain, None);
    assert!(!name(&out).contains("::"));
    assert_eq!(rig.read("a", &name(&out), 5), b"later");
    let mut back = stretched("10000000-0000-0000-0000-000000000009");
    back.placement = Some(
        rig.call("copy", |d| d.create(&back, Some((&out, None))))
            .unwrap(),
    );
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&back, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("b", &name(&back), 5), b"later");

    rig.call("revert", |d| Ok(d.volumes().revert(&inside, &taken)?))
        .unwrap();
    assert_eq!(rig.read("b", &name(&inside), 5), b"first");
    rig.call("delete", |d| {
        Ok(d.volumes().delete_snapshot(&inside, &taken)?)
    })
    .unwrap();
}

#[test]
fn what_the_type_asks_for_and_the_driver_cannot_give_is_refused_before_anything_is_made() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = stretched("10000000-0000-0000-0000-00000000000a");
    let why = failure(rig.call("create", |d| d.create(&volume, None)));
    assert_eq!(why.code, FailureCode::Unsupported);
    assert!(!rig.state().to_string().contains("00000000000a"));
}

#[test]
fn reconciling_after_a_target_was_added_stretches_what_was_on_one_array() {
    let mut rig = Rig::stretched();
    let second = rig.targets.remove(1);
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("10000000-0000-0000-0000-00000000000b"),
        b"alone",
    );
    rig.targets.push(second);
    let report = rig.call("reconcile", |d| d.reconcile(&[], false)).unwrap();
    let done: Vec<_> = report.changes.iter().map(|c| c.text.as_str()).collect();
    assert!(done.contains(&"stretched pod cinder-pod to b"), "{done:?}");
    let mut there = volume.clone();
    there.placement.as_mut().unwrap().target = "b".to_owned();
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&there, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("b", &name(&volume), 5), b"alone");
}
