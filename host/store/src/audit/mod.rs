//! The audit log in the database: entries are appended in the commit of what they tell of, so that neither is there without
//! the other. Each host has a chain of its own.

mod append;
mod file;

use serde::{Deserialize, Serialize};
use springform_model::audit::Entry;
use springform_model::time::Timestamp;

pub(crate) use append::{Appended, append, tell};
pub use file::{AuditFileError, AuditRow, audit_heads, verify_audit, visit_audit};

use crate::table::{Record, Table, Value};

/// What a commit does to the audit log.
#[derive(Debug, Clone)]
pub(crate) enum AuditStep {
    /// One more entry.
    Append(Entry),
    /// One more entry, which names the end of every other host's chain: one who cuts one of these has to cut this as well.
    Witness(Entry),
    /// Entries that are older than this go, and the entry says where each chain begins from then on. Nothing happens where
    /// there are none.
    Prune { before: Timestamp, entry: Entry },
}

/// One entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The entry.
    pub entry: Entry,
    /// Its hash.
    pub hash: String,
    /// Whose chain it is in.
    pub host: String,
    /// The hash of the entry before it.
    pub previous: String,
    /// Its number.
    pub seq: u64,
}

impl Record for AuditRecord {
    const TABLE: Table = Table {
        name: "audit",
        columns: &[
            "host",
            "seq",
            "created_at",
            "action",
            "outcome",
            "backend",
            "driver",
            "user",
        ],
    };

    fn id(&self) -> &str {
        &self.hash
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("host", Value::from(&self.host)),
            ("seq", Value::from(self.seq)),
            ("created_at", Value::from(self.entry.at)),
            ("action", Value::from(self.entry.action.as_str())),
            ("outcome", Value::from(self.entry.outcome.as_str())),
            ("backend", Value::from(&self.entry.on.backend)),
            ("driver", Value::from(&self.entry.on.driver)),
            ("user", Value::from(&self.entry.who.user)),
        ]
    }
}
