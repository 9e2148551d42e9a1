//! What changed between two looks, as events and as lines of the log. A backend has news, not each of its volumes: the
//! receiver of a webhook wants to be woken once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use springform_model::contract::Protection;
use springform_model::replication::lag::Severity;
use springform_model::time::Timestamp;
use uuid::Uuid;

use super::tally::{Tally, TargetTally, Watched};
use crate::outbox::CloudEvent;

/// Collects events.
struct News<'a> {
    backend: &'a str,
    now: Timestamp,
    events: Vec<CloudEvent>,
}

impl News<'_> {
    fn tell(&mut self, kind: &str, subject: &str, data: Value) {
        self.events.push(CloudEvent::new(
            kind,
            self.backend,
            subject,
            Uuid::now_v7().to_string(),
            data,
            self.now,
        ));
    }
}

/// The events between two looks. Before the first look nothing was known, so what is well is not told then.
#[must_use]
pub fn between(before: &Watched, after: &Watched, now: Timestamp) -> Vec<CloudEvent> {
    let backend = after.backend.as_str();
    let mut news = News {
        backend,
        now,
        events: Vec::new(),
    };
    match (before.failures, after.failures, &after.error) {
        (0, 1.., Some(error)) => {
            tracing::warn!(backend, %error, "replication cannot be observed; what is known of it grows old");
            news.tell(
                "replication.unobserved",
                backend,
                json!({ "backend": backend, "error": error }),
            );
        }
        (1.., 0, _) => {
            tracing::info!(backend, "replication can be observed again");
            news.tell(
                "replication.observed",
                backend,
                json!({ "backend": backend }),
            );
        }
        _ => {}
    }
    if after.failures == 0 {
        overtaken(&mut news, &before.tally, &after.tally);
        protection(&mut news, &before.tally, &after.tally);
        let none = TargetTally::default();
        for (name, target) in &after.tally.targets {
            let was = before.tally.targets.get(name).unwrap_or(&none);
            links(&mut news, name, was, target);
            lag(&mut news, name, was, target);
            debts(&mut news, name, was, target);
        }
    }
    news.events
}

/// Volumes in states that somebody should do something about.
fn ill(tally: &Tally) -> BTreeMap<&'static str, u64> {
    [
        ("unprotected", Protection::Unprotected),
        ("rpo-exceeded", Protection::RpoExceeded),
        ("unknown", Protection::Unknown),
    ]
    .map(|(word, state)| (word, tally.protected_as(&state)))
    .into_iter()
    .filter(|(_, volumes)| *volumes > 0)
    .collect()
}

/// Records that are older than the arrays: nothing is done to these volumes until somebody adopts what the arrays say.
fn overtaken(news: &mut News<'_>, was: &Tally, is: &Tally) {
    let (backend, volumes) = (news.backend, is.overtaken);
    let data = json!({ "backend": backend, "volumes": volumes });
    if was.overtaken == 0 && volumes > 0 {
        tracing::error!(
            backend,
            volumes,
            "the arrays know of promotions that the records do not: nothing is fenced, overwritten or deleted there until \
             `springform reconcile --adopt`"
        );
        news.tell("replication.overtaken", backend, data);
    } else if was.overtaken > 0 && volumes == 0 {
        tracing::info!(backend, "the records are up to what the arrays say again");
        news.tell("replication.adopted", backend, data);
    }
}

fn protection(news: &mut News<'_>, was: &Tally, is: &Tally) {
    let backend = news.backend;
    let (before, after) = (ill(was), ill(is));
    if before != after {
        tracing::warn!(backend, volumes = is.volumes, ill = %json!(after), "the protection of volumes changed");
        let data = json!({
            "backend": backend, "volumes": is.volumes, "protection": is.protection,
            "ill": { "from": before, "to": after },
        });
        news.tell("replication.protection", backend, data);
    }
    for volume in is.split_brain.difference(&was.split_brain) {
        tracing::error!(backend, %volume, "a volume was written on two arrays independently");
        news.tell(
            "replication.split-brain",
            volume,
            json!({ "backend": backend, "volume_id": volume }),
        );
    }
}

fn links(news: &mut News<'_>, name: &str, was: &TargetTally, is: &TargetTally) {
    use springform_model::contract::LinkState;
    let well = LinkState::Healthy;
    if was.worst.as_ref().unwrap_or(&well) == is.worst.as_ref().unwrap_or(&well) {
        return;
    }
    let backend = news.backend;
    let word = |state: &Option<LinkState>| state.as_ref().map(|s| s.as_str().to_owned());
    let (from, to) = (word(&was.worst), word(&is.worst));
    tracing::warn!(backend, target = name, from = ?from.as_deref(), to = ?to.as_deref(), "the link to a target changed");
    let data = json!({
        "backend": backend, "target": name, "from": from, "to": to, "volumes": is.links,
    });
    news.tell("replication.link", &format!("{backend}/{name}"), data);
}

fn lag(news: &mut News<'_>, name: &str, was: &TargetTally, is: &TargetTally) {
    if was.severity == is.severity {
        return;
    }
    let backend = news.backend;
    let (from, to) = (was.severity.as_str(), is.severity.as_str());
    let seconds = is.lag_seconds;
    if is.severity == Severity::Fine {
        tracing::info!(
            backend,
            target = name,
            "copies are within their schedule again"
        );
    } else {
        tracing::warn!(
            backend,
            target = name,
            seconds,
            severity = to,
            "copies are behind their schedule"
        );
    }
    let data = json!({
        "backend": backend, "target": name, "from": from, "to": to,
        "lag_seconds": seconds, "ratio_permille": is.ratio_permille,
    });
    news.tell("replication.lag", &format!("{backend}/{name}"), data);
}

fn debts(news: &mut News<'_>, name: &str, was: &TargetTally, is: &TargetTally) {
    let backend = news.backend;
    let subject = format!("{backend}/{name}");
    let data = json!({ "backend": backend, "target": name, "volumes": is.back.max(was.owed) });
    if was.back == 0 && is.back > 0 {
        tracing::warn!(
            backend,
            target = name,
            volumes = is.back,
            "an array that was left behind answers again; it is fenced before it is trusted"
        );
        news.tell("replication.array-returned", &subject, data);
    } else if was.owed > 0 && is.owed == 0 && is.written_off == 0 {
        tracing::info!(
            backend,
            target = name,
            "an array that was left behind is fenced"
        );
        news.tell("replication.array-fenced", &subject, data);
    }
}
