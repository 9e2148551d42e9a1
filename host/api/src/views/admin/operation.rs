//! Operations as JSON: the journal as an operator reads it.

use serde::Serialize;
use serde_json::Value;
use springform_model::operation::{Operation, OperationError, Progress, Step};
use utoipa::ToSchema;

use super::words::word;
use crate::views::{Micros, micros};

/// An operation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView<'a> {
    /// UUID; drivers know the operation by it.
    pub id: &'a str,
    /// What is done: `create-volume`, `failover`, …
    verb: String,
    /// `queued`, `running`, `waiting`, `succeeded`, `partly-failed`, `failed` or `cancelled`.
    state: String,
    /// Null until it has been scheduled.
    #[schema(required)]
    backend: Option<&'a str>,
    /// `volume`, `snapshot`, `group`, `backend`, …
    subject_kind: &'a str,
    /// Id of its subject.
    subject: &'a str,
    /// Project that asked.
    project: &'a str,
    /// User who asked.
    user: &'a str,
    /// API request it came from.
    #[schema(required)]
    request_id: Option<&'a str>,
    /// Driver generation it began with.
    #[schema(required)]
    generation: Option<u64>,
    /// Everything it needs to be carried out again after a restart; each verb has its own form.
    input: &'a Value,
    /// What it led to; each verb has its own form.
    result: &'a Value,
    /// In order.
    steps: Vec<StepView<'a>>,
    progress: ProgressView,
    /// Why it failed.
    #[schema(required)]
    error: Option<OperationErrorView<'a>>,
    /// Whether somebody asked to cancel it.
    cancel_requested: bool,
    created_at: Micros,
    updated_at: Micros,
    #[schema(required)]
    finished_at: Option<Micros>,
    /// When it is given up.
    deadline: Micros,
}

/// A step of an operation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperationStep)]
pub struct StepView<'a> {
    /// `volumes.create`, `promote batch 3 of 20`.
    name: &'a str,
    /// As of an operation.
    state: String,
    #[schema(required)]
    started_at: Option<Micros>,
    #[schema(required)]
    finished_at: Option<Micros>,
    /// When it is given up.
    #[schema(required)]
    deadline: Option<Micros>,
    /// What is waited for.
    #[schema(required)]
    waiting_for: Option<&'a str>,
    /// 0 to 100.
    #[schema(required)]
    percent: Option<u8>,
    /// How often it was tried.
    attempts: u32,
    /// Why it failed.
    #[schema(required)]
    error: Option<OperationErrorView<'a>>,
    /// What a restart needs to go on; each step has its own form.
    data: &'a Value,
}

/// How far an operation over many members has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperationProgress)]
pub struct ProgressView {
    done: u64,
    failed: u64,
    total: u64,
}

/// Why an operation or a step failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperationError)]
pub struct OperationErrorView<'a> {
    /// A failure code of the driver contract, or of the host.
    code: &'a str,
    /// What failed and what to do next.
    message: &'a str,
    #[schema(required)]
    backend: Option<&'a str>,
    #[schema(required)]
    target: Option<&'a str>,
    #[schema(required)]
    driver: Option<&'a str>,
    /// Of the driver.
    #[schema(required)]
    generation: Option<u64>,
    /// Whether trying again may help.
    retryable: bool,
}

impl<'a> OperationView<'a> {
    /// The whole record.
    #[must_use]
    pub fn new(operation: &'a Operation) -> Self {
        let Operation {
            id,
            verb,
            state,
            backend,
            subject_kind,
            subject,
            project,
            user,
            request_id,
            // Where somebody was when they asked is in the audit log.
            address: _,
            generation,
            input,
            result,
            steps,
            progress,
            error,
            cancel_requested,
            created_at,
            updated_at,
            finished_at,
            deadline,
        } = operation;
        let Progress {
            done,
            failed,
            total,
        } = *progress;
        Self {
            id,
            verb: word(verb),
            state: word(state),
            backend: backend.as_deref(),
            subject_kind,
            subject,
            project,
            user,
            request_id: request_id.as_deref(),
            generation: *generation,
            input,
            result,
            steps: steps.iter().map(StepView::new).collect(),
            progress: ProgressView {
                done,
                failed,
                total,
            },
            error: error.as_ref().map(OperationErrorView::new),
            cancel_requested: *cancel_requested,
            created_at: Micros(*created_at),
            updated_at: Micros(*updated_at),
            finished_at: micros(*finished_at),
            deadline: Micros(*deadline),
        }
    }
}

impl<'a> StepView<'a> {
    fn new(step: &'a Step) -> Self {
        let Step {
            name,
            state,
            started_at,
            finished_at,
            deadline,
            waiting_for,
            percent,
            attempts,
            error,
            data,
        } = step;
        Self {
            name,
            state: word(state),
            started_at: micros(*started_at),
            finished_at: micros(*finished_at),
            deadline: micros(*deadline),
            waiting_for: waiting_for.as_deref(),
            percent: *percent,
            attempts: *attempts,
            error: error.as_ref().map(OperationErrorView::new),
            data,
        }
    }
}

impl<'a> OperationErrorView<'a> {
    fn new(error: &'a OperationError) -> Self {
        let OperationError {
            code,
            message,
            backend,
            target,
            driver,
            generation,
            retryable,
        } = error;
        Self {
            code,
            message,
            backend: backend.as_deref(),
            target: target.as_deref(),
            driver: driver.as_deref(),
            generation: *generation,
            retryable: *retryable,
        }
    }
}

/// A page of operations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operations<'a> {
    /// Marker of the next page; null after the last.
    #[schema(required)]
    pub next: Option<String>,
    /// The operations.
    pub operations: Vec<OperationView<'a>>,
}

/// An operation with what becomes of a request to cancel it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CancelledOperation<'a> {
    /// The operation.
    #[serde(flatten)]
    pub operation: OperationView<'a>,
    /// Where it stops, or why it does not.
    pub cancel: String,
}

/// An operation that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct Begun<'a> {
    /// Its id.
    pub operation: &'a str,
}
