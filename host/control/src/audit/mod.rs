//! The audit log as the control plane writes it: in the commit of what it tells of, or, from where nobody may wait for the
//! database, through the [`Recorder`].

mod operations;
mod recorder;
mod writer;

use std::time::Duration;

use springform_model::audit::{Action, Entry, Kind, Outcome, Subject, Who};
use springform_store::{AuditRecord, Changes, Direction, Query, StoreError};

pub(crate) use operations::{begun, cancel_requested, ended};
pub use recorder::Recorder;
pub(crate) use writer::write_recorded;

use crate::context::Context;
use crate::outbox::Outbox;
use crate::registry::GenerationRecord;
use crate::{Caller, ControlError, ErrorKind};

/// Lines of a grant that one entry names.
const LINES: usize = 20;
/// Between two looks for entries that are older than they are kept.
const PRUNE: Duration = Duration::from_secs(3600);

/// The audit log.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    context: &'a Context,
}

impl From<&Caller> for Who {
    fn from(caller: &Caller) -> Self {
        if caller.is_internal() {
            return Self::of(Kind::Host);
        }
        Self {
            address: caller.address.clone(),
            project: Some(caller.project_id.clone()),
            request: caller.request_id.clone(),
            user: Some(caller.user_id.clone()),
            ..Self::of(Kind::User)
        }
    }
}

impl<'a> Audit<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    /// One page, newest first.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a marker that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
    ) -> Result<Vec<AuditRecord>, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Only an administrator may read the audit log.",
            ));
        }
        let query = query
            .sort("created_at", Direction::Desc)
            .sort("seq", Direction::Desc);
        let found = self.context.store().list::<AuditRecord>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Takes what is told from where nobody may wait.
    #[must_use]
    pub fn recorder(&self) -> &'a Recorder {
        &self.context.config().audit
    }

    /// An entry of this host.
    pub(crate) fn entry(&self, who: impl Into<Who>, action: Action, outcome: Outcome) -> Entry {
        Entry::new(self.context.now(), who.into(), action, outcome)
            .by_host(&self.context.config().host)
    }

    /// Writes an entry that belongs to no other change. It is logged where the database does not take it.
    pub(crate) async fn write(&self, entry: Entry) {
        let changes = Changes::new().audit(entry.clone());
        if let Err(error) = self.context.store().commit(changes).await {
            let entry = entry.text().unwrap_or_default();
            tracing::error!(target: "audit", event = "audit-unwritten", %error, "{entry}");
        }
    }

    /// Tells of something that was not done.
    pub(crate) async fn refused(&self, who: Who, action: Action, on: Subject, why: &str) {
        let entry = self.entry(who, action, Outcome::Refused);
        self.write(entry.on(on).because(why)).await;
    }

    /// What of a driver's rights is otherwise in its next generation; nothing where that is nothing, or where it is the first.
    pub(crate) fn grants(
        &self,
        who: &Who,
        before: Option<&GenerationRecord>,
        after: &GenerationRecord,
    ) -> Option<Entry> {
        let before = before?;
        let lines = |from: &GenerationRecord, without: &GenerationRecord| -> Vec<String> {
            let lines = from.grants.iter();
            let lines = lines.filter(|line| !without.grants.contains(line));
            lines.cloned().collect()
        };
        let (added, removed) = (lines(after, before), lines(before, after));
        if added.is_empty() && removed.is_empty() {
            return None;
        }
        let entry = self.entry(who.clone(), Action::GrantChanged, Outcome::Succeeded);
        let mut entry = entry.on(generation(after));
        for (what, lines) in [("added", added), ("removed", removed)] {
            for (n, line) in lines.iter().take(LINES).enumerate() {
                entry = entry.with(format!("{what}-{:02}", n + 1), line);
            }
            if lines.len() > LINES {
                entry = entry.with(what, lines.len().to_string());
            }
        }
        Some(entry)
    }
}

/// A generation, as entries name it.
pub(crate) fn generation(record: &GenerationRecord) -> Subject {
    Subject {
        driver: Some(record.driver.clone()),
        digest: Some(record.digest.clone()),
        generation: Some(record.number),
        signers: record.signers.clone(),
        ..Subject::default()
    }
}

/// A backend, as entries name it.
pub(crate) fn backend(name: &str) -> Subject {
    Subject {
        backend: Some(name.to_owned()),
        ..Subject::default()
    }
}

/// A driver, as entries name it.
pub(crate) fn driver(name: &str) -> Subject {
    Subject {
        driver: Some(name.to_owned()),
        ..Subject::default()
    }
}

/// Tells that the host began, and of how the chains of other hosts stood then. A disk that is full is no reason not to begin:
/// then it is in the log only.
///
/// # Errors
/// What the store says.
pub(crate) async fn started(context: &Context) -> Result<(), ControlError> {
    let audit = Audit::new(context);
    let entry = audit.entry(Who::of(Kind::Host), Action::HostStarted, Outcome::Succeeded);
    let entry = entry.with("version", env!("CARGO_PKG_VERSION"));
    let text = entry.text().unwrap_or_default();
    match context
        .store()
        .commit(Changes::new().audit_witness(entry))
        .await
    {
        Err(error @ StoreError::Unavailable(_)) => {
            tracing::error!(target: "audit", event = "audit-unwritten", %error, "{text}");
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// Tells that the host ends, after everything that was counted and not yet written.
pub(crate) async fn stopped(outbox: &Outbox) {
    let audit = Audit::new(outbox.context());
    writer::write_rest(audit.recorder(), outbox).await;
    let entry = audit.entry(Who::of(Kind::Host), Action::HostStopped, Outcome::Succeeded);
    audit.write(entry).await;
}

/// Removes entries that are older than they are kept.
pub(crate) async fn prune(context: Context) {
    loop {
        prune_once(&context).await;
        tokio::time::sleep(PRUNE).await;
    }
}

async fn prune_once(context: &Context) {
    let kept = i64::try_from(context.config().keep_audit.as_micros()).unwrap_or(i64::MAX);
    let before = context.now().plus_micros(-kept);
    let audit = Audit::new(context);
    let entry = audit.entry(Who::of(Kind::Host), Action::AuditPruned, Outcome::Succeeded);
    let changes = Changes::new().audit_prune(before, entry);
    if let Err(error) = context.store().commit(changes).await {
        tracing::warn!(%error, "old entries of the audit log could not be removed");
    }
}
