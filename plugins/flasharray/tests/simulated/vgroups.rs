//! Volume groups: they come with their first volume, go with their last one, and hold the limits of all of them.

use flasharray::layout::Kind;
use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::interfaces::volumes::Reference;
use springform_sdk::types::{Error, FailureCode, ReplicationKind, Snapshot, Volume, VolumeType};

use crate::memory::Memory;
use crate::rig::{MIB, Rig, filled, replicated, request, switch, target};
use crate::sweep::{made, sweep_on};

const MOST_IOPS: u64 = 100_000_000;

fn plain(id: &str) -> Volume {
    let mut volume = replicated(id);
    volume.volume_type.as_mut().unwrap().replication = None;
    volume
}

fn grouped(mut volume: Volume, group: &str) -> Volume {
    let specs = &mut volume.volume_type.as_mut().unwrap().specs;
    specs.push(("flasharray:vg_name".to_owned(), group.to_owned()));
    specs.push(("flasharray:vg_maxIOPS".to_owned(), "1000".to_owned()));
    specs.push(("flasharray:vg_maxBWS".to_owned(), "2097152".to_owned()));
    volume
}

fn limited(mut volume: Volume) -> Volume {
    volume.volume_type.as_mut().unwrap().qos.max_iops = Some(500);
    volume
}

fn kind(volume: &Volume) -> Option<VolumeType> {
    volume.volume_type.clone()
}

fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

fn create(rig: &Rig, mut volume: Volume) -> Volume {
    volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
    volume
}

fn retype(rig: &Rig, volume: &mut Volume, to: Option<VolumeType>) {
    let placement = rig
        .call("retype", |d| d.retype(volume, to.as_ref()))
        .unwrap();
    volume.placement = Some(placement);
    volume.volume_type = to;
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> FailureCode {
    match result.unwrap_err() {
        Error::Failed(failure) => failure.code,
        Error::Pending(pending) => panic!("still waiting for {}", pending.waiting_for),
    }
}

fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        name: format!("snapshot-{id}"),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    }
}

#[test]
fn a_group_comes_with_its_first_volume_and_goes_with_its_last_one() {
    let rig = Rig::pair();
    rig.set_up();
    let first = create(&rig, grouped(limited(plain("01")), "gold tier"));
    let second = create(&rig, grouped(plain("02"), "gold tier"));
    assert_eq!(name(&first), "gold-tier/volume-01-cinder");
    let group = rig.get("a", "/volume-groups?names=gold-tier");
    assert_eq!(group[0]["qos"]["iops_limit"], 1000);
    assert_eq!(group[0]["qos"]["bandwidth_limit"], 2_097_152);
    assert_eq!(group[0]["volume_count"], 2);
    let found = rig.get("a", "/volumes?names=gold-tier/volume-01-cinder");
    assert_eq!(
        found[0]["qos"]["iops_limit"].as_u64().unwrap_or(MOST_IOPS),
        MOST_IOPS
    );
    rig.call("extend", |d| Ok(d.volumes().extend(&first, 2 * MIB)?))
        .unwrap();
    let group = |destroyed: bool| {
        let found = rig.get("a", "/volume-groups?names=gold-tier");
        assert_eq!(found[0]["destroyed"], destroyed);
    };
    rig.call("delete", |d| Ok(d.volumes().delete(&first)?))
        .unwrap();
    group(false);
    for _ in 0..2 {
        rig.call("delete", |d| Ok(d.volumes().delete(&second)?))
            .unwrap();
        group(true);
    }
    // What was deleted can still be recovered after the group has come back.
    create(&rig, grouped(plain("03"), "gold tier"));
    group(false);
    let found = rig.get("a", "/volumes?names=gold-tier/volume-01-cinder");
    assert_eq!(found[0]["destroyed"], true);
}

#[test]
fn an_eradicated_volume_takes_its_group_along() {
    let rig = Rig::pair().option("pure_eradicate_on_delete", "true");
    rig.set_up();
    let volume = create(&rig, grouped(plain("01"), "gold"));
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    assert_eq!(rig.get("a", "/volume-groups").as_array().unwrap().len(), 0);
}

#[test]
fn what_no_array_has_is_refused_before_anything_is_made() {
    let rig = Rig::stretched();
    rig.set_up();
    let mut both = grouped(plain("01"), "gold");
    both.volume_type.as_mut().unwrap().replication = Some(ReplicationKind::Sync);
    let mut few = grouped(plain("02"), "gold");
    few.volume_type.as_mut().unwrap().specs[1].1 = "99".to_owned();
    let mut words = grouped(plain("03"), "gold");
    words.volume_type.as_mut().unwrap().specs[2].1 = "much".to_owned();
    for volume in [&both, &few, &words] {
        assert_eq!(
            code(rig.call("create", |d| d.create(volume, None))),
            FailureCode::InvalidArgument
        );
        let existing = create(&rig, plain(&format!("1{}", volume.id)));
        let to = kind(volume);
        assert_eq!(
            code(rig.call("retype", |d| d.retype(&existing, to.as_ref()))),
            FailureCode::InvalidArgument
        );
    }
    assert_eq!(rig.get("a", "/volume-groups").as_array().unwrap().len(), 0);
    assert_eq!(rig.get("a", "/volumes").as_array().unwrap().len(), 3);
}

#[test]
fn copies_of_a_volume_land_in_the_group_of_their_type_in_their_own_size() {
    let rig = Rig::pair();
    rig.set_up();
    let source = filled(&rig, grouped(plain("01"), "gold"), b"gold");
    let taken = snapshot("5");
    rig.call("snapshot", |d| Ok(d.volumes().snapshot(&source, &taken)?))
        .unwrap();
    for (id, from) in [("02", None), ("03", Some(&taken))] {
        let mut copy = grouped(plain(id), "gold");
        copy.size = 2 * MIB;
        let made = rig
            .call("copy", |d| d.create(&copy, Some((&source, from))))
            .unwrap();
        assert_eq!(made.array_name, format!("gold/volume-{id}-cinder"));
        let found = rig.get("a", &format!("/volumes?names={}", made.array_name));
        assert_eq!(found[0]["provisioned"], 2 * MIB);
    }
}

#[test]
fn a_retype_moves_a_volume_with_its_snapshots_bytes_and_protection() {
    let rig = Rig::stretched();
    rig.set_up();
    let limits = |name: &str| {
        let found = rig.get("a", &format!("/volumes?names={name}"));
        found[0]["qos"]["iops_limit"].as_u64().unwrap_or(MOST_IOPS)
    };
    let gone = |group: &str| {
        let found = rig.get("a", &format!("/volume-groups?names={group}"));
        found[0]["destroyed"] == true
    };
    let mut volume = filled(&rig, limited(replicated("01")), b"kept");
    let taken = snapshot("5");
    let stored = rig
        .call("snapshot", |d| Ok(d.volumes().snapshot(&volume, &taken)?))
        .unwrap();
    let taken = Snapshot {
        array_name: Some(stored.array_name),
        ..taken
    };

    retype(&rig, &mut volume, kind(&grouped(replicated("01"), "gold")));
    assert_eq!(name(&volume), "gold/volume-01-cinder");
    assert_eq!(limits("gold/volume-01-cinder"), MOST_IOPS);
    let members = rig.get("a", "/protection-groups/volumes?group_names=cinder-group");
    assert_eq!(members[0]["member"]["name"], "gold/volume-01-cinder");

    retype(&rig, &mut volume, kind(&grouped(plain("01"), "iron")));
    assert_eq!(name(&volume), "iron/volume-01-cinder");
    assert!(gone("gold"));

    let mut sync = limited(plain("01"));
    sync.volume_type.as_mut().unwrap().replication = Some(ReplicationKind::Sync);
    retype(&rig, &mut volume, kind(&sync));
    assert_eq!(name(&volume), "cinder-pod::volume-01-cinder");
    assert!(gone("iron"));
    assert_eq!(limits("cinder-pod::volume-01-cinder"), 500);

    retype(&rig, &mut volume, kind(&grouped(plain("01"), "gold")));
    assert_eq!(name(&volume), "gold/volume-01-cinder");
    assert_eq!(limits("gold/volume-01-cinder"), MOST_IOPS);
    retype(&rig, &mut volume, kind(&limited(plain("01"))));
    assert_eq!(name(&volume), "volume-01-cinder");
    assert_eq!(limits("volume-01-cinder"), 500);
    assert_eq!(rig.read("a", "volume-01-cinder", 4), b"kept");
    rig.call("revert", |d| Ok(d.volumes().revert(&volume, &taken)?))
        .unwrap();
}

#[test]
fn a_group_is_there_where_its_volumes_fail_over_to_and_a_drill_needs_none() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = filled(&rig, grouped(replicated("01"), "gold"), b"both sides");
    rig.advance(3600.0);
    let volumes = [volume.clone()];
    let copies = rig
        .call("drill", |d| d.start_test("t1", "b", None, &volumes))
        .unwrap();
    let copy = copies[0].result.as_ref().unwrap().array_name.clone();
    assert_eq!(copy, "volume-01-tt1");
    rig.call("drill", |d| d.stop_test("t1", "b", &volumes))
        .unwrap();
    assert_eq!(rig.get("b", "/volume-groups").as_array().unwrap().len(), 0);

    rig.power("a", false);
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, None, FailoverMode::Unplanned))
        })
        .unwrap();
    switch(&rig, &plan, &mut volume);
    assert_eq!(name(&volume), "gold/volume-01-cinder");
    assert_eq!(rig.read("b", "gold/volume-01-cinder", 10), b"both sides");
    let group = rig.get("b", "/volume-groups?names=gold");
    assert_eq!(group[0]["qos"]["iops_limit"], 1000);
}

#[test]
fn a_volume_that_is_taken_over_enters_the_group_of_its_type_and_leaves_any_other() {
    let rig = Rig::pair();
    rig.set_up();
    rig.post("a", "/volume-groups?names=theirs", "{}");
    let body = r#"{"provisioned":1048576,"qos":{"iops_limit":700}}"#;
    for volume in ["theirs/one", "theirs/two", "three"] {
        rig.post("a", &format!("/volumes?names={volume}"), body);
    }
    let manage = |volume: &Volume, from: &str, keep: bool| {
        let from = Reference {
            keys: vec![("source-name".to_owned(), from.to_owned())],
        };
        rig.call("manage", |d| d.manage(volume, &from, keep))
            .unwrap()
            .placement
            .array_name
    };
    assert_eq!(manage(&plain("01"), "theirs/one", true), "theirs/one");
    assert_eq!(
        manage(&plain("02"), "theirs/two", false),
        "volume-02-cinder"
    );
    assert_eq!(
        manage(&grouped(plain("03"), "gold"), "three", false),
        "gold/volume-03-cinder"
    );
    let limits = |name: &str| {
        let found = rig.get("a", &format!("/volumes?names={name}"));
        found[0]["qos"]["iops_limit"].as_u64().unwrap_or(MOST_IOPS)
    };
    assert_eq!(limits("theirs/one"), 700, "untouched");
    assert_eq!(limits("volume-02-cinder"), MOST_IOPS);
    assert_eq!(limits("gold/volume-03-cinder"), MOST_IOPS);
}

fn site() -> Memory {
    let targets = vec![
        target("a", true, None),
        target("b", false, Some(ReplicationKind::Sync)),
    ];
    Memory::new(Kind::ActiveCluster, targets)
}

#[test]
fn whatever_goes_wrong_with_a_group_the_same_operation_again_mends_it() {
    let gold = || grouped(plain("01"), "gold");
    let create = |m: &Memory| m.call("op", |d| d.create(&gold(), None)).map(drop);
    sweep_on(site, "create in a group", |m| m.set_up(), |m, ()| create(m));
    let ready = |volume: fn() -> Volume| {
        move |m: &Memory| {
            m.set_up();
            made(m, volume())
        }
    };
    sweep_on(
        site,
        "delete",
        ready(|| grouped(plain("01"), "gold")),
        |m, volume| m.call("op", |d| Ok(d.volumes().delete(volume)?)),
    );
    let kinds: [fn() -> Volume; 4] = [
        || limited(plain("01")),
        || grouped(plain("01"), "gold"),
        || grouped(replicated("01"), "iron"),
        || {
            let mut volume = limited(plain("01"));
            volume.volume_type.as_mut().unwrap().replication = Some(ReplicationKind::Sync);
            volume
        },
    ];
    for (from, to) in [(0, 1), (1, 0), (1, 2), (1, 3), (3, 1)] {
        let what = format!("retype from {from} to {to}");
        sweep_on(site, &what, ready(kinds[from]), |m, volume| {
            let to = kind(&kinds[to]());
            m.call("op", |d| d.retype(volume, to.as_ref())).map(drop)
        });
    }
    let foreign = |m: &Memory| {
        m.set_up();
        made(m, grouped(plain("77"), "theirs"));
    };
    let old = Reference {
        keys: vec![(
            "source-name".to_owned(),
            "theirs/volume-77-cinder".to_owned(),
        )],
    };
    for (what, volume) in [
        ("manage into a group", kinds[1]()),
        ("manage out of a group", kinds[0]()),
    ] {
        sweep_on(site, what, foreign, |m, ()| {
            m.call("op", |d| d.manage(&volume, &old, false)).map(drop)
        });
    }
}
