//! Operations of the journal.

use serde_json::Value;

use super::{field, list, render, seconds, table, time};

/// Verbs that can be tried again for single volumes.
pub const REPEATED: [&str; 8] = [
    "failover",
    "failback",
    "reprotect",
    "resync",
    "enable",
    "disable",
    "fence",
    "reconcile",
];

/// Failed volumes that are named.
const NAMED: usize = 50;

/// One line for each operation.
#[must_use]
pub fn list_of(answer: &Value) -> String {
    let mut lines = table(&[
        "id", "verb", "state", "backend", "subject", "progress", "began",
    ]);
    for operation in list(answer, "/operations") {
        lines.add_row([
            field(operation, "/id"),
            field(operation, "/verb"),
            field(operation, "/state"),
            field(operation, "/backend"),
            format!(
                "{} {}",
                field(operation, "/subject_kind"),
                field(operation, "/subject")
            ),
            progress(operation),
            time(operation, "/created_at"),
        ]);
    }
    render(&lines)
}

/// One operation with its steps, and why it failed.
#[must_use]
pub fn one(operation: &Value) -> String {
    let mut text = format!(
        "operation   {}\nverb        {}\nstate       {}\nsubject     {} {}\nbackend     {}\ngeneration  {}\nprogress    {}\nbegan       {}\nended       {}\n",
        field(operation, "/id"),
        field(operation, "/verb"),
        field(operation, "/state"),
        field(operation, "/subject_kind"),
        field(operation, "/subject"),
        field(operation, "/backend"),
        field(operation, "/generation"),
        progress(operation),
        time(operation, "/created_at"),
        time(operation, "/finished_at"),
    );
    let steps = list(operation, "/steps");
    if !steps.is_empty() {
        let mut lines = table(&["step", "state", "attempts", "took", "waiting for"]);
        for step in steps {
            lines.add_row([
                field(step, "/name"),
                field(step, "/state"),
                field(step, "/attempts"),
                took(step),
                waiting(step),
            ]);
        }
        text.push_str(&format!("\n{}", render(&lines)));
    }
    let drill = field(operation, "/input/drill");
    if drill != "-" {
        text.push_str(&format!("\ndrill {drill}\n"));
    }
    outcome(&mut text, operation);
    if let Some(error) = operation.get("error").filter(|error| error.is_object()) {
        text.push_str(&format!("\n{}", failure(error)));
    }
    text
}

/// An operation that was asked to stop, and where it does.
#[must_use]
pub fn cancelled(operation: &Value) -> String {
    format!(
        "{}\ncancel: {}\n",
        one(operation),
        field(operation, "/cancel")
    )
}

/// What it led to: changes made, warnings, and the volumes that did not follow.
fn outcome(text: &mut String, operation: &Value) {
    for (title, pointer) in [
        ("changed", "/result/changes"),
        ("warning", "/result/warnings"),
    ] {
        for one in list(operation, pointer) {
            let line = match (field(one, "/target").as_str(), field(one, "/text").as_str()) {
                (_, "-") => field(one, ""),
                ("-", said) => said.to_owned(),
                (target, said) => format!("{target}: {said}"),
            };
            text.push_str(&format!("\n{title}: {line}"));
        }
    }
    let failures = operation
        .pointer("/result/failures")
        .and_then(Value::as_object);
    let failed = failures.map_or(0, |failures| failures.len());
    for (volume, error) in failures.into_iter().flatten().take(NAMED) {
        text.push_str(&format!("\nvolume {volume}: {}", field(error, "/message")));
    }
    if failed > NAMED {
        text.push_str(&format!("\n(and {} more)", failed - NAMED));
    }
    if failed > 0 && is_over(operation) && REPEATED.contains(&field(operation, "/verb").as_str()) {
        let id = field(operation, "/id");
        text.push_str(&format!(
            "\n\n`springform operation retry {id}` tries these again"
        ));
    }
    let told = ["/result/changes", "/result/warnings"];
    let silent = told.iter().all(|told| list(operation, told).is_empty());
    let well = field(operation, "/state") == "succeeded" && failed == 0;
    if silent && well && field(operation, "/verb") == "reconcile" {
        text.push_str("\nno differences: the arrays are what the records say");
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Why it failed, where, and whether to try again.
#[must_use]
pub fn failure(error: &Value) -> String {
    let mut text = format!("{}: {}\n", field(error, "/code"), field(error, "/message"));
    for (word, pointer) in [
        ("backend", "/backend"),
        ("target", "/target"),
        ("driver", "/driver"),
        ("generation", "/generation"),
    ] {
        let value = field(error, pointer);
        if value != "-" {
            text.push_str(&format!("  {word}: {value}\n"));
        }
    }
    if error.get("retryable").and_then(Value::as_bool) == Some(true) {
        text.push_str("  trying again may help\n");
    }
    text
}

/// `12 of 20, 1 failed`.
#[must_use]
pub fn progress(operation: &Value) -> String {
    let count = |pointer: &str| {
        operation
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let (done, failed, total) = (
        count("/progress/done"),
        count("/progress/failed"),
        count("/progress/total"),
    );
    match (total, failed) {
        (0, _) => "-".to_owned(),
        (_, 0) => format!("{done} of {total}"),
        _ => format!("{done} of {total}, {failed} failed"),
    }
}

/// Whether nothing more will happen to it.
#[must_use]
pub fn is_over(operation: &Value) -> bool {
    matches!(
        operation.get("state").and_then(Value::as_str),
        Some("succeeded" | "partly-failed" | "failed" | "cancelled")
    )
}

fn waiting(step: &Value) -> String {
    if !matches!(field(step, "/state").as_str(), "running" | "waiting") {
        return "-".to_owned();
    }
    let what = field(step, "/waiting_for");
    match step.get("percent").and_then(Value::as_u64) {
        Some(percent) => format!("{what} ({percent} %)"),
        None => what,
    }
}

fn took(step: &Value) -> String {
    let at = |pointer: &str| step.pointer(pointer).and_then(Value::as_i64);
    match (at("/started_at"), at("/finished_at")) {
        (Some(began), Some(ended)) => {
            let micros = ended.saturating_sub(began).max(0);
            if micros < 10_000_000 {
                format!("{} ms", micros / 1000)
            } else {
                seconds(u64::try_from(micros / 1_000_000).unwrap_or(0))
            }
        }
        _ => "-".to_owned(),
    }
}
