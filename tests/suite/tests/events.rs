//! What receivers of webhooks are told of operations, drills, backends and obligations: the real program, and a receiver that
//! keeps what it gets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use desk::{Desk, PATIENCE};
use reqwest::Method;
use serde_json::Value;
use springform_suite::site::{PRIMARY, SECOND};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Who is told.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Value>>>);

async fn hook(State(receiver): State<Receiver>, Json(event): Json<Value>) -> StatusCode {
    receiver.0.lock().unwrap().push(event);
    StatusCode::OK
}

impl Receiver {
    async fn listens() -> (Self, String) {
        let new = Self::default();
        let router = Router::new()
            .route("/hook", post(hook))
            .with_state(new.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (new, url)
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        let kind = format!("org.springform.{kind}");
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|e| e["type"] == kind.as_str())
            .cloned()
            .collect()
    }

    /// Waits for an event of which this is so; gives its data.
    async fn is_told(&self, desk: &Desk, kind: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.of(kind).into_iter().map(|e| e["data"].clone());
            if let Some(data) = found.into_iter().find(|data| is(data)) {
                return data;
            }
            assert!(
                Instant::now() < deadline,
                "never told of {kind}: {:#?}\n{}",
                self.0.lock().unwrap(),
                desk.host.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn of_verb(verb: &'static str) -> impl Fn(&Value) -> bool {
    move |data| data["verb"] == verb
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_are_told_of_operations_drills_backends_and_obligations() {
    let (receiver, url) = Receiver::listens().await;
    let desk = Desk::watching().await;
    desk.edit(|text| {
        format!(
            "{text}\n[[webhook]]\nname = \"ops\"\nurl = \"{url}\"\nsecret = \"a-secret-of-the-test-of-32-bytes\"\n"
        )
    });
    let desk = desk.restarts().await;

    let said = desk
        .does(&["drill", "start", "--backend", PRIMARY, "--to", SECOND])
        .await;
    let drill = said
        .out
        .lines()
        .find_map(|line| line.strip_prefix("drill "));
    let drill = drill.unwrap().trim().to_owned();
    let begun = receiver
        .is_told(&desk, "operation.begun", of_verb("start-drill"))
        .await;
    assert_eq!(begun["backend"], PRIMARY);
    receiver
        .is_told(&desk, "operation.ended", of_verb("start-drill"))
        .await;
    let of_it = |data: &Value| data["drill"] == drill.as_str();
    receiver.is_told(&desk, "drill.begun", of_it).await;
    desk.does(&["drill", "stop", &drill]).await;
    let ended = receiver.is_told(&desk, "drill.ended", of_it).await;
    assert_eq!(ended["how"], "stopped");

    desk.site.control.power(PRIMARY, false).await.unwrap();
    let down = receiver.is_told(&desk, "backend.down", |_| true).await;
    assert!(
        down["reason"].as_str().is_some_and(|why| !why.is_empty()),
        "{down}"
    );
    desk.loses_the_first().await;
    desk.run(&["fence", "--backend", PRIMARY]).await;
    let failed = receiver
        .is_told(&desk, "operation.failed", of_verb("fence"))
        .await;
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .contains("does not answer"),
        "{failed}"
    );
    let path = format!("/v3/volumes/{}", desk.volume);
    desk.cloud.ask(Method::DELETE, &path, None).await.unwrap();
    let of_it = |data: &Value| data["volume_id"] == desk.volume.as_str();
    let made = receiver.is_told(&desk, "obligation.made", of_it).await;
    assert_eq!(
        (&made["target"], &made["obligation"]),
        (&PRIMARY.into(), &"delete-volume".into())
    );
    desk.site.control.power(PRIMARY, true).await.unwrap();
    receiver.is_told(&desk, "obligation.settled", of_it).await;
    receiver.is_told(&desk, "backend.up", |_| true).await;
    // Each is told once.
    for kind in [
        "drill.begun",
        "drill.ended",
        "obligation.made",
        "obligation.settled",
    ] {
        assert_eq!(receiver.of(kind).len(), 1, "{kind}");
    }
    desk.ends().await;
}
