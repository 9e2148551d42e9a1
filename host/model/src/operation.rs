//! The journal's nouns: an operation and its steps.
//!
//! An operation is written before the first request to an array leaves, and is never deleted while it is open.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Timestamp;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// Journalled, not begun.
    Queued,
    /// Under way.
    Running,
    /// A step waits for the array or for its next attempt.
    Waiting,
    /// Done, all of it.
    Succeeded,
    /// Done, but not for every member; `failed` members can be retried.
    PartlyFailed,
    /// Not done.
    Failed,
    /// Cancelled before anything dangerous.
    Cancelled,
}

impl OperationState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::PartlyFailed | Self::Failed | Self::Cancelled
        )
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::PartlyFailed => "partly-failed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One named step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is done: `volumes.create`, `promote batch 3 of 20`.
    pub name: String,
    /// Where it stands.
    pub state: OperationState,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it is given up.
    pub deadline: Option<Timestamp>,
    /// What is waited for.
    pub waiting_for: Option<String>,
    /// 0 to 100.
    pub percent: Option<u8>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub error: Option<OperationError>,
    /// What a restart needs to go on: the cursor of a pending call, the members of a batch.
    #[serde(default)]
    pub data: Value,
}

impl Step {
    /// A step that has not begun.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: OperationState::Queued,
            started_at: None,
            finished_at: None,
            deadline: None,
            waiting_for: None,
            percent: None,
            attempts: 0,
            error: None,
            data: Value::Null,
        }
    }
}

/// Why an operation or a member of it failed, in a form that an API can show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationError {
    /// A failure code of the contract, or of the host (`trap`, `no-valid-backend`).
    pub code: String,
    /// One sentence: what failed and what to do next.
    pub message: String,
    /// Backend, where one was involved.
    pub backend: Option<String>,
    /// Target, where one was involved.
    pub target: Option<String>,
    /// Driver and generation, where one was called.
    pub driver: Option<String>,
    /// Generation number of the driver.
    pub generation: Option<u64>,
    /// Whether trying again may help.
    pub retryable: bool,
}

/// What is done by an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Verb {
    CreateVolume,
    DeleteVolume,
    ExtendVolume,
    RetypeVolume,
    RevertVolume,
    ManageVolume,
    UnmanageVolume,
    CreateSnapshot,
    DeleteSnapshot,
    ManageSnapshot,
    UnmanageSnapshot,
    Connect,
    Disconnect,
    CreateGroup,
    DeleteGroup,
    UpdateGroup,
    CreateGroupSnapshot,
    DeleteGroupSnapshot,
    CreateGroupFrom,
    Setup,
    Failover,
    Failback,
    Reprotect,
    Resync,
    Enable,
    Disable,
    StartDrill,
    StopDrill,
    CommitDrill,
    Promote,
    Reconcile,
    Fence,
    Settle,
}

/// One operation: the unit of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// UUID; the idempotency key handed to the driver.
    pub id: String,
    /// What is done.
    pub verb: Verb,
    /// Where it stands.
    pub state: OperationState,
    /// Backend it acts on; none until it has been scheduled.
    pub backend: Option<String>,
    /// Kind of its subject: `volume`, `snapshot`, `group`, `backend`, …
    pub subject_kind: String,
    /// Id of its subject.
    pub subject: String,
    /// Project of whoever asked.
    pub project: String,
    /// User who asked.
    pub user: String,
    /// API request it came from.
    pub request_id: Option<String>,
    /// Address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Driver generation it began with.
    pub generation: Option<u64>,
    /// Everything it needs to be carried out again after a restart.
    pub input: Value,
    /// What it led to.
    #[serde(default)]
    pub result: Value,
    /// Named steps, in order.
    pub steps: Vec<Step>,
    /// Members done, failed, and in all.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<OperationError>,
    /// Whether somebody asked to cancel it.
    #[serde(default)]
    pub cancel_requested: bool,
    /// When it was journalled.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it is given up.
    pub deadline: Timestamp,
}

impl Operation {
    /// How long it may still take on a clock that shows `now`: never longer than it was given, whatever became of the clock.
    #[must_use]
    pub fn time_left(&self, now: Timestamp) -> Duration {
        let given = self.deadline.0.saturating_sub(self.created_at.0);
        let left = self.deadline.0.saturating_sub(now.0).min(given);
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }
}

/// How far an operation over many members has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Members done.
    pub done: u64,
    /// Members failed.
    pub failed: u64,
    /// Members in all.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_gets_no_more_time_than_it_was_given_whatever_the_clock_says() {
        let hour = 3_600_000_000;
        let operation = Operation {
            id: String::new(),
            verb: Verb::Failover,
            state: OperationState::Running,
            backend: None,
            subject_kind: String::new(),
            subject: String::new(),
            project: String::new(),
            user: String::new(),
            request_id: None,
            address: None,
            generation: None,
            input: Value::Null,
            result: Value::Null,
            steps: Vec::new(),
            progress: Progress::default(),
            error: None,
            cancel_requested: false,
            created_at: Timestamp(10 * hour),
            updated_at: Timestamp(10 * hour),
            finished_at: None,
            deadline: Timestamp(16 * hour),
        };
        let hours = |now| operation.time_left(Timestamp(now * hour)).as_secs() / 3600;
        assert_eq!([1, 10, 12, 16, 100].map(hours), [6, 6, 4, 0, 0]);
    }
}
