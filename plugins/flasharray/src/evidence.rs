//! Evidence of promotions: a tag on each volume says which host made which array serve it, under which generation.
//!
//! The host's records may be older than the arrays: its database was restored, or another host took over. So a volume is
//! looked at before it is fenced, overwritten or deleted, and what a later promotion made of it stays as it is.

pub mod observe;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::types::{Context, Failure, FailureCode, Outcome, Placement, Volume};

use crate::array::{Array, ArrayError, number, text};
use crate::pgroup;
use crate::query::{self, Query};

/// Key under which the host says who it is, and under which evidence goes back to it.
pub const HOST: &str = "springform/host";
/// The kind of a link that is no link but the evidence on a target, and the key of evidence in a failure.
pub const EVIDENCE: &str = "springform/evidence";
/// Namespace of the host's own tags.
pub const NAMESPACE: &str = "springform";
const KEY: &str = "promotion";

/// The identity of the host, where it wants evidence.
#[must_use]
pub fn host(context: &Context) -> Option<&str> {
    let mut extensions = context.extensions.iter();
    extensions
        .find(|(key, _)| key == HOST)
        .map(|(_, host)| host.as_str())
}

/// What the tags of an array say, by name of the volume: JSON, or the text of a tag that no host of this kind wrote.
pub type Marks = BTreeMap<String, Value>;

/// Writes down that an array serves these volumes now. What cannot be written is said on standard error: a failover is not
/// undone for a tag, and `reconcile` writes it later.
pub fn write(context: &Context, on: &Array<'_>, promoted: &[(&Volume, &Placement)]) {
    let Some(host) = host(context) else { return };
    let mut by_generation: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (volume, placement) in promoted {
        let names = by_generation.entry(volume.generation).or_default();
        names.push(&placement.array_name);
    }
    for (generation, names) in by_generation {
        let mark = json!({
            "generation": generation,
            "host": host,
            "operation": context.operation_id,
            "target": on.name(),
        });
        for chunk in query::chunks(&names) {
            put(on, chunk, &mark.to_string());
        }
    }
}

/// Writes a mark as it was recorded, where it is missing.
pub fn put(on: &Array<'_>, names: &[&str], mark: &str) {
    let tag = json!([{ "namespace": NAMESPACE, "key": KEY, "value": mark, "copyable": false }]);
    let query = Query::new().list("resource_names", names);
    let path = "/volumes/tags/batch";
    if let Err(trouble) = on.send(Method::Put, path, &query, Some(&tag)) {
        let why = match trouble {
            ArrayError::Refused { words, .. } => words,
            ArrayError::Failed(failure) => failure.message,
        };
        let (many, array) = (names.len(), on.name());
        eprintln!("the promotion of {many} volumes could not be marked on array {array}: {why}");
    }
}

/// Writes the evidence of those of a batch that an array serves now; passes the outcomes on.
#[must_use]
pub fn marked(
    context: &Context,
    on: &Array<'_>,
    volumes: &[Volume],
    outcomes: Vec<Outcome>,
) -> Vec<Outcome> {
    let served = volumes.iter().zip(&outcomes);
    let served = served.filter_map(|(v, o)| Some((v, o.result.as_ref().ok()?)));
    let mut promoted = Vec::new();
    promoted.extend(served);
    write(context, on, &promoted);
    outcomes
}

/// All marks on an array.
///
/// # Errors
/// When it cannot be asked.
pub fn all(on: &Array<'_>) -> Result<Marks, Failure> {
    let query = Query::new().one("namespaces", NAMESPACE);
    let mut marks = Marks::new();
    on.each("/volumes/tags", &query, &mut |tag| {
        marks.extend(understand(&tag))
    })
    .map_err(pgroup::unexpected)?;
    Ok(marks)
}

/// The marks of these volumes.
///
/// # Errors
/// When the array cannot be asked.
pub fn of(on: &Array<'_>, names: &[String]) -> Result<Marks, Failure> {
    let mut marks = Marks::new();
    for chunk in query::chunks(names) {
        let query = Query::new()
            .one("namespaces", NAMESPACE)
            .list("resource_names", chunk);
        match on.list("/volumes/tags", &query) {
            Ok(found) => marks.extend(found.iter().filter_map(understand)),
            // One of them is not there.
            Err(ArrayError::Refused { .. }) => return all(on),
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(marks)
}

/// A tag as the name of its volume and what it says; none where it is another one's.
fn understand(tag: &Value) -> Option<(String, Value)> {
    if text(tag, "/key") != Some(KEY) {
        return None;
    }
    let (name, value) = (text(tag, "/resource/name")?, text(tag, "/value")?);
    let read = crate::json::value(value.as_bytes());
    let mark = read.filter(|m| number(m, "/generation").is_some());
    let mark = mark.unwrap_or_else(|| Value::from(value));
    Some((name.to_owned(), mark))
}

/// What is about to be done to an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is to serve, under the volume's generation.
    Promote,
    /// It is fenced, overwritten, or the volume is deleted from it.
    Take,
}

/// Whether a mark speaks of a promotion that the record of this volume does not know.
#[must_use]
pub fn is_newer(context: &Context, on: &str, volume: &Volume, mark: &Value, act: Act) -> bool {
    // Not ours to understand, so not ours to overrule.
    let Some(generation) = number(mark, "/generation") else {
        return true;
    };
    let other = text(mark, "/operation") != Some(&context.operation_id);
    match act {
        Act::Promote => {
            generation > volume.generation || (generation == volume.generation && other)
        }
        Act::Take => {
            generation > volume.generation
                || (generation == volume.generation
                    && generation > 0
                    && text(mark, "/target") == Some(on)
                    && serving(volume) != Some(on))
        }
    }
}

fn serving(volume: &Volume) -> Option<&str> {
    volume.placement.as_ref().map(|p| p.target.as_str())
}

/// Why a volume is left alone on an array.
#[must_use]
pub fn refusal(on: &Array<'_>, volume: &Volume, name: &str, mark: &Value) -> Failure {
    let who = match (number(mark, "/generation"), text(mark, "/host")) {
        (Some(generation), Some(host)) => {
            format!("was promoted there as generation {generation} by host {host}")
        }
        _ => "carries a mark there that this driver does not understand".to_owned(),
    };
    let mut failure = failure_on(
        on.name(),
        FailureCode::FailedPrecondition,
        format!(
            "{name} {who}, which the record (generation {}) does not know; nothing was done to it: look at `springform \
             reconcile --adopt --dry-run`",
            volume.generation
        ),
    );
    failure.extensions = vec![(EVIDENCE.to_owned(), mark.to_string())];
    failure
}

/// Those of a batch that must be left alone on an array, by place in the batch. Nobody asks where the host wants no evidence.
///
/// # Errors
/// When the array cannot be asked: what is not known to be older is not touched.
pub fn left_alone(
    context: &Context,
    on: &Array<'_>,
    volumes: &[Volume],
    names: &[String],
    act: Act,
) -> Result<BTreeMap<usize, Failure>, Failure> {
    let mut kept = BTreeMap::new();
    if host(context).is_none() || volumes.is_empty() {
        return Ok(kept);
    }
    let marks = of(on, names)?;
    for (place, (volume, name)) in volumes.iter().zip(names).enumerate() {
        if let Some(mark) = marks.get(name)
            && is_newer(context, on.name(), volume, mark, act)
        {
            kept.insert(place, refusal(on, volume, name, mark));
        }
    }
    Ok(kept)
}

/// Does a thing to those of a batch that may be touched; the answers are in the order of the volumes.
///
/// # Errors
/// When the array cannot be asked, and those of `work`.
pub fn guarded<E: From<Failure>>(
    context: &Context,
    on: &Array<'_>,
    volumes: &[Volume],
    names: &[String],
    act: Act,
    work: impl FnOnce(&[Volume]) -> Result<Vec<Outcome>, E>,
) -> Result<Vec<Outcome>, E> {
    let kept = left_alone(context, on, volumes, names, act)?;
    without(volumes, kept, work)
}

/// The same where it is known already which are left alone.
///
/// # Errors
/// Those of `work`.
pub fn without<E>(
    volumes: &[Volume],
    mut kept: BTreeMap<usize, Failure>,
    work: impl FnOnce(&[Volume]) -> Result<Vec<Outcome>, E>,
) -> Result<Vec<Outcome>, E> {
    if kept.is_empty() {
        return work(volumes);
    }
    let mut able = Vec::new();
    let free = volumes.iter().enumerate();
    able.extend(
        free.filter(|(i, _)| !kept.contains_key(i))
            .map(|(_, v)| v.clone()),
    );
    let done = match able.is_empty() {
        true => Vec::new(),
        false => work(&able)?,
    };
    let mut done = done.into_iter();
    let mut outcomes = Vec::new();
    for (place, volume) in volumes.iter().enumerate() {
        match kept.remove(&place) {
            Some(failure) => outcomes.push(Outcome {
                id: volume.id.clone(),
                result: Err(failure),
            }),
            None => outcomes.extend(done.next()),
        }
    }
    Ok(outcomes)
}
