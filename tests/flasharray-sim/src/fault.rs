//! Misbehaviour on request: what to do wrong, for which requests, how often.

use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Waits `ms` (and up to `jitter_ms` more) before acting.
    Latency,
    /// Closes the connection without reading or acting.
    Refuse,
    /// Neither acts nor answers.
    Hang,
    /// Acts, then closes the connection without an answer.
    DropAfterActing,
    /// Acts, then waits `ms` before it answers.
    AnswerLate,
    /// Answers `status` with `body` without acting.
    Status,
    /// Acts, then answers the first half of the JSON.
    TruncatedJson,
    /// Acts, then answers byte by byte, each after `ms`.
    SlowDrip,
    /// Acts twice, as if something on the way had repeated the request.
    Twice,
}

/// A fault and the requests it concerns.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only for this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only for paths that start so, after `/api/2.x/`.
    #[serde(default)]
    pub path: Option<String>,
    /// Only if the decoded query contains this.
    #[serde(default)]
    pub query: Option<String>,
    /// Only from the nth matching request on, from 1.
    #[serde(default, alias = "from")]
    pub nth: Option<u64>,
    /// Matching requests to leave alone first.
    #[serde(default)]
    pub skip: Option<u64>,
    /// How often; for ever if none.
    #[serde(default)]
    pub count: Option<u64>,
    /// Milliseconds, see [`FaultKind`].
    #[serde(default)]
    pub ms: Option<u64>,
    /// Milliseconds of jitter on top.
    #[serde(default)]
    pub jitter_ms: Option<u64>,
    /// HTTP status.
    #[serde(default)]
    pub status: Option<u16>,
    /// Body of a `status` fault: JSON, or a text (HTML) sent as it is.
    #[serde(default)]
    pub body: Option<serde_json::Value>,
    /// Value of a `Retry-After` header.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

impl FaultSpec {
    /// A fault for every request.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            path: None,
            query: None,
            nth: None,
            skip: None,
            count: None,
            ms: None,
            jitter_ms: None,
            status: None,
            body: None,
            retry_after: None,
        }
    }

    fn matches(&self, method: &str, path: &str, query: &str) -> bool {
        self.method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| path.starts_with(wanted.trim_start_matches('/')))
            && self
                .query
                .as_ref()
                .is_none_or(|wanted| query.contains(wanted.as_str()))
    }

    /// How long to wait, jitter included.
    pub fn delay(&self) -> std::time::Duration {
        jittered(self.ms.unwrap_or(0), self.jitter_ms.unwrap_or(0))
    }
}

/// A duration with random jitter on top, both in milliseconds.
pub fn jittered(ms: u64, jitter: u64) -> std::time::Duration {
    let extra = if jitter == 0 {
        0
    } else {
        rand::rng().random_range(0..=jitter)
    };
    std::time::Duration::from_millis(ms + extra)
}

#[derive(Debug, Clone)]
struct Entry {
    id: u64,
    spec: FaultSpec,
    seen: u64,
    fired: u64,
}

/// The faults of one array.
#[derive(Debug, Clone, Default)]
pub struct FaultBook {
    next: u64,
    entries: Vec<Entry>,
}

impl FaultBook {
    /// Adds a fault; returns its id.
    pub fn add(&mut self, spec: FaultSpec) -> u64 {
        self.next += 1;
        self.entries.push(Entry {
            id: self.next,
            spec,
            seen: 0,
            fired: 0,
        });
        self.next
    }

    /// Removes a fault, or all. Returns whether there was one.
    pub fn remove(&mut self, id: Option<u64>) -> bool {
        let before = self.entries.len();
        self.entries
            .retain(|entry| id.is_some_and(|id| entry.id != id));
        before != self.entries.len()
    }

    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The faults that strike this request: any number of latencies and at
    /// most one other.
    pub fn strike(&mut self, method: &str, path: &str, query: &str) -> Vec<FaultSpec> {
        let mut struck: Vec<FaultSpec> = Vec::new();
        for entry in &mut self.entries {
            if !entry.spec.matches(method, path, query) {
                continue;
            }
            let taken = entry.spec.kind != FaultKind::Latency
                && struck.iter().any(|spec| spec.kind != FaultKind::Latency);
            if taken {
                continue;
            }
            entry.seen += 1;
            let skip = entry
                .spec
                .skip
                .unwrap_or(0)
                .max(entry.spec.nth.map_or(0, |n| n.saturating_sub(1)));
            if entry.seen <= skip || entry.spec.count.is_some_and(|count| entry.fired >= count) {
                continue;
            }
            entry.fired += 1;
            struck.push(entry.spec.clone());
        }
        struck
    }

    /// Whether a fault of this kind that names no method, path or query strikes
    /// a connection before its first request.
    pub fn strike_connection(&mut self, kind: FaultKind) -> bool {
        self.entries
            .iter_mut()
            .filter(|entry| {
                let spec = &entry.spec;
                spec.kind == kind
                    && spec.method.is_none()
                    && spec.path.is_none()
                    && spec.query.is_none()
            })
            .any(|entry| {
                entry.seen += 1;
                let fires = entry.seen > entry.spec.skip.unwrap_or(0)
                    && entry.spec.count.is_none_or(|count| entry.fired < count);
                entry.fired += u64::from(fires);
                fires
            })
    }

    /// What is set up and how often it struck.
    pub fn list(&self) -> serde_json::Value {
        self.entries
            .iter()
            .map(|entry| {
                serde_json::json!({"id": entry.id, "fault": entry.spec, "seen": entry.seen, "fired": entry.fired})
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_requests_it_names_as_often_as_it_says() {
        let mut book = FaultBook::default();
        book.add(FaultSpec {
            method: Some("POST".into()),
            path: Some("/volumes".into()),
            nth: Some(2),
            count: Some(1),
            ..FaultSpec::new(FaultKind::Hang)
        });
        let mut hit = |method, path| !book.strike(method, path, "").is_empty();
        assert!(!hit("GET", "volumes"));
        assert!(!hit("POST", "volumes"));
        assert!(hit("POST", "volumes"));
        assert!(!hit("POST", "volumes"));
    }

    #[test]
    fn latencies_add_up_with_one_other_fault() {
        let mut book = FaultBook::default();
        for kind in [
            FaultKind::Latency,
            FaultKind::Hang,
            FaultKind::Twice,
            FaultKind::Latency,
        ] {
            book.add(FaultSpec::new(kind));
        }
        let kinds: Vec<FaultKind> = book
            .strike("GET", "pods", "")
            .iter()
            .map(|f| f.kind)
            .collect();
        assert_eq!(
            kinds,
            [FaultKind::Latency, FaultKind::Hang, FaultKind::Latency]
        );
    }
}
