//! Set-up and the life of volumes on three sites.

use springform_sdk::interfaces::replication::{FailoverMode, LinkState, Protection, Role};
use springform_sdk::types::{Error, FailureCode, ReplicationKind, Volume};

use crate::rig::{HOUR, Rig, filled, replicated, request, stretched, switch, three_sites};

fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

/// Volumes in a group of an array, without their pod.
fn members(rig: &Rig, array: &str, group: &str) -> Vec<String> {
    let found = rig.get(
        array,
        &format!("/protection-groups/volumes?group_names={group}"),
    );
    let name = |m: &serde_json::Value| m["member"]["name"].as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn set_up_lets_the_pods_own_group_send_to_the_third_array_and_changes_nothing_when_repeated() {
    let rig = Rig::three();
    let report = rig.set_up();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let group = &rig.get("a", "/protection-groups?names=cinder-pod::cinder-trisync")[0];
    assert_eq!(group["replication_schedule"]["frequency"], 600_000);
    assert_eq!(group["replication_schedule"]["enabled"], true);
    assert_eq!(group["target_retention"]["all_for_sec"], 14_400);
    let targets = rig.get(
        "a",
        "/protection-groups/targets?group_names=cinder-pod::cinder-trisync",
    );
    assert_eq!(targets.as_array().unwrap().len(), 1);
    assert_eq!(targets[0]["member"]["name"], "c");
    assert_eq!(targets[0]["allowed"], true);
    let again = rig.set_up();
    assert!(
        again.changes.is_empty() && again.warnings.is_empty(),
        "{:?}",
        again.changes
    );
}

#[test]
fn a_third_array_that_is_missing_or_away_is_said_and_made_up_for_later() {
    let mut rig = Rig::three();
    let third = rig.targets.remove(2);
    let report = rig.set_up();
    assert!(
        report
            .warnings
            .iter()
            .any(|w| w.contains("volumes of three sites are on two")),
        "{:?}",
        report.warnings
    );
    let stats = rig.call("stats", |d| d.stats()).unwrap();
    assert_eq!(
        stats.replication_types,
        ["async", "sync"],
        "no type of three sites is scheduled here"
    );
    rig.targets.push(third);
    rig.power("c", false);
    let report = rig.set_up();
    assert!(
        report.warnings.iter().any(|w| w.starts_with("c:")),
        "{:?}",
        report.warnings
    );
    rig.power("c", true);
    assert!(rig.set_up().warnings.is_empty());
    let stats = rig.call("stats", |d| d.stats()).unwrap();
    assert_eq!(stats.replication_types, ["async", "sync", "trisync"]);
    assert_eq!(stats.replication_targets, ["b", "c"]);
}

#[test]
fn each_type_has_its_group_and_its_legs() {
    let rig = Rig::three();
    rig.set_up();
    let three = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-000000000001"),
        b"x",
    );
    let two = filled(
        &rig,
        stretched("51000000-0000-0000-0000-000000000002"),
        b"x",
    );
    let one = filled(
        &rig,
        replicated("51000000-0000-0000-0000-000000000003"),
        b"x",
    );
    let kinds: Vec<_> = [&three, &two, &one]
        .map(|v| v.placement.as_ref().unwrap().replication.clone().unwrap())
        .to_vec();
    assert_eq!(
        kinds,
        [
            ReplicationKind::TriSync,
            ReplicationKind::Sync,
            ReplicationKind::Async
        ]
    );
    assert_eq!(
        members(&rig, "a", "cinder-pod::cinder-trisync"),
        [name(&three)]
    );
    assert_eq!(members(&rig, "a", "cinder-group"), [name(&one)]);
    let volumes = [three, two, one];
    let first = rig.call("observe", |d| d.observe(&volumes)).unwrap();
    assert_eq!(
        first[0].protection,
        Protection::Initialising,
        "{:?}",
        first[0]
    );
    rig.advance(HOUR);
    let seen = rig.call("observe", |d| d.observe(&volumes)).unwrap();
    let legs: Vec<Vec<_>> = seen
        .iter()
        .map(|o| o.links.iter().map(|l| l.target.as_str()).collect())
        .collect();
    assert_eq!(legs, [vec!["b", "c"], vec!["b"], vec!["b", "c"]]);
    assert_eq!(seen[0].links[1].kind, ReplicationKind::Async);
    assert_eq!(seen[0].links[1].interval_seconds, Some(600));
    let roles: Vec<_> = seen.iter().map(|o| o.role.clone()).collect();
    assert_eq!(roles, [Role::Both, Role::Both, Role::Primary]);
    assert!(
        seen.iter().all(|o| o.protection == Protection::Protected),
        "{seen:?}"
    );
}

#[test]
fn a_leg_that_is_late_or_cut_is_told_apart_from_the_pod() {
    let rig = Rig::three();
    rig.set_up();
    let volume = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-000000000004"),
        b"x",
    );
    rig.advance(HOUR);
    let one = std::slice::from_ref(&volume);
    let look = || rig.call("observe", |d| d.observe(one)).unwrap().remove(0);
    for link in ["a/c", "b/c"] {
        rig.control("POST", &format!("/links/{link}"), r#"{"up":false}"#);
    }
    rig.advance(HOUR);
    let late = look();
    assert_eq!(
        (&late.links[0].state, &late.links[1].state, &late.protection),
        (
            &LinkState::Healthy,
            &LinkState::Degraded,
            &Protection::RpoExceeded
        )
    );
    rig.power("c", false);
    assert_eq!(look().links[1].state, LinkState::Down);
    rig.power("c", true);
    for link in ["a/c", "b/c"] {
        rig.control("POST", &format!("/links/{link}"), r#"{"up":true}"#);
    }
    rig.advance(HOUR);
    assert_eq!(look().protection, Protection::Protected);
    // Somebody takes it out of its group by hand.
    let gone = rig.call("out", |d| {
        let mut two = volume.clone();
        two.volume_type.as_mut().unwrap().replication = Some(ReplicationKind::Sync);
        d.retype(&volume, two.volume_type.as_ref())
    });
    gone.unwrap();
    rig.advance(HOUR);
    let apart = look();
    assert_eq!(apart.links[1].state, LinkState::Paused);
    assert_eq!(apart.protection, Protection::RpoExceeded);
    assert!(
        apart
            .problems
            .iter()
            .any(|p| p.contains("is not in protection group")),
        "{apart:?}"
    );
}

#[test]
fn retypes_lead_from_every_kind_to_every_other_without_losing_a_byte() {
    use ReplicationKind::{Async, Sync, TriSync};
    let rig = Rig::three();
    rig.set_up();
    let mut volume = filled(
        &rig,
        replicated("51000000-0000-0000-0000-000000000005"),
        b"bytes",
    );
    let way = [
        Some(TriSync),
        Some(Async),
        Some(TriSync),
        None,
        Some(TriSync),
        Some(Sync),
        Some(TriSync),
        Some(Sync),
        Some(Async),
        Some(Sync),
        None,
        Some(Async),
        None,
    ];
    for (n, wanted) in way.into_iter().enumerate() {
        let mut after = volume.clone();
        after.volume_type.as_mut().unwrap().replication = wanted.clone();
        let placement = rig
            .call(&format!("retype {n}"), |d| {
                d.retype(&volume, after.volume_type.as_ref())
            })
            .unwrap();
        assert_eq!(placement.replication, wanted, "step {n}");
        after.placement = Some(placement);
        volume = after;
        let inside = matches!(wanted, Some(Sync | TriSync));
        assert_eq!(
            name(&volume).starts_with("cinder-pod::"),
            inside,
            "step {n}"
        );
        let third = members(&rig, "a", "cinder-pod::cinder-trisync");
        assert_eq!(
            third.len(),
            usize::from(wanted == Some(TriSync)),
            "step {n}"
        );
        let plain = members(&rig, "a", "cinder-group");
        assert_eq!(plain.len(), usize::from(wanted == Some(Async)), "step {n}");
        assert_eq!(rig.read("a", &name(&volume), 5), b"bytes", "step {n}");
    }
}

#[test]
fn clones_have_the_legs_of_their_own_type() {
    let rig = Rig::three();
    rig.set_up();
    let source = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-000000000006"),
        b"bytes",
    );
    for (n, kind) in [
        Some(ReplicationKind::TriSync),
        Some(ReplicationKind::Sync),
        None,
    ]
    .into_iter()
    .enumerate()
    {
        let mut copy = three_sites(&format!("51000000-0000-0000-0000-00000000001{n}"));
        copy.volume_type.as_mut().unwrap().replication = kind.clone();
        let placement = rig
            .call("clone", |d| d.create(&copy, Some((&source, None))))
            .unwrap();
        assert_eq!(placement.replication, kind);
    }
    assert_eq!(members(&rig, "a", "cinder-pod::cinder-trisync").len(), 2);
}

#[test]
fn replication_is_turned_off_and_on() {
    let rig = Rig::three();
    rig.set_up();
    let mut volume = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-000000000007"),
        b"x",
    );
    for (on, expected) in [(false, None), (true, Some(ReplicationKind::TriSync))] {
        let one = std::slice::from_ref(&volume).to_vec();
        let outcome = rig
            .call("switch", |d| d.switch(&one, on))
            .unwrap()
            .remove(0);
        let placement = outcome.result.unwrap();
        assert_eq!(placement.replication, expected);
        volume.placement = Some(placement);
    }
    assert_eq!(
        members(&rig, "a", "cinder-pod::cinder-trisync"),
        [name(&volume)]
    );
}

#[test]
fn a_volume_that_is_deleted_leaves_nothing_on_any_array() {
    let rig = Rig::three().option("pure_eradicate_on_delete", "true");
    rig.set_up();
    let volume = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-000000000008"),
        b"x",
    );
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    for array in ["a", "b", "c"] {
        assert_eq!(
            rig.get(array, "/volumes").as_array().unwrap().len(),
            0,
            "{array}"
        );
        assert_eq!(
            rig.get(array, "/connections").as_array().unwrap().len(),
            0,
            "{array}"
        );
    }
}

#[test]
fn while_the_third_site_leads_new_volumes_are_made_there_and_come_home_into_the_pod() {
    let rig = Rig::three();
    rig.set_up();
    let mut old = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-000000000009"),
        b"x",
    );
    rig.advance(HOUR);
    rig.power("a", false);
    rig.power("b", false);
    let plan = |rig: &Rig, volume: &Volume, to: &str, mode: FailoverMode| {
        rig.call("plan", |d| d.plan(&request(volume, Some(to), mode.clone())))
            .unwrap()
    };
    let lost = plan(&rig, &old, "c", FailoverMode::Unplanned);
    switch(&rig, &lost, &mut old);
    rig.landing.replace(Some("c".to_owned()));
    let mut young = filled(
        &rig,
        three_sites("51000000-0000-0000-0000-00000000000a"),
        b"young",
    );
    assert_eq!(young.placement.as_ref().unwrap().target, "c");
    let mut out = young.volume_type.clone().unwrap();
    out.replication = None;
    match rig
        .call("retype", |d| d.retype(&young, Some(&out)))
        .unwrap_err()
    {
        Error::Failed(why) => assert!(why.message.contains("fail it back"), "{}", why.message),
        Error::Pending(_) => panic!("a refusal does not wait"),
    }
    rig.power("a", true);
    rig.power("b", true);
    let both = [old, young.clone()];
    for array in ["a", "b"] {
        rig.call("fence", |d| d.demote(array, &both)).unwrap();
    }
    rig.call("reprotect", |d| d.reprotect(&both, Some("a"), false, true))
        .unwrap();
    let back = plan(&rig, &young, "a", FailoverMode::Planned);
    let one = std::slice::from_ref(&young).to_vec();
    let back = rig.call("home", |d| d.final_sync(&back, &one)).unwrap();
    rig.call("home", |d| d.demote("c", &one)).unwrap();
    switch(&rig, &back, &mut young);
    assert_eq!(
        name(&young),
        "cinder-pod::volume-51000000-0000-0000-0000-00000000000a-cinder"
    );
    assert_eq!(rig.read("b", &name(&young), 5), b"young");
    assert_eq!(
        young.placement.unwrap().replication,
        Some(ReplicationKind::TriSync)
    );
}

#[test]
fn a_driver_without_a_pod_refuses_types_of_three_sites() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = three_sites("51000000-0000-0000-0000-00000000000b");
    match rig.call("create", |d| d.create(&volume, None)).unwrap_err() {
        Error::Failed(why) => assert_eq!(why.code, FailureCode::Unsupported),
        Error::Pending(_) => panic!("a refusal does not wait"),
    }
}
