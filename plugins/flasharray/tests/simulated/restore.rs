//! A whole recovery point that becomes volumes in one request, and every reason why it may not.

use springform_sdk::interfaces::replication::{FailoverMode, FailoverPlan};
use springform_sdk::types::{Outcome, Placement, ReplicationKind, Volume};

use crate::rig::{HOUR, MIB, Rig, connector, replicated, request};

/// Volumes of a test, in batches as the host cuts them.
const MANY: usize = 40;
const BATCH: usize = 16;

fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

/// Volumes on `a` that have been copied to `b`; the first one holds bytes.
fn copied(rig: &Rig) -> Vec<Volume> {
    rig.set_up();
    let mut volumes: Vec<_> = (0..MANY).map(|n| replicated(&format!("m{n:04}"))).collect();
    for volume in &mut volumes {
        volume.placement = Some(Placement {
            array_name: format!("{}-cinder", volume.name),
            target: "a".to_owned(),
            serial: None,
            metadata: Vec::new(),
            replication: Some(ReplicationKind::Async),
            extensions: Vec::new(),
        });
    }
    let names: Vec<_> = volumes.iter().map(name).collect();
    let names = names.join(",");
    let size = format!(r#"{{"provisioned":{MIB}}}"#);
    rig.post("a", &format!("/volumes?names={names}"), &size);
    let query = format!("group_names=cinder-group&member_names={names}");
    rig.post("a", &format!("/protection-groups/volumes?{query}"), "");
    connect(rig, &volumes[0]);
    rig.write("a", &name(&volumes[0]), b"survives");
    rig.advance(HOUR);
    rig.power("a", false);
    volumes
}

fn connect(rig: &Rig, volume: &Volume) {
    rig.call("connect", |d| {
        Ok(d.volumes().connect(volume, &connector())?)
    })
    .unwrap();
}

fn planned(rig: &Rig, operation: &str, volumes: &[Volume]) -> FailoverPlan {
    let mut wanted = request(&volumes[0], Some("b"), FailoverMode::Unplanned);
    wanted.volumes = volumes.to_vec();
    rig.call(operation, |d| d.plan(&wanted)).unwrap()
}

fn moved(rig: &Rig, operation: &str, plan: &FailoverPlan, batch: &[Volume]) -> Vec<Outcome> {
    rig.call(operation, |d| d.fail_over(plan, batch)).unwrap()
}

/// Volumes as they are after a switch that succeeded for all of them.
fn there(volumes: &[Volume], outcomes: Vec<Outcome>) -> Vec<Volume> {
    let placed = volumes.iter().zip(outcomes).map(|(volume, outcome)| {
        assert_eq!(volume.id, outcome.id);
        let placement = outcome.result.unwrap();
        assert!(placement.serial.is_some(), "{placement:?}");
        Volume {
            placement: Some(placement),
            ..volume.clone()
        }
    });
    placed.collect()
}

fn on_b(rig: &Rig, path: &str) -> Vec<String> {
    let items = rig.get("b", path);
    let live = items.as_array().unwrap().iter();
    live.filter(|i| i["destroyed"] != true)
        .map(|i| i["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_first_batch_brings_the_whole_recovery_point_and_the_others_find_it() {
    let rig = Rig::pair();
    let volumes = copied(&rig);
    let plan = planned(&rig, "op", &volumes);
    let (before, _) = rig.sent.get();
    let mut all = Vec::new();
    for batch in volumes.chunks(BATCH) {
        all.extend(there(batch, moved(&rig, "op", &plan, batch)));
    }
    let (after, _) = rig.sent.get();
    assert_eq!(after - before, 2 + 3 + 3, "requests of three batches");
    assert!(on_b(&rig, "/protection-groups").contains(&"springform-op".to_owned()));
    rig.call("op", |d| d.finish_failover(&plan)).unwrap();
    assert!(!on_b(&rig, "/protection-groups").contains(&"springform-op".to_owned()));
    assert_eq!(on_b(&rig, "/volumes").len(), MANY);
    connect(&rig, &all[0]);
    assert_eq!(rig.read("b", &name(&all[0]), 8), b"survives");
}

#[test]
fn a_batch_that_is_repeated_leaves_what_was_written_since() {
    let rig = Rig::pair();
    let volumes = copied(&rig);
    let plan = planned(&rig, "op", &volumes);
    let all = there(&volumes, moved(&rig, "op", &plan, &volumes));
    connect(&rig, &all[0]);
    rig.write("b", &name(&all[0]), b"new here");
    there(&volumes, moved(&rig, "op", &plan, &volumes));
    assert_eq!(rig.read("b", &name(&all[0]), 8), b"new here");
}

#[test]
fn where_a_volume_is_there_already_each_is_copied_alone() {
    let rig = Rig::pair();
    let volumes = copied(&rig);
    let old = format!("/volumes?names={}", name(&volumes[5]));
    rig.post("b", &old, r#"{"provisioned":1048576}"#);
    let plan = planned(&rig, "op", &volumes);
    let all = there(&volumes, moved(&rig, "op", &plan, &volumes));
    assert!(!on_b(&rig, "/protection-groups").contains(&"springform-op".to_owned()));
    assert_eq!(on_b(&rig, "/volumes").len(), MANY);
    connect(&rig, &all[0]);
    assert_eq!(rig.read("b", &name(&all[0]), 8), b"survives");
}

#[test]
fn what_is_not_to_be_moved_is_not_brought_along() {
    let rig = Rig::pair();
    let volumes = copied(&rig);
    let some = &volumes[..MANY - 1];
    let plan = planned(&rig, "op", some);
    there(some, moved(&rig, "op", &plan, some));
    assert_eq!(on_b(&rig, "/volumes").len(), MANY - 1);
}

#[test]
fn an_answer_that_was_lost_is_found_again() {
    let rig = Rig::pair();
    let volumes = copied(&rig);
    let plan = planned(&rig, "op", &volumes);
    let lost =
        r#"{"kind":"drop_after_acting","method":"POST","path":"protection-groups","count":1}"#;
    rig.fault("b", lost);
    there(&volumes, moved(&rig, "op", &plan, &volumes));
    assert_eq!(on_b(&rig, "/volumes").len(), MANY);
}
