//! What a volume has and is wherever it moves: the limits of its type, the size of its recovery point, a role that was given
//! back; and what cannot be moved holds up no other.

use springform_sdk::interfaces::replication::{FailoverMode, FailoverPlan, PlanRequest};
use springform_sdk::types::Volume;

use crate::rig::{HOUR, Rig, filled, leaving, replicated, request, three_sites};

fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

fn limited(mut volume: Volume) -> Volume {
    volume.volume_type.as_mut().unwrap().qos.max_iops = Some(800);
    volume
}

fn plan(rig: &Rig, volume: &Volume, to: &str, mode: FailoverMode) -> FailoverPlan {
    let wanted = request(volume, Some(to), mode);
    rig.call("plan", |d| d.plan(&wanted)).unwrap()
}

fn on(rig: &Rig, array: &str, list: &str, name: &str) -> bool {
    let state = rig.state();
    let found = state["arrays"][array][list].as_array().unwrap();
    found.iter().any(|m| m["member"]["name"] == name)
}

#[test]
fn the_limits_of_its_type_go_with_a_volume_to_every_array_that_it_moves_to() {
    for (rig, volume, to) in [
        (
            Rig::pair(),
            replicated("a0000000-0000-0000-0000-0000000000a1"),
            "b",
        ),
        (
            Rig::three(),
            three_sites("50000000-0000-0000-0000-0000000000a1"),
            "c",
        ),
    ] {
        rig.set_up();
        let volume = filled(&rig, limited(volume), b"some");
        rig.advance(HOUR);
        let plan = plan(&rig, &volume, to, FailoverMode::Unplanned);
        let one = std::slice::from_ref(&volume);
        let moved = rig.call("move", |d| d.fail_over(&plan, one)).unwrap();
        let placed = moved[0].result.clone().unwrap();
        let path = format!("/volumes?names={}", placed.array_name);
        let found = rig.get(to, &path);
        assert_eq!(found[0]["qos"]["iops_limit"], 800, "{found}");
        let size = placed
            .extensions
            .iter()
            .find(|(k, _)| k == "springform/size");
        assert_eq!(size.unwrap().1, volume.size.to_string());
    }
}

#[test]
fn a_role_that_is_given_back_is_sent_again_as_before_and_nothing_is_copied() {
    for (rig, volume, to) in [
        (
            Rig::pair(),
            replicated("a0000000-0000-0000-0000-0000000000a2"),
            "b",
        ),
        (
            Rig::three(),
            three_sites("50000000-0000-0000-0000-0000000000a2"),
            "c",
        ),
    ] {
        rig.set_up();
        let volume = filled(&rig, volume, b"before");
        rig.advance(HOUR);
        let from = volume.placement.as_ref().unwrap().target.clone();
        let made = plan(&rig, &volume, to, FailoverMode::Planned);
        assert!(on(&rig, &from, "members", &name(&volume)));
        let gone = [leaving(&volume, to)];
        let demoted = rig.call("move", |d| d.demote(&from, &gone)).unwrap();
        demoted[0].result.clone().unwrap();
        assert!(!on(&rig, &from, "members", &name(&volume)));
        let mut back = made;
        back.target.clone_from(&from);
        back.volumes[0].point = None;
        let one = std::slice::from_ref(&volume);
        let given = rig.call("move", |d| d.fail_over(&back, one)).unwrap();
        assert_eq!(given[0].result.clone().ok(), volume.placement);
        assert!(on(&rig, &from, "members", &name(&volume)));
    }
}

#[test]
fn one_that_is_gone_from_its_array_holds_up_no_other_in_transfer_and_reprotection() {
    let rig = Rig::pair();
    rig.set_up();
    let kept = filled(
        &rig,
        replicated("a0000000-0000-0000-0000-0000000000a3"),
        b"kept",
    );
    let gone = filled(
        &rig,
        replicated("a0000000-0000-0000-0000-0000000000a4"),
        b"gone",
    );
    rig.advance(HOUR);
    let both = [kept.clone(), gone.clone()];
    let wanted = PlanRequest {
        volumes: both.to_vec(),
        ..request(&kept, Some("b"), FailoverMode::Planned)
    };
    let plan = rig.call("plan", |d| d.plan(&wanted)).unwrap();
    rig.call("delete", |d| Ok(d.volumes().delete(&gone)?))
        .unwrap();
    let synced = rig.call("move", |d| d.final_sync(&plan, &both)).unwrap();
    assert!(synced.volumes[0].possible);
    assert!(!synced.volumes[1].possible, "{synced:?}");
    assert!(synced.volumes[1].reason.is_some());
    let outcomes = rig
        .call("reprotect", |d| d.reprotect(&both, None, false, true))
        .unwrap();
    assert!(outcomes[0].result.is_ok(), "{outcomes:?}");
    assert!(outcomes[1].result.is_err());
}

#[test]
fn the_plan_says_what_was_added_after_the_recovery_point() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = filled(
        &rig,
        replicated("a0000000-0000-0000-0000-0000000000a5"),
        b"small",
    );
    rig.advance(HOUR);
    let grown = volume.size + (2 << 30);
    rig.call("extend", |d| Ok(d.volumes().extend(&volume, grown)?))
        .unwrap();
    volume.size = grown;
    let forced = plan(&rig, &volume, "b", FailoverMode::Unplanned);
    let warnings = &forced.volumes[0].warnings;
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("2 GiB were added after it")),
        "{warnings:?}"
    );
    let planned = plan(&rig, &volume, "b", FailoverMode::Planned);
    assert!(planned.volumes[0].warnings.is_empty(), "{planned:?}");
}
