//! Operations of replication in the audit log: that they began, and how they ended. Creating and attaching volumes is not in it:
//! that is the tenants' daily work, and has the journal.

use springform_model::audit::{Action, Entry, Kind, Outcome, Subject, Who};
use springform_model::operation::{Operation, OperationState, Verb};
use springform_model::time::Timestamp;

use crate::Caller;

fn action(verb: Verb) -> Option<Action> {
    Some(match verb {
        Verb::Failover => Action::Failover,
        Verb::Failback => Action::Failback,
        Verb::Reprotect => Action::Reprotect,
        Verb::Resync => Action::Resync,
        Verb::Enable => Action::ReplicationEnabled,
        Verb::Disable => Action::ReplicationDisabled,
        Verb::StartDrill => Action::DrillStarted,
        Verb::StopDrill => Action::DrillStopped,
        Verb::CommitDrill => Action::DrillCommitted,
        Verb::Promote => Action::Promote,
        Verb::Reconcile => Action::Reconcile,
        Verb::Fence => Action::Fence,
        Verb::Settle => Action::Settle,
        _ => return None,
    })
}

/// Where the input of an operation says what an auditor asks first: where to, and whether the arrays were believed.
const TOLD: [(&str, &[&str]); 2] = [
    ("to", &["/order/to", "/ask/to"]),
    ("adopt", &["/ask/adopt"]),
];

fn entry(operation: &Operation, outcome: Outcome, now: Timestamp) -> Option<Entry> {
    let action = action(operation.verb)?;
    let on = subject(operation);
    let mut entry = Entry::new(now, who(operation), action, outcome).on(on);
    for (key, places) in TOLD {
        let mut values = places.iter().filter_map(|at| operation.input.pointer(at));
        match values.next() {
            Some(serde_json::Value::String(text)) => entry = entry.with(key, text),
            Some(serde_json::Value::Bool(true)) => entry = entry.with(key, "true"),
            _ => {}
        }
    }
    Some(entry)
}

fn subject(operation: &Operation) -> Subject {
    Subject {
        backend: operation.backend.clone(),
        generation: operation.generation,
        operation: Some(operation.id.clone()),
        scope: Some(format!("{} {}", operation.subject_kind, operation.subject)),
        ..Subject::default()
    }
}

fn who(operation: &Operation) -> Who {
    // What nobody asked for is the host's own.
    if operation.user.is_empty() {
        return Who::of(Kind::Host);
    }
    Who {
        address: operation.address.clone(),
        project: Some(operation.project.clone()),
        request: operation.request_id.clone(),
        user: Some(operation.user.clone()),
        ..Who::of(Kind::User)
    }
}

/// That an operation was journalled; nothing for those that are not audited.
pub(crate) fn begun(operation: &Operation) -> Option<Entry> {
    entry(operation, Outcome::Begun, operation.created_at)
}

/// How an operation ended; nothing for those that are not audited or have not ended.
pub(crate) fn ended(operation: &Operation, now: Timestamp) -> Option<Entry> {
    let outcome = match operation.state {
        OperationState::Succeeded => Outcome::Succeeded,
        OperationState::PartlyFailed => Outcome::PartlyFailed,
        OperationState::Failed => Outcome::Failed,
        OperationState::Cancelled => Outcome::Cancelled,
        OperationState::Queued | OperationState::Running | OperationState::Waiting => return None,
    };
    let progress = operation.progress;
    let mut entry = entry(operation, outcome, now)?;
    if progress.total > 0 {
        let volumes = format!("{} of {}", progress.done, progress.total);
        entry = entry.with("volumes", volumes);
    }
    Some(match &operation.error {
        Some(error) => entry.because(&error.message),
        None => entry,
    })
}

/// That somebody asked an operation to stop; nothing for those that are not audited.
pub(crate) fn cancel_requested(
    caller: &Caller,
    operation: &Operation,
    now: Timestamp,
) -> Option<Entry> {
    let verb = action(operation.verb)?;
    let entry = Entry::new(
        now,
        caller.into(),
        Action::OperationCancelled,
        Outcome::Begun,
    );
    Some(entry.on(subject(operation)).with("action", verb.as_str()))
}
