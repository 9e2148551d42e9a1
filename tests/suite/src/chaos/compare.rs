//! Records and arrays: what the host says of each volume is held against what the arrays hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::Chaos;
use super::cloud::{list, number, text};
use super::place::Arrays;
use super::verdict::{PATIENCE, VOLUMES};

const GIB: u64 = 1 << 30;

/// The host's volumes by id.
pub(super) async fn volumes(chaos: &Chaos) -> BTreeMap<String, Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = chaos.cloud.get(VOLUMES).await {
            let all = list(&answer, "/volumes").iter();
            return all
                .map(|one| (text(one, "/id").to_owned(), one.clone()))
                .collect();
        }
        if Instant::now() > end {
            chaos.violation("volumes cannot be listed".to_owned());
            return BTreeMap::new();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Live objects of an array: their names.
fn live<'v>(array: &'v Value, kind: &str) -> impl Iterator<Item = &'v Value> {
    let destroyed = |one: &&Value| one.get("destroyed").and_then(Value::as_bool) != Some(true);
    list(array, kind).iter().filter(destroyed)
}

/// The volume of a name. A change of pods that was refused half-way leaves it in a pod of its own, where the host finds it when
/// it is used, so the pod does not count.
pub(super) fn named<'v>(array: &'v Value, name: &str) -> Option<&'v Value> {
    let base = |name: &str| name.rsplit("::").next().unwrap_or(name).to_owned();
    live(array, "/volumes").find(|one| base(text(one, "/name")) == base(name))
}

/// Records and arrays say the same.
pub(super) async fn compare(chaos: &Chaos) {
    let known = volumes(chaos).await;
    for arrays in &chaos.place.arrays {
        let state = match arrays.control.state().await {
            Ok(state) => state,
            Err(why) => {
                chaos.violation(format!("the arrays show nothing: {why:#}"));
                continue;
            }
        };
        chaos
            .place
            .note(&format!("{}.json", arrays.kind.name), &state.to_string());
        let host = format!("springform@{}", arrays.kind.name);
        let mine = |one: &&Value| text(one, "/os-vol-host-attr:host").starts_with(&host);
        for volume in known.values().filter(mine) {
            for wrong in compare_volume(chaos, volume, &state).await {
                chaos.violation(format!(
                    "volume {} ({}): {wrong}",
                    text(volume, "/id"),
                    text(volume, "/name")
                ));
            }
        }
        for array in &arrays.names {
            let there = &state["arrays"][array.as_str()];
            for one in live(there, "/volumes") {
                let name = text(one, "/name");
                let id = name.rsplit("::").next().unwrap_or(name);
                let id = id
                    .strip_prefix("volume-")
                    .and_then(|id| id.strip_suffix("-cinder"));
                if !id.is_some_and(|id| known.contains_key(id)) {
                    chaos.leftover(format!("no record knows volume {name} on {array}"));
                }
            }
        }
        snapshots(chaos, arrays, &state).await;
    }
}

async fn compare_volume(chaos: &Chaos, volume: &Value, state: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if text(volume, "/status").starts_with("error") {
        return wrong;
    }
    let path = format!("/admin/v1/volumes/{}", text(volume, "/id"));
    let Some(standing) = chaos.cloud.get(&path).await else {
        return vec!["how it stands cannot be read".to_owned()];
    };
    if text(&standing, "/phase") != "settled" {
        // An operator has to decide; coming home is that decision.
        return wrong;
    }
    let serving = text(&standing, "/serving");
    let name = text(volume, "/metadata/array_volume_name");
    if text(volume, "/metadata/array_name") != serving {
        wrong.push(format!(
            "its metadata says {}, {serving} serves it",
            volume["metadata"]
        ));
    }
    let array = &state["arrays"][serving];
    let there = named(array, name);
    let Some(there) = there else {
        wrong.push(format!("{name} is not on {serving}"));
        return wrong;
    };
    let (size, has) = (number(volume, "/size"), number(there, "/provisioned"));
    if size.map(|size| size * GIB) != has {
        wrong.push(format!(
            "it has {size:?} GiB, and {has:?} bytes on {serving}"
        ));
    }
    let path = format!(
        "/v3/attachments/detail?all_tenants=1&volume_id={}",
        text(volume, "/id")
    );
    let attachments = chaos.cloud.get(&path).await.unwrap_or_default();
    let attached: BTreeSet<&str> = list(&attachments, "/attachments")
        .iter()
        .filter(|one| text(one, "/status") == "attached")
        .map(|one| text(one, "/connection_info/attachment_id"))
        .collect();
    let name = text(there, "/name");
    let connected = list(array, "/connections").iter();
    let connected = connected
        .filter(|one| text(one, "/volume/name") == name)
        .count();
    if connected < attached.len() {
        wrong.push(format!(
            "{} attachments, {connected} connections on {serving}",
            attached.len()
        ));
    }
    let all = list(&attachments, "/attachments").len();
    if connected > all {
        chaos.leftover(format!(
            "volume {name}: {all} attachments, {connected} connections on {serving}"
        ));
    }
    if !name.contains("::") {
        let others = state["arrays"].as_object().into_iter().flatten();
        for (other, array) in others.filter(|(other, _)| *other != serving) {
            let mine = |one: &Value| text(one, "/volume/name") == name;
            if list(array, "/connections").iter().any(mine) {
                wrong.push(format!(
                    "machines are connected to it on {other}, {serving} serves it"
                ));
            }
        }
    }
    wrong
}

/// Every snapshot is on some array of its backend, and none is there that nobody knows.
async fn snapshots(chaos: &Chaos, arrays: &Arrays, state: &Value) {
    let path = "/v3/snapshots/detail?all_tenants=1&limit=1000";
    let answer = chaos.cloud.get(path).await.unwrap_or_default();
    let known: Vec<&Value> = list(&answer, "/snapshots").iter().collect();
    let mut there = Vec::new();
    for array in &arrays.names {
        let array = &state["arrays"][array.as_str()];
        there.extend(live(array, "/volume_snapshots").map(|one| text(one, "/name")));
    }
    let volumes = volumes(chaos).await;
    let host = format!("springform@{}", arrays.kind.name);
    for snapshot in &known {
        let of = volumes
            .get(text(snapshot, "/volume_id"))
            .cloned()
            .unwrap_or_default();
        let mine = text(&of, "/os-vol-host-attr:host").starts_with(&host);
        let single = text(snapshot, "/group_snapshot_id").is_empty();
        let id = text(snapshot, "/id");
        if mine
            && single
            && text(snapshot, "/status") == "available"
            && !there.iter().any(|name| name.contains(id))
        {
            chaos.violation(format!(
                "snapshot {id} of {} is on no array",
                text(snapshot, "/volume_id")
            ));
        }
    }
}
