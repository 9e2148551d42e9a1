//! Reconciliation says beforehand what it will do, does that, and then has nothing left to do.

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::interfaces::replication::ReconcileReport;
use springform_sdk::types::Volume;

use crate::rig::{HOUR, Rig, filled, replicated, three_sites};

fn reconciled(rig: &Rig, volumes: &[Volume], dry: bool) -> ReconcileReport {
    let report = rig.call("reconcile", |d| d.reconcile(volumes, dry));
    let report = report.unwrap();
    if !dry {
        rig.remember(&report.state);
    }
    report
}

fn texts(report: &ReconcileReport) -> Vec<String> {
    let changes = report.changes.iter();
    changes
        .map(|change| format!("{}: {}", change.target, change.text))
        .collect()
}

/// What is on the arrays, but for who is logged in.
fn arrays(rig: &Rig) -> serde_json::Value {
    let mut arrays = rig.state()["arrays"].take();
    for (_, array) in arrays.as_object_mut().unwrap() {
        array["sessions"].take();
    }
    arrays
}

fn told_and_done(rig: &Rig) -> Vec<String> {
    told_and_done_of(rig, &[])
}

fn told_and_done_of(rig: &Rig, volumes: &[Volume]) -> Vec<String> {
    let before = arrays(rig);
    let told = texts(&reconciled(rig, volumes, true));
    assert_eq!(arrays(rig), before, "a dry run changes nothing");
    let done = texts(&reconciled(rig, volumes, false));
    let expected: Vec<_> = told.iter().map(|t| t.replace("would have ", "")).collect();
    assert_eq!(done, expected);
    assert_eq!(texts(&reconciled(rig, volumes, true)), Vec::<String>::new());
    told
}

#[test]
fn a_dry_run_on_empty_arrays_tells_what_set_up_does() {
    let told = told_and_done(&Rig::pair());
    assert_eq!(
        told.first().map(String::as_str),
        Some("a: would have created protection group cinder-group")
    );
    assert!(told.contains(&"b: would have allowed protection group a:cinder-group".to_owned()));
}

#[test]
fn a_dry_run_tells_of_the_pod_too() {
    let told = told_and_done(&Rig::stretched());
    assert_eq!(
        told.iter().take(2).map(String::as_str).collect::<Vec<_>>(),
        [
            "a: would have created pod cinder-pod",
            "a: would have stretched pod cinder-pod to b"
        ]
    );
}

#[test]
fn a_changed_schedule_is_told_and_set() {
    let rig = Rig::pair();
    rig.set_up();
    let rig = rig.option("pure_replica_retention_long_term_default", "30");
    assert_eq!(
        told_and_done(&rig),
        ["a: would have set schedule and retention of protection group cinder-group"]
    );
}

const ID: &str = "a0000000-0000-0000-0000-0000000000f1";

fn members(rig: &Rig, array: &str, group: &str) -> Vec<String> {
    let path = format!("/protection-groups/volumes?group_names={group}");
    let found = rig.get(array, &path);
    let name = |m: &Value| m["member"]["name"].as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(name).collect()
}

fn takes_out(rig: &Rig, group: &str, volume: &str) {
    let path = format!("/protection-groups/volumes?group_names={group}&member_names={volume}");
    rig.ask(Method::Delete, "a", &path, None);
}

#[test]
fn a_volume_that_somebody_took_out_of_its_group_comes_back_into_it() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = filled(&rig, replicated(ID), b"x");
    let name = format!("volume-{ID}-cinder");
    takes_out(&rig, "cinder-group", &name);
    assert_eq!(
        told_and_done_of(&rig, &[volume]),
        [format!(
            "a: would have put {name} into protection group cinder-group"
        )]
    );
    assert_eq!(members(&rig, "a", "cinder-group"), [name]);
}

#[test]
fn a_volume_of_three_sites_comes_back_into_the_group_of_the_pod() {
    let rig = Rig::three();
    rig.set_up();
    let volume = filled(&rig, three_sites(ID), b"x");
    let name = format!("cinder-pod::volume-{ID}-cinder");
    takes_out(&rig, "cinder-pod::cinder-trisync", &name);
    assert_eq!(
        told_and_done_of(&rig, &[volume]),
        [format!(
            "a: would have put {name} into protection group cinder-pod::cinder-trisync"
        )]
    );
    assert_eq!(members(&rig, "a", "cinder-pod::cinder-trisync"), [name]);
}

#[test]
fn a_volume_whose_replication_is_switched_off_stays_out() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = filled(&rig, replicated(ID), b"x");
    let off = rig.call("disable", |d| {
        d.switch(std::slice::from_ref(&volume), false)
    });
    volume.placement = Some(off.unwrap().remove(0).result.unwrap());
    assert_eq!(told_and_done_of(&rig, &[volume]), Vec::<String>::new());
}

#[test]
fn volumes_move_into_a_group_of_another_name_and_the_old_one_sends_no_more() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = filled(&rig, replicated(ID), b"x");
    let name = format!("volume-{ID}-cinder");
    let rig = rig.option("pure_replication_pg_name", "renamed");
    // As a reload does it.
    rig.set_up();
    assert_eq!(
        told_and_done_of(&rig, &[volume]),
        [
            format!("a: would have put {name} into protection group renamed"),
            format!("a: would have taken {name} out of protection group cinder-group"),
            "a: would have stopped protection group cinder-group, which nothing is in any more"
                .to_owned(),
        ]
    );
    assert_eq!(members(&rig, "a", "cinder-group"), Vec::<String>::new());
    let sent = |group: &str| {
        let path = format!("/protection-group-snapshots/transfer?names=a:{group}");
        rig.get("b", &path).as_array().map_or(0, Vec::len)
    };
    let before = sent("cinder-group");
    for _ in 0..3 {
        rig.advance(HOUR);
    }
    assert_eq!(sent("cinder-group"), before);
    assert!(sent("renamed") > 0);
}

#[test]
fn a_group_that_holds_volumes_of_somebody_else_goes_on_sending_them() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = filled(&rig, replicated(ID), b"x");
    rig.post("a", "/volumes?names=theirs", r#"{"provisioned": 1048576}"#);
    rig.post(
        "a",
        "/protection-groups/volumes?group_names=cinder-group&member_names=theirs",
        "",
    );
    let rig = rig.option("pure_replication_pg_name", "renamed");
    rig.set_up();
    let told = told_and_done_of(&rig, &[volume]);
    assert!(told.iter().all(|t| !t.contains("stopped")), "{told:?}");
    assert_eq!(members(&rig, "a", "cinder-group"), ["theirs"]);
}

#[test]
fn what_is_no_change_of_its_own_is_said_and_what_nobody_knows_is_named() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = filled(&rig, replicated(ID), b"x");
    let gone = filled(
        &rig,
        replicated("a0000000-0000-0000-0000-0000000000f2"),
        b"x",
    );
    let stranger = "volume-a0000000-0000-0000-0000-0000000000f3-cinder";
    rig.post(
        "b",
        &format!("/volumes?names={stranger}"),
        r#"{"provisioned": 1048576}"#,
    );
    volume.size *= 2;
    let name = gone.placement.as_ref().unwrap().array_name.clone();
    rig.call("delete", |d| d.delete(&gone)).unwrap();
    let mut last = gone.clone();
    last.extensions
        .push(("springform/last".to_owned(), "true".to_owned()));
    let report = reconciled(&rig, &[volume.clone(), last], true);
    let warnings = report.warnings.join("\n");
    assert!(
        warnings.contains("1048576 bytes on a and 2097152 in the record"),
        "{warnings}"
    );
    assert!(
        warnings.contains(&format!("{name} is not on a")),
        "{warnings}"
    );
    let id = "a0000000-0000-0000-0000-0000000000f3";
    let told = json!({"name": stranger, "id": id});
    assert_eq!(texts(&report), [format!("b: springform/unknown {told}")]);
    // Of several pages each names what lies in its own part of the alphabet, so that nothing is named twice.
    let mut second = gone;
    second
        .extensions
        .push(("springform/after".to_owned(), volume.id.clone()));
    second.id = "a0000000-0000-0000-0000-0000000000f9".to_owned();
    assert_eq!(
        texts(&reconciled(&rig, &[volume], true)),
        Vec::<String>::new()
    );
    let found = texts(&reconciled(&rig, &[second], true));
    assert_eq!(found, [format!("b: springform/unknown {told}")]);
}

#[test]
fn limits_that_somebody_changed_are_those_of_the_type_again() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = replicated(ID);
    volume.volume_type.as_mut().unwrap().qos.max_iops = Some(500);
    let volume = filled(&rig, volume, b"x");
    let name = format!("volume-{ID}-cinder");
    let path = format!("/volumes?names={name}");
    let other = r#"{"qos": {"iops_limit": 9000}}"#;
    rig.ask(Method::Patch, "a", &path, Some(other.as_bytes().to_vec()));
    assert_eq!(
        told_and_done_of(&rig, &[volume]),
        [format!("a: would have given {name} the limits of its type")]
    );
    assert_eq!(rig.get("a", &path)[0]["qos"]["iops_limit"], 500);
}

/// A volume as the host tells of it in a comparison.
fn compared(volume: &Volume, snapshots: &[&str], attached: bool) -> Volume {
    let mut volume = volume.clone();
    let known = (
        "springform/snapshots".to_owned(),
        json!(snapshots).to_string(),
    );
    volume.extensions.push(known);
    if !attached {
        let unattached = ("springform/unattached".to_owned(), "true".to_owned());
        volume.extensions.push(unattached);
    }
    volume
}

#[test]
fn snapshots_and_connections_that_differ_from_the_records_are_named_and_left_alone() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = filled(&rig, replicated(ID), b"x");
    let name = format!("volume-{ID}-cinder");
    let known = format!("{name}.snapshot-s1");
    let path = format!("/volume-snapshots?source_names={name}");
    for suffix in ["snapshot-s1", "snapshot-s2", "by-hand"] {
        rig.ask(
            Method::Post,
            "a",
            &path,
            Some(json!({ "suffix": suffix }).to_string().into_bytes()),
        );
    }
    let warnings = |volume: Volume| reconciled(&rig, &[volume], true).warnings;
    let none = warnings(compared(
        &volume,
        &[&known, &format!("{name}.snapshot-s2")],
        true,
    ));
    assert_eq!(none, Vec::<String>::new());

    let said = warnings(compared(&volume, &[&known], true));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(&format!(
            "{name}.snapshot-s2 is on a and no record knows it"
        )),
        "{said:?}"
    );
    assert!(said[0].contains("snapshot-manage"), "{said:?}");
    let lost = format!("{name}.snapshot-s3");
    let all = [known.as_str(), &format!("{name}.snapshot-s2"), &lost];
    let said = warnings(compared(&volume, &all, true));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(&format!("{lost} is not on a")), "{said:?}");

    // A machine wrote to it, and is connected still.
    let all = [known.as_str(), &format!("{name}.snapshot-s2")];
    assert_eq!(
        warnings(compared(&volume, &all, true)),
        Vec::<String>::new()
    );
    let said = warnings(compared(&volume, &all, false));
    assert!(said[0].contains("has no attachment"), "{said:?}");

    // It moved, and the machine is still connected where it was.
    let mut moved = compared(&volume, &[], true);
    if let Some(placement) = &mut moved.placement {
        placement.target = "b".to_owned();
    }
    let said = warnings(moved).join("\n");
    assert!(said.contains("on a, which does not serve"), "{said}");
    assert!(said.contains("springform fence"), "{said}");
    // Nobody asks an array for that where the host does not say what its records have.
    assert_eq!(warnings(volume), Vec::<String>::new());
}
