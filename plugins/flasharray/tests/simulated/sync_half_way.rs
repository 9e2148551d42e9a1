//! Stretched volumes whose way into the pod or out of it was cut off or refused: every verb finds them where they are.

use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::types::{Error, FailureCode, ReplicationKind, Snapshot, Volume};

use crate::rig::{MIB, Rig, connector, filled, replicated, request, stretched};
use crate::sync_travel::{ghosts, name, of_type};

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
