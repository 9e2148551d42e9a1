//! Entries of the audit log as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_control::AuditRecord;
use springform_model::audit::{Entry, Subject, Who};
use utoipa::ToSchema;

use crate::views::Micros;

/// An entry in its place in the chain of its host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView<'a> {
    /// Which host wrote it.
    host: &'a str,
    /// Its number in the chain of that host, from 1.
    seq: u64,
    /// SHA-256 over the hash before it, its number and its text.
    hash: &'a str,
    /// The hash before it.
    previous: &'a str,
    at: Micros,
    /// What was done, one of a closed set of words.
    action: &'a str,
    /// `begun`, `succeeded`, `partly-failed`, `failed`, `cancelled`, `refused` or `denied`.
    outcome: &'a str,
    who: WhoView<'a>,
    on: SubjectView<'a>,
    /// Why, where it did not succeed.
    #[schema(required)]
    reason: Option<&'a str>,
    /// What else is to be known.
    details: &'a BTreeMap<String, String>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditWho)]
pub struct WhoView<'a> {
    /// `user`, `host`, `command-line`, `driver` or `unknown`.
    kind: &'a str,
    #[schema(required)]
    user: Option<&'a str>,
    #[schema(required)]
    project: Option<&'a str>,
    /// Address of the client; behind a proxy the proxy's.
    #[schema(required)]
    address: Option<&'a str>,
    /// Id of the request.
    #[schema(required)]
    request: Option<&'a str>,
}

/// What something was done to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditSubject)]
pub struct SubjectView<'a> {
    #[schema(required)]
    backend: Option<&'a str>,
    #[schema(required)]
    driver: Option<&'a str>,
    /// SHA-256 of the component.
    #[schema(required)]
    digest: Option<&'a str>,
    #[schema(required)]
    generation: Option<u64>,
    /// Names of the keys that signed the component.
    signers: &'a [String],
    /// Id of the operation.
    #[schema(required)]
    operation: Option<&'a str>,
    /// Kind and id of what the operation is about.
    #[schema(required)]
    scope: Option<&'a str>,
}

impl<'a> AuditEntryView<'a> {
    /// The whole record.
    #[must_use]
    pub fn new(record: &'a AuditRecord) -> Self {
        let AuditRecord {
            entry,
            hash,
            host,
            previous,
            seq,
        } = record;
        let Entry {
            action,
            at,
            details,
            host: _,
            on,
            outcome,
            reason,
            who,
        } = entry;
        Self {
            host,
            seq: *seq,
            hash,
            previous,
            at: Micros(*at),
            action: action.as_str(),
            outcome: outcome.as_str(),
            who: WhoView::new(who),
            on: SubjectView::new(on),
            reason: reason.as_deref(),
            details,
        }
    }
}

impl<'a> WhoView<'a> {
    fn new(who: &'a Who) -> Self {
        let Who {
            address,
            kind,
            project,
            request,
            user,
        } = who;
        Self {
            kind: kind.as_str(),
            user: user.as_deref(),
            project: project.as_deref(),
            address: address.as_deref(),
            request: request.as_deref(),
        }
    }
}

impl<'a> SubjectView<'a> {
    fn new(on: &'a Subject) -> Self {
        let Subject {
            backend,
            digest,
            driver,
            generation,
            operation,
            scope,
            signers,
        } = on;
        Self {
            backend: backend.as_deref(),
            driver: driver.as_deref(),
            digest: digest.as_deref(),
            generation: *generation,
            signers,
            operation: operation.as_deref(),
            scope: scope.as_deref(),
        }
    }
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntries<'a> {
    /// The entries.
    pub entries: Vec<AuditEntryView<'a>>,
    /// Marker of the next page; null after the last.
    #[schema(required)]
    pub next: Option<String>,
}
