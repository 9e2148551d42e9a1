//! What the host says is held against what its arrays hold: where volumes are, how large, under which limits, who may write
//! them, whether they are sent anywhere, and what Cinder says of all that.

use std::collections::BTreeMap;

use anyhow::Context as _;
use flasharray_sim::SimControl;
use reqwest::Method;
use serde_json::Value;

use crate::cinder::Cinder;
use crate::site::{PRIMARY, SERVICE};

const GIB: u64 = 1 << 30;
/// No limit, as an array says it.
const NO_LIMIT: u64 = 100_000_000;

/// Everything that is not so, in words; empty where all is true. To be asked when no operation is open.
///
/// # Errors
/// Host or arrays cannot be asked.
pub async fn contradictions(cinder: &Cinder, arrays: &SimControl) -> anyhow::Result<Vec<String>> {
    let state = arrays.state().await?;
    let arrays = state.get("arrays").and_then(Value::as_object);
    let arrays = arrays.context("the arrays show nothing")?;
    let service = cinder.service(SERVICE).await?;
    let limits = limits(cinder).await?;
    let path = "/v3/volumes/detail?all_tenants=1";
    let answer = cinder.ask(Method::GET, path, None).await?;
    let mut found = Vec::new();
    let mut served_by: BTreeMap<String, u64> = BTreeMap::new();
    for volume in list(&answer, "/volumes") {
        let id = text(volume, "/id");
        if text(volume, "/status") == "error" {
            continue;
        }
        let path = format!("/admin/v1/volumes/{id}");
        let standing = cinder.ask(Method::GET, &path, None).await?;
        let mut wrong = |what: String| found.push(format!("volume {id}: {what}"));
        if text(&standing, "/phase") != "settled" {
            wrong(format!("it is {}", text(&standing, "/phase")));
            continue;
        }
        let serving = text(&standing, "/serving").to_owned();
        *served_by.entry(serving.clone()).or_default() += 1;
        let metadata = |key: &str| text(volume, &format!("/metadata/{key}")).to_owned();
        if metadata("array_name") != serving {
            wrong(format!(
                "its metadata names array {} and {serving} serves it",
                metadata("array_name")
            ));
        }
        let name = metadata("array_volume_name");
        let Some(array) = arrays.get(&serving) else {
            wrong(format!("there is no array {serving}"));
            continue;
        };
        let Some(there) = named(array, "/volumes", &name) else {
            wrong(format!("{name} is not on {serving}"));
            continue;
        };
        let (size, provisioned) = (number(volume, "/size"), number(there, "/provisioned"));
        if size * GIB != provisioned {
            wrong(format!(
                "it has {size} GiB and {provisioned} bytes on {serving}"
            ));
        }
        let limit = there.pointer("/qos/iops_limit").and_then(Value::as_u64);
        let wanted = limits.get(text(volume, "/volume_type")).copied();
        if wanted.unwrap_or(NO_LIMIT) != limit.unwrap_or(NO_LIMIT) {
            wrong(format!(
                "its type says {wanted:?} IOPS and {serving} {limit:?}"
            ));
        }
        let mine = |connection: &&Value| text(connection, "/volume/name") == name;
        let stretched = name.contains("::");
        for (other, array) in arrays.iter().filter(|(other, _)| **other != serving) {
            if !stretched && list(array, "/connections").iter().any(|c| mine(&c)) {
                wrong(format!("machines are still connected on {other}"));
            }
        }
        let connected = list(array, "/connections").iter().filter(mine).count();
        let attached = list(volume, "/attachments").len();
        if connected < attached {
            wrong(format!(
                "{attached} attachments, {connected} connections on {serving}"
            ));
        }
        let sent = list(array, "/members")
            .iter()
            .any(|m| text(m, "/member/name") == name);
        match text(volume, "/replication_status") {
            "enabled" if !sent && !stretched => {
                wrong("Cinder says enabled, and it is sent nowhere".to_owned());
            }
            "disabled" | "error" if sent => {
                wrong("Cinder says that it is not replicated, and it is sent".to_owned());
            }
            "enabled" if serving != PRIMARY => {
                wrong(format!("Cinder says enabled, and {serving} serves it"));
            }
            "failed-over" if serving == PRIMARY => {
                wrong(format!("Cinder says failed-over, and {PRIMARY} serves it"));
            }
            _ => {}
        }
    }
    let active = text(&service, "/active_backend_id");
    let lands = if active.is_empty() { PRIMARY } else { active };
    let most = served_by.iter().max_by_key(|(_, many)| **many);
    if let Some((most, _)) = most.filter(|(most, _)| *most != lands) {
        found.push(format!(
            "new volumes land on {lands} and {most} serves the others"
        ));
    }
    let expected = if lands == PRIMARY {
        "enabled"
    } else {
        "failed-over"
    };
    let said = text(&service, "/replication_status");
    if said != expected {
        found.push(format!("{lands} serves the backend, which says {said}"));
    }
    Ok(found)
}

/// IOPS of each type that limits them, by the type's name.
async fn limits(cinder: &Cinder) -> anyhow::Result<BTreeMap<String, u64>> {
    let types = cinder.ask(Method::GET, "/v3/types", None).await?;
    let specs = cinder.ask(Method::GET, "/v3/qos-specs", None).await?;
    let limit = |kind: &Value| {
        let mut specs = list(&specs, "/qos_specs").iter();
        let of_it = specs.find(|s| text(s, "/id") == text(kind, "/qos_specs_id"))?;
        let limit = text(of_it, "/specs/maxIOPS").parse().ok()?;
        Some((text(kind, "/name").to_owned(), limit))
    };
    let types = list(&types, "/volume_types").iter();
    Ok(types.filter_map(limit).collect())
}

fn named<'v>(array: &'v Value, pointer: &str, name: &str) -> Option<&'v Value> {
    let live = |item: &&Value| {
        text(item, "/name") == name && item.get("destroyed").and_then(Value::as_bool) != Some(true)
    };
    list(array, pointer).iter().find(live)
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_default()
}
