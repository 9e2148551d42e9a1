//! The audit log: who did what.

use springform_control::query::{Order, Query};
use springform_model::audit::{Action, Outcome};
use springform_model::time::Timestamp;

use super::pages::{Page, after};
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::{AuditEntries, AuditEntryView};

/// What entries may be looked for by.
const COLUMNS: [&str; 6] = ["action", "outcome", "host", "backend", "driver", "user"];

pub(super) fn routes(r: &mut Routes) {
    r.get("/audit", "springform:audit:list", list)
        .admin()
        .asks(&[
            "action", "outcome", "host", "backend", "driver", "user", "since", "limit", "marker",
        ])
        .says("Lists entries of the audit log, newest first.")
        .returns::<AuditEntries<'_>>(200);
}

async fn list(call: Call) -> Answer {
    let actions = Action::ALL.iter().map(|action| action.as_str());
    known(&call, "action", actions)?;
    known(
        &call,
        "outcome",
        Outcome::ALL.iter().map(|outcome| outcome.as_str()),
    )?;
    let mut query = Query::new();
    if let Some(text) = call.query.get("since") {
        let since = Timestamp::parse(text).ok_or_else(|| {
            ApiError::invalid("since must be a point in time, as 2026-11-30T09:10:11Z.")
        })?;
        query = query.compare("created_at", Order::GreaterOrEqual, since);
    }
    let page = Page::read(&call, query, &COLUMNS)?;
    let found = call
        .control()
        .audit()
        .list(&call.caller, page.query)
        .await?;
    let next = after(page.rows, &found, |last| &last.hash);
    let entries = found.iter().map(AuditEntryView::new).collect();
    json(200, &AuditEntries { entries, next })
}

/// Refuses a word that is none: an empty list would say that it never happened.
fn known(
    call: &Call,
    name: &str,
    mut words: impl Iterator<Item = &'static str>,
) -> Result<(), ApiError> {
    match call.query.get(name) {
        Some(word) if !words.any(|known| known == word) => Err(ApiError::invalid(format!(
            "{name} is none of the words of the audit log; docs/audit.md has them."
        ))),
        _ => Ok(()),
    }
}
