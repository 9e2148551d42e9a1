//! The end: the host is let finish what it began, and then every record is held against every array, and every acknowledged block is read.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Chaos;
use super::cloud::{list, text};
use super::compare::{compare, named, volumes};
use super::ledger::{BLOCK, Existence, Record};
use super::operator::see_who_serves;
use super::place::Arrays;
use super::trouble;

/// How long the host may take to finish what it began once all is well.
const QUIET: Duration = Duration::from_secs(120);
/// How long one volume may take to be attached, and a backend to come home.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The machine that reads.
const JUDGE: &str = "iqn.1993-08.org.debian:01:judge";
/// All volumes, of all projects.
pub(super) const VOLUMES: &str = "/v3/volumes/detail?all_tenants=1&limit=1000";

/// Judges.
pub async fn judge(chaos: &Chaos) {
    trouble::start(chaos).await;
    for arrays in &chaos.place.arrays {
        let path = format!("/admin/v1/backends/{}/thaw", arrays.kind.name);
        chaos.cloud.post(&path, &json!({})).await;
    }
    quiet(chaos).await;
    chaos.tell("the host is quiet; records and arrays are compared");
    told_of_all(chaos).await;
    compare(chaos).await;
    detach_all(chaos).await;
    for arrays in &chaos.place.arrays {
        see_who_serves(chaos, arrays.kind.name).await;
        sizes(chaos, arrays.kind.name).await;
    }
    read_all(chaos, "where it is").await;
    chaos.tell("every backend comes home");
    for arrays in &chaos.place.arrays {
        come_home(chaos, arrays).await;
    }
    quiet(chaos).await;
    compare(chaos).await;
    read_all(chaos, "at home").await;
    chaos.tell("everything is deleted");
    delete_all(chaos).await;
}

/// Everything that is under way, in words.
async fn under_way(chaos: &Chaos) -> Vec<String> {
    let mut found = Vec::new();
    let cloud = &chaos.cloud;
    for state in ["queued", "running", "waiting"] {
        let path = format!("/admin/v1/operations?state={state}&limit=100");
        match cloud.get(&path).await {
            Some(open) => found.extend(list(&open, "/operations").iter().map(|one| {
                let word = |name: &str| text(one, &format!("/{name}")).to_owned();
                format!(
                    "operation {} ({}) is {state}: {one}",
                    word("id"),
                    word("verb")
                )
            })),
            None => found.push("operations cannot be listed".to_owned()),
        }
    }
    let lists = [
        (VOLUMES, "/volumes"),
        (
            "/v3/snapshots/detail?all_tenants=1&limit=1000",
            "/snapshots",
        ),
        ("/v3/groups/detail?all_tenants=1&limit=1000", "/groups"),
        (
            "/v3/group_snapshots/detail?all_tenants=1&limit=1000",
            "/group_snapshots",
        ),
    ];
    for (path, field) in lists {
        let Some(answer) = cloud.get(path).await else {
            found.push(format!("{path} cannot be read"));
            continue;
        };
        for one in list(&answer, field) {
            let status = text(one, "/status");
            // `attaching` is how a client leaves a volume that dies before it has completed its attachment.
            if status.ends_with("ing") && status != "attaching" && !status.starts_with("error") {
                found.push(format!("{} of {field} is {status}", text(one, "/id")));
            }
        }
    }
    for arrays in &chaos.place.arrays {
        let path = format!("/admin/v1/volumes?backend={}", arrays.kind.name);
        let answer = cloud.get(&path).await.unwrap_or_default();
        for one in list(&answer, "/volumes") {
            // What is fenced waits for an operator: it is overwritten on the way home.
            let fenced = |debt: &Value| text(debt, "/state") == "fenced";
            if !list(one, "/debts").iter().all(fenced) {
                found.push(format!("volume {} owes {}", text(one, "/id"), one["debts"]));
            }
        }
        let path = format!("/admin/v1/backends/{}", arrays.kind.name);
        let standing = cloud.get(&path).await.unwrap_or_default();
        for owed in list(&standing, "/obligations") {
            found.push(format!("arrays of {} are owed {owed}", arrays.kind.name));
        }
        let path = format!("/v3/os-services?host=springform@{}", arrays.kind.name);
        let services = cloud.get(&path).await.unwrap_or_default();
        if text(&services, "/services/0/state") != "up" {
            found.push(format!(
                "backend {} is not up: {services}",
                arrays.kind.name
            ));
        }
    }
    found
}

/// Waits until nothing is under way any more.
async fn quiet(chaos: &Chaos) {
    let end = Instant::now() + QUIET;
    loop {
        let drills = chaos.cloud.get("/admin/v1/drills?limit=100").await;
        let drills = drills.unwrap_or_default();
        // One whose end was refused by an array is ended by an operator once more.
        let over = |one: &&Value| ["stopped", "committed"].contains(&text(one, "/state"));
        for drill in list(&drills, "/drills").iter().filter(|one| !over(one)) {
            let path = format!("/admin/v1/drills/{}/stop", text(drill, "/id"));
            chaos.cloud.post(&path, &json!({})).await;
        }
        let mut open = under_way(chaos).await;
        open.extend(
            list(&drills, "/drills")
                .iter()
                .filter(|one| !over(one))
                .map(|one| format!("drill {one}")),
        );
        if open.is_empty() {
            return;
        }
        if Instant::now() > end {
            for one in open {
                chaos.violation(format!("after {} s: {one}", QUIET.as_secs()));
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Whoever was told that a volume was made finds it; who was told that it is gone does not.
async fn told_of_all(chaos: &Chaos) {
    let known = volumes(chaos).await;
    for (name, record) in chaos.ledger.volumes().iter() {
        let there = record.id.as_ref().is_some_and(|id| known.contains_key(id));
        match record.existence {
            Existence::Made if !there => {
                chaos.violation(format!("volume {name} ({:?}) is gone", record.id))
            }
            Existence::Gone if there => {
                chaos.violation(format!("volume {name} ({:?}) is there again", record.id))
            }
            _ => {}
        }
    }
}

/// All machines let go of all volumes, and what was to be given to another project is kept.
async fn detach_all(chaos: &Chaos) {
    let offered = chaos
        .cloud
        .get("/v3/volume-transfers?all_tenants=1&limit=1000")
        .await;
    for transfer in list(&offered.unwrap_or_default(), "/transfers") {
        let path = format!("/v3/volume-transfers/{}", text(transfer, "/id"));
        chaos.cloud.send(Method::DELETE, &path, None).await;
    }
    let path = "/v3/attachments?all_tenants=1&limit=1000";
    let answer = chaos.cloud.get(path).await.unwrap_or_default();
    for attachment in list(&answer, "/attachments") {
        let path = format!("/v3/attachments/{}", text(attachment, "/id"));
        until(
            chaos,
            &format!("attachment {}", text(attachment, "/id")),
            || async {
                match chaos.cloud.send(Method::DELETE, &path, None).await {
                    Some((status, _)) if status.is_success() || status == StatusCode::NOT_FOUND => {
                        None
                    }
                    other => Some(format!("it does not go: {other:?}")),
                }
            },
        )
        .await;
    }
}

/// Asks until there is nothing to complain of; a complaint that stays is a violation. Whether it went away.
async fn until<F: Future<Output = Option<String>>>(
    chaos: &Chaos,
    what: &str,
    ask: impl Fn() -> F,
) -> bool {
    let end = Instant::now() + PATIENCE;
    loop {
        let Some(complaint) = ask().await else {
            return true;
        };
        if Instant::now() > end {
            chaos.violation(format!("{what}: {complaint}"));
            return false;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Whether an array did what an extension asked for that ended in an error is not known: an operator lets the records follow it.
async fn sizes(chaos: &Chaos, backend: &str) {
    let host = format!("springform@{backend}#");
    let known = volumes(chaos).await;
    let open = known.values().any(|volume| {
        text(volume, "/status") == "error_extending"
            && text(volume, "/os-vol-host-attr:host").starts_with(&host)
    });
    if !open {
        return;
    }
    let body = json!({"scope": {"backend": backend}, "adopt": true});
    until(chaos, &format!("sizes of {backend}"), || async {
        let path = "/admin/v1/reconcile";
        let (status, begun) = chaos.cloud.send(Method::POST, path, Some(&body)).await?;
        if !status.is_success() {
            return Some(format!("they are not adopted: {begun}"));
        }
        let seen = ended(chaos, &begun).await;
        (text(&seen, "/state") != "succeeded").then(|| format!("they are not adopted: {seen}"))
    })
    .await;
}

/// Every block that must be there is there.
async fn read_all(chaos: &Chaos, whence: &str) {
    let known = volumes(chaos).await;
    let records = chaos.ledger.volumes().clone();
    for (name, record) in records {
        let seen = record.id.as_ref().and_then(|id| known.get(id));
        let (Some(id), Some(seen), Existence::Made) = (&record.id, seen, record.existence) else {
            continue;
        };
        if text(seen, "/status").starts_with("error") {
            let path = format!("/v3/volumes/{id}/action");
            let body = json!({"os-reset_status": {"status": "available"}});
            chaos.cloud.post(&path, &body).await;
        }
        let arrays = chaos
            .place
            .arrays
            .iter()
            .find(|arrays| arrays.kind.name == record.backend);
        let Some(arrays) = arrays else { continue };
        let Some(attachment) = attach(chaos, &name, id).await else {
            continue;
        };
        if let Some(wrong) = read(chaos, arrays, id, &record).await {
            chaos.violation(format!("volume {name} ({id}), {whence}: {wrong}"));
        }
        let path = format!("/v3/attachments/{attachment}");
        until(
            chaos,
            &format!("attachment {attachment} of {name}"),
            || async {
                match chaos.cloud.send(Method::DELETE, &path, None).await {
                    Some((status, _)) if status.is_success() || status == StatusCode::NOT_FOUND => {
                        None
                    }
                    other => Some(format!("it does not go: {other:?}")),
                }
            },
        )
        .await;
    }
}

async fn attach(chaos: &Chaos, name: &str, id: &str) -> Option<String> {
    let connector = json!({
        "host": "judge", "initiator": JUDGE, "ip": "127.0.0.1", "multipath": true, "os_type": "linux", "platform": "x86_64",
    });
    let body = json!({"attachment": {"volume_uuid": id, "mode": "rw", "connector": connector}});
    let made = std::sync::Mutex::new(None);
    let body = &body;
    let made_at = &made;
    until(chaos, &format!("volume {name} ({id})"), || async move {
        match chaos
            .cloud
            .send(Method::POST, "/v3/attachments", Some(body))
            .await
        {
            Some((status, answer)) if status.is_success() => {
                let id = text(&answer, "/attachment/id").to_owned();
                if let Ok(mut made) = made_at.lock() {
                    *made = Some(id);
                }
                None
            }
            other => Some(format!("it cannot be attached: {other:?}")),
        }
    })
    .await;
    let made = made.into_inner().ok()??;
    let path = format!("/v3/attachments/{made}/action");
    chaos.cloud.post(&path, &json!({"os-complete": {}})).await;
    Some(made)
}

async fn read(chaos: &Chaos, arrays: &Arrays, id: &str, record: &Record) -> Option<String> {
    let seen = chaos.cloud.get(&format!("/v3/volumes/{id}")).await?;
    let array = text(&seen, "/volume/metadata/array_name");
    let state = arrays.control.state().await.ok()?;
    let name = text(&seen, "/volume/metadata/array_volume_name");
    let Some(there) = named(&state["arrays"][array], name) else {
        return Some(format!("{name} is not on {array}"));
    };
    let name = text(there, "/name");
    let mut lost = Vec::new();
    for write in record.writes.iter().filter(|write| record.must_hold(write)) {
        let offset = write.block * BLOCK as u64;
        let read = arrays.control.read(array, JUDGE, name, offset, BLOCK).await;
        match read {
            Ok(Ok(bytes)) if bytes == write.bytes() => {}
            Ok(Ok(bytes)) => {
                let says =
                    String::from_utf8_lossy(bytes.get(..24).unwrap_or_default()).into_owned();
                lost.push(format!("{write:?} reads {says:?}"));
            }
            Ok(Err(status)) => return Some(format!("{name} cannot be read on {array}: {status}")),
            Err(why) => return Some(format!("{name} cannot be read on {array}: {why:#}")),
        }
    }
    let first = lost.first()?;
    Some(format!(
        "{} of {} blocks are lost on {array}, the first: {first}; risks {:?}",
        lost.len(),
        record.writes.len(),
        record.risks
    ))
}

/// Waits for the end of an operation; gives back what it is then.
async fn ended(chaos: &Chaos, begun: &Value) -> Value {
    let path = format!("/admin/v1/operations/{}", text(begun, "/operation"));
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = chaos.cloud.get(&path).await.unwrap_or_default();
        let open = ["queued", "running", "waiting"].contains(&text(&seen, "/state"));
        if !open || Instant::now() > end {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What was failed over comes back, and what was stranded is settled.
async fn come_home(chaos: &Chaos, arrays: &Arrays) {
    let backend = arrays.kind.name;
    let scope = json!({"backend": backend});
    until(chaos, &format!("backend {backend}"), || async {
        let path = format!("/admin/v1/volumes?backend={backend}");
        let answer = chaos.cloud.get(&path).await?;
        let away = |one: &&Value| {
            // One that no array serves was never made.
            let replicated = one.get("replicated") == Some(&Value::Bool(true))
                && !text(one, "/serving").is_empty();
            text(one, "/phase") != "settled" || (replicated && text(one, "/serving") != backend)
        };
        let away: Vec<&Value> = list(&answer, "/volumes").iter().filter(away).collect();
        // Where a change of pods was refused half-way, `enable` heals it, as the page for operators says.
        let half: Vec<&str> = away.iter().map(|one| text(one, "/id")).collect();
        if !half.is_empty() {
            let body = json!({"scope": {"volumes": half}});
            if let Some(begun) = chaos.cloud.post("/admin/v1/enable", &body).await {
                ended(chaos, &begun).await;
            }
        }
        let mut left: Vec<String> = away
            .iter()
            .map(|one| {
                format!(
                    "{} is {} on {}",
                    text(one, "/id"),
                    text(one, "/phase"),
                    text(one, "/serving")
                )
            })
            .collect();
        let path = format!("/v3/os-services?host=springform@{backend}");
        let services = chaos.cloud.get(&path).await.unwrap_or_default();
        let active = text(&services, "/services/0/active_backend_id");
        if left.is_empty() && active.is_empty() {
            return None;
        }
        left.push(format!("active: {active:?}"));
        let ask = json!({"verb": "failback", "scope": scope, "to": backend});
        let (status, plan) = chaos
            .cloud
            .send(Method::POST, "/admin/v1/plans", Some(&ask))
            .await?;
        if !status.is_success() {
            return Some(format!("{left:?} does not come home: {plan}"));
        }
        let body = json!({"scope": scope, "to": backend, "acknowledge": plan["acknowledge"]});
        let path = "/admin/v1/failback";
        let (status, begun) = chaos.cloud.send(Method::POST, path, Some(&body)).await?;
        if !status.is_success() {
            return Some(format!("{left:?} does not come home: {begun}"));
        }
        let seen = ended(chaos, &begun).await;
        Some(format!("{left:?} does not come home: {seen}"))
    })
    .await;
}

/// Everything goes, and nothing is left on any array.
async fn delete_all(chaos: &Chaos) {
    let cloud = &chaos.cloud;
    for (path, field) in [
        ("/v3/group_snapshots", "/group_snapshots"),
        ("/v3/snapshots", "/snapshots"),
    ] {
        until(chaos, path, || async {
            let answer = cloud
                .get(&format!("{path}/detail?all_tenants=1&limit=1000"))
                .await?;
            let left = list(&answer, field);
            for one in left.iter().filter(|one| text(one, "/status") != "deleting") {
                let path = format!("{path}/{}", text(one, "/id"));
                cloud.send(Method::DELETE, &path, None).await;
            }
            (!left.is_empty()).then(|| format!("they do not go: {left:?}"))
        })
        .await;
    }
    until(chaos, "volumes", || async {
        let groups = cloud
            .get("/v3/groups/detail?all_tenants=1&limit=1000")
            .await?;
        for one in list(&groups, "/groups")
            .iter()
            .filter(|one| text(one, "/status") != "deleting")
        {
            let path = format!("/v3/groups/{}/action", text(one, "/id"));
            cloud
                .post(&path, &json!({"delete": {"delete-volumes": true}}))
                .await;
        }
        let answer = cloud.get(VOLUMES).await?;
        let left = list(&answer, "/volumes");
        for one in left.iter().filter(|one| text(one, "/status") != "deleting") {
            let path = format!("/v3/volumes/{}/action", text(one, "/id"));
            cloud.post(&path, &json!({"os-force_delete": {}})).await;
        }
        let left: Vec<String> = left
            .iter()
            .map(|one| format!("{} is {}", text(one, "/id"), text(one, "/status")))
            .collect();
        (!left.is_empty()).then(|| format!("they do not go: {left:?}"))
    })
    .await;
    quiet(chaos).await;
    compare(chaos).await;
}
