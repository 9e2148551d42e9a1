//! Pods: what two arrays hold together, and how each of them is doing.

use std::collections::BTreeMap;

use serde_json::Value;
use springform_sdk::fail::failure_on;
use springform_sdk::types::{Failure, FailureCode};

use crate::array::{Array, flag, number, text};
use crate::query::Query;
use crate::{collections, names, pgroup, setup};

/// How a pod is doing on one array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Serves; what is written there is acknowledged by the pod.
    Online,
    /// Does not serve; its data stands still.
    Offline,
    /// Catches up; does not serve yet.
    Resyncing,
    /// The array that was asked cannot know.
    Unknown,
}

impl Status {
    fn read(word: &str) -> Self {
        match word {
            "online" => Self::Online,
            "offline" => Self::Offline,
            "resyncing" => Self::Resyncing,
            _ => Self::Unknown,
        }
    }

    /// As the array says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Resyncing => "resyncing",
            Self::Unknown => "unknown",
        }
    }
}

/// One array of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The array's own name.
    pub array: String,
    /// How the pod is doing there.
    pub status: Status,
    /// Whether the array says that it cannot reach the mediator.
    pub without_mediator: bool,
    /// Progress of a resync, 0 to 100.
    pub percent: Option<u8>,
    /// Since when its data stands still, milliseconds since the epoch.
    pub frozen_at: Option<u64>,
}

/// A pod, as one array sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its arrays: one, or two when it is stretched.
    pub sides: Vec<Side>,
    /// Destroyed, and not eradicated yet.
    pub destroyed: bool,
}

impl Pod {
    /// The side of the array which calls itself so.
    #[must_use]
    pub fn side(&self, own_name: &str) -> Option<&Side> {
        self.sides.iter().find(|s| s.array == own_name)
    }

    /// The other side.
    #[must_use]
    pub fn beyond(&self, own_name: &str) -> Option<&Side> {
        self.sides.iter().find(|s| s.array != own_name)
    }

    /// How it is doing on an array; unknown where it is not.
    #[must_use]
    pub fn status(&self, own_name: &str) -> Status {
        self.side(own_name).map_or(Status::Unknown, |s| s.status)
    }

    /// Whether every write is on two arrays before it is acknowledged.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.sides.len() > 1 && self.sides.iter().all(|s| s.status == Status::Online)
    }
}

/// The pod as an array sees it; none where it has none of this name.
///
/// # Errors
/// When the array cannot be asked.
pub fn read(array: &Array<'_>, pod: &str) -> Result<Option<Pod>, Failure> {
    let found = array
        .find("/pods", &Query::new().name(pod))
        .map_err(pgroup::unexpected)?;
    Ok(found
        .iter()
        .find(|p| text(p, "/name") == Some(pod))
        .map(understand))
}

/// The same for a pod that must be there and live.
///
/// # Errors
/// `failed-precondition`, when it is not.
pub fn need(array: &Array<'_>, pod: &str) -> Result<Pod, Failure> {
    match read(array, pod)? {
        Some(found) if !found.destroyed => Ok(found),
        found => {
            let state = if found.is_some() {
                "was destroyed on"
            } else {
                "is not on"
            };
            Err(failure_on(
                array.name(),
                FailureCode::FailedPrecondition,
                format!("pod {pod} {state} {}; reconcile the backend", array.name()),
            ))
        }
    }
}

/// The array's own name: what set-up learned, else what it says now.
///
/// # Errors
/// When it has to be asked and cannot be.
pub fn own_name(array: &Array<'_>) -> Result<String, Failure> {
    array
        .known_name()
        .map_or_else(|| setup::identify(array), Ok)
}

/// Refuses to go on where the pod is not online on an array.
///
/// # Errors
/// `failed-precondition`, saying how it is doing.
pub fn online(array: &Array<'_>, pod: &str) -> Result<Pod, Failure> {
    let found = need(array, pod)?;
    match found.status(&own_name(array)?) {
        Status::Online => Ok(found),
        status => Err(failure_on(
            array.name(),
            FailureCode::FailedPrecondition,
            format!("pod {pod} is {} on {}", status.word(), array.name()),
        )),
    }
}

/// Live volumes of a pod with their serials, in one list however many there are.
///
/// # Errors
/// When the array cannot be asked.
pub fn volumes(array: &Array<'_>, pod: &str) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let filter = format!("pod.name='{pod}' and destroyed='false'");
    let found = array
        .find("/volumes", &Query::new().filter(&filter))
        .map_err(pgroup::unexpected)?;
    Ok(collections::table(found.iter().filter_map(|v| {
        let name = text(v, "/name")?;
        let serial = text(v, "/serial").map(str::to_owned);
        (names::pod_of(name) == Some(pod)).then(|| (name.to_owned(), serial))
    })))
}

fn understand(pod: &Value) -> Pod {
    let sides = pod.pointer("/arrays").and_then(Value::as_array);
    Pod {
        sides: sides.into_iter().flatten().filter_map(side).collect(),
        destroyed: flag(pod, "/destroyed"),
    }
}

fn side(array: &Value) -> Option<Side> {
    let progress = array.pointer("/progress").and_then(Value::as_f64);
    Some(Side {
        array: text(array, "/name")?.to_owned(),
        status: Status::read(text(array, "/status").unwrap_or_default()),
        without_mediator: text(array, "/mediator_status") == Some("unreachable"),
        percent: progress.map(|p| (p.clamp(0.0, 1.0) * 100.0) as u8),
        frozen_at: number(array, "/frozen_at"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_in_sync_only_while_both_of_its_arrays_serve() {
        let with = |status: &str| {
            understand(&json!({"name": "p", "arrays": [
                {"name": "a", "status": "online", "mediator_status": "online"},
                {"name": "b", "status": status, "mediator_status": "unreachable", "progress": 0.5},
            ]}))
        };
        assert!(with("online").in_sync());
        for status in ["offline", "resyncing", "unknown", "something new"] {
            assert!(!with(status).in_sync(), "{status}");
        }
        let pod = with("resyncing");
        let far = pod.beyond("a").unwrap();
        assert_eq!((far.percent, far.without_mediator), (Some(50), true));
    }
}
