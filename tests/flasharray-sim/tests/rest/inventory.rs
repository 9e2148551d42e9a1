use crate::rig::Rig;

#[tokio::test]
async fn every_protocol_finds_its_ports() {
    let rig = Rig::pair();
    let a = rig.array("a").await;
    let ready = a.get("controllers?filter=status%3D%27ready%27").await;
    assert_eq!(ready.len(), 2);
    let ports = a.get("ports?filter=name%3D%27CT0.*%27").await;
    let iscsi: Vec<_> = ports
        .iter()
        .filter(|port| port.get("iqn").is_some())
        .collect();
    assert_eq!(iscsi.len(), 2);
    assert!(
        iscsi
            .iter()
            .all(|port| port["portal"].as_str().unwrap().ends_with(":3260"))
    );
    assert!(
        ports
            .iter()
            .any(|port| port.get("wwn").is_some() && port.get("nqn").is_none())
    );
    let nvme = ports.iter().find(|port| port.get("nqn").is_some()).unwrap();
    let name = nvme["name"].as_str().unwrap().to_lowercase();
    let interface = &a.get(&format!("network-interfaces?names={name}")).await[0];
    assert_eq!(interface["services"][0], "nvme-tcp");
    let address = interface["eth"]["address"].as_str().unwrap();
    assert!(nvme["portal"].as_str().unwrap().starts_with(address));
    let other = rig.array("b").await.get("ports").await;
    assert!(
        other.iter().all(|port| !ports.contains(port)),
        "arrays must not share ports"
    );
}

#[tokio::test]
async fn space_and_performance_have_the_numbers_clients_read() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    let space = &a.get("arrays/space").await[0];
    assert_eq!(space["space"]["total_provisioned"], 1u64 << 30);
    let (_, answer) = a
        .call(
            reqwest::Method::GET,
            "arrays/performance?resolution=30000&total_item_count=true",
            serde_json::Value::Null,
        )
        .await;
    assert_eq!(answer["total_item_count"], 1);
    for field in [
        "reads_per_sec",
        "writes_per_sec",
        "usec_per_read_op",
        "queue_usec_per_mirrored_write_op",
        "queue_depth",
    ] {
        assert!(answer["items"][0][field].is_number(), "{field}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    let (status, answer) = a
        .call(reqwest::Method::GET, "volumez", serde_json::Value::Null)
        .await;
    assert_eq!(
        (status, answer["errors"][0]["context"].as_str()),
        (404, Some("volumez"))
    );
}

#[tokio::test]
async fn arrays_are_connected_with_the_key_of_the_other_one() {
    use reqwest::Method;
    use serde_json::{Value, json};
    let config = flasharray_sim::SimConfig {
        connections: Vec::new(),
        ..flasharray_sim::SimConfig::pair("a", "b").test_clock()
    };
    let rig = Rig::new(config);
    let (a, b) = (rig.array("a").await, rig.array("b").await);
    assert!(a.get("array-connections").await.is_empty());
    let body = |key: &Value| json!({"management_address": "b", "type": "sync-replication", "connection_key": key});
    let wrong = a
        .refused(Method::POST, "array-connections", body(&json!("wrong")))
        .await;
    assert_eq!(wrong, ["Invalid connection key."]);
    let key = &b.get("array-connections/connection-key").await[0]["connection_key"];
    a.post("array-connections", body(key)).await;
    assert_eq!(b.get("array-connections").await[0]["name"], "a");
    assert!(
        a.refused(Method::POST, "array-connections", body(key))
            .await[0]
            .contains("already exists")
    );
    a.delete("array-connections?names=b").await;
    assert!(b.get("array-connections").await.is_empty());
}
