//! Drills of stretched volumes, and volumes that travel into the pod and out of it without losing a byte.

use springform_sdk::interfaces::volumes::Reference;
use springform_sdk::types::{
    Error, FailureCode, Qos, ReplicationKind, Snapshot, Volume, VolumeType,
};

use crate::rig::{MIB, Rig, connector, filled, replicated, stretched};

pub fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

pub fn of_type(replication: Option<ReplicationKind>, max_iops: Option<u64>) -> VolumeType {
    VolumeType {
        id: "u".to_owned(),
        name: "another".to_owned(),
        replication,
        specs: Vec::new(),
        qos: Qos {
            max_iops,
            max_bytes_per_second: None,
        },
    }
}

pub fn ghosts(rig: &Rig) -> bool {
    rig.state().to_string().contains("ghost")
}

#[test]
fn a_drill_is_one_moment_of_all_volumes_and_leaves_no_trace() {
    let rig = Rig::uniform();
    rig.set_up();
    let volumes = [
        filled(
            &rig,
            stretched("30000000-0000-0000-0000-000000000001"),
            b"one",
        ),
        filled(
            &rig,
            stretched("30000000-0000-0000-0000-000000000002"),
            b"two",
        ),
    ];
    let start = || {
        rig.call("drill", |d| {
            d.start_test("0123-4567-89", "b", None, &volumes)
        })
    };
    let copies = start().unwrap();
    for volume in &volumes {
        rig.write("a", &name(volume), b"new");
    }
    assert_eq!(
        start().unwrap()[0].point,
        copies[0].point,
        "the same drill again"
    );
    for ((volume, copy), bytes) in volumes.iter().zip(&copies).zip([b"one", b"two"]) {
        let mut drilled = volume.clone();
        drilled.placement = Some(copy.result.clone().unwrap());
        assert!(!name(&drilled).contains("::"), "outside the pod");
        assert_eq!(drilled.placement.as_ref().unwrap().target, "b");
        rig.call("connect", |d| {
            Ok(d.volumes().connect(&drilled, &connector())?)
        })
        .unwrap();
        assert_eq!(rig.read("b", &name(&drilled), 3), bytes);
        rig.write("b", &name(&drilled), b"bad");
        assert_eq!(
            rig.read("a", &name(volume), 3),
            b"new",
            "production is untouched"
        );
    }
    for _ in 0..2 {
        rig.call("stop", |d| d.stop_test("0123-4567-89", "b", &volumes))
            .unwrap();
    }
    let state = rig.state().to_string();
    assert!(
        !state.contains("-t01234567") && !state.contains("drill-"),
        "{state}"
    );
}

#[test]
fn a_drill_on_the_array_that_serves_is_refused() {
    let rig = Rig::stretched();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("30000000-0000-0000-0000-000000000003"),
        b"x",
    );
    let one = std::slice::from_ref(&volume);
    match rig
        .call("drill", |d| d.start_test("0123", "a", None, one))
        .unwrap_err()
    {
        Error::Failed(failure) => assert_eq!(failure.code, FailureCode::InvalidArgument),
        Error::Pending(_) => panic!("a refusal does not wait"),
    }
}

#[test]
fn a_volume_goes_into_the_pod_and_comes_out_again_with_its_bytes_and_snapshots() {
    let rig = Rig::uniform();
    rig.set_up();
    let mut plain = replicated("30000000-0000-0000-0000-000000000004");
    plain.volume_type = None;
    let mut volume = filled(&rig, plain, b"carried");
    let mut taken = Snapshot {
        id: "s".to_owned(),
        name: "snapshot-s".to_owned(),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    };
    let made = rig
        .call("snapshot", |d| Ok(d.volumes().snapshot(&volume, &taken)?))
        .unwrap();
    taken.array_name = Some(made.array_name);

    volume.volume_type = Some(of_type(Some(ReplicationKind::Sync), None));
    let enable = |volume: &Volume| {
        let one = std::slice::from_ref(volume);
        rig.call("enable", |d| d.switch(one, true))
            .unwrap()
            .remove(0)
            .result
            .unwrap()
    };
    volume.placement = Some(enable(&volume));
    assert!(name(&volume).starts_with("cinder-pod::") && !ghosts(&rig));
    assert_eq!(enable(&volume).array_name, name(&volume), "in it already");
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&volume, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("b", &name(&volume), 7), b"carried");
    rig.write("b", &name(&volume), b"written");

    let source = flasharray::snapshot::name_of(&volume, &taken);
    assert_eq!(
        source,
        format!("{}.snapshot-s", name(&volume)),
        "snapshots go along"
    );

    let one = std::slice::from_ref(&volume);
    let out = rig
        .call("disable", |d| d.switch(one, false))
        .unwrap()
        .remove(0)
        .result
        .unwrap();
    assert!(!out.array_name.contains("::") && out.replication.is_none() && !ghosts(&rig));
    volume.placement = Some(out);
    assert_eq!(rig.read("a", &name(&volume), 7), b"written");
    rig.call("revert", |d| Ok(d.volumes().revert(&volume, &taken)?))
        .unwrap();
    assert_eq!(rig.read("a", &name(&volume), 7), b"carried");
}

#[test]
fn retyping_among_none_async_and_sync_keeps_the_bytes_and_sets_the_limits_under_the_new_name() {
    let rig = Rig::uniform();
    rig.set_up();
    let mut volume = filled(
        &rig,
        replicated("30000000-0000-0000-0000-000000000005"),
        b"bytes",
    );
    let steps = [
        (Some(ReplicationKind::Sync), 1_000),
        (Some(ReplicationKind::Async), 2_000),
        (None, 3_000),
        (Some(ReplicationKind::Sync), 4_000),
        (None, 5_000),
    ];
    for (kind, iops) in steps {
        let wanted = of_type(kind.clone(), Some(iops));
        let placement = rig
            .call("retype", |d| d.retype(&volume, Some(&wanted)))
            .unwrap();
        assert_eq!(placement.replication, kind);
        volume.placement = Some(placement);
        volume.volume_type = Some(wanted);
        let context = rig.context("look");
        let arrays = flasharray::arrays::Arrays::new(&rig, &context);
        let on = arrays.primary().unwrap();
        let found = flasharray::volume::read(&on, &name(&volume))
            .unwrap()
            .unwrap();
        assert_eq!(
            found["qos"]["iops_limit"], iops,
            "after the step to {kind:?}"
        );
        let groups = flasharray::pgroup::groups_of(&on, &name(&volume)).unwrap();
        assert_eq!(
            groups.is_empty(),
            kind != Some(ReplicationKind::Async),
            "{groups:?}"
        );
        assert_eq!(rig.read("a", &name(&volume), 5), b"bytes");
        assert!(!ghosts(&rig), "nothing of the journey is left");
    }
}

#[test]
fn a_journey_that_was_cut_off_anywhere_is_taken_up_where_it_stopped() {
    for into in [true, false] {
        for nth in 1..40 {
            let rig = Rig::uniform();
            rig.set_up();
            let mut plain = stretched("30000000-0000-0000-0000-000000000006");
            if into {
                plain.volume_type = None;
            }
            let mut volume = filled(&rig, plain, b"safe");
            volume.volume_type = Some(of_type(Some(ReplicationKind::Sync), None));
            let one = std::slice::from_ref(&volume);
            rig.fault(
                "a",
                &format!(r#"{{"kind":"drop_after_acting","nth":{nth},"count":1,"path":""}}"#),
            );
            let outcome = rig
                .call("switch", |d| d.switch(one, into))
                .map(|mut o| o.remove(0).result);
            let cut = !matches!(outcome, Ok(Ok(_)));
            rig.control("DELETE", "/arrays/a/faults", "");
            let done = rig.call("switch", |d| d.switch(one, into)).unwrap();
            volume.placement = Some(done[0].result.clone().unwrap());
            assert_eq!(name(&volume).contains("::"), into, "fault at request {nth}");
            assert_eq!(
                rig.read("a", &name(&volume), 4),
                b"safe",
                "fault at request {nth}"
            );
            assert!(!ghosts(&rig), "fault at request {nth} left a pod behind");
            if !cut {
                assert!(nth > 6, "the sweep has struck every request");
                break;
            }
        }
    }
}

#[test]
fn a_journey_that_takes_too_long_says_which_pod_does_not_come_online() {
    let rig = Rig::stretched();
    rig.set_up();
    let id = "30000000-0000-0000-0000-000000000007";
    let mut plain = replicated(id);
    plain.volume_type = None;
    let mut volume = filled(&rig, plain, b"x");
    volume.volume_type = Some(of_type(Some(ReplicationKind::Sync), None));
    rig.control(
        "POST",
        &format!("/pods/cinder-ghost-pod-{id}/stuck"),
        r#"{"stuck":true}"#,
    );
    let mut cursor = Vec::new();
    let mut steps = Vec::new();
    let result = loop {
        let mut context = rig.context("enable");
        context.cursor.clone_from(&cursor);
        context
            .options
            .push(("pure_stretch_timeout".to_owned(), "30".to_owned()));
        let driver = flasharray::driver::Driver::new(rig.kind, &rig, &context);
        match driver.switch(std::slice::from_ref(&volume), true) {
            Err(Error::Pending(pending)) => {
                steps.push(pending.waiting_for);
                cursor = pending.cursor;
                rig.advance(10.0);
            }
            done => break done.unwrap().remove(0).result,
        }
        assert!(steps.len() < 10, "it never gives up");
    };
    assert!(
        steps[0].contains("cinder-ghost-pod") && steps[0].contains("on b"),
        "{}",
        steps[0]
    );
    let failure = result.unwrap_err();
    assert!(
        failure.message.contains("still resyncing after 30 s"),
        "{}",
        failure.message
    );
    rig.control(
        "POST",
        &format!("/pods/cinder-ghost-pod-{id}/stuck"),
        r#"{"stuck":false}"#,
    );
    let one = std::slice::from_ref(&volume);
    let done = rig.call("enable", |d| d.switch(one, true)).unwrap();
    assert!(
        done[0]
            .result
            .as_ref()
            .unwrap()
            .array_name
            .starts_with("cinder-pod::")
    );
}

#[test]
fn a_volume_of_the_array_is_taken_over_into_the_pod_and_given_back_from_it() {
    let rig = Rig::uniform();
    rig.set_up();
    let mut plain = replicated("30000000-0000-0000-0000-000000000008");
    plain.volume_type = None;
    let old = filled(&rig, plain, b"kept");
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(&old, None, false)?)
    })
    .unwrap();
    let reference = |name: &str| Reference {
        keys: vec![("source-name".to_owned(), name.to_owned())],
    };
    let mut new = stretched("30000000-0000-0000-0000-000000000009");
    let manage = || rig.call("manage", |d| d.manage(&new, &reference(&name(&old)), false));
    let adopted = manage().unwrap();
    assert_eq!(
        manage().unwrap().placement,
        adopted.placement,
        "the same again"
    );
    new.placement = Some(adopted.placement);
    assert!(name(&new).starts_with("cinder-pod::"), "{}", name(&new));
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&new, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("b", &name(&new), 4), b"kept");
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(&new, None, false)?)
    })
    .unwrap();
    rig.call("unmanage", |d| Ok(d.volumes().unmanage(&new)?))
        .unwrap();
    let given_back = format!("{}-unmanaged", name(&new));
    let third = stretched("30000000-0000-0000-0000-00000000000a");
    let adopted = rig
        .call("manage", |d| {
            d.manage(&third, &reference(&given_back), false)
        })
        .unwrap();
    assert_eq!(
        adopted.placement.array_name,
        format!("cinder-pod::volume-{}-cinder", third.id)
    );
    let why = rig.call("manage", |d| {
        d.manage(
            &replicated("30000000-0000-0000-0000-00000000000b"),
            &reference(&adopted.placement.array_name),
            false,
        )
    });
    assert!(matches!(why, Err(Error::Failed(f)) if f.code == FailureCode::FailedPrecondition));
}
