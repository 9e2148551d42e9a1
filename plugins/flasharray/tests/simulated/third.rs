//! The third site leads when the pod is lost, and the way home from there, with the bytes compared.

use springform_sdk::interfaces::replication::{
    FailoverMode, FailoverPlan, LinkState, Observation, Protection, Role,
};
use springform_sdk::types::{Error, FailureCode, ReplicationKind, Volume};

use crate::rig::{
    HOUR, Rig, connector, filled, leaving, replicated, request, stretched, switch, three_sites,
};

fn name(volume: &Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

fn plan(rig: &Rig, volume: &Volume, to: Option<&str>, mode: FailoverMode) -> FailoverPlan {
    rig.call("plan", |d| d.plan(&request(volume, to, mode.clone())))
        .unwrap()
}

fn seen(rig: &Rig, volume: &Volume) -> Observation {
    let one = std::slice::from_ref(volume);
    rig.call("observe", |d| d.observe(one)).unwrap().remove(0)
}

/// What the host does for a planned failover of one volume.
fn move_to(rig: &Rig, volume: &mut Volume, to: &str) {
    let from = volume.placement.as_ref().unwrap().target.clone();
    let plan = plan(rig, volume, Some(to), FailoverMode::Planned);
    assert!(plan.volumes[0].possible, "{:?}", plan.volumes[0].reason);
    let one = std::slice::from_ref(volume).to_vec();
    let plan = rig.call("move", |d| d.final_sync(&plan, &one)).unwrap();
    let demoted = [leaving(volume, to)];
    let outcome = rig.call("move", |d| d.demote(&from, &demoted)).unwrap();
    outcome[0].result.clone().unwrap();
    let plan = rig.call("move", |d| d.final_sync(&plan, &one)).unwrap();
    assert_eq!(plan.volumes[0].loss_seconds, Some(0));
    switch(rig, &plan, volume);
    rig.landing.replace(Some(to.to_owned()));
}

fn reprotect(rig: &Rig, operation: &str, volume: &mut Volume, to: Option<&str>) {
    let one = std::slice::from_ref(volume).to_vec();
    let outcome = rig
        .call(operation, |d| d.reprotect(&one, to, false, true))
        .unwrap()
        .remove(0);
    volume.placement = Some(outcome.result.unwrap());
}

/// A volume on three sites, the third of which has what it holds.
fn copied(rig: &Rig, id: &str, bytes: &[u8]) -> Volume {
    rig.set_up();
    let volume = filled(rig, three_sites(id), bytes);
    rig.advance(HOUR);
    volume
}

#[test]
fn when_both_arrays_of_the_pod_are_lost_the_third_has_the_recovery_point_that_the_plan_names() {
    for to in [None, Some("c")] {
        let rig = Rig::three();
        let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000001", b"copied");
        rig.write("a", &name(&volume), b"late!!");
        rig.power("a", false);
        rig.power("b", false);
        let plan = plan(&rig, &volume, to, FailoverMode::Unplanned);
        assert_eq!(plan.target, "c");
        let planned = &plan.volumes[0];
        assert!(planned.possible, "{:?}", planned.reason);
        let point = planned.point.clone().unwrap();
        assert!(
            point.id.starts_with("cinder-pod:cinder-trisync."),
            "{point:?}"
        );
        let now = rig.context("now").now;
        assert_eq!(planned.loss_seconds, Some((now - point.taken_at) / 1000));
        switch(&rig, &plan, &mut volume);
        let placement = volume.placement.clone().unwrap();
        assert_eq!(
            (placement.target.as_str(), placement.array_name.as_str()),
            ("c", "volume-50000000-0000-0000-0000-000000000001-cinder")
        );
        assert_eq!(rig.read("c", &name(&volume), 6), b"copied");
        // Carried out again, it is refused what machines have written since.
        let one = std::slice::from_ref(&volume);
        let again = rig.call("again", |d| d.fail_over(&plan, one)).unwrap();
        let why = again[0].result.clone().unwrap_err();
        assert_eq!(why.code, FailureCode::FailedPrecondition);
    }
}

#[test]
fn without_a_named_target_the_pods_other_array_is_chosen_as_long_as_it_serves() {
    let rig = Rig::three();
    let volume = copied(&rig, "50000000-0000-0000-0000-000000000002", b"x");
    rig.power("a", false);
    let near = plan(&rig, &volume, None, FailoverMode::Unplanned);
    assert_eq!(
        (near.target.as_str(), near.volumes[0].loss_seconds),
        ("b", Some(0))
    );
    // Whoever insists on the third is told what that costs.
    let far = plan(&rig, &volume, Some("c"), FailoverMode::Unplanned);
    assert!(far.volumes[0].possible);
    let warning = far.volumes[0].warnings.join(" ");
    assert!(
        warning.contains("b has every acknowledged write"),
        "{warning}"
    );
}

#[test]
fn when_b_takes_over_from_a_the_copies_go_on_from_there() {
    let rig = Rig::three();
    let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000003", b"from a");
    let before = seen(&rig, &volume);
    let point = |seen: &Observation| seen.links[1].last_point.clone().unwrap();
    rig.power("a", false);
    let to_b = plan(&rig, &volume, None, FailoverMode::Unplanned);
    switch(&rig, &to_b, &mut volume);
    let placed = volume.placement.clone().unwrap();
    assert_eq!(
        (placed.target.as_str(), placed.replication),
        ("b", Some(ReplicationKind::TriSync))
    );
    rig.write("b", &name(&volume), b"from b");
    rig.advance(HOUR);
    let after = seen(&rig, &volume);
    assert_eq!(after.links[1].state, LinkState::Healthy, "{after:?}");
    assert!(point(&after).taken_at > point(&before).taken_at);
    assert_eq!(
        after.protection,
        Protection::RpoExceeded,
        "the pod is on one array"
    );

    rig.power("b", false);
    let to_c = plan(&rig, &volume, None, FailoverMode::Unplanned);
    assert_eq!(to_c.target, "c");
    switch(&rig, &to_c, &mut volume);
    assert_eq!(rig.read("c", &name(&volume), 6), b"from b");
}

#[test]
fn a_planned_failover_to_the_third_site_and_home_again_loses_nothing() {
    let rig = Rig::three();
    let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000004", b"first");
    rig.write("a", &name(&volume), b"on a!");
    move_to(&rig, &mut volume, "c");
    assert_eq!(volume.placement.as_ref().unwrap().target, "c");
    assert_eq!(rig.read("c", &name(&volume), 5), b"on a!");
    let connections = |array: &str| rig.get(array, "/connections").as_array().unwrap().len();
    assert_eq!(
        (connections("a"), connections("b")),
        (0, 0),
        "nobody writes to the pod"
    );
    assert!(seen(&rig, &volume).stale_writable.is_empty());

    rig.write("c", &name(&volume), b"on c!");
    reprotect(&rig, "away", &mut volume, None);
    let away = seen(&rig, &volume);
    assert_eq!(
        (&away.role, &away.protection),
        (&Role::Primary, &Protection::Protected),
        "{away:?}"
    );
    let targets: Vec<_> = away.links.iter().map(|l| l.target.as_str()).collect();
    assert_eq!(targets, ["a", "b"]);

    rig.write("c", &name(&volume), b"last!");
    move_to(&rig, &mut volume, "a");
    let placed = volume.placement.clone().unwrap();
    assert_eq!(
        (
            placed.target.as_str(),
            placed.array_name.as_str(),
            placed.replication
        ),
        (
            "a",
            "cinder-pod::volume-50000000-0000-0000-0000-000000000004-cinder",
            Some(ReplicationKind::TriSync)
        )
    );
    for array in ["a", "b"] {
        assert_eq!(rig.read(array, &name(&volume), 5), b"last!", "on {array}");
    }
    reprotect(&rig, "home", &mut volume, None);
    let home = seen(&rig, &volume);
    assert_eq!(
        (&home.role, &home.protection),
        (&Role::Both, &Protection::Protected),
        "{home:?}"
    );
    let links: Vec<_> = home
        .links
        .iter()
        .map(|l| (l.target.as_str(), l.state.clone()))
        .collect();
    assert_eq!(
        links,
        [("b", LinkState::Healthy), ("c", LinkState::Healthy)]
    );
    assert!(
        home.stale_writable.is_empty() && home.problems.is_empty(),
        "{home:?}"
    );
}

#[test]
fn the_arrays_of_the_pod_come_back_as_targets_of_the_third_and_one_of_them_leads_again() {
    for home in ["a", "b"] {
        let rig = Rig::three();
        let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000005", b"before");
        let inside = name(&volume);
        rig.power("a", false);
        rig.power("b", false);
        let lost = plan(&rig, &volume, None, FailoverMode::Unplanned);
        switch(&rig, &lost, &mut volume);
        rig.landing.replace(Some("c".to_owned()));
        rig.write("c", &name(&volume), b"on c");
        rig.power("a", true);
        rig.power("b", true);
        let one = std::slice::from_ref(&volume).to_vec();
        let stale = seen(&rig, &volume).stale_writable;
        assert_eq!(stale, ["a", "b"], "machines are still connected there");
        let refused = rig.call("reprotect", |d| d.reprotect(&one, Some(home), false, true));
        match refused.unwrap_err() {
            Error::Failed(why) => assert_eq!(why.code, FailureCode::FailedPrecondition),
            Error::Pending(_) => panic!("a refusal does not wait"),
        }
        for array in stale {
            let done = rig.call("fence", |d| d.demote(&array, &one)).unwrap();
            done[0].result.clone().unwrap();
        }
        assert!(seen(&rig, &volume).stale_writable.is_empty());
        reprotect(&rig, "reprotect", &mut volume, Some(home));
        rig.write("c", &name(&volume), b"more c");
        move_to(&rig, &mut volume, home);
        assert_eq!(name(&volume), inside, "it is its stretched self again");
        for array in ["a", "b"] {
            assert_eq!(rig.read(array, &inside, 6), b"more c", "on {array}");
        }
        reprotect(&rig, "home", &mut volume, None);
        assert_eq!(seen(&rig, &volume).protection, Protection::Protected);
    }
}

#[test]
fn an_array_of_the_pod_that_answers_serves_nobody_once_the_third_leads() {
    let rig = Rig::three();
    let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000006", b"x");
    rig.power("a", false);
    // The operator gives up on b as well, although it answers and machines write there.
    let far = plan(&rig, &volume, Some("c"), FailoverMode::Unplanned);
    switch(&rig, &far, &mut volume);
    assert_eq!(rig.get("b", "/connections").as_array().unwrap().len(), 0);
    rig.power("a", true);
    let after = seen(&rig, &volume);
    assert!(after.stale_writable.contains(&"a".to_owned()), "{after:?}");
    let one = std::slice::from_ref(&volume);
    rig.call("fence", |d| d.demote("a", one)).unwrap();
    assert!(seen(&rig, &volume).stale_writable.is_empty());
}

#[test]
fn the_way_home_is_closed_on_an_array_that_does_not_serve_the_pod_and_open_on_the_other() {
    let rig = Rig::three();
    let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000007", b"x");
    move_to(&rig, &mut volume, "c");
    rig.control("POST", "/links/a/b", r#"{"up":false}"#);
    reprotect(&rig, "away", &mut volume, None);
    let answers: Vec<_> = ["a", "b"]
        .map(|home| plan(&rig, &volume, Some(home), FailoverMode::Planned).volumes[0].clone())
        .to_vec();
    let closed: Vec<_> = answers.iter().filter(|p| !p.possible).collect();
    assert_eq!(closed.len(), 1, "{answers:?}");
    let reason = closed[0].reason.clone().unwrap();
    assert!(reason.contains("pod cinder-pod is offline on"), "{reason}");
}

#[test]
fn a_drill_on_the_third_site_goes_on_beside_replication_and_leaves_no_trace() {
    let rig = Rig::three();
    let volume = copied(&rig, "50000000-0000-0000-0000-000000000008", b"production");
    let one = std::slice::from_ref(&volume);
    let copies = rig
        .call("drill", |d| d.start_test("0123-4567-89", "c", None, one))
        .unwrap();
    let mut copy = volume.clone();
    copy.placement = Some(copies[0].result.clone().unwrap());
    assert_eq!(
        name(&copy),
        "volume-50000000-0000-0000-0000-000000000008-t01234567"
    );
    let point = copies[0].point.clone().unwrap();
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&copy, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("c", &name(&copy), 10), b"production");
    rig.write("c", &name(&copy), b"scribbling");
    rig.advance(HOUR);
    let meanwhile = seen(&rig, &volume);
    let newer = meanwhile.links[1].last_point.clone().unwrap();
    assert!(newer.taken_at > point.taken_at, "copies go on");
    assert_eq!(meanwhile.protection, Protection::Protected);
    assert!(
        meanwhile.stale_writable.is_empty(),
        "a copy is not the volume"
    );
    for _ in 0..2 {
        rig.call("stop", |d| d.stop_test("0123-4567-89", "c", one))
            .unwrap();
    }
    assert!(!rig.state().to_string().contains("-t01234567"));
    assert_eq!(rig.read("a", &name(&volume), 10), b"production");
}

#[test]
fn a_drill_on_the_third_site_can_be_made_the_real_thing() {
    let rig = Rig::three();
    let mut volume = copied(&rig, "50000000-0000-0000-0000-000000000009", b"production");
    let one = std::slice::from_ref(&volume).to_vec();
    let copies = rig
        .call("drill", |d| d.start_test("77", "c", None, &one))
        .unwrap();
    let mut copy = volume.clone();
    copy.placement = Some(copies[0].result.clone().unwrap());
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&copy, &connector())?)
    })
    .unwrap();
    rig.write("c", &name(&copy), b"repaired!!");
    let plan = plan(&rig, &volume, Some("c"), FailoverMode::Unplanned);
    let taken = rig
        .call("commit", |d| d.commit_test("77", &plan, &one))
        .unwrap();
    // The one that served is the host's to demote.
    assert_eq!(rig.get("b", "/connections").as_array().unwrap().len(), 0);
    volume.placement = Some(taken[0].result.clone().unwrap());
    assert_eq!(
        name(&volume),
        "volume-50000000-0000-0000-0000-000000000009-cinder"
    );
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&volume, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("c", &name(&volume), 10), b"repaired!!");
}

#[test]
fn volumes_of_every_kind_go_to_the_third_site_with_one_plan() {
    let rig = Rig::three();
    rig.set_up();
    let three = filled(
        &rig,
        three_sites("50000000-0000-0000-0000-00000000000a"),
        b"three",
    );
    let two = filled(
        &rig,
        stretched("50000000-0000-0000-0000-00000000000b"),
        b"two",
    );
    let one = filled(
        &rig,
        replicated("50000000-0000-0000-0000-00000000000c"),
        b"one",
    );
    rig.advance(HOUR);
    let mut ask = request(&three, Some("c"), FailoverMode::Planned);
    ask.volumes = vec![one.clone(), two.clone(), three.clone()];
    let plan = rig.call("plan", |d| d.plan(&ask)).unwrap();
    let possible: Vec<_> = plan.volumes.iter().map(|p| p.possible).collect();
    assert_eq!(possible, [true, false, true], "{:?}", plan.volumes);
    let moving = [one, three];
    rig.write("a", &name(&moving[0]), b"ONE");
    rig.write("a", &name(&moving[1]), b"THREE");
    let plan = rig.call("sync", |d| d.final_sync(&plan, &moving)).unwrap();
    let demoted = [leaving(&moving[0], "c"), leaving(&moving[1], "c")];
    rig.call("demote", |d| d.demote("a", &demoted)).unwrap();
    let plan = rig.call("sync", |d| d.final_sync(&plan, &moving)).unwrap();
    let [mut one, mut three] = moving;
    switch(&rig, &plan, &mut one);
    switch(&rig, &plan, &mut three);
    assert_eq!(rig.read("c", &name(&one), 3), b"ONE");
    assert_eq!(rig.read("c", &name(&three), 5), b"THREE");
}
