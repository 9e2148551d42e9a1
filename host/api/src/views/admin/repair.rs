//! Attachments after a failover, as JSON.

use serde::Serialize;
use springform_control::attachments::repair::{Repaired, Report};
use utoipa::ToSchema;

use super::words::word;

/// What became of the attachments.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepairReport<'a> {
    attachments: Vec<RepairedAttachment<'a>>,
    /// How many are still outdated.
    remaining: u64,
}

/// What became of one attachment.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepairedAttachment<'a> {
    volume_id: &'a str,
    #[schema(required)]
    server_id: Option<&'a str>,
    attachment_id: &'a str,
    #[schema(required)]
    backend: Option<&'a str>,
    /// `reattached`, `would-reattach`, `by-hand`, `pending` or `failed`.
    outcome: String,
    #[schema(required)]
    reason: Option<&'a str>,
    /// What a person can type.
    commands: &'a [String],
}

impl<'a> RepairReport<'a> {
    /// All of it.
    #[must_use]
    pub fn new(report: &'a Report) -> Self {
        let Report {
            attachments,
            remaining,
        } = report;
        Self {
            attachments: attachments.iter().map(RepairedAttachment::new).collect(),
            remaining: *remaining as u64,
        }
    }
}

impl<'a> RepairedAttachment<'a> {
    fn new(repaired: &'a Repaired) -> Self {
        let Repaired {
            volume_id,
            server_id,
            attachment_id,
            backend,
            outcome,
            reason,
            commands,
        } = repaired;
        Self {
            volume_id,
            server_id: server_id.as_deref(),
            attachment_id,
            backend: backend.as_deref(),
            outcome: word(outcome),
            reason: reason.as_deref(),
            commands,
        }
    }
}
