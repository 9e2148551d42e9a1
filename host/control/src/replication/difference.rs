//! Records held against arrays in both directions: what a driver is told of a page of volumes, and what it says of objects
//! that none of them is.

use springform_model::cloud::VolumeStatus;
use springform_model::contract::{Call, Change, Reply, VolumeSpec};

use super::Scope;
use super::env::{Member, ReplicationEnv, ReplicationError};
use super::plan::PAGE;

/// Begins what a driver says of an object that is none of the volumes it was given; JSON with `name` and `id` follows.
const UNKNOWN: &str = "springform/unknown";
/// On the first volume of a page: the last id of the page before.
const AFTER: &str = "springform/after";
/// On the last volume of a page: there is no further one.
const LAST: &str = "springform/last";
/// On each volume: names of its snapshots on the array that serves it, as a JSON list.
const SNAPSHOTS: &str = "springform/snapshots";
/// The same of those that were taken on another array, which the one that serves may have or not.
const ELSEWHERE: &str = "springform/snapshots-elsewhere";
/// On a volume that no attachment leads to.
const UNATTACHED: &str = "springform/unattached";

/// An object on an array that is named like a volume of the cloud.
pub(super) struct Object {
    target: String,
    name: String,
    id: String,
}

/// Parts what a driver changed from what it found and does not know.
pub(super) fn objects(all: Vec<Change>) -> (Vec<Change>, Vec<Object>) {
    let (mut changes, mut objects) = (Vec::new(), Vec::new());
    for change in all {
        let told = change.text.strip_prefix(UNKNOWN);
        let told: Option<serde_json::Value> =
            told.and_then(|json| serde_json::from_str(json.trim()).ok());
        let word = |key: &str| Some(told.as_ref()?.get(key)?.as_str()?.to_owned());
        match (word("name"), word("id")) {
            (Some(name), Some(id)) => objects.push(Object {
                target: change.target,
                name,
                id,
            }),
            _ => changes.push(change),
        }
    }
    (changes, objects)
}

/// What a driver is told of a page: of each volume its snapshots, and whether no attachment leads to it; and the part of the
/// alphabet that the page covers: what else is named so is unknown.
///
/// # Errors
/// What the store says.
pub(super) async fn range(
    env: &dyn ReplicationEnv,
    page: &[Member],
    after: Option<&str>,
    last: bool,
) -> Result<Vec<VolumeSpec>, ReplicationError> {
    let mut specs: Vec<VolumeSpec> = page.iter().map(|m| (*m.spec).clone()).collect();
    if let Some(mut taken) = env.snapshots(page).await? {
        for (spec, member) in specs.iter_mut().zip(page) {
            let names = taken.remove(&spec.id).unwrap_or_default();
            for (key, names) in [(SNAPSHOTS, names.there), (ELSEWHERE, names.elsewhere)] {
                let names = serde_json::Value::from(names).to_string();
                spec.extensions.push((key.to_owned(), names));
            }
            let volume = &member.volume;
            if volume.status == VolumeStatus::Available && volume.attachments.is_empty() {
                let unattached = (UNATTACHED.to_owned(), "true".to_owned());
                spec.extensions.push(unattached);
            }
        }
    }
    if let (Some(first), Some(after)) = (specs.first_mut(), after) {
        let after = (AFTER.to_owned(), after.to_owned());
        first.extensions.push(after);
    }
    if let Some(end) = specs.last_mut().filter(|_| last) {
        let last = (LAST.to_owned(), "true".to_owned());
        end.extensions.push(last);
    }
    Ok(specs)
}

/// What is said of objects that no record of any backend knows. They are not touched: somebody may need them.
pub(super) async fn unknown(
    env: &dyn ReplicationEnv,
    backend: &str,
    objects: Vec<Object>,
) -> Result<Vec<String>, ReplicationError> {
    let ids = objects.iter().map(|o| o.id.clone()).collect();
    let known = env.known(ids).await?;
    let (service, _) = env.service(backend).await?;
    let unknown = objects.into_iter().filter(|o| !known.contains(&o.id));
    let said = unknown.map(|Object { target, name, .. }| {
        let host = &service.host;
        format!(
            "{name} is on {target} and no record knows it; it stays: take it over with `cinder manage --id-type source-name \
             {host} {name}`, or delete it on the array"
        )
    });
    Ok(said.collect())
}

/// Everything in which the arrays of a backend differ from its records. Reads only; volumes that an operation holds are on
/// their way and are not compared.
///
/// # Errors
/// In words, where the driver or an array did not answer.
pub async fn all(env: &dyn ReplicationEnv, backend: &str) -> Result<Vec<String>, ReplicationError> {
    let scope = Scope::Backend(backend.to_owned());
    let operation = env.new_id();
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = env.members(&scope, backend, after.as_deref(), PAGE).await?;
        if page.is_empty() && after.is_some() {
            return Ok(found);
        }
        let last = page.last().map(|m| m.volume.id.clone());
        let full = page.len() >= PAGE;
        let still = |m: &Member| m.volume.operation.is_none();
        let page: Vec<Member> = page.into_iter().filter(still).collect();
        let call = Call::Reconcile {
            volumes: range(env, &page, after.as_deref(), !full).await?,
            dry_run: true,
        };
        let answer = env.call(backend, &operation, Vec::new(), call).await;
        let answer = answer
            .and_then(Reply::into_setup)
            .map_err(|error| ReplicationError::Unavailable(error.to_string()))?;
        let (changes, objects) = objects(answer.changes);
        found.extend(
            changes
                .into_iter()
                .map(|c| format!("{}: {}", c.target, c.text)),
        );
        found.extend(answer.warnings);
        found.extend(unknown(env, backend, objects).await?);
        match last {
            Some(last) if full => after = Some(last),
            _ => return Ok(found),
        }
    }
}
