//! Lists of a large installation: every one has pages, and no page reads more of a table than it shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use springform_model::cloud::{Volume, VolumeStatus};
use springform_model::time::Timestamp;
use springform_store::Changes;
use support::Api;
use support::array::Array;

/// Sort keys of any list; one that does not know a key says 400.
const KEYS: [&str; 12] = [
    "id",
    "name",
    "status",
    "size",
    "created_at",
    "updated_at",
    "availability_zone",
    "bootable",
    "host",
    "volume_id",
    "project_id",
    "group_id",
];

/// One of each, so that lists have something to begin behind.
async fn furnish(api: &Api) -> Value {
    let volume = api.volume(1).await;
    let other = api.volume(1).await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let snapshot = json!({"snapshot": {"volume_id": id(&volume)}});
    let snapshot = api.post("/v3/snapshots", snapshot).await.body["snapshot"]["id"].clone();
    let attachment = json!({"attachment": {"volume_uuid": id(&volume)}});
    let attachment = api.post("/v3/attachments", attachment).await.body["attachment"]["id"].clone();
    let transfer = json!({"transfer": {"volume_id": id(&other)}});
    let transfer = api.post("/v3/volume-transfers", transfer).await.body["transfer"]["id"].clone();
    let kind =
        json!({"volume_type": {"name": "t", "extra_specs": {"volume_backend_name": "nowhere"}}});
    let kind = api.post("/v3/types", kind).await.body["volume_type"]["id"].clone();
    let qos = json!({"qos_specs": {"name": "q"}});
    let qos = api.post("/v3/qos-specs", qos).await.body["qos_specs"]["id"].clone();
    let group_type = json!({"group_type": {"name": "g"}});
    let group_type = api.post("/v3/group_types", group_type).await.body["group_type"]["id"].clone();
    let lost = json!({"volume": {"size": 1, "volume_type": "t"}});
    assert_eq!(api.post("/v3/volumes", lost).await.status, 202);
    api.wait_for(|| async {
        let told = api.get("/v3/messages").await;
        !told.body["messages"].as_array().unwrap().is_empty()
    })
    .await;
    let message = api.get("/v3/messages").await.body["messages"][0]["id"].clone();
    json!({
        "volumes": id(&volume), "snapshots": snapshot, "attachments": attachment, "volume-transfers": transfer,
        "os-volume-transfer": transfer, "types": kind, "qos-specs": qos, "group_types": group_type, "messages": message,
    })
}

#[tokio::test]
async fn no_list_reads_more_of_a_table_than_it_shows() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    let known = furnish(&api).await;
    let document = api.get("/openapi.json").await.body;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parameters = methods["get"]["parameters"].as_array();
        let Some(parameters) =
            parameters.filter(|_| path.starts_with("/v3/") && !path.contains('{'))
        else {
            continue;
        };
        let names: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let marker = known[path.split('/').nth(2).unwrap()].as_str();
        let mut queries: Vec<String> = names.iter().map(|name| format!("{name}=1")).collect();
        queries.push(String::new());
        if names.contains(&"sort") {
            for key in KEYS {
                for way in ["asc", "desc"] {
                    queries.push(format!("sort={key}:{way}"));
                    queries.extend(marker.map(|id| format!("sort={key}:{way}&marker={id}")));
                }
            }
        }
        for query in queries {
            for all in ["", "&all_tenants=1"] {
                let got = api.get(&format!("{path}?limit=10&{query}{all}")).await;
                assert!(
                    !got.status.is_server_error(),
                    "{path}?{query}: {}",
                    got.text
                );
                asked += u32::from(got.status.is_success());
            }
        }
    }
    assert!(asked > 300, "only {asked} lists were answered");
    // The tables that grow with what tenants do all day. What is kept for each group, type or transfer is sorted in memory
    // where it is asked for in an order of its own, ten rows of it kept.
    let large = ["volumes", "snapshots", "attachments"].map(|table| format!("FROM \"{table}\""));
    let scans = api.control.store().scans();
    let of_large: Vec<&String> = scans
        .iter()
        .filter(|scan| large.iter().any(|table| scan.contains(table)))
        .collect();
    assert!(of_large.is_empty(), "{of_large:#?}");
}

const MANY: u32 = 100_000;
/// A project of its own.
const THEIRS: &str = "00000000000000000000000000000002";

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Copies of one volume: each younger than the one before, one in a thousand broken.
async fn copies(api: &Api, model: &str) {
    let store = api.control.store();
    let model = store.get::<Volume>(model).await.unwrap().unwrap().record;
    let mut made = 0..MANY;
    loop {
        let mut changes = Changes::new();
        for number in made.by_ref().take(5_000) {
            let mut copy = model.clone();
            copy.id = id(number);
            copy.project_id = THEIRS.to_owned();
            copy.name = Some(format!("volume {number}"));
            copy.created_at = Timestamp(i64::from(number));
            copy.placement = None;
            if number % 1000 == 7 {
                copy.status = VolumeStatus::Error;
            }
            changes = changes.insert(&copy);
        }
        if changes.is_empty() {
            return;
        }
        store.commit(changes).await.unwrap();
    }
}

fn ids(got: &Value) -> Vec<&str> {
    let found = got["volumes"].as_array().unwrap().iter();
    found.map(|volume| volume["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_hundred_thousand_volumes_are_listed_counted_and_limited_page_by_page() {
    let api = Api::with_array(&Arc::new(Array::default())).await;
    let model = api.volume(1).await;
    copies(&api, model.rsplit('/').next().unwrap()).await;
    let token = format!("user:{THEIRS}");
    let headers = [
        ("openstack-api-version", "volume 3.71"),
        ("x-auth-token", token.as_str()),
    ];
    let ask = async |path: &str| api.send("GET", path, &headers, "").await.body;

    // However many are asked for, a page has 1,000; the newest come first.
    let first = ask("/v3/volumes/detail?limit=5000").await;
    assert_eq!(ids(&first).len(), 1000);
    assert_eq!(ids(&first)[0], id(MANY - 1));
    let next = first["volumes_links"][0]["href"].as_str().unwrap();
    let second = ask(next.strip_prefix("http://cloud:8776").unwrap()).await;
    assert_eq!(
        ids(&second)[0],
        id(MANY - 1001),
        "it goes on where the first page ended"
    );
    // In the middle and at the end.
    let path = format!(
        "/v3/volumes?limit=3&sort=created_at:asc&marker={}",
        id(49_999)
    );
    assert_eq!(ids(&ask(&path).await), [id(50_000), id(50_001), id(50_002)]);
    let end = ask(&format!("/v3/volumes?limit=10&marker={}", id(2))).await;
    assert_eq!(ids(&end), [id(1), id(0)]);
    assert!(end["volumes_links"].is_null(), "and that was all");
    // Filters and other orders.
    assert_eq!(
        ids(&ask("/v3/volumes?name=volume%2077777").await),
        [id(77_777)]
    );
    let broken = ask("/v3/volumes?status=error&limit=2&with_count=true").await;
    assert_eq!(ids(&broken), [id(99_007), id(98_007)]);
    assert_eq!(broken["count"], 100);
    let named = ask("/v3/volumes?sort=name:asc&limit=3").await;
    assert_eq!(ids(&named), [id(0), id(1), id(10)]);
    // What is counted.
    let summary = ask("/v3/volumes/summary").await;
    assert_eq!(summary["volume-summary"]["total_count"], MANY);
    let limits = ask("/v3/limits").await;
    assert_eq!(limits["limits"]["absolute"]["totalVolumesUsed"], MANY);
    assert_eq!(limits["limits"]["absolute"]["totalGigabytesUsed"], MANY);
    let quota = json!({"quota_set": {"volumes": MANY + 1, "gigabytes": -1}});
    let set = api.put(&format!("/v3/os-quota-sets/{THEIRS}"), quota).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let one = json!({"volume": {"size": 1}}).to_string();
    let create = async || api.send("POST", "/v3/volumes", &headers, one.clone()).await;
    assert_eq!(create().await.status, 202, "there is room for one more");
    let refused = create().await;
    assert_eq!(refused.status, 413, "{}", refused.text);
    assert!(
        refused.message().contains("100001"),
        "{}",
        refused.message()
    );

    let scans = api.control.store().scans();
    let of_volumes: Vec<&String> = scans
        .iter()
        .filter(|scan| scan.contains("FROM \"volumes\""))
        .collect();
    assert!(of_volumes.is_empty(), "{of_volumes:#?}");
}
