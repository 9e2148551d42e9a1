//! What is refused before any array is asked, and what the refusal says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use springform_control::replication::{self, Ask, Order, ReplicationError, Request, Scope, Who};
use springform_model::cloud::VolumeStatus;
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState};
use springform_sim_tests::memory::Memory;
use springform_sim_tests::nouns::{self, BACKEND};
use springform_sim_tests::world::ARRAYS;

fn env() -> Memory {
    ground_of(4)
}

fn ground_of(volumes: usize) -> Memory {
    let env = Memory::new(1, 0);
    for i in 0..volumes {
        let id = format!("v{i}");
        env.world().create(&id, true);
        env.rows()
            .volumes
            .insert(id.clone(), (nouns::volume(&id, ARRAYS[0], true), 1));
    }
    env.rows().service = Some((nouns::service(), 1));
    env
}

fn to(target: &str) -> Ask {
    Ask {
        to: Some(target.into()),
        ..Ask::about(Scope::Backend(BACKEND.into()))
    }
}

async fn ask(env: &Memory, request: Request) -> Result<Operation, ReplicationError> {
    replication::begin(env, BACKEND, request, Who::default()).await
}

async fn refused(env: &Memory, request: Request) -> String {
    let calls_before = env.rows().commits;
    let problem = ask(env, request).await.unwrap_err();
    assert_eq!(env.rows().commits, calls_before, "a refusal writes nothing");
    problem.to_string()
}

#[tokio::test(start_paused = true)]
async fn an_unknown_target_is_refused_with_the_names_of_those_that_are() {
    let text = refused(&env(), Request::Failover(to("nowhere"))).await;
    assert_eq!(text, "backend pure1 has no target nowhere; it has a, b, c");
}

#[tokio::test(start_paused = true)]
async fn failing_over_to_the_side_that_serves_is_refused() {
    let text = refused(&env(), Request::Failover(to("a"))).await;
    assert_eq!(text, "backend pure1 is served by a already");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_answer_is_refused() {
    let env = env();
    env.world().arrays.get_mut("b").unwrap().up = false;
    assert!(
        refused(&env, Request::Failover(to("b")))
            .await
            .contains("choose another target")
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_failover_is_told_which_operation_holds_the_backend() {
    let env = env();
    let first = ask(&env, Request::Failover(to("b"))).await.unwrap();
    match ask(&env, Request::Failover(to("c"))).await {
        Err(ReplicationError::Conflict { operation, .. }) => assert_eq!(operation, Some(first.id)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_backend_is_failed_over_but_not_changed_otherwise() {
    let env = env();
    env.rows().service.as_mut().unwrap().0.frozen = true;
    assert!(
        refused(&env, Request::Disable(to("b")))
            .await
            .contains("frozen")
    );
    assert!(ask(&env, Request::Failover(to("b"))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failback_over_an_array_that_was_left_behind_says_exactly_what_to_send() {
    let env = env();
    let moved = ask(&env, Request::Failover(to("b"))).await.unwrap();
    replication::run(&env, moved).await.unwrap();
    let text = refused(&env, Request::Failback(to("a"))).await;
    let sent = text.split_once("\"acknowledge\": ").unwrap().1;
    let sent = sent.split_once(" (springform").unwrap().0;
    let agreed = Ask {
        acknowledge: serde_json::from_str(sent).unwrap(),
        ..to("a")
    };
    let back = ask(&env, Request::Failback(agreed)).await.unwrap();
    let ended = replication::run(&env, back).await.unwrap();
    assert_eq!(ended.state, OperationState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_not_carried_out_as_another_verb_or_towards_another_target() {
    let env = env();
    let order = Order {
        scope: Scope::Backend(BACKEND.into()),
        to: Some("b".into()),
        mode: FailoverMode::Planned,
        point: None,
    };
    let plan = replication::make_plan(&env, BACKEND, order).await.unwrap();
    let id = plan.id.clone();
    env.rows().plans.insert(id.clone(), plan);
    let with = |target: &str| Ask {
        plan: Some(id.clone()),
        ..to(target)
    };
    let text = refused(&env, Request::Failover(with("c"))).await;
    assert!(text.contains("goes to b, planned"), "{text}");
    let text = refused(&env, Request::Failback(with("b"))).await;
    assert!(text.contains("of another verb"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_applied_only_while_what_it_was_made_from_holds() {
    let env = env();
    let scope = Scope::Backend(BACKEND.into());
    let order = Order {
        scope,
        to: Some("b".into()),
        mode: FailoverMode::Planned,
        point: None,
    };
    let plan = replication::make_plan(&env, BACKEND, order).await.unwrap();
    assert_eq!(
        (plan.total, plan.possible, plan.target.as_str()),
        (4, 4, "b")
    );
    let id = plan.id.clone();
    env.rows().plans.insert(id.clone(), plan);
    env.rows().volumes.remove("v3");
    let ask_it = Ask {
        plan: Some(id),
        ..to("b")
    };
    assert!(
        refused(&env, Request::Failover(ask_it))
            .await
            .contains("has changed since")
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_not_applied_once_the_clock_jumped_either_way() {
    let env = env();
    let order = Order {
        scope: Scope::Backend(BACKEND.into()),
        to: Some("b".into()),
        mode: FailoverMode::Planned,
        point: None,
    };
    let plan = replication::make_plan(&env, BACKEND, order).await.unwrap();
    let jumped = |hours: i64| {
        let by = hours * 3_600_000_000;
        let mut jumped = plan.clone();
        // The plan was made so much earlier or later than the clock says now.
        jumped.created_at = plan.created_at.plus_micros(-by);
        jumped.expires_at = plan.expires_at.plus_micros(-by);
        jumped
    };
    for (hours, applied) in [(2, false), (-2, false), (0, true)] {
        let plan = jumped(hours);
        let id = plan.id.clone();
        env.rows().plans.insert(id.clone(), plan);
        let request = Request::Failover(Ask {
            plan: Some(id),
            ..to("b")
        });
        match applied {
            true => drop(ask(&env, request).await.unwrap()),
            false => {
                let said = refused(&env, request).await;
                assert!(said.contains("is too old; make a new one"), "{said}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn volumes_missing_on_the_target_do_not_hold_up_the_others_and_only_they_are_retried() {
    let env = env();
    let lost: Vec<_> = ["v1", "v2"]
        .iter()
        .map(|id| {
            env.world()
                .arrays
                .get_mut("b")
                .unwrap()
                .copies
                .remove(*id)
                .map(|c| (*id, c))
                .unwrap()
        })
        .collect();
    let operation = ask(&env, Request::Failover(to("b"))).await.unwrap();
    let ended = replication::run(&env, operation).await.unwrap();
    assert_eq!(ended.state, OperationState::PartlyFailed);
    assert_eq!((ended.progress.done, ended.progress.failed), (2, 2));
    for (id, copy) in lost {
        env.world()
            .arrays
            .get_mut("b")
            .unwrap()
            .copies
            .insert(id.into(), copy);
    }
    let ids = vec!["v1".into(), "v2".into()];
    let retry = Request::Failover(Ask {
        to: Some("b".into()),
        ..Ask::about(Scope::Volumes(ids))
    });
    let operation = ask(&env, retry).await.unwrap();
    let ended = replication::run(&env, operation).await.unwrap();
    assert_eq!(
        (ended.state, ended.progress.done),
        (OperationState::Succeeded, 2)
    );
    for (volume, _) in env.rows().volumes.values() {
        assert_eq!(volume.placement.as_ref().unwrap().target, "b");
    }
}

#[tokio::test(start_paused = true)]
async fn with_half_of_five_hundred_volumes_missing_on_the_target_the_other_half_moves_and_nothing_else_changes()
 {
    let env = ground_of(500);
    for i in (0..500).step_by(2) {
        let mut world = env.world();
        let target = world.arrays.get_mut("b").unwrap();
        target.copies.remove(&format!("v{i}"));
    }
    let operation = ask(&env, Request::Failover(to("b"))).await.unwrap();
    let ended = replication::run(&env, operation).await.unwrap();
    assert_eq!(ended.state, OperationState::PartlyFailed);
    assert_eq!((ended.progress.done, ended.progress.failed), (250, 250));
    let failures = ended.result["failures"].as_object().unwrap();
    assert!(
        failures
            .keys()
            .all(|id| id[1..].parse::<u32>().unwrap() % 2 == 0)
    );
    assert!(
        failures
            .values()
            .all(|f| f["message"].as_str().unwrap().contains("holds no copy"))
    );
    for (id, (volume, _)) in &env.rows().volumes {
        let missing = id[1..].parse::<u32>().unwrap() % 2 == 0;
        let placed = &volume.placement.as_ref().unwrap().target;
        assert_eq!(placed, if missing { "a" } else { "b" }, "{id}");
        assert_eq!(volume.status, VolumeStatus::Available, "{id}");
        assert_eq!(volume.operation, None, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_older_than_the_recovery_point_a_plan_promised_does_not_take_over() {
    let env = env();
    for _ in 0..3 {
        assert!(env.world().write("v1", "a"));
    }
    env.world().replicate("v1", "a");
    let order = Order {
        scope: Scope::Backend(BACKEND.into()),
        to: Some("b".into()),
        mode: FailoverMode::Unplanned,
        point: None,
    };
    let plan = replication::make_plan(&env, BACKEND, order).await.unwrap();
    let id = plan.id.clone();
    env.rows().plans.insert(id.clone(), plan);
    let copies = |env: &Memory| env.world().arrays["b"].copies["v1"].clone();
    let mut older = copies(&env);
    older.content = 2;
    env.world()
        .arrays
        .get_mut("b")
        .unwrap()
        .copies
        .insert("v1".into(), older.clone());
    let request = Request::Failover(Ask {
        plan: Some(id),
        ..to("b")
    });
    let operation = ask(&env, request).await.unwrap();
    let ended = replication::run(&env, operation).await.unwrap();
    assert_eq!((ended.progress.done, ended.progress.failed), (3, 1));
    let why = ended.result["failures"]["v1"]["message"].as_str().unwrap();
    assert_eq!(
        why,
        "the plan promised recovery point 3, but the target now has 2; make a new plan and look at its loss"
    );
    assert_eq!(copies(&env), older, "nothing was made writable there");
}
