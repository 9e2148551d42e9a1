//! Reads the evidence back: what every array that answers says of who was promoted there, and where that is news to the
//! record, all that is needed to bring it up to the array.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use springform_sdk::interfaces::replication::{Link, LinkState, Observation};
use springform_sdk::types::{Context, Failure, ReplicationKind, Volume};

use super::{EVIDENCE, Marks, all, host};
use crate::array::{Array, flag, number, text};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::query::{self, Query};
use crate::volume::placed;
use crate::{async_leg, collections, layout, names, pgroup};

/// Key under which the host asks for all there is of a volume, because it is about to adopt it.
const WHOLE: &str = "springform/whole";

/// Adds the evidence to what was seen, where the host says who it is: a link of a kind of its own for each array that has
/// some, and for each that could not be asked.
pub fn observe(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    seen: &mut [Observation],
) {
    if host(context).is_none() {
        return;
    }
    for on in arrays.all() {
        let found = match on.target().reachable {
            true => look(arrays, options, volumes, &on).ok(),
            false => None,
        };
        for (volume, seen) in volumes.iter().zip(seen.iter_mut()) {
            match &found {
                None => seen.links.push(link(&on, LinkState::Unknown, None)),
                Some(found) => {
                    let some = found.get(&volume.id).cloned();
                    let some = some.map(|detail| link(&on, LinkState::Healthy, Some(detail)));
                    seen.links.extend(some);
                }
            }
        }
    }
}

fn link(on: &Array<'_>, state: LinkState, detail: Option<String>) -> Link {
    Link {
        target: on.name().to_owned(),
        kind: ReplicationKind::Other(EVIDENCE.to_owned()),
        state,
        last_point: None,
        interval_seconds: None,
        lag_bytes: None,
        percent: None,
        detail,
    }
}

/// What one array says of volumes, by id.
fn look(
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    volumes: &[Volume],
    on: &Array<'_>,
) -> Result<BTreeMap<String, String>, Failure> {
    let marks = all(on)?;
    let mut known = Vec::new();
    let mut news = Vec::new();
    for volume in volumes {
        let name = async_leg::name_there(arrays, options, volume, on);
        let mark = marks.get(&name);
        if whole(volume) || mark.is_some_and(|mark| is_news(volume, on, mark)) {
            news.push(name.clone());
        }
        if mark.is_some() || whole(volume) {
            known.push((volume, name));
        }
    }
    let details = match news.is_empty() {
        true => BTreeMap::new(),
        false => details(options, on, &news)?,
    };
    Ok(collections::table(known.iter().filter_map(
        |(volume, name)| {
            let told = tell(on, volume, name, &marks, details.get(name))?;
            Some((volume.id.clone(), told.to_string()))
        },
    )))
}

fn whole(volume: &Volume) -> bool {
    volume.extensions.iter().any(|(key, _)| key == WHOLE)
}

fn is_news(volume: &Volume, on: &Array<'_>, mark: &Value) -> bool {
    let here = volume.placement.as_ref().map(|p| p.target.as_str()) == Some(on.name());
    match number(mark, "/generation") {
        Some(generation) => {
            generation > volume.generation || (generation == volume.generation && !here)
        }
        None => true,
    }
}

/// A volume as it is on an array.
struct Detail {
    size: Option<u64>,
    serial: Option<String>,
    replication: Option<ReplicationKind>,
}

fn details(
    options: &Options<'_>,
    on: &Array<'_>,
    names: &[String],
) -> Result<BTreeMap<String, Detail>, Failure> {
    let mut found = Vec::new();
    for chunk in query::chunks(names) {
        match on.list("/volumes", &Query::new().list("names", chunk)) {
            Ok(some) => found.extend(some),
            // One of them is not there.
            Err(_) => {
                let live = Query::new().filter("destroyed='false'");
                let all = on.list("/volumes", &live);
                found = all.map_err(pgroup::unexpected)?;
                break;
            }
        }
    }
    let members = |group: &str| -> Result<BTreeSet<String>, Failure> {
        Ok(collections::set(pgroup::members(on, group)?))
    };
    let (plain, third) = (members(options.pgroup())?, members(&options.third_group())?);
    let live = found.iter().filter(|v| !flag(v, "/destroyed"));
    Ok(collections::table(live.filter_map(|v| {
        let name = text(v, "/name")?;
        let replication = match names::pod_of(name) {
            Some(_) if third.contains(name) => Some(ReplicationKind::TriSync),
            Some(_) => Some(ReplicationKind::Sync),
            None => plain.contains(name).then_some(ReplicationKind::Async),
        };
        let detail = Detail {
            size: number(v, "/provisioned"),
            serial: text(v, "/serial").map(str::to_owned),
            replication,
        };
        Some((name.to_owned(), detail))
    })))
}

fn tell(
    on: &Array<'_>,
    volume: &Volume,
    name: &str,
    marks: &Marks,
    detail: Option<&Detail>,
) -> Option<Value> {
    let mark = marks.get(name);
    if mark.is_none() && detail.is_none() {
        return None;
    }
    let mut told = json!({ "mark": mark });
    if let (Some(detail), Some(fields)) = (detail, told.as_object_mut()) {
        let wanted = layout::wanted(volume).is_some();
        let kind = detail.replication.clone().filter(|_| wanted);
        let placement = placed(on, name, detail.serial.clone(), None);
        let placement = json!({
            "array_name": name,
            "target": on.name(),
            "serial": placement.serial,
            "metadata": placement.metadata,
            "replication": kind.map(word),
            "extensions": [],
        });
        fields.insert("placement".to_owned(), placement);
        fields.insert("size".to_owned(), json!(detail.size));
    }
    Some(told)
}

fn word(kind: ReplicationKind) -> &'static str {
    match kind {
        ReplicationKind::TriSync => "tri-sync",
        ReplicationKind::Sync => "sync",
        _ => "async",
    }
}
