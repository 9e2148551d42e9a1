//! Reconciliation says beforehand what it will do, does that, and then has nothing left to do.

use springform_sdk::interfaces::replication::ReconcileReport;

use crate::rig::Rig;

fn reconciled(rig: &Rig, dry: bool) -> ReconcileReport {
    rig.call("reconcile", |d| d.reconcile(dry)).unwrap()
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
    let before = arrays(rig);
    let told = texts(&reconciled(rig, true));
    assert_eq!(arrays(rig), before, "a dry run changes nothing");
    let done = texts(&reconciled(rig, false));
    let expected: Vec<_> = told.iter().map(|t| t.replace("would have ", "")).collect();
    assert_eq!(done, expected);
    assert_eq!(texts(&reconciled(rig, true)), Vec::<String>::new());
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
