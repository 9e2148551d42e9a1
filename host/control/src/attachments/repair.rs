//! Attaches servers anew whose volumes moved in a failover, through Nova: it alone can make a hypervisor let go of the old
//! array. What it may not do (a root volume, a server that refuses) becomes commands for a person.
//!
//! Between detaching and attaching nobody but us knows that the two belong together, so that is written down first: a
//! repair that is interrupted is finished by the next one.

mod commands;
mod job;
mod under_way;

pub use job::{Outcome, Repaired};

use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use springform_model::cloud::Attachment;
use springform_store::{Direction, Query};
use tokio::time::Instant;

use super::Attachments;
use crate::compute::Compute;
use crate::{Caller, ControlError, ErrorKind};
use job::Job;
use under_way::UnderWay;

/// Servers worked on at once.
const AT_ONCE: usize = 8;
/// Nothing new is begun after this time; the caller asks again for what remains.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// Attachments read at once.
const PAGE: u32 = 500;

/// What is to be repaired.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only volumes of this backend.
    pub backend: Option<String>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One for each attachment that was looked at.
    pub attachments: Vec<Repaired>,
    /// Attachments that were not looked at for want of time: ask again.
    pub remaining: usize,
}

impl Attachments<'_> {
    /// Repairs attachments that a failover left behind. Bounded in time: what was not begun is counted in the report. May be
    /// repeated; what is done is not done again.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound` for a backend that is none, and what the store says. What Nova says is in the report.
    pub async fn repair(
        &self,
        caller: &Caller,
        compute: Option<&dyn Compute>,
        wanted: &Wanted,
    ) -> Result<Report, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Repairing attachments is the administrator's.",
            ));
        }
        if let Some(backend) = &wanted.backend
            && self.operations.backend(backend).is_none()
        {
            return Err(ControlError::not_found("Backend", backend));
        }
        let jobs = self.jobs(wanted).await?;
        let until = Instant::now() + BEGIN_WITHIN;
        let mut report = Report::default();
        let mut running = futures_util::stream::iter(jobs.into_iter().map(|job| async move {
            if Instant::now() >= until {
                return None;
            }
            Some(job.run(self.operations, compute, wanted.dry_run).await)
        }))
        .buffered(AT_ONCE);
        while let Some(done) = running.next().await {
            match done {
                Some(done) => report.attachments.push(done?),
                None => report.remaining += 1,
            }
        }
        Ok(report)
    }

    /// What a failover left behind, and what an earlier repair did not finish.
    async fn jobs(&self, wanted: &Wanted) -> Result<Vec<Job>, ControlError> {
        let store = self.operations.store();
        let mut jobs = Vec::new();
        let mut query = Query::new()
            .eq("kind", "repair")
            .sort("created_at", Direction::Asc)
            .limit(PAGE);
        loop {
            let page = store.list::<UnderWay>(&query).await?;
            let Some(last) = page.last() else { break };
            query = query.marker(last.record.id.clone());
            jobs.extend(page.into_iter().map(|row| Job::unfinished(row.record)));
        }
        let mut query = Query::new().sort("created_at", Direction::Asc).limit(PAGE);
        loop {
            let page = store.list::<Attachment>(&query).await?;
            let Some(last) = page.last() else { break };
            query = query.marker(last.record.id.clone());
            for row in page {
                let attachment = row.record;
                let known = |job: &Job| job.is_about(&attachment);
                if attachment.outdated.is_some() && !jobs.iter().any(known) {
                    let volume = store
                        .get::<springform_model::cloud::Volume>(&attachment.volume_id)
                        .await?;
                    let backend = volume.and_then(|v| v.record.backend);
                    jobs.push(Job::outdated(attachment, backend));
                }
            }
        }
        if let Some(backend) = &wanted.backend {
            jobs.retain(|job| job.backend() == Some(backend));
        }
        Ok(jobs)
    }
}
