//! Drills of stretched volumes, and volumes that travel into the pod and out of it without losing a byte.

use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::interfaces::volumes::Reference;
use springform_sdk::types::{
    Error, FailureCode, Qos, ReplicationKind, Snapshot, Volume, VolumeType,
};

use crate::rig::{MIB, Rig, connector, filled, replicated, request, stretched};

fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

fn of_type(replication: Option<ReplicationKind>, max_iops: Option<u64>) -> VolumeType {
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

fn ghosts(rig: &Rig) -> bool {
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

/// Every verb of a tenant, with a record that says where the volume was before something that was cut off renamed it.
fn every_verb_finds(rig: &Rig, stale: &Volume, mut taken: Snapshot, now: &str) {
    let live = |path: &str| {
        let found = rig.get("a", &format!("{path}?destroyed=false"));
        let names = found.as_array().unwrap().iter();
        let names = names.map(|item| item["name"].as_str().unwrap().to_owned());
        names
            .filter(|name| name.contains("volume-3000"))
            .collect::<Vec<_>>()
    };
    let connections = || {
        let found = rig.get("a", &format!("/connections?volume_names={now}"));
        found.as_array().unwrap().len()
    };
    assert_eq!(live("/volumes"), [now]);
    let shown = rig.call("connect", |d| {
        Ok(d.volumes().connect(stale, &connector())?)
    });
    assert!(!shown.unwrap().paths.is_empty());
    assert_eq!(connections(), 1);
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(stale, Some(&connector()), false)?)
    })
    .unwrap();
    assert_eq!(connections(), 0, "the machine keeps its access to {now}");

    rig.call("extend", |d| Ok(d.volumes().extend(stale, 2 * MIB)?))
        .unwrap();
    let found = rig.get("a", &format!("/volumes?names={now}"));
    assert_eq!(found[0]["provisioned"], 2 * MIB);
    let second = Snapshot {
        id: "t".to_owned(),
        name: "snapshot-t".to_owned(),
        ..taken.clone()
    };
    let second = Snapshot {
        array_name: None,
        ..second
    };
    let made = rig.call("another", |d| Ok(d.volumes().snapshot(stale, &second)?));
    assert_eq!(made.unwrap().array_name, format!("{now}.snapshot-t"));
    let mut copy = replicated("40000000-0000-0000-0000-000000000001");
    copy.volume_type = None;
    copy.size = 2 * MIB;
    rig.call("clone", |d| d.create(&copy, Some((stale, None))))
        .unwrap();
    taken.size = MIB;
    rig.call("revert", |d| Ok(d.volumes().revert(stale, &taken)?))
        .unwrap();
    for gone in [&second, &taken] {
        rig.call("delete snapshot", |d| {
            Ok(d.volumes().delete_snapshot(stale, gone)?)
        })
        .unwrap();
    }
    assert_eq!(live("/volume-snapshots"), Vec::<String>::new());
    rig.call("delete", |d| Ok(d.volumes().delete(stale)?))
        .unwrap();
    assert_eq!(live("/volumes"), Vec::<String>::new());
}

fn with_a_snapshot(rig: &Rig, volume: Volume) -> (Volume, Snapshot) {
    let volume = filled(rig, volume, b"carried");
    let mut taken = Snapshot {
        id: "s".to_owned(),
        name: "snapshot-s".to_owned(),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    };
    let made = rig.call("snapshot", |d| Ok(d.volumes().snapshot(&volume, &taken)?));
    taken.array_name = Some(made.unwrap().array_name);
    (volume, taken)
}

#[test]
fn what_a_switch_that_was_cut_off_renamed_is_found_by_every_verb() {
    for on in [true, false] {
        let rig = Rig::uniform();
        rig.set_up();
        let mut wanted = stretched("30000000-0000-0000-0000-000000000005");
        if on {
            wanted.volume_type = None;
        }
        let (mut stale, taken) = with_a_snapshot(&rig, wanted);
        stale.volume_type = Some(of_type(Some(ReplicationKind::Sync), None));
        let one = std::slice::from_ref(&stale);
        // It is done, and nobody writes it down.
        let done = rig.call("switch", |d| d.switch(one, on)).unwrap().remove(0);
        let now = done.result.unwrap().array_name;
        assert_ne!(now, name(&stale));
        every_verb_finds(&rig, &stale, taken, &now);
    }
}

#[test]
fn enabling_brings_into_the_pod_what_the_record_believes_to_be_in_it() {
    let rig = Rig::uniform();
    rig.set_up();
    let wanted = stretched("30000000-0000-0000-0000-000000000006");
    let (stale, _) = with_a_snapshot(&rig, wanted);
    let one = std::slice::from_ref(&stale);
    let out = rig.call("disable", |d| d.switch(one, false)).unwrap();
    assert!(!out[0].result.as_ref().unwrap().array_name.contains("::"));
    let back = rig.call("enable", |d| d.switch(one, true)).unwrap();
    assert_eq!(
        back[0].result.as_ref().unwrap().array_name,
        name(&stale),
        "where the record says"
    );
    assert_eq!(
        rig.get("a", &format!("/volumes?names={}", name(&stale)))[0]["destroyed"],
        false
    );
}

#[test]
fn a_snapshot_that_only_the_array_left_behind_has_is_deleted_there_or_not_said_to_be_gone() {
    let rig = Rig::uniform();
    rig.set_up();
    let mut wanted = stretched("30000000-0000-0000-0000-000000000007");
    wanted.volume_type = None;
    let (mut volume, mut taken) = with_a_snapshot(&rig, wanted);
    taken.extensions = vec![("springform/target".to_owned(), "a".to_owned())];
    if let Some(placement) = &mut volume.placement {
        placement.target = "b".to_owned();
        placement.serial = None;
    }
    rig.power("a", false);
    let refused = rig.call("delete", |d| {
        Ok(d.volumes().delete_snapshot(&volume, &taken)?)
    });
    match refused.unwrap_err() {
        Error::Failed(failure) => assert_eq!(failure.code, FailureCode::Unavailable),
        Error::Pending(_) => panic!("a refusal does not wait"),
    }
    rig.power("a", true);
    rig.call("delete", |d| {
        Ok(d.volumes().delete_snapshot(&volume, &taken)?)
    })
    .unwrap();
    let left = rig.get("a", "/volume-snapshots?destroyed=false");
    assert_eq!(left.as_array().unwrap().len(), 0, "{left}");
}

#[test]
fn disabling_that_is_refused_half_way_leaves_a_volume_that_every_verb_finds_and_enabling_heals() {
    for (method, path) in [("DELETE", "pods/arrays"), ("PATCH", "pods")] {
        for heal in [false, true] {
            let rig = Rig::uniform();
            rig.set_up();
            let wanted = stretched("30000000-0000-0000-0000-000000000008");
            let (stale, taken) = with_a_snapshot(&rig, wanted);
            let one = std::slice::from_ref(&stale);
            let fault = format!(
                r#"{{"kind":"status","status":409,"method":"{method}","path":"{path}","count":1}}"#
            );
            rig.fault("a", &fault);
            let refused = rig.call("disable", |d| d.switch(one, false)).unwrap();
            assert!(refused[0].result.is_err(), "{method} {path}: {refused:?}");
            if heal {
                let back = rig.call("enable", |d| d.switch(one, true)).unwrap();
                let back = back[0].result.clone().unwrap();
                assert_eq!(back.array_name, name(&stale), "{method} {path}");
                assert!(!ghosts(&rig), "{method} {path}");
                every_verb_finds(&rig, &stale, taken, &name(&stale));
                continue;
            }
            let found = rig.get("a", "/volumes?destroyed=false");
            let now = found[0]["name"].as_str().unwrap().to_owned();
            assert_ne!(now, name(&stale), "{method} {path}");
            every_verb_finds(&rig, &stale, taken, &now);
        }
    }
}

/// A volume whose replication was to be switched off, which an array refused half-way.
fn half_out(rig: &Rig, method: &str, path: &str, id: &str) -> (Volume, String) {
    let stale = filled(rig, stretched(id), b"carried");
    let one = std::slice::from_ref(&stale);
    let fault = format!(
        r#"{{"kind":"status","status":409,"method":"{method}","path":"{path}","count":1}}"#
    );
    rig.fault("a", &fault);
    let refused = rig.call("disable", |d| d.switch(one, false)).unwrap();
    assert!(refused[0].result.is_err(), "{method} {path}: {refused:?}");
    let found = rig.get("a", "/volumes?destroyed=false");
    let now = found[0]["name"].as_str().unwrap().to_owned();
    assert_ne!(now, name(&stale), "{method} {path}");
    (stale, now)
}

const HALF_WAY: [(&str, &str); 2] = [("DELETE", "pods/arrays"), ("PATCH", "pods")];

#[test]
fn a_volume_that_was_left_half_way_out_of_the_pod_is_seen_and_brought_back_by_a_reconciliation() {
    for (method, path) in HALF_WAY {
        let rig = Rig::uniform();
        rig.set_up();
        let id = "30000000-0000-0000-0000-000000000009";
        let (stale, now) = half_out(&rig, method, path, id);
        let one = std::slice::from_ref(&stale);
        let dry = rig.call("reconcile", |d| d.reconcile(one, true)).unwrap();
        let said: Vec<_> = dry.changes.iter().map(|c| c.text.clone()).collect();
        let said = said.join("\n");
        assert!(
            said.contains(&format!("{now} back to {}", name(&stale))),
            "{said} {:?}",
            dry.warnings
        );
        assert!(
            !dry.warnings.iter().any(|w| w.contains("delete the volume")),
            "{:?}",
            dry.warnings
        );
        assert!(rig.get("a", "/volumes?destroyed=false")[0]["name"] == now.as_str());
        rig.call("reconcile", |d| d.reconcile(one, false)).unwrap();
        let found = rig.get("a", &format!("/volumes?names={}", name(&stale)));
        assert_eq!(found[0]["destroyed"], false, "{found}");
        assert!(!ghosts(&rig), "{method} {path}");
        assert_eq!(rig.read("a", &name(&stale), 7), b"carried");
        let clean = rig.call("reconcile", |d| d.reconcile(one, true)).unwrap();
        assert!(
            clean.changes.is_empty() && clean.warnings.is_empty(),
            "{clean:?}"
        );
    }
}

#[test]
fn the_plan_of_a_volume_that_was_left_half_way_says_what_to_do() {
    for (method, path) in HALF_WAY {
        let rig = Rig::uniform();
        rig.set_up();
        let id = "30000000-0000-0000-0000-00000000000a";
        let (stale, now) = half_out(&rig, method, path, id);
        let ask = request(&stale, Some("b"), FailoverMode::Planned);
        let plan = rig.call("plan", |d| d.plan(&ask)).unwrap();
        assert!(!plan.volumes[0].possible, "{plan:?}");
        let why = plan.volumes[0].reason.clone().unwrap_or_default();
        assert!(why.contains(&now) && why.contains("reconcile"), "{why}");
    }
}
