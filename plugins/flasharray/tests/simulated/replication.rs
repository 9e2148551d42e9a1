//! Failover, failback and drills, with the bytes compared.

use flasharray::driver::Driver;
use springform_sdk::interfaces::replication::{
    FailoverMode, LinkState, Observation, PlanRequest, Protection, Role,
};
use springform_sdk::types::{Error, FailureCode};

use crate::rig::{HOUR, Rig, connector, replicated, request, switch, written};

fn name(volume: &springform_sdk::types::Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

#[test]
fn what_was_replicated_survives_the_loss_of_the_array() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let mut volume = written(&rig, "a0000000-0000-0000-0000-000000000001", b"survives");
    rig.advance(HOUR);
    rig.write("a", &name(&volume), b"too late");
    rig.power("a", false);

    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, None, FailoverMode::Unplanned))
        })
        .unwrap();
    assert_eq!(plan.target, "b");
    assert!(plan.volumes[0].possible, "{:?}", plan.volumes[0].reason);
    assert!(plan.volumes[0].loss_seconds.is_some());
    switch(&rig, &plan, &mut volume);
    assert_eq!(volume.placement.as_ref().unwrap().target, "b");
    assert_eq!(rig.read("b", &name(&volume), 8), b"survives");
}

#[test]
fn a_plan_says_of_each_volume_why_it_cannot_go() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let early = replicated("a0000000-0000-0000-0000-00000000000e");
    let not_created = rig
        .call("plan", |d| {
            d.plan(&request(&early, Some("b"), FailoverMode::Unplanned))
        })
        .unwrap();
    assert!(!not_created.volumes[0].possible);
    rig.advance(HOUR);
    let late = written(&rig, "a0000000-0000-0000-0000-000000000002", b"x");
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&late, Some("b"), FailoverMode::Unplanned))
        })
        .unwrap();
    let reason = plan.volumes[0].reason.clone().unwrap();
    assert!(
        !plan.volumes[0].possible
            && (reason.contains("does not hold") || reason.contains("no replication")),
        "{reason}"
    );
    match rig
        .call("plan", |d| {
            d.plan(&request(&late, Some("nowhere"), FailoverMode::Unplanned))
        })
        .unwrap_err()
    {
        Error::Failed(failure) => assert_eq!(failure.code, FailureCode::InvalidArgument),
        Error::Pending(_) => panic!("a plan never waits"),
    }
}

#[test]
fn a_volume_is_planned_from_the_newest_point_that_holds_it_however_old() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let mut left = written(&rig, "a0000000-0000-0000-0000-000000000011", b"held");
    let stays = written(&rig, "a0000000-0000-0000-0000-000000000012", b"stays");
    rig.advance(HOUR);
    // A planned move of it stops half-way: the volume is out of the group, and the schedule goes on without it.
    rig.call("demote", |d| d.demote("a", std::slice::from_ref(&left)))
        .unwrap();
    rig.advance(2.0 * HOUR);

    for mode in [FailoverMode::Planned, FailoverMode::Unplanned] {
        let mut both = request(&left, Some("b"), mode);
        both.volumes.push(stays.clone());
        let plan = rig.call("plan", |d| d.plan(&both)).unwrap();
        let points: Vec<_> = plan.volumes.iter().map(|v| v.point.clone()).collect();
        let taken = |n: usize| points[n].as_ref().map(|point: &_| point.taken_at);
        assert!(plan.volumes[0].possible, "{:?}", plan.volumes[0].reason);
        assert!(taken(0) < taken(1), "{points:?}");
        assert!(plan.volumes[0].loss_seconds.unwrap() >= 7000, "{plan:?}");
    }
    rig.power("a", false);
    let alone = request(&left, Some("b"), FailoverMode::Unplanned);
    let plan = rig.call("plan", |d| d.plan(&alone)).unwrap();
    switch(&rig, &plan, &mut left);
    assert_eq!(rig.read("b", &name(&left), 4), b"held");
}

#[test]
fn a_planned_failover_and_failback_lose_nothing() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let mut volume = written(&rig, "a0000000-0000-0000-0000-000000000003", b"on a, then");
    rig.advance(HOUR);
    rig.write("a", &name(&volume), b"last on a!");

    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, Some("b"), FailoverMode::Planned))
        })
        .unwrap();
    let plan = rig
        .call("sync", |d| {
            d.final_sync(&plan, std::slice::from_ref(&volume))
        })
        .unwrap();
    assert_eq!(plan.volumes[0].loss_seconds, Some(0));
    rig.call("demote", |d| d.demote("a", std::slice::from_ref(&volume)))
        .unwrap();
    switch(&rig, &plan, &mut volume);
    assert_eq!(rig.read("b", &name(&volume), 10), b"last on a!");

    rig.write("b", &name(&volume), b"written on");
    rig.call("reprotect", |d| {
        d.reprotect(std::slice::from_ref(&volume), None, false, true)
    })
    .unwrap();
    let back = rig
        .call("plan back", |d| {
            d.plan(&request(&volume, Some("a"), FailoverMode::Planned))
        })
        .unwrap();
    assert!(back.volumes[0].possible, "{:?}", back.volumes[0].reason);
    let back = rig
        .call("sync back", |d| {
            d.final_sync(&back, std::slice::from_ref(&volume))
        })
        .unwrap();
    rig.call("demote back", |d| {
        d.demote("b", std::slice::from_ref(&volume))
    })
    .unwrap();
    switch(&rig, &back, &mut volume);
    assert_eq!(rig.read("a", &name(&volume), 10), b"written on");
    rig.call("protect again", |d| {
        d.reprotect(std::slice::from_ref(&volume), None, false, true)
    })
    .unwrap();
    let seen = rig
        .call("observe", |d| d.observe(std::slice::from_ref(&volume)))
        .unwrap();
    assert_eq!(
        (&seen[0].role, &seen[0].protection),
        (&Role::Primary, &Protection::Protected),
        "{:?}",
        seen[0].problems
    );
}

#[test]
fn observation_tells_unprotected_protected_and_unknown_apart() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let protected = written(&rig, "a0000000-0000-0000-0000-000000000004", b"x");
    let mut plain = replicated("a0000000-0000-0000-0000-000000000005");
    plain.volume_type = None;
    plain.placement = Some(rig.call("create", |d| d.create(&plain, None)).unwrap());
    rig.advance(HOUR);
    let volumes = [protected, plain];
    let seen = rig.call("observe", |d| d.observe(&volumes)).unwrap();
    assert_eq!(
        seen.iter()
            .map(|o| o.protection.clone())
            .collect::<Vec<_>>(),
        [Protection::Protected, Protection::Unprotected]
    );
    assert!(seen[0].links[0].last_point.is_some());
    rig.power("a", false);
    let seen = rig.call("observe", |d| d.observe(&volumes)).unwrap();
    assert!(
        seen.iter()
            .all(|o| o.role == Role::Unknown && o.protection == Protection::Unknown)
    );
    let points: Vec<bool> = seen
        .iter()
        .map(|o| o.links[0].last_point.is_some())
        .collect();
    assert_eq!(points, [true, false], "the target knows what has arrived");
    assert_eq!(seen[0].links[0].state, LinkState::Down);
    rig.power("b", false);
    let seen = rig.call("observe", |d| d.observe(&volumes)).unwrap();
    assert!(seen.iter().all(|o| o.protection == Protection::Unknown));
    assert!(seen[0].links.iter().all(|l| l.last_point.is_none()));
}

#[test]
fn a_volume_that_no_point_holds_yet_is_not_called_protected() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let old = written(&rig, "a0000000-0000-0000-0000-00000000000a", b"x");
    rig.advance(HOUR);
    let new = written(&rig, "a0000000-0000-0000-0000-00000000000b", b"y");
    let volumes = [old, new];
    let look = || -> Vec<(Protection, bool)> {
        let seen = rig.call("observe", |d| d.observe(&volumes)).unwrap();
        let of = |o: Observation| (o.protection, o.links[0].last_point.is_some());
        seen.into_iter().map(of).collect()
    };
    let well = (Protection::Protected, true);
    assert_eq!(look(), [well.clone(), (Protection::Initialising, false)]);
    // A target that does not answer has no first copy under way that anybody knows of.
    rig.power("b", false);
    let unknown = (Protection::Unknown, false);
    assert_eq!(look(), [unknown.clone(), unknown]);
    rig.power("b", true);
    rig.advance(HOUR);
    assert_eq!(look(), [well.clone(), well]);
}

#[test]
fn a_drill_writes_to_a_copy_and_leaves_no_trace() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let volume = written(&rig, "a0000000-0000-0000-0000-000000000006", b"production");
    rig.advance(HOUR);
    let copies = rig
        .call("drill", |d| {
            d.start_test("0123-4567-89", "b", None, std::slice::from_ref(&volume))
        })
        .unwrap();
    let mut copy = volume.clone();
    copy.placement = Some(copies[0].result.clone().unwrap());
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&copy, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("b", &name(&copy), 10), b"production");
    rig.write("b", &name(&copy), b"scribbling");
    rig.advance(HOUR);
    rig.call("stop", |d| {
        d.stop_test("0123-4567-89", "b", std::slice::from_ref(&volume))
    })
    .unwrap();
    rig.call("stop", |d| {
        d.stop_test("0123-4567-89", "b", std::slice::from_ref(&volume))
    })
    .unwrap();
    assert!(!rig.state().to_string().contains("-t01234567"));
    assert_eq!(rig.read("a", &name(&volume), 10), b"production");
}

#[test]
fn while_failed_over_new_volumes_land_on_the_array_that_serves() {
    let rig = Rig::pair();
    let state = rig.call("setup", |d| d.setup()).unwrap().state;
    let mut context = rig.context("create");
    context.state = state;
    context.extensions = vec![("springform/active-target".to_owned(), "b".to_owned())];
    rig.power("a", false);
    let volume = replicated("a0000000-0000-0000-0000-000000000007");
    let placement = Driver::new(rig.kind, &rig, &context)
        .create(&volume, None)
        .unwrap();
    assert_eq!(
        (placement.target.as_str(), placement.replication),
        ("b", None)
    );
}

#[test]
fn a_stale_primary_is_seen_and_not_overwritten_unasked() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let mut volume = written(&rig, "a0000000-0000-0000-0000-000000000008", b"before");
    rig.advance(HOUR);
    rig.power("a", false);
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, Some("b"), FailoverMode::Unplanned))
        })
        .unwrap();
    switch(&rig, &plan, &mut volume);
    rig.power("a", true);
    let one = std::slice::from_ref(&volume);
    let seen = rig.call("observe", |d| d.observe(one)).unwrap();
    assert_eq!(seen[0].stale_writable, ["a"]);
    match rig
        .call("reprotect", |d| d.reprotect(one, None, false, false))
        .unwrap_err()
    {
        Error::Failed(failure) => assert_eq!(failure.code, FailureCode::FailedPrecondition),
        Error::Pending(_) => panic!("a refusal does not wait"),
    }
    // What a machine has written since the failover is newer than any recovery point.
    let again = rig.call("failover", |d| d.fail_over(&plan, one)).unwrap();
    assert_eq!(
        again[0].result.clone().unwrap_err().code,
        FailureCode::FailedPrecondition
    );
    rig.call("demote", |d| d.demote("a", one)).unwrap();
    let seen = rig.call("observe", |d| d.observe(one)).unwrap();
    assert!(seen[0].stale_writable.is_empty());
}

#[test]
fn what_was_written_until_the_demotion_follows_with_the_second_transfer_of_the_same_operation() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let mut volume = written(&rig, "a0000000-0000-0000-0000-000000000009", b"first");
    rig.advance(HOUR);
    let plan = rig
        .call("op", |d| {
            d.plan(&request(&volume, Some("b"), FailoverMode::Planned))
        })
        .unwrap();
    let one = std::slice::from_ref(&volume).to_vec();
    let plan = rig.call("op", |d| d.final_sync(&plan, &one)).unwrap();
    rig.write("a", &name(&volume), b"last!");
    rig.call("op", |d| d.demote("a", &one)).unwrap();
    let plan = rig.call("op", |d| d.final_sync(&plan, &one)).unwrap();
    switch(&rig, &plan, &mut volume);
    assert_eq!(rig.read("b", &name(&volume), 5), b"last!");
    let seen = rig
        .call("observe", |d| d.observe(std::slice::from_ref(&volume)))
        .unwrap();
    assert!(
        seen[0].stale_writable.is_empty(),
        "the first array sends nothing any more"
    );
}

#[test]
fn snapshots_of_a_switch_go_when_those_of_the_schedule_do() {
    let rig = Rig::pair()
        .option("pure_replica_retention_short_term_default", "600")
        .option("pure_replica_retention_long_term_per_day_default", "0")
        .option("pure_replica_retention_long_term_default", "0");
    rig.set_up();
    let volume = written(&rig, "v1", b"x");
    rig.advance(HOUR);
    let wanted = request(&volume, Some("b"), FailoverMode::Planned);
    let plan = rig.call("plan", |d| d.plan(&wanted)).unwrap();
    rig.call("sync", |d| {
        d.final_sync(&plan, std::slice::from_ref(&volume))
    })
    .unwrap();
    let ours = |rig: &Rig| {
        let found = rig.get("b", "/protection-group-snapshots?destroyed=false");
        let names = found.as_array().unwrap().iter();
        names
            .filter(|s| s["name"].as_str().unwrap().contains(".sf-"))
            .count()
    };
    assert_eq!(ours(&rig), 1);
    rig.advance(2.0 * HOUR);
    assert_eq!(ours(&rig), 0);
}

#[test]
fn a_group_that_another_batch_has_just_made_is_the_one_to_protect_with() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volume = written(&rig, "a0000000-0000-0000-0000-000000000078", b"copied");
    rig.advance(HOUR);
    let wanted = request(&volume, Some("b"), FailoverMode::Unplanned);
    let plan = rig.call("plan", |d| d.plan(&wanted)).unwrap();
    switch(&rig, &plan, &mut volume);
    // The second of the two is told that the group is there already.
    let twice = r#"{"kind":"twice","method":"POST","path":"protection-groups","count":1}"#;
    rig.fault("b", twice);
    let twice = r#"{"kind":"twice","method":"PATCH","path":"protection-groups/targets","count":1}"#;
    rig.fault("a", twice);
    let one = std::slice::from_ref(&volume);
    rig.call("reprotect", |d| d.reprotect(one, None, true, false))
        .unwrap();
}

#[test]
fn volumes_of_which_some_are_in_use_give_up_their_role_together() {
    let rig = Rig::pair();
    rig.set_up();
    let mut volumes = vec![
        written(&rig, "a0000000-0000-0000-0000-000000000081", b"in use"),
        written(&rig, "a0000000-0000-0000-0000-000000000082", b"too"),
    ];
    for n in 3..8 {
        let mut volume = replicated(&format!("a0000000-0000-0000-0000-00000000008{n}"));
        volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
        volumes.push(volume);
    }
    let left = |path: &str| rig.get("a", path).as_array().unwrap().len();
    assert_eq!(left("/connections"), 2);
    let (before, _) = rig.sent.get();
    let outcomes = rig.call("demote", |d| d.demote("a", &volumes)).unwrap();
    let (after, _) = rig.sent.get();
    assert!(outcomes.iter().all(|o| o.result.is_ok()), "{outcomes:?}");
    assert_eq!(left("/connections"), 0);
    assert_eq!(
        left("/protection-groups/volumes?group_names=cinder-group"),
        0
    );
    let in_use = 2;
    assert!(
        after - before <= 2 + in_use * 4,
        "{} requests",
        after - before
    );

    // Again, one of them being gone: whoever is left is asked about all the same.
    rig.call("delete", |d| Ok(d.volumes().delete(&volumes[6])?))
        .unwrap();
    let outcomes = rig.call("demote", |d| d.demote("a", &volumes)).unwrap();
    assert!(
        outcomes[..6].iter().all(|o| o.result.is_ok()),
        "{outcomes:?}"
    );
}

#[test]
fn of_several_points_of_one_moment_each_volume_takes_one_that_holds_it() {
    let rig = Rig::pair();
    rig.set_up();
    let first = written(&rig, "a0000000-0000-0000-0000-000000000081", b"one");
    let send = |suffix: &str| {
        let path = "/protection-group-snapshots?source_names=cinder-group&replicate_now=true";
        rig.post("a", path, &format!(r#"{{"suffix":"{suffix}"}}"#));
    };
    // Sorted by name this one comes first, and it does not know the second volume.
    send("zz");
    let second = written(&rig, "a0000000-0000-0000-0000-000000000082", b"two");
    send("aa");
    rig.advance(60.0);
    let wanted = PlanRequest {
        volumes: vec![first.clone(), second.clone()],
        to: Some("b".to_owned()),
        mode: FailoverMode::Unplanned,
        point: None,
    };
    let plan = rig.call("plan", |d| d.plan(&wanted)).unwrap();
    let point = |n: usize| plan.volumes[n].point.as_ref().map(|p| p.id.as_str());
    assert_eq!(point(0), Some("a:cinder-group.zz"));
    assert_eq!(point(1), Some("a:cinder-group.aa"));
    let mut moved = [first, second];
    for volume in &mut moved {
        switch(&rig, &plan, volume);
    }
}

#[test]
fn a_volume_that_is_retyped_while_failed_over_is_protected_once_its_array_protects_others() {
    let rig = Rig::pair();
    rig.set_up();
    rig.power("a", false);
    rig.landing.replace(Some("b".to_owned()));
    let wanted = replicated("a0000000-0000-0000-0000-000000000077");
    let mut volume = wanted.clone();
    volume.volume_type = None;
    volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
    let retype = || {
        let to = wanted.volume_type.as_ref();
        let placement = rig.call("retype", |d| d.retype(&volume, to)).unwrap();
        placement.replication
    };
    assert_eq!(retype(), None, "b has no group of its own yet");
    rig.power("a", true);
    let one = std::slice::from_ref(&volume).to_vec();
    rig.call("reprotect", |d| d.reprotect(&one, Some("a"), true, false))
        .unwrap();
    assert_eq!(
        retype(),
        Some(springform_sdk::types::ReplicationKind::Async)
    );
}
