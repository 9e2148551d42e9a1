//! What a reload of the configuration came to, a line for each backend and driver.

use serde_json::Value;

use super::field;

/// The answer to `springform config reload`.
#[must_use]
pub fn one(answer: &Value) -> String {
    let list = |key: &str| answer.get(key).and_then(Value::as_array).cloned();
    let backends = list("backends").unwrap_or_default();
    let drivers = list("drivers").unwrap_or_default();
    let host = list("host").unwrap_or_default();
    if backends.is_empty() && drivers.is_empty() && host.is_empty() {
        return "nothing changed: the file says what serves already\n".to_owned();
    }
    let dry_run = answer.get("dry_run").and_then(Value::as_bool) == Some(true);
    let done = if dry_run { "would reload" } else { "reloaded" };
    let drivers = drivers.iter().map(|one| driver(one, dry_run));
    let backends = backends.iter().map(|one| backend(one, dry_run));
    let host = host.iter().filter_map(Value::as_str).map(str::to_owned);
    let lines: Vec<String> = host
        .chain(drivers)
        .chain(backends)
        .map(|line| format!("{done}: {line}"))
        .collect();
    format!("{}; 0 other backends changed\n", lines.join("\n"))
}

/// The word for a change that was made, or would be.
fn word(one: &Value, dry_run: bool) -> &'static str {
    match (field(one, "/change").as_str(), dry_run) {
        ("added", false) => "added",
        ("added", true) => "appears",
        ("removed", false) => "removed",
        ("removed", true) => "goes",
        (_, false) => "changed",
        (_, true) => "changes",
    }
}

fn driver(one: &Value, dry_run: bool) -> String {
    let name = field(one, "/name");
    let hint = match field(one, "/change").as_str() {
        "changed" => format!(
            " (its path; what serves goes on serving until `springform driver install {name} FILE` and `activate`)"
        ),
        _ => String::new(),
    };
    format!("driver {name} {}{hint}", word(one, dry_run))
}

fn backend(one: &Value, dry_run: bool) -> String {
    let what: Vec<&str> = one
        .get("what")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut line = format!("backend {} {}", field(one, "/name"), word(one, dry_run));
    if !what.is_empty() {
        line.push_str(&format!(" ({})", what.join("; ")));
    }
    if let Some(generation) = one.get("generation").and_then(Value::as_u64) {
        let driver = field(one, "/driver");
        line.push_str(&format!(", generation {generation} of {driver} serves it"));
        if one.get("ready").and_then(Value::as_bool) == Some(false) {
            let reason = one.get("reason").and_then(Value::as_str);
            let reason = reason.unwrap_or("its set-up goes on");
            line.push_str(&format!(", and it is down: {reason}"));
        }
    }
    line
}
