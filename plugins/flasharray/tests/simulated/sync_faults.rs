//! What OpenStack's driver does wrong with stretched volumes, done right; and how little is asked.

use flasharray::layout::Kind;
use flasharray_sim::{ConnectionKind, SimConfig};
use springform_sdk::interfaces::replication::FailoverMode;
use springform_sdk::types::{Error, Failure, FailureCode, ReplicationKind};

use crate::rig::{Rig, filled, request, stretched, switch, target};

fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> Failure {
    match result.unwrap_err() {
        Error::Failed(failure) => failure,
        Error::Pending(pending) => panic!("still waiting for {}", pending.waiting_for),
    }
}

#[test]
fn no_status_but_success_is_success() {
    let rig = Rig::stretched();
    for (path, status, expected) in [
        ("pods", 403, FailureCode::Denied),
        ("pods", 500, FailureCode::Unavailable),
        ("pods/arrays", 403, FailureCode::Denied),
        ("protection-groups", 409, FailureCode::FailedPrecondition),
    ] {
        rig.fault(
            "a",
            &format!(
                r#"{{"kind":"status","status":{status},"method":"POST","path":"{path}","count":1}}"#
            ),
        );
        let why = failure(rig.call("setup", |d| d.setup()));
        assert_eq!(why.code, expected, "{path} {status}: {}", why.message);
    }
    rig.set_up();
    let volume = stretched("50000000-0000-0000-0000-000000000001");
    for status in [403, 404, 500] {
        rig.fault("a", &format!(r#"{{"kind":"status","status":{status},"method":"POST","path":"volumes","count":1}}"#));
        failure(rig.call("create", |d| d.create(&volume, None)));
        assert!(
            !rig.state().to_string().contains("50000000"),
            "status {status} made nothing"
        );
    }
}

#[test]
fn arrays_without_a_synchronous_connection_are_named_as_the_reason() {
    let mut config = SimConfig::pair("a", "b");
    config.connections.clear();
    let config = config.connect("a", "b", ConnectionKind::Async);
    let targets = vec![
        target("a", true, None),
        target("b", false, Some(ReplicationKind::Sync)),
    ];
    let rig = Rig::with(Kind::ActiveCluster, config, targets);
    let why = failure(rig.call("setup", |d| d.setup()));
    assert_eq!(why.code, FailureCode::FailedPrecondition);
    assert!(
        why.message
            .contains("connect the two arrays for synchronous"),
        "{}",
        why.message
    );
}

#[test]
fn a_pod_on_two_other_arrays_is_not_taken_for_one_that_is_stretched_here() {
    let config = SimConfig::pair("a", "c");
    let mut other = SimConfig::pair("a", "b");
    let mut config = {
        other
            .arrays
            .extend(config.arrays.into_iter().filter(|x| x.name == "c"));
        other
    };
    config = config.connect("a", "c", ConnectionKind::Sync);
    let targets = vec![
        target("a", true, None),
        target("b", false, Some(ReplicationKind::Sync)),
    ];
    let rig = Rig::with(Kind::ActiveCluster, config, targets);
    {
        let mut world = rig.sim.world();
        let a = world.find_array("a").unwrap();
        world.create_pod(a, "cinder-pod").unwrap();
        world.stretch_pod(a, "cinder-pod", "c").unwrap();
    }
    let report = rig.call("setup", |d| d.setup());
    let why = failure(report);
    assert!(why.message.contains("a and c already"), "{}", why.message);
}

#[test]
fn the_targets_are_listed_once_before_and_after_a_round_trip() {
    let rig = Rig::stretched();
    rig.set_up();
    let targets = || {
        let stats = rig.call("stats", |d| d.stats()).unwrap();
        assert_eq!(stats.replication_types, ["async", "sync"]);
        stats.replication_targets
    };
    assert_eq!(targets(), ["b"]);
    let mut volume = filled(
        &rig,
        stretched("50000000-0000-0000-0000-000000000002"),
        b"x",
    );
    for (to, expected) in [("b", "a"), ("a", "b")] {
        let plan = rig
            .call("plan", |d| {
                d.plan(&request(&volume, Some(to), FailoverMode::Planned))
            })
            .unwrap();
        switch(&rig, &plan, &mut volume);
        rig.landing.replace(Some(to.to_owned()));
        assert_eq!(targets(), [expected]);
    }
}

#[test]
fn statistics_and_observation_ask_a_few_questions_however_many_volumes_there_are() {
    let rig = Rig::stretched();
    rig.set_up();
    let mut volumes = Vec::new();
    for n in 0..30 {
        let mut volume = stretched(&format!("50000000-0000-0000-0001-{n:012}"));
        volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
        volumes.push(volume);
    }
    let asked = |what: &str, most: usize| {
        let count: usize = ["a", "b"]
            .iter()
            .map(|a| {
                let log = rig.control("GET", &format!("/arrays/{a}/requests"), "");
                log.as_array()
                    .unwrap()
                    .iter()
                    .filter(|r| r["path"] != "login")
                    .count()
            })
            .sum();
        assert!(count <= most, "{what}: {count} requests");
        for a in ["a", "b"] {
            rig.control("DELETE", &format!("/arrays/{a}/requests"), "");
        }
    };
    asked("so far", usize::MAX);
    rig.call("stats", |d| d.stats()).unwrap();
    asked("stats", 2);
    rig.call("observe", |d| d.observe(&volumes)).unwrap();
    asked("observe", 3);
    rig.power("a", false);
    let mut ask = request(&volumes[0], None, FailoverMode::Unplanned);
    ask.volumes.clone_from(&volumes);
    let plan = rig.call("plan", |d| d.plan(&ask)).unwrap();
    rig.call("switch", |d| d.fail_over(&plan, &volumes))
        .unwrap();
    asked("plan and failover", 5);
}

#[test]
fn a_restart_with_a_dead_primary_and_nothing_learned_still_fails_over() {
    let rig = Rig::stretched();
    rig.call("setup", |d| d.setup()).unwrap();
    let mut volume = filled(
        &rig,
        stretched("50000000-0000-0000-0000-000000000003"),
        b"kept",
    );
    rig.power("a", false);
    rig.call("setup", |d| d.setup()).unwrap();
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, None, FailoverMode::Unplanned))
        })
        .unwrap();
    switch(&rig, &plan, &mut volume);
    let name = volume.placement.as_ref().unwrap().array_name.clone();
    assert_eq!(rig.read("b", &name, 4), b"kept");
}
