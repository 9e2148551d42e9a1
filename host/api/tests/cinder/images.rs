//! Volumes of images: cloned from the volume that an operator registered, and refused where there is none.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::array::Array;
use crate::support::{Api, Got};

const IMAGE: &str = "8d2d5f5e-5c3f-4a7e-9d0b-7d3c5f0a9b11";

async fn register(api: &Api, volume: &str) -> Got {
    let id = volume.rsplit('/').next().unwrap();
    let properties = json!({"os_distro": "debian", "min_disk": "2"});
    let body = json!({"image": {"id": IMAGE, "volume_id": id, "name": "trixie", "properties": properties}});
    api.post("/admin/v1/images", body).await
}

async fn of_image(api: &Api, wanted: Value) -> Got {
    api.post("/v3/volumes", json!({"volume": wanted})).await
}

#[tokio::test]
async fn a_volume_of_an_image_is_a_clone_of_its_golden_volume() {
    let array = Arc::new(Array::default());
    let api = Api::with_backends(&array, &["pure", "other"]).await;
    let golden = api.volume(2).await;
    let home = api.get(&golden).await.body["volume"]["os-vol-host-attr:host"].clone();
    let refused = of_image(&api, json!({"size": 3, "imageRef": IMAGE})).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert_eq!(register(&api, &golden).await.status, 201);
    assert_eq!(register(&api, &golden).await.status, 409);
    for (word, size) in [("imageRef", 3), ("image_id", 2)] {
        let made = of_image(&api, json!({"size": size, word: IMAGE})).await;
        assert_eq!(made.status, 202, "{}", made.text);
        let path = format!(
            "/v3/volumes/{}",
            made.body["volume"]["id"].as_str().unwrap()
        );
        let volume = api.settled(&path).await;
        assert_eq!(volume["status"], "available");
        assert_eq!(volume["bootable"], "true");
        assert_eq!(volume["size"], size);
        assert_eq!(
            volume["source_volid"],
            Value::Null,
            "the tenant knows of no other volume"
        );
        assert_eq!(volume["os-vol-host-attr:host"], home);
        let metadata = json!({"image_id": IMAGE, "image_name": "trixie", "os_distro": "debian", "min_disk": "2"});
        assert_eq!(volume["volume_image_metadata"], metadata);
    }
    let calls = array.log.lock().unwrap().clone();
    assert_eq!(
        calls
            .iter()
            .filter(|call| **call == "volumes.clone")
            .count(),
        2
    );
    let small = of_image(&api, json!({"size": 1, "imageRef": IMAGE})).await;
    assert_eq!(small.status, 400, "{}", small.text);
}

#[tokio::test]
async fn a_golden_volume_stays_as_long_as_it_is_registered() {
    let array = Arc::new(Array::default());
    let api = Api::with_array(&array).await;
    let golden = api.volume(1).await;
    register(&api, &golden).await;
    let listed = api.get("/admin/v1/images").await.body;
    assert_eq!(listed["images"][0]["id"], IMAGE);
    let refused = api.delete(&golden).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("springform image unregister"),
        "{}",
        refused.text
    );
    let path = format!("/admin/v1/images/{IMAGE}");
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.delete(&path).await.status, 404);
    assert_eq!(
        of_image(&api, json!({"size": 1, "imageRef": IMAGE}))
            .await
            .status,
        400
    );
    assert_eq!(api.delete(&golden).await.status, 202);
}

#[tokio::test]
async fn what_an_image_says_goes_with_snapshots_and_clones_of_bootable_volumes() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    let volume = api.volume(1).await;
    let id = volume.rsplit('/').next().unwrap();
    let action = format!("{volume}/action");
    let say = async |word: &str| {
        let body = json!({"os-set_image_metadata": {"metadata": {"os_distro": word}}});
        assert_eq!(api.post(&action, body).await.status, 200);
    };
    let made = async |wanted: Value| {
        let made = of_image(&api, wanted).await;
        assert_eq!(made.status, 202, "{}", made.text);
        let id = made.body["volume"]["id"].as_str().unwrap();
        api.settled(&format!("/v3/volumes/{id}")).await
    };
    say("debian").await;
    let plain = made(json!({"size": 1, "source_volid": id})).await;
    assert_eq!(plain["bootable"], "false");
    assert_eq!(plain["volume_image_metadata"], Value::Null);

    let bootable = json!({"os-set_bootable": {"bootable": true}});
    assert_eq!(api.post(&action, bootable).await.status, 200);
    let taken = json!({"snapshot": {"volume_id": id}});
    let taken = api.post("/v3/snapshots", taken).await.body["snapshot"]["id"].clone();
    let path = format!("/v3/snapshots/{}", taken.as_str().unwrap());
    assert_eq!(api.settled(&path).await["status"], "available");
    say("fedora").await;
    let clone = made(json!({"size": 1, "source_volid": id})).await;
    assert_eq!(clone["bootable"], "true");
    assert_eq!(
        clone["volume_image_metadata"],
        json!({"os_distro": "fedora"})
    );
    let restored = made(json!({"size": 1, "snapshot_id": taken})).await;
    assert_eq!(restored["bootable"], "true");
    assert_eq!(
        restored["volume_image_metadata"],
        json!({"os_distro": "debian"}),
        "as it was when the snapshot was taken"
    );
}
