//! The program as it is typed, before a host that says what the test wants: its status, and what goes to which output.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::process::Output;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::process::Command;

fn operation(state: &str) -> Value {
    json!({"id": "op-1", "verb": "failover", "state": state, "steps": [{"name": "promote", "state": "running"}]})
}

/// The asked verb decides what becomes of a plan.
async fn plan(Json(asked): Json<Value>) -> impl IntoResponse {
    let able = |id: &str| json!({"volume_id": id, "source": "pure1", "possible": true});
    let unable = |id: &str| json!({"volume_id": id, "source": "pure1", "possible": false, "reason": "it is not replicated"});
    let volumes = match asked["verb"].as_str().unwrap() {
        "failback" => json!([able("v1"), able("v2")]),
        "failover" => json!([able("v1"), unable("v2")]),
        _ => {
            let refused = json!({"error": {"code": 409, "message": "backend pure1 is being failed over",
                "operation": "op-1", "retryable": true}});
            return (StatusCode::CONFLICT, Json(refused));
        }
    };
    let plan = json!({"id": "plan-1", "verb": asked["verb"], "mode": "unplanned", "target": "sec2", "volumes": volumes});
    (StatusCode::OK, Json(plan))
}

async fn backends() -> Json<Value> {
    let backend = json!({
        "backend": "pure1", "up": true, "replication_status": "enabled", "active_target": "pure1",
        "volumes": 20, "protection": {"protected": 20}, "targets": [],
        "operations": [{"id": "0193-a", "verb": "fence", "subject": "backend pure1"}],
    });
    Json(json!({ "backends": [backend] }))
}

/// A host of which only the answers are real; its address.
async fn host() -> String {
    let begun = || async { Json(json!({"operation": "op-1"})) };
    let running = || async { Json(operation("running")) };
    let events = || async {
        let event = format!("data: {}\n\n", operation("succeeded"));
        ([(header::CONTENT_TYPE, "text/event-stream")], event)
    };
    let routes = Router::new()
        .route("/admin/v1/plans", post(plan))
        .route("/admin/v1/failover", post(begun))
        .route("/admin/v1/operations/op-1", get(running))
        .route("/admin/v1/operations/op-1/events", get(events))
        .route("/admin/v1/backends", get(backends));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}")
}

fn program(url: &str, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_springform"));
    command
        .args(line.split(' '))
        .env("SPRINGFORM_URL", url)
        .env("TERM", "xterm-256color")
        .env_remove("COLUMNS")
        .env_remove("SPRINGFORM_TOKEN");
    command
}

/// Its status, standard output and standard error.
async fn run(url: &str, line: &str) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = program(url, line).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The one object that it said on standard error.
async fn error(url: &str, line: &str) -> Value {
    let (code, out, err) = run(url, line).await;
    assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
    let told: Value = serde_json::from_str(&err).unwrap();
    told["error"].clone()
}

#[tokio::test]
async fn a_plan_of_which_a_part_cannot_move_ends_with_2_in_both_formats() {
    let url = host().await;
    for format in ["table", "json"] {
        let ends = |verb: &str| {
            let line = format!("--format {format} plan {verb} --backend pure1");
            let url = url.clone();
            async move { run(&url, &line).await }
        };
        let (code, out, err) = ends("failover").await;
        assert_eq!((code, err.as_str()), (2, ""), "{out}");
        assert!(out.contains("it is not replicated"), "{out}");
        assert_eq!(ends("failback").await.0, 0);
        assert_eq!(ends("reprotect").await.0, 1);
    }
}

#[tokio::test]
async fn what_carries_out_such_a_plan_ends_with_what_became_of_it() {
    let url = host().await;
    let over = "failover --backend pure1 --to sec2 --yes";
    assert_eq!(run(&url, &format!("{over} --no-wait")).await.0, 0);
    assert_eq!(run(&url, over).await.0, 0);
}

#[tokio::test]
async fn an_error_is_one_object_for_a_program() {
    let url = host().await;
    let refused = error(&url, "--format json plan reprotect --backend pure1").await;
    assert_eq!(
        refused,
        json!({"code": "conflict", "status": 409, "message": "backend pure1 is being failed over",
            "advice": "springform operation show op-1", "operation": "op-1", "retryable": true})
    );
    let closed = "http://127.0.0.1:1";
    let unreachable = error(closed, "status --format json").await;
    assert_eq!(unreachable["code"], "unreachable", "{unreachable}");
    assert_eq!(unreachable["advice"], "is `springform serve` running?");
    let usage = error(&url, "plan --bakend pure1 --format=json").await;
    assert_eq!(usage["code"], "usage");
    let message = usage["message"].as_str().unwrap();
    assert!(message.contains("--bakend"), "{message}");
    let file = error(&url, "--format json config check --config /none.toml").await;
    assert_eq!(file["code"], "configuration", "{file}");
    assert_eq!(file["problems"].as_array().unwrap().len(), 1, "{file}");
}

#[tokio::test]
async fn a_command_line_that_is_not_understood_ends_with_1_and_help_with_0() {
    let (code, out, err) = run("http://127.0.0.1:1", "plan --bakend pure1").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("--bakend"), "{err}");
    let (code, out, err) = run("http://127.0.0.1:1", "plan --help").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("Exit status:"), "{out}");
}

#[tokio::test]
async fn without_a_terminal_there_are_no_colours_and_progress_is_lines_for_people_only() {
    let url = host().await;
    for line in [
        "--help",
        "plan --bakend pure1",
        "status",
        "operation watch op-1",
    ] {
        let (_, out, err) = run(&url, line).await;
        assert!(!(out + &err).contains('\u{1b}'), "{line}");
    }
    let (code, _, err) = run(&url, "operation watch op-1").await;
    assert_eq!(
        (code, err.as_str()),
        (0, "running: promote\nsucceeded: promote\n")
    );
    let (code, out, err) = run(&url, "--format json operation watch op-1").await;
    assert_eq!((code, err.as_str()), (0, ""));
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["state"], "succeeded");
}

#[tokio::test]
async fn tables_are_as_wide_as_columns_says_where_there_is_no_terminal() {
    let url = host().await;
    let wide = run(&url, "status").await.1;
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
    assert!(widest(&wide) > Some(70), "{wide}");
    for columns in [70, 40] {
        let mut command = program(&url, "status");
        let said = command.env("COLUMNS", columns.to_string()).output();
        let text = String::from_utf8(said.await.unwrap().stdout).unwrap();
        assert!(widest(&text) <= Some(columns), "{columns}: {text}");
        assert!(text.contains("fence"), "{columns}: {text}");
    }
}

#[tokio::test]
async fn completion_and_the_manual_need_no_host() {
    let (code, out, _) = run("http://127.0.0.1:1", "completion bash").await;
    assert_eq!(code, 0);
    assert!(out.contains("_springform()"), "{out}");
    let (code, out, _) = run("http://127.0.0.1:1", "man").await;
    assert_eq!(code, 0);
    assert!(out.contains(".SH COMMANDS"), "{out}");
}
