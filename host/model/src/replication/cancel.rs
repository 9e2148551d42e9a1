//! What becomes of an operation that somebody asks to cancel, in words: where it stops, and where that is not safe any more.

use super::failover::Phase;
use crate::operation::{Operation, OperationState, Verb};

/// Where an open operation stops now that it is to be cancelled, or why it does not.
#[must_use]
pub fn takes_effect(operation: &Operation) -> String {
    if operation.state.is_terminal() {
        return "it is over; nothing was cancelled".to_owned();
    }
    match operation.verb {
        Verb::Failover | Verb::Failback | Verb::CommitDrill => failover(operation),
        Verb::Reprotect
        | Verb::Resync
        | Verb::Enable
        | Verb::Disable
        | Verb::Fence
        | Verb::Settle
        | Verb::Promote
        | Verb::Reconcile => {
            "it stops before its next batch of volumes; the batch that is with the array is finished, and what is done stays done"
                .to_owned()
        }
        Verb::StartDrill => {
            "the copies of a drill are made in full; end it with `springform drill stop` when it is open".to_owned()
        }
        Verb::StopDrill => "the copies of a drill are thrown away in full".to_owned(),
        // As the host journals where the volume goes.
        Verb::RetypeVolume if operation.input.get("to").is_some() => {
            "it stops at once while the content is on its way, and what was sent is taken away; when the other array serves the \
             volume, the old one goes all the same"
                .to_owned()
        }
        Verb::CreateVolume => {
            "it stops before it tries another backend; what it has asked of an array is finished".to_owned()
        }
        _ => {
            "it is not broken off: half of it would leave the array and the records at odds. It ends by itself, at its deadline at the latest"
                .to_owned()
        }
    }
}

fn failover(operation: &Operation) -> String {
    let running = operation.steps.iter().rfind(|step| {
        matches!(
            step.state,
            OperationState::Running | OperationState::Waiting
        )
    });
    let phase = running.and_then(|step| {
        Phase::ALL
            .into_iter()
            .find(|phase| phase.as_str() == step.name)
    });
    let planned = operation.steps.iter().any(|step| {
        [Phase::FinalSync, Phase::Demoting]
            .iter()
            .any(|phase| phase.as_str() == step.name)
    });
    match phase {
        // Nobody's role is taken before an unplanned promotion: whatever no array was asked for can stay.
        Some(Phase::Promoting) if !planned => {
            "batches that are with the array are finished and stay moved; the volumes of all others stay where they are".to_owned()
        }
        Some(phase) => match phase.cancel() {
            Ok(()) => "it stops before any further volume moves".to_owned(),
            Err(refusal) => format!(
                "not for the volumes that are under way: {refusal}. It stops before the volumes that come after them"
            ),
        },
        None => "it stops before any further volume moves".to_owned(),
    }
}
