//! What a trap means, in words for an operator, with the backtrace for the vendor.

use std::time::Duration;

use springform_model::contract::{Fault, FaultKind};
use wasmtime::{Trap, WasmBacktrace};

use crate::state::CallState;

/// The call's time is over.
#[must_use]
pub fn deadline(driver: &str, verb: &str, time: Duration) -> Fault {
    Fault::new(
        FaultKind::Deadline,
        format!(
            "{verb}: driver {driver} did not answer within {} ms; the outcome is unknown until the call is repeated with the same operation id",
            time.as_millis()
        ),
    )
}

/// Turns what wasmtime reports into a typed fault.
#[must_use]
pub fn explain(error: &wasmtime::Error, state: &CallState, driver: &str, verb: &str) -> Fault {
    let (kind, reason) = reason(error, state);
    let mut detail = String::new();
    let said = state.output.tail();
    if !said.is_empty() {
        detail.push_str(&format!("the driver printed last: {said}\n"));
    }
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        detail.push_str(&format!("{trace}"));
    }
    Fault {
        kind,
        message: format!("{verb}: driver {driver} {reason}"),
        detail: Some(detail).filter(|d| !d.is_empty()),
    }
}

fn reason(error: &wasmtime::Error, state: &CallState) -> (FaultKind, String) {
    if state.timed_out {
        return (
            FaultKind::Deadline,
            "was still computing when its deadline passed; the outcome is unknown".to_owned(),
        );
    }
    if let Some(refused) = state.limiter.refused() {
        return (FaultKind::Memory, format!("was stopped: {refused}"));
    }
    let cause = error.root_cause().to_string();
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => (FaultKind::Memory, "used up its stack".to_owned()),
        Some(Trap::UnreachableCodeReached) => (FaultKind::Trap, "panicked".to_owned()),
        Some(trap) => (FaultKind::Trap, format!("trapped: {trap}")),
        None if cause.contains("fuel") => (
            FaultKind::Limit,
            "answered more than result_mib in [driver.<name>.limits] allows".to_owned(),
        ),
        None if cause.contains("table has no free keys") || cause.contains("capacity") => (
            FaultKind::Limit,
            "holds more requests, bodies and streams than handles in [driver.<name>.limits] allows"
                .to_owned(),
        ),
        None if cause.contains("limit exceeded") || cause.contains("count too high") => (
            FaultKind::Memory,
            format!("is made of too many parts: {cause}"),
        ),
        None => (FaultKind::Trap, format!("failed: {cause}")),
    }
}
