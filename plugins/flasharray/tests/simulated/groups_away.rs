//! Consistency groups after a failover: they are where their members are.

use springform_sdk::interfaces::groups::Group;
use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::types::{ReplicationKind, Snapshot, Volume};

use crate::groups::{content, created, group, inside, run, snapshot};
use crate::rig::{HOUR, Rig, filled, replicated, request, switch, three_sites};

fn away(rig: &Rig, volume: &mut Volume, from: &[&str], to: &str) {
    for array in from {
        rig.power(array, false);
    }
    let ask = request(volume, Some(to), FailoverMode::Unplanned);
    let plan = rig.call("plan", |d| d.plan(&ask)).unwrap();
    switch(rig, &plan, volume);
    rig.landing.replace(Some(to.to_owned()));
}

fn taken(rig: &Rig, group: &Group, id: &str, volumes: &[Volume]) -> Snapshot {
    let asked: Vec<_> = volumes.iter().map(|v| snapshot(&v.id)).collect();
    let outcomes = run(rig, |v| v.snapshot_group(group, id, volumes, &asked)).unwrap();
    let placed = outcomes.into_iter().map(|o| o.result.unwrap().array_name);
    let names: Vec<_> = placed.collect();
    Snapshot {
        array_name: names.first().cloned(),
        ..snapshot("s")
    }
}

fn snapshots(rig: &Rig, array: &str) -> usize {
    let found = rig.get(array, "/protection-group-snapshots?destroyed=false");
    let ours = |s: &&serde_json::Value| s["name"].as_str().unwrap().contains("cgsnapshot");
    found.as_array().unwrap().iter().filter(ours).count()
}

#[test]
fn a_group_whose_members_the_third_site_leads_is_snapshotted_grown_and_copied_there() {
    let rig = Rig::three();
    rig.set_up();
    let source = created(&rig, group("g1", Some(ReplicationKind::TriSync)));
    assert_eq!(
        source.array_name.as_deref(),
        Some("cinder-pod::consisgroup-g1-cinder")
    );
    let mut volume = filled(&rig, inside(three_sites("v1"), &source), b"one");
    let at_home = taken(&rig, &source, "home", std::slice::from_ref(&volume));
    rig.advance(HOUR);
    away(&rig, &mut volume, &["a", "b"], "c");

    let one = [volume.clone()];
    let here = taken(&rig, &source, "away", &one);
    assert_eq!(
        here.array_name.as_deref(),
        Some("consisgroup-g1-cinder.cgsnapshot-away-cinder.volume-v1-cinder")
    );
    let young = filled(&rig, inside(three_sites("v2"), &source), b"two");
    let both = [volume, young];
    run(&rig, |v| v.update_group(&source, &both[1..], &[])).unwrap();
    taken(&rig, &source, "both", &both);
    let copy = created(&rig, group("g2", Some(ReplicationKind::TriSync)));
    let mut copied = inside(three_sites("c1"), &copy);
    let wanted = std::slice::from_ref(&copied).to_vec();
    let made = run(&rig, |v| {
        v.fill_group(&copy, &wanted, &source, Some("away"), &one)
    })
    .unwrap();
    copied.placement = Some(made[0].result.clone().unwrap());
    assert_eq!(content(&rig, &copied), b"one");

    assert_eq!(snapshots(&rig, "c"), 2);
    run(&rig, |v| {
        v.delete_group_snapshot(&source, "away", std::slice::from_ref(&here))
    })
    .unwrap();
    assert_eq!(snapshots(&rig, "c"), 1);
    for array in ["a", "b"] {
        rig.power(array, true);
    }
    rig.advance(HOUR);
    assert_eq!(snapshots(&rig, "a"), 1);
    run(&rig, |v| {
        v.delete_group_snapshot(&source, "home", std::slice::from_ref(&at_home))
    })
    .unwrap();
    assert_eq!(snapshots(&rig, "a"), 0, "it is deleted where it was taken");
}

#[test]
fn a_group_of_copied_volumes_goes_on_on_the_second_array() {
    let rig = Rig::pair();
    rig.set_up();
    let source = created(&rig, group("g1", Some(ReplicationKind::Async)));
    let mut volume = filled(&rig, inside(replicated("v1"), &source), b"one");
    rig.advance(HOUR);
    away(&rig, &mut volume, &["a"], "b");
    taken(&rig, &source, "away", std::slice::from_ref(&volume));
    assert_eq!(snapshots(&rig, "b"), 1);
    let clone = created(&rig, group("g2", Some(ReplicationKind::Async)));
    let mut copied = inside(replicated("c1"), &clone);
    let wanted = std::slice::from_ref(&copied).to_vec();
    let from = [volume];
    let made = run(&rig, |v| {
        v.fill_group(&clone, &wanted, &source, None, &from)
    })
    .unwrap();
    copied.placement = Some(made[0].result.clone().unwrap());
    assert_eq!(content(&rig, &copied), b"one");
}
