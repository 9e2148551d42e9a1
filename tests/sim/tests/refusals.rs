//! What is refused before any array is asked, and what the refusal says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use springform_control::replication::{self, Ask, Order, Problem, Request, Scope, Who};
use springform_model::contract::FailoverMode;
use springform_model::operation::{Operation, OperationState};
use springform_sim_tests::memory::Memory;
use springform_sim_tests::nouns::{self, BACKEND};
use springform_sim_tests::world::ARRAYS;

fn ground() -> Memory {
    let ground = Memory::new(1, 0);
    for i in 0..4 {
        let id = format!("v{i}");
        ground.world().create(&id, true);
        ground
            .rows()
            .volumes
            .insert(id.clone(), (nouns::volume(&id, ARRAYS[0], true), 1));
    }
    ground.rows().service = Some((nouns::service(), 1));
    ground
}

fn to(target: &str) -> Ask {
    Ask {
        to: Some(target.into()),
        ..Ask::about(Scope::Backend(BACKEND.into()))
    }
}

async fn ask(ground: &Memory, request: Request) -> Result<Operation, Problem> {
    replication::begin(ground, BACKEND, request, Who::default()).await
}

async fn refused(ground: &Memory, request: Request) -> String {
    let calls_before = ground.rows().commits;
    let problem = ask(ground, request).await.unwrap_err();
    assert_eq!(
        ground.rows().commits,
        calls_before,
        "a refusal writes nothing"
    );
    problem.to_string()
}

#[tokio::test(start_paused = true)]
async fn an_unknown_target_is_refused_with_the_names_of_those_that_are() {
    let text = refused(&ground(), Request::Failover(to("nowhere"))).await;
    assert_eq!(text, "backend pure1 has no target nowhere; it has a, b, c");
}

#[tokio::test(start_paused = true)]
async fn failing_over_to_the_side_that_serves_is_refused() {
    let text = refused(&ground(), Request::Failover(to("a"))).await;
    assert_eq!(text, "backend pure1 is served by a already");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_answer_is_refused() {
    let ground = ground();
    ground.world().arrays.get_mut("b").unwrap().up = false;
    assert!(
        refused(&ground, Request::Failover(to("b")))
            .await
            .contains("choose another target")
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_failover_is_told_which_operation_holds_the_backend() {
    let ground = ground();
    let first = ask(&ground, Request::Failover(to("b"))).await.unwrap();
    match ask(&ground, Request::Failover(to("c"))).await {
        Err(Problem::Conflict { operation, .. }) => assert_eq!(operation, Some(first.id)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_backend_is_failed_over_but_not_changed_otherwise() {
    let ground = ground();
    ground.rows().service.as_mut().unwrap().0.frozen = true;
    assert!(
        refused(&ground, Request::Disable(to("b")))
            .await
            .contains("frozen")
    );
    assert!(ask(&ground, Request::Failover(to("b"))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_applied_only_while_what_it_was_made_from_holds() {
    let ground = ground();
    let scope = Scope::Backend(BACKEND.into());
    let order = Order {
        scope,
        to: Some("b".into()),
        mode: FailoverMode::Planned,
        point: None,
    };
    let plan = replication::make_plan(&ground, BACKEND, order)
        .await
        .unwrap();
    assert_eq!(
        (plan.total, plan.possible, plan.target.as_str()),
        (4, 4, "b")
    );
    let id = plan.id.clone();
    ground.rows().plans.insert(id.clone(), plan);
    ground.rows().volumes.remove("v3");
    let ask_it = Ask {
        plan: Some(id),
        ..to("b")
    };
    assert!(
        refused(&ground, Request::Failover(ask_it))
            .await
            .contains("has changed since")
    );
}

#[tokio::test(start_paused = true)]
async fn volumes_missing_on_the_target_do_not_hold_up_the_others_and_only_they_are_retried() {
    let ground = ground();
    let lost: Vec<_> = ["v1", "v2"]
        .iter()
        .map(|id| {
            ground
                .world()
                .arrays
                .get_mut("b")
                .unwrap()
                .copies
                .remove(*id)
                .map(|c| (*id, c))
                .unwrap()
        })
        .collect();
    let operation = ask(&ground, Request::Failover(to("b"))).await.unwrap();
    let ended = replication::run(&ground, operation).await.unwrap();
    assert_eq!(ended.state, OperationState::PartlyFailed);
    assert_eq!((ended.progress.done, ended.progress.failed), (2, 2));
    for (id, copy) in lost {
        ground
            .world()
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
    let operation = ask(&ground, retry).await.unwrap();
    let ended = replication::run(&ground, operation).await.unwrap();
    assert_eq!(
        (ended.state, ended.progress.done),
        (OperationState::Succeeded, 2)
    );
    for (volume, _) in ground.rows().volumes.values() {
        assert_eq!(volume.placement.as_ref().unwrap().target, "b");
    }
}
