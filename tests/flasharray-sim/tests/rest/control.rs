use flasharray_sim::{Sim, SimConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, names};

#[tokio::test]
async fn somebody_else_changes_things_behind_our_back() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v,w,x").await;
    rig.host(&a, "v,w").await;
    let hand = async |body: Value| {
        rig.control
            .call(Method::POST, "/arrays/a/behind-our-back", &body)
            .await
            .unwrap()
    };
    hand(json!({"action": "rename", "volume": "v", "to": "renamed"})).await;
    hand(json!({"action": "disconnect", "volume": "w", "host": "h"})).await;
    hand(json!({"action": "delete", "volume": "x", "eradicate": true})).await;
    assert_eq!(names(&a.get("volumes").await), ["renamed", "w"]);
    assert!(a.get("connections?volume_names=w").await.is_empty());
    hand(json!({"action": "delete", "volume": "renamed"})).await;
    assert_eq!(a.get("volumes?names=renamed").await[0]["destroyed"], true);
}

#[tokio::test]
async fn requests_are_logged_with_decoded_queries_and_can_be_forgotten() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    rig.control.forget_requests("a").await.unwrap();
    a.post("pods?names=p", json!({})).await;
    a.volume("p%3A%3Av").await;
    let log = rig.control.requests("a").await.unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(
        (
            &log[1]["method"],
            &log[1]["path"],
            &log[1]["query"],
            &log[1]["status"]
        ),
        (
            &json!("POST"),
            &json!("volumes"),
            &json!("names=p::v"),
            &json!(200)
        )
    );
    rig.control.forget_requests("a").await.unwrap();
    assert!(rig.control.requests("a").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_state_is_dumped_in_a_stable_order() {
    let rig = Rig::pair();
    let a = rig.array("a").await;
    a.volume("w,v").await;
    rig.host(&a, "v").await;
    rig.write("a", "v", 0, b"x").await;
    let state = rig.control.state().await.unwrap();
    assert_eq!(
        names(state["arrays"]["a"]["volumes"].as_array().unwrap()),
        ["v", "w"]
    );
    assert_eq!(state["arrays"]["a"]["bytes"]["v"]["written"], 4096);
    assert_eq!(state["arrays"]["b"]["powered"], true);
    assert_eq!(state, rig.control.state().await.unwrap());
}

#[tokio::test]
async fn everything_is_kept_between_runs() {
    let dir = tempfile::tempdir().unwrap();
    let config = SimConfig {
        state: Some(dir.path().join("state.json")),
        cert_dir: Some(dir.path().join("certs")),
        ..SimConfig::pair("a", "b").test_clock()
    };
    let rig = Rig::new(config.clone());
    let a = rig.array("a").await;
    a.post("pods?names=p", json!({})).await;
    a.volume("p::v").await;
    a.post("pods/arrays?group_names=p&member_names=b", Value::Null)
        .await;
    rig.host(&a, "p%3A%3Av").await;
    rig.write("a", "p::v", 7, b"kept").await;
    let before = rig.control.state().await.unwrap();
    let certificate = std::fs::read(rig.sim.ca_file()).unwrap();
    drop(rig);
    let rig = Rig::new(config);
    let mut after = rig.control.state().await.unwrap();
    after["arrays"]["a"]["sessions"] = before["arrays"]["a"]["sessions"].clone();
    assert_eq!(after, before);
    assert_eq!(std::fs::read(rig.sim.ca_file()).unwrap(), certificate);
    assert_eq!(
        rig.read("a", "p::v", 11).await.unwrap(),
        b"\0\0\0\0\0\0\0kept"
    );
}

#[test]
fn it_starts_and_stops_without_a_runtime_and_says_where_it_is() {
    let sim = Sim::start(SimConfig::trio("a", "b", "c")).unwrap();
    let summary = sim.summary();
    assert_eq!(summary["arrays"]["c"]["api_token"], "token-c");
    assert_eq!(
        summary["arrays"]["a"]["address"],
        sim.address("a").to_string()
    );
    let ca = sim.ca_file().to_owned();
    assert!(ca.exists());
    drop(sim);
    assert!(!ca.exists());
}

#[tokio::test]
async fn latency_is_added_to_every_request() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    let body = json!({"ms": 60_000, "jitter_ms": 5});
    rig.control
        .call(Method::POST, "/arrays/a/latency", &body)
        .await
        .unwrap();
    let call = a
        .http
        .get(format!("{}/arrays", a.base))
        .timeout(std::time::Duration::from_millis(200));
    assert!(call.send().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn in_safemode_nothing_is_eradicated_by_hand() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    a.patch("volumes?names=v", json!({"destroyed": true})).await;
    let safemode = async |on: bool| {
        let body = json!({ "on": on });
        rig.control
            .call(Method::POST, "/arrays/a/safemode", &body)
            .await
            .unwrap()
    };
    safemode(true).await;
    let refused = a
        .refused(Method::DELETE, "volumes?names=v", Value::Null)
        .await;
    assert_eq!(refused, ["Eradication is disabled."]);
    safemode(false).await;
    a.delete("volumes?names=v").await;
}
