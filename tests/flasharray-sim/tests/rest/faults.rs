use std::time::Duration;

use flasharray_sim::{FaultKind, FaultSpec};
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Array, GIB, Rig};

fn once(kind: FaultKind) -> FaultSpec {
    FaultSpec {
        count: Some(1),
        method: Some("POST".into()),
        path: Some("volumes".into()),
        ..FaultSpec::new(kind)
    }
}

async fn post(a: &Array, name: &str) -> reqwest::Result<reqwest::Response> {
    a.http
        .post(format!("{}/volumes?names={name}", a.base))
        .header("x-auth-token", &a.session)
        .json(&json!({"provisioned": GIB}))
        .timeout(Duration::from_secs(120))
        .send()
        .await
}

/// A client that waits for an answer until something has happened, and goes away without one.
async fn given_up(a: &Array, name: &str, happened: impl AsyncFn() -> bool) {
    let waiting = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = post(a, name) => panic!("it was answered: {answer:?}"),
        () = waiting => {}
    }
}

async fn has_fired(rig: &Rig, fault: u64) -> bool {
    let path = "/arrays/a/faults";
    let list = rig.control.call(Method::GET, path, &Value::Null).await;
    let list = list.unwrap();
    let mut faults = list.as_array().unwrap().iter();
    faults.any(|f| f["id"] == fault && f["fired"] == 1)
}

#[tokio::test]
async fn an_answer_can_be_lost_after_acting_or_before() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    rig.control
        .fault("a", &once(FaultKind::DropAfterActing))
        .await
        .unwrap();
    assert!(post(&a, "v").await.is_err());
    assert_eq!(a.get("volumes").await.len(), 1);
    rig.control
        .fault("a", &once(FaultKind::Refuse))
        .await
        .unwrap();
    assert!(post(&a, "w").await.is_err());
    assert_eq!(a.get("volumes").await.len(), 1);
    let hang = rig.control.fault("a", &once(FaultKind::Hang)).await;
    let hang = hang.unwrap();
    given_up(&a, "w", async || has_fired(&rig, hang).await).await;
    assert_eq!(a.get("volumes").await.len(), 1);
    assert_eq!(post(&a, "w").await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_answer_can_come_after_the_client_gave_up() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    let late = FaultSpec {
        ms: Some(60_000),
        ..once(FaultKind::AnswerLate)
    };
    rig.control.fault("a", &late).await.unwrap();
    given_up(&a, "v", async || a.get("volumes").await.len() == 1).await;
    assert_eq!(a.get("volumes").await.len(), 1);
}

#[tokio::test]
async fn answers_can_be_any_status_with_any_body() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    let html = FaultSpec {
        status: Some(500),
        body: Some(json!("<html>oops</html>")),
        ..once(FaultKind::Status)
    };
    rig.control.fault("a", &html).await.unwrap();
    let answer = post(&a, "v").await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "<html>oops</html>");
    let busy = FaultSpec {
        status: Some(429),
        retry_after: Some(3),
        ..once(FaultKind::Status)
    };
    rig.control.fault("a", &busy).await.unwrap();
    let answer = post(&a, "v").await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "3");
    assert!(answer.json::<Value>().await.unwrap()["message"].is_string());
    assert!(a.get("volumes").await.is_empty());
}

#[tokio::test]
async fn json_can_be_cut_and_bytes_can_drip() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    rig.control
        .fault("a", &once(FaultKind::TruncatedJson))
        .await
        .unwrap();
    assert!(post(&a, "v").await.unwrap().json::<Value>().await.is_err());
    let drip = FaultSpec {
        ms: Some(0),
        ..once(FaultKind::SlowDrip)
    };
    rig.control.fault("a", &drip).await.unwrap();
    let answer: Value = post(&a, "w").await.unwrap().json().await.unwrap();
    assert_eq!(answer["items"][0]["name"], "w");
    assert_eq!(a.get("volumes").await.len(), 2);
}

#[tokio::test]
async fn a_request_can_be_carried_out_twice() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    rig.control
        .fault("a", &once(FaultKind::Twice))
        .await
        .unwrap();
    let answer = post(&a, "v").await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("already exists"));
}

#[tokio::test]
async fn faults_are_listed_removed_and_chosen_by_number() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    let spec = FaultSpec {
        nth: Some(2),
        ..once(FaultKind::Refuse)
    };
    let id = rig.control.fault("a", &spec).await.unwrap();
    assert!(post(&a, "v").await.is_ok());
    assert!(post(&a, "w").await.is_err());
    let list = rig
        .control
        .call(Method::GET, "/arrays/a/faults", &Value::Null)
        .await
        .unwrap();
    assert_eq!(
        (list[0]["id"].as_u64(), list[0]["fired"].as_u64()),
        (Some(id), Some(1))
    );
    let path = format!("/arrays/a/faults/{id}");
    rig.control
        .call(Method::DELETE, &path, &Value::Null)
        .await
        .unwrap();
    assert!(
        rig.control
            .call(Method::DELETE, &path, &Value::Null)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_silent_array_takes_connections_and_never_answers() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    rig.control.silence("a").await.unwrap();
    let fresh = crate::rig::client(&rig.sim);
    let answer = fresh
        .get(format!("{}/arrays", a.base))
        .timeout(Duration::from_millis(300))
        .send()
        .await;
    assert!(answer.unwrap_err().is_timeout());
    rig.control.power("a", true).await.unwrap();
    rig.array("a").await.get("arrays").await;
}
