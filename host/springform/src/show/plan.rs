//! Plans: what would move where, what would be lost, what cannot be done and why.

use serde_json::Value;

use super::{bytes, field, list, render, seconds, table, time};

/// A plan, volume by volume, with what is interrupted and how to carry it out.
#[must_use]
pub fn one(plan: &Value) -> String {
    let mut text = format!(
        "plan        {}\nverb        {} ({})\nto          {}\nvalid until {}\n\n",
        field(plan, "/id"),
        field(plan, "/verb"),
        field(plan, "/mode"),
        field(plan, "/target"),
        time(plan, "/expires_at"),
    );
    let volumes = list(plan, "/volumes");
    let (can, total) = counts(plan);
    let mut lines = table(&["volume", "from", "to", "recovery point", "loss", "note"]);
    for volume in volumes {
        lines.add_row([
            field(volume, "/volume_id"),
            field(volume, "/source"),
            to(plan, volume),
            field(volume, "/point/id"),
            loss(volume),
            note(volume),
        ]);
    }
    text.push_str(&render(&lines));
    let shown = volumes.len() as u64;
    let verb = match field(plan, "/verb").as_str() {
        "reprotect" => "be protected",
        _ => "move",
    };
    text.push_str(&format!("\n{can} of {total} volumes can {verb}.\n"));
    if total > shown {
        text.push_str(&format!("({} more are not shown)\n", total - shown));
    }
    for one in list(plan, "/acknowledge") {
        text.push_str(&format!(
            "overwritten: what {} alone holds of volumes at generation {}\n",
            field(one, "/target"),
            field(one, "/generation"),
        ));
    }
    for interruption in list(plan, "/interrupts") {
        text.push_str(&format!("interrupted: {}\n", field(interruption, "")));
    }
    text
}

/// Whether every volume of a plan can do what the plan says.
#[must_use]
pub fn is_complete(plan: &Value) -> bool {
    let (can, total) = counts(plan);
    can >= total
}

/// How many volumes can move, and how many there are: a plan of very many lists only the first of them, and counts all.
fn counts(plan: &Value) -> (u64, u64) {
    let volumes = list(plan, "/volumes");
    let count = |key: &str| plan.get(key).and_then(Value::as_u64);
    let can = volumes.iter().filter(|volume| possible(volume)).count() as u64;
    (
        count("possible").unwrap_or(can),
        count("total").unwrap_or(volumes.len() as u64),
    )
}

fn possible(volume: &Value) -> bool {
    volume
        .get("possible")
        .and_then(Value::as_bool)
        .unwrap_or(true)
}

fn to(plan: &Value, volume: &Value) -> String {
    match field(volume, "/target").as_str() {
        "-" => field(plan, "/target"),
        target => target.to_owned(),
    }
}

fn loss(volume: &Value) -> String {
    if !possible(volume) {
        return "-".to_owned();
    }
    let amount = |key: &str| volume.get(key).and_then(Value::as_u64);
    match (amount("loss_seconds"), amount("loss_bytes")) {
        (Some(0), Some(0) | None) | (None, Some(0)) => "none".to_owned(),
        (Some(time), Some(size)) => format!("{}, {}", seconds(time), bytes(size)),
        (Some(time), None) => seconds(time),
        (None, Some(size)) => bytes(size),
        (None, None) => "unknown".to_owned(),
    }
}

fn note(volume: &Value) -> String {
    if !possible(volume) {
        return format!("cannot move: {}", field(volume, "/reason"));
    }
    let warnings: Vec<String> = list(volume, "/warnings")
        .iter()
        .map(|warning| field(warning, ""))
        .collect();
    if warnings.is_empty() {
        "-".to_owned()
    } else {
        warnings.join("; ")
    }
}
