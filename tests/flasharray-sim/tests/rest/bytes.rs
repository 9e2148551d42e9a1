use serde_json::{Value, json};

use crate::rig::Rig;

#[tokio::test]
async fn only_a_connected_host_reads_and_writes() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v,w").await;
    rig.host(&a, "v").await;
    assert_eq!(rig.write("a", "v", 4093, b"across").await, 204);
    assert_eq!(rig.write("a", "w", 0, b"x").await, 403);
    assert_eq!(rig.write("a", "nope", 0, b"x").await, 404);
    assert_eq!(rig.write("a", "v", (1 << 30) - 2, b"xyz").await, 416);
    // The initiator is as good as the name of the host.
    let answer = rig
        .control
        .read("a", "iqn.2026-01.org.test:h", "v", 4093, 6)
        .await
        .unwrap();
    assert_eq!(&answer.unwrap()[..], b"across");
    a.delete("connections?host_names=h&volume_names=v").await;
    assert_eq!(rig.read("a", "v", 1).await, Err(403));
}

#[tokio::test]
async fn names_with_separators_work_on_the_io_port() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("pods?names=p", json!({})).await;
    a.post("volume-groups?names=vg", json!({})).await;
    a.volume("p::v,vg/v").await;
    rig.host(&a, "p%3A%3Av,vg/v").await;
    for volume in ["p::v", "vg/v"] {
        assert_eq!(rig.write("a", volume, 0, volume.as_bytes()).await, 204);
        assert_eq!(rig.read("a", volume, 4).await.unwrap(), volume.as_bytes());
    }
}

#[tokio::test]
async fn a_dark_array_serves_nobody_and_comes_back_with_what_it_had() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.volume("v").await;
    rig.host(&a, "v").await;
    rig.write("a", "v", 0, b"kept").await;
    rig.control.power("a", false).await.unwrap();
    assert_eq!(rig.read("a", "v", 4).await, Err(503));
    let call = a.http.get(format!("{}/volumes", a.base)).send().await;
    assert!(call.unwrap_err().is_connect());
    rig.control.power("a", true).await.unwrap();
    assert_eq!(rig.read("a", "v", 4).await.unwrap(), b"kept");
    // Sessions did not survive.
    let (status, _) = a.call(reqwest::Method::GET, "volumes", Value::Null).await;
    assert_eq!(status, 401);
}
