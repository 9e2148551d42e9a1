//! Faults of Cinder's driver that no other test here holds against ours. The whole list is docs/drivers/upstream-faults.md,
//! and the last test keeps it true.

use std::path::Path;

use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::types::{Error, FailureCode, Qos, ReplicationKind, Volume};

use crate::rig::{
    HOUR, MIB, Rig, connector, filled, replicated, request, stretched, switch, three_sites, written,
};

fn rigs() -> [(Rig, Volume); 2] {
    [
        (Rig::pair(), replicated("v1")),
        (Rig::stretched(), stretched("v1")),
    ]
}

fn delete(rig: &Rig, volume: &Volume) {
    rig.call("delete", |d| Ok(d.volumes().delete(volume)?))
        .unwrap();
}

#[test]
fn deleting_what_is_gone_or_destroyed_is_success() {
    for (rig, mut volume) in rigs() {
        rig.set_up();
        volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
        delete(&rig, &volume);
        delete(&rig, &volume);
        let eradicating = rig.option("pure_eradicate_on_delete", "true");
        delete(&eradicating, &volume);
        delete(&eradicating, &volume);
        let left = eradicating.get("a", "/volumes");
        assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
    }
}

#[test]
fn a_restart_with_a_dead_primary_serves_what_was_failed_over() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = written(&rig, "v1", b"kept");
    rig.advance(HOUR);
    rig.power("a", false);
    let wanted = request(&volume, Some("b"), FailoverMode::Unplanned);
    let plan = rig.call("plan", |d| d.plan(&wanted)).unwrap();
    switch(&rig, &plan, &mut volume);
    let report = rig.set_up();
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    let name = volume.placement.as_ref().unwrap().array_name.clone();
    assert_eq!(rig.read("b", &name, 4), b"kept");
    rig.call("extend", |d| Ok(d.volumes().extend(&volume, 2 * MIB)?))
        .unwrap();
}

#[test]
fn a_volume_that_cannot_join_its_leg_to_the_third_site_is_an_error() {
    let rig = Rig::three();
    rig.set_up();
    let fault = r#"{"kind":"status","status":403,"method":"POST","path":"protection-groups/volumes","count":1}"#;
    rig.fault("a", fault);
    let volume = three_sites("v1");
    let refused = rig.call("create", |d| d.create(&volume, None)).unwrap_err();
    assert!(matches!(refused, Error::Failed(f) if f.code == FailureCode::Denied));
    let placement = rig.call("create", |d| d.create(&volume, None)).unwrap();
    assert_eq!(placement.replication, Some(ReplicationKind::TriSync));
}

#[test]
fn the_targets_are_the_same_after_a_round_trip() {
    let rig = Rig::pair();
    rig.set_up();
    let targets = |rig: &Rig| {
        rig.call("stats", |d| d.stats())
            .unwrap()
            .replication_targets
    };
    assert_eq!(targets(&rig), ["b"]);
    rig.landing.replace(Some("b".to_owned()));
    assert_eq!(targets(&rig), ["a"]);
    rig.landing.replace(None);
    assert_eq!(targets(&rig), ["b"]);
}

#[test]
fn a_forced_detach_disconnects_every_machine() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = written(&rig, "v1", b"x");
    let mut other = connector();
    other.host = "node2".to_owned();
    other.initiator = Some("iqn.2026-11.example:node2".to_owned());
    rig.call("connect", |d| Ok(d.volumes().connect(&volume, &other)?))
        .unwrap();
    rig.call("force", |d| {
        Ok(d.volumes().disconnect(&volume, None, false)?)
    })
    .unwrap();
    for path in ["/connections", "/hosts"] {
        assert_eq!(
            rig.get("a", path).as_array().map(Vec::len),
            Some(0),
            "{path}"
        );
    }
}

#[test]
fn an_extension_sets_the_limits_of_the_new_size() {
    for (rig, volume) in rigs() {
        rig.set_up();
        let mut volume = filled(&rig, volume, b"x");
        volume.volume_type.as_mut().unwrap().qos = Qos {
            max_iops: Some(800),
            max_bytes_per_second: None,
        };
        rig.call("extend", |d| Ok(d.volumes().extend(&volume, 4 * MIB)?))
            .unwrap();
        let name = volume
            .placement
            .as_ref()
            .unwrap()
            .array_name
            .replace(':', "%3A");
        let found = rig.get("a", &format!("/volumes?names={name}"));
        assert_eq!(found[0]["provisioned"], 4 * MIB);
        assert_eq!(found[0]["qos"]["iops_limit"], 800);
    }
}

#[test]
fn every_test_that_the_list_of_faults_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("../../docs/drivers/upstream-faults.md")).unwrap();
    let mut seen = 0;
    for (module, test) in list.split('`').filter_map(|word| word.split_once("::")) {
        let file = root
            .join("tests/simulated")
            .join(module)
            .with_extension("rs");
        let source = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(source.contains(&format!("fn {test}()")), "{module}::{test}");
        seen += 1;
    }
    assert!(seen > 30, "{seen} tests are named");
}
