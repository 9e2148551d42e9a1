//! What is deleted while the third site leads is deleted at home as well.

use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::types::Volume;

use crate::rig::{HOUR, Rig, filled, replicated, request, switch, three_sites};
use crate::sweep::sweep_on;
use crate::third_sweep;

/// Both arrays of the pod are lost, and the third serves the volume.
fn away() -> (Rig, Volume) {
    let rig = Rig::three().option("pure_eradicate_on_delete", "true");
    rig.set_up();
    let mut volume = filled(&rig, three_sites("61"), b"x");
    rig.advance(HOUR);
    for array in ["a", "b"] {
        rig.power(array, false);
    }
    let lost = request(&volume, Some("c"), FailoverMode::Unplanned);
    let plan = rig.call("plan", |d| d.plan(&lost)).unwrap();
    switch(&rig, &plan, &mut volume);
    rig.landing.replace(Some("c".to_owned()));
    (rig, volume)
}

fn volumes(rig: &Rig, array: &str) -> Vec<String> {
    let found = rig.get(array, "/volumes");
    let name = |v: &serde_json::Value| v["name"].as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(name).collect()
}

fn delete(rig: &Rig, volume: &Volume) {
    rig.call("delete", |d| Ok(d.volumes().delete(volume)?))
        .unwrap();
}

fn reconcile(rig: &Rig, dry: bool) -> (Vec<String>, Vec<String>) {
    let report = rig.call("reconcile", |d| d.reconcile(&[], dry)).unwrap();
    (
        report.changes.into_iter().map(|c| c.text).collect(),
        report.warnings,
    )
}

#[test]
fn what_was_deleted_while_both_arrays_of_the_pod_were_lost_goes_when_they_are_back() {
    let (rig, volume) = away();
    delete(&rig, &volume);
    delete(&rig, &volume);
    assert_eq!(volumes(&rig, "c"), ["volume-61-cinder-left"]);
    let offered = rig.call("list", |d| {
        Ok(d.volumes().manageable("/volumes", None, 9)?)
    });
    assert!(
        offered.unwrap().items.is_empty(),
        "a mark is nobody's to manage"
    );
    for array in ["a", "b"] {
        rig.power(array, true);
    }
    rig.advance(HOUR);
    assert_eq!(volumes(&rig, "a"), ["cinder-pod::volume-61-cinder"]);
    let (told, _) = reconcile(&rig, true);
    assert_eq!(
        told,
        ["would have destroyed cinder-pod::volume-61-cinder, which was deleted while c served it"]
    );
    assert_eq!(volumes(&rig, "a").len() + volumes(&rig, "c").len(), 2);
    reconcile(&rig, false);
    for array in ["a", "b", "c"] {
        assert_eq!(volumes(&rig, array), Vec::<String>::new(), "{array}");
        assert_eq!(rig.get(array, "/connections").as_array().unwrap().len(), 0);
    }
    assert_eq!(reconcile(&rig, true).0, Vec::<String>::new());
}

#[test]
fn what_is_deleted_while_an_array_of_the_pod_answers_goes_at_once() {
    let (rig, volume) = away();
    for array in ["a", "b"] {
        rig.power(array, true);
    }
    rig.advance(HOUR);
    delete(&rig, &volume);
    for array in ["a", "b", "c"] {
        assert_eq!(volumes(&rig, array), Vec::<String>::new(), "{array}");
    }
}

#[test]
fn nothing_is_marked_or_removed_of_volumes_that_were_never_in_the_pod_or_are_not_deleted() {
    let (rig, volume) = away();
    let single = filled(&rig, replicated("62"), b"x");
    delete(&rig, &single);
    assert_eq!(volumes(&rig, "c"), ["volume-61-cinder"]);
    for array in ["a", "b"] {
        rig.power(array, true);
    }
    rig.advance(HOUR);
    reconcile(&rig, false);
    assert_eq!(volumes(&rig, "a"), ["cinder-pod::volume-61-cinder"]);
    assert_eq!(volume.placement.unwrap().target, "c");
}

#[test]
fn whatever_goes_wrong_the_same_delete_again_leaves_the_same() {
    sweep_on(
        third_sweep::site,
        "delete",
        third_sweep::away,
        |m, volume| m.call("op", |d| Ok(d.volumes().delete(volume)?)),
    );
}
