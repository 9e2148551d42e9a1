//! `[audit]`: how long the audit log is kept, apart from everything else.

use std::time::Duration;

use super::section::Section;

/// Days that entries are kept if nothing is said: a year, and time to look at it.
const DAYS: u64 = 400;

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// How long an entry is kept.
    pub keep: Duration,
}

impl AuditConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let days = section.number("keep_days", 1..=36_500).unwrap_or(DAYS);
        section.finish();
        Self {
            keep: Duration::from_secs(days * 86_400),
        }
    }
}
