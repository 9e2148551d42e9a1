use serde_json::Value;

use crate::rig::{Rig, client};

#[tokio::test]
async fn versions_are_told_without_a_session_and_everything_else_needs_one() {
    let rig = Rig::single();
    let http = client(&rig.sim);
    let base = format!("https://{}/api", rig.sim.address("a"));
    let versions: Value = http
        .get(format!("{base}/api_version"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let versions = versions["version"].as_array().unwrap();
    assert_eq!(versions.first().unwrap(), "2.0");
    assert_eq!(versions.last().unwrap(), "2.52");
    let answer = http
        .get(format!("{base}/2.26/volumes"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    let answer = http
        .post(format!("{base}/2.26/login"))
        .header("api-token", "wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    let answer = http
        .get(format!("{base}/2.99/volumes"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_session_ends_by_logout_by_idling_and_by_force() {
    let rig = Rig::single();
    for way in ["logout", "idle", "force"] {
        let array = rig.array("a").await;
        array.get("arrays").await;
        match way {
            "logout" => {
                array.post("logout", Value::Null).await;
            }
            "idle" => {
                rig.control.advance(31.0 * 60.0).await.unwrap();
            }
            _ => {
                rig.control
                    .call(reqwest::Method::DELETE, "/arrays/a/sessions", &Value::Null)
                    .await
                    .unwrap();
            }
        }
        let (status, _) = array
            .call(reqwest::Method::GET, "arrays", Value::Null)
            .await;
        assert_eq!(status, 401, "{way}");
    }
}

#[tokio::test]
async fn every_array_has_its_own_token_and_identity() {
    let rig = Rig::pair();
    assert_eq!(rig.sim.api_token("a"), "token-a");
    assert_eq!(rig.sim.api_token("b"), "token-b");
    let (a, b) = (rig.array("a").await, rig.array("b").await);
    assert_ne!(
        a.get("arrays").await[0]["id"],
        b.get("arrays").await[0]["id"]
    );
    let links = a.get("array-connections").await;
    assert_eq!(links[0]["name"], "b");
    assert_eq!(links[0]["type"], "sync-replication");
    assert_eq!(links[0]["status"], "connected");
}
