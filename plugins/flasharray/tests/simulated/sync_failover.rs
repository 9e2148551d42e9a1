//! Failover, failback and observation of stretched volumes, with the bytes compared.

use springform_sdk::interfaces::replication::{FailoverMode, LinkState, Protection, Role};
use springform_sdk::types::{Error, FailureCode};

use crate::rig::{Rig, connector, filled, replicated, request, stretched, switch};

fn name(volume: &springform_sdk::types::Volume) -> String {
    volume.placement.as_ref().unwrap().array_name.clone()
}

fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> springform_sdk::types::Failure {
    match result.unwrap_err() {
        Error::Failed(failure) => failure,
        Error::Pending(pending) => panic!("still waiting for {}", pending.waiting_for),
    }
}

#[test]
fn every_acknowledged_byte_survives_the_loss_of_the_primary() {
    for to in [None, Some("b")] {
        let rig = Rig::stretched();
        rig.set_up();
        let mut volume = filled(
            &rig,
            stretched("20000000-0000-0000-0000-000000000001"),
            b"first",
        );
        rig.write("a", &name(&volume), b"last!");
        rig.power("a", false);
        let plan = rig
            .call("plan", |d| {
                d.plan(&request(&volume, to, FailoverMode::Unplanned))
            })
            .unwrap();
        assert_eq!(plan.target, "b");
        let planned = &plan.volumes[0];
        assert!(planned.possible, "{:?}", planned.reason);
        assert_eq!(
            (planned.loss_seconds, planned.loss_bytes),
            (Some(0), Some(0))
        );
        let serial = volume.placement.as_ref().unwrap().serial.clone();
        switch(&rig, &plan, &mut volume);
        assert_eq!(volume.placement.as_ref().unwrap().target, "b");
        assert_eq!(
            volume.placement.as_ref().unwrap().serial,
            serial,
            "machines see the same disk"
        );
        assert_eq!(rig.read("b", &name(&volume), 5), b"last!");
    }
}

#[test]
fn a_failover_to_an_array_on_which_the_pod_does_not_serve_is_refused_with_the_reason() {
    let rig = Rig::stretched();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000002"),
        b"x",
    );
    rig.control("POST", "/links/a/b", r#"{"up":false}"#);
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, Some("b"), FailoverMode::Unplanned))
        })
        .unwrap();
    let reason = plan.volumes[0].reason.clone().unwrap();
    assert!(
        !plan.volumes[0].possible && reason.contains("offline on b"),
        "{reason}"
    );
    let one = std::slice::from_ref(&volume);
    let why = failure(rig.call("failover", |d| d.fail_over(&plan, one)));
    assert_eq!(why.code, FailureCode::FailedPrecondition);
}

#[test]
fn planned_there_and_back_loses_nothing_and_waits_for_a_resync() {
    let rig = Rig::stretched();
    rig.set_up();
    let mut volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000003"),
        b"on a",
    );
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, Some("b"), FailoverMode::Planned))
        })
        .unwrap();
    let one = std::slice::from_ref(&volume);
    let plan = rig.call("sync", |d| d.final_sync(&plan, one)).unwrap();
    rig.call("demote", |d| d.demote("a", one)).unwrap();
    switch(&rig, &plan, &mut volume);
    rig.power("a", false);
    rig.write("b", &name(&volume), b"on b");
    rig.power("a", true);

    let one = std::slice::from_ref(&volume);
    let back = rig
        .call("plan back", |d| {
            d.plan(&request(&volume, Some("a"), FailoverMode::Planned))
        })
        .unwrap();
    assert!(!back.volumes[0].possible, "a is still resyncing");
    rig.call("reprotect", |d| d.reprotect(one, Some("a"), false, true))
        .unwrap();
    let back = rig
        .call("plan back", |d| {
            d.plan(&request(&volume, Some("a"), FailoverMode::Planned))
        })
        .unwrap();
    assert!(back.volumes[0].possible, "{:?}", back.volumes[0].reason);
    let back = rig.call("sync back", |d| d.final_sync(&back, one)).unwrap();
    rig.call("demote back", |d| d.demote("b", one)).unwrap();
    switch(&rig, &back, &mut volume);
    assert_eq!(rig.read("a", &name(&volume), 4), b"on b");
    let seen = rig
        .call("observe", |d| d.observe(std::slice::from_ref(&volume)))
        .unwrap();
    assert_eq!(
        (&seen[0].role, &seen[0].protection),
        (&Role::Both, &Protection::Protected)
    );
}

#[test]
fn observation_follows_the_pod_through_the_loss_and_return_of_an_array() {
    let rig = Rig::stretched();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000004"),
        b"x",
    );
    let look = |volume: &springform_sdk::types::Volume| {
        let seen = rig
            .call("observe", |d| d.observe(std::slice::from_ref(volume)))
            .unwrap();
        let link = seen[0]
            .links
            .first()
            .map(|l| (l.target.clone(), l.state.clone()));
        (seen[0].role.clone(), seen[0].protection.clone(), link)
    };
    let link = |state| Some(("b".to_owned(), state));
    assert_eq!(
        look(&volume),
        (Role::Both, Protection::Protected, link(LinkState::Healthy))
    );
    rig.power("b", false);
    assert_eq!(
        look(&volume),
        (
            Role::Primary,
            Protection::RpoExceeded,
            link(LinkState::Down)
        )
    );
    rig.write("a", &name(&volume), b"y");
    rig.power("b", true);
    assert_eq!(
        look(&volume),
        (
            Role::Primary,
            Protection::Initialising,
            link(LinkState::Resyncing)
        )
    );
    rig.advance(60.0);
    assert_eq!(
        look(&volume),
        (Role::Both, Protection::Protected, link(LinkState::Healthy))
    );
    rig.power("a", false);
    assert_eq!(
        look(&volume),
        (Role::Unknown, Protection::Unknown, link(LinkState::Down)),
        "the array that answers knows what it has"
    );
    let one = std::slice::from_ref(&volume);
    let seen = rig.call("observe", |d| d.observe(one)).unwrap();
    assert!(seen[0].links[0].last_point.is_some());
    rig.power("b", false);
    assert_eq!(look(&volume), (Role::Unknown, Protection::Unknown, None));
}

#[test]
fn an_array_that_lost_the_vote_is_not_called_primary() {
    let rig = Rig::stretched();
    rig.set_up();
    let mut volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000005"),
        b"x",
    );
    volume.placement.as_mut().unwrap().target = "b".to_owned();
    rig.control("POST", "/links/a/b", r#"{"up":false}"#);
    let seen = rig
        .call("observe", |d| d.observe(std::slice::from_ref(&volume)))
        .unwrap();
    assert_eq!(
        (&seen[0].role, &seen[0].protection),
        (&Role::Secondary, &Protection::Unprotected)
    );
    assert!(
        seen[0].problems.iter().any(|p| p.contains("offline on b")),
        "{:?}",
        seen[0].problems
    );
}

#[test]
fn while_failed_over_new_volumes_are_made_in_the_pod_and_are_on_both_arrays_afterwards() {
    let rig = Rig::uniform();
    rig.set_up();
    rig.power("a", false);
    rig.landing.replace(Some("b".to_owned()));
    let volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000006"),
        b"made on b",
    );
    assert_eq!(volume.placement.as_ref().unwrap().target, "b");
    rig.power("a", true);
    rig.call("reprotect", |d| {
        d.reprotect(std::slice::from_ref(&volume), None, false, true)
    })
    .unwrap();
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&volume, &connector())?)
    })
    .unwrap();
    assert_eq!(rig.read("a", &name(&volume), 9), b"made on b");
}

#[test]
fn a_restart_with_a_dead_primary_serves_what_the_other_array_has() {
    let rig = Rig::stretched();
    rig.set_up();
    let mut volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000007"),
        b"kept",
    );
    rig.power("a", false);
    let report = rig.set_up();
    assert!(
        report.warnings.iter().any(|w| w.starts_with("a:")),
        "{:?}",
        report.warnings
    );
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, None, FailoverMode::Unplanned))
        })
        .unwrap();
    switch(&rig, &plan, &mut volume);
    assert_eq!(rig.read("b", &name(&volume), 4), b"kept");
}

#[test]
fn volumes_of_both_layouts_go_together_each_with_its_own_loss() {
    let rig = Rig::stretched();
    rig.set_up();
    let inside = filled(
        &rig,
        stretched("20000000-0000-0000-0000-000000000008"),
        b"inside",
    );
    let copied = filled(
        &rig,
        replicated("20000000-0000-0000-0000-000000000009"),
        b"copied",
    );
    rig.advance(7200.0);
    rig.power("a", false);
    let mut ask = request(&copied, Some("b"), FailoverMode::Unplanned);
    ask.volumes.push(inside.clone());
    let plan = rig.call("plan", |d| d.plan(&ask)).unwrap();
    let ids: Vec<_> = plan.volumes.iter().map(|v| v.volume_id.clone()).collect();
    assert_eq!(ids, [copied.id.clone(), inside.id.clone()]);
    assert!(
        plan.volumes.iter().all(|v| v.possible),
        "{:?}",
        plan.volumes
    );
    assert_eq!(plan.volumes[1].loss_seconds, Some(0));
    let both = [copied, inside];
    let outcomes = rig.call("failover", |d| d.fail_over(&plan, &both)).unwrap();
    for (mut volume, outcome) in both.into_iter().zip(outcomes) {
        assert_eq!(volume.id, outcome.id);
        volume.placement = Some(outcome.result.unwrap());
        rig.call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
        let bytes = rig.read("b", &name(&volume), 6);
        assert_eq!(
            bytes,
            if name(&volume).contains("::") {
                b"inside"
            } else {
                b"copied"
            }
        );
    }
}

#[test]
fn with_uniform_access_a_switch_leaves_machines_their_paths_and_ends_only_stale_connections() {
    let rig = Rig::uniform();
    rig.set_up();
    let kept = filled(
        &rig,
        stretched("20000000-0000-0000-0000-00000000000a"),
        b"kept",
    );
    let gone = filled(
        &rig,
        stretched("20000000-0000-0000-0000-00000000000b"),
        b"gone",
    );
    let mut both = [kept, gone];
    rig.call("planned", |d| d.demote("a", &both)).unwrap();
    assert_eq!(
        rig.read("a", &name(&both[0]), 4),
        b"kept",
        "its paths are in use"
    );
    rig.power("a", false);
    for volume in &mut both {
        volume.placement.as_mut().unwrap().target = "b".to_owned();
    }
    rig.call("disconnect", |d| {
        Ok(d.volumes()
            .disconnect(&both[1], Some(&connector()), false)?)
    })
    .unwrap();
    rig.power("a", true);
    rig.advance(60.0);
    rig.call("fence", |d| d.demote("a", &both)).unwrap();
    assert_eq!(rig.read("a", &name(&both[0]), 4), b"kept");
    let world = rig.sim.world();
    let a = world.find_array("a").unwrap();
    assert!(
        world
            .io_read(a, crate::rig::IQN, &name(&both[1]), 0, 4)
            .is_err(),
        "nobody is connected to it any more"
    );
}

#[test]
fn what_a_plan_has_seen_is_not_asked_again_at_once_but_is_when_time_has_passed() {
    let rig = Rig::stretched();
    rig.set_up();
    let volume = filled(
        &rig,
        stretched("20000000-0000-0000-0000-0000000000f1"),
        b"x",
    );
    let plan = rig
        .call("plan", |d| {
            d.plan(&request(&volume, Some("b"), FailoverMode::Unplanned))
        })
        .unwrap();
    let one = std::slice::from_ref(&volume);
    let switch = || rig.call("failover", |d| d.fail_over(&plan, one));
    let (before, _) = rig.sent.get();
    let placed = switch().unwrap().remove(0).result.unwrap();
    assert_eq!(rig.sent.get().0, before);
    assert_eq!(placed.target, "b");
    assert_eq!(placed.serial, volume.placement.as_ref().unwrap().serial);
    rig.control("POST", "/links/a/b", r#"{"up":false}"#);
    rig.advance(60.0);
    let why = failure(switch());
    assert_eq!(why.code, FailureCode::FailedPrecondition);
}
