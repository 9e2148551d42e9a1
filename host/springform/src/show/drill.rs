//! Drills.

use serde_json::Value;

use super::{field, list, render, table, time};

/// One line for each drill.
#[must_use]
pub fn list_of(answer: &Value) -> String {
    let mut lines = table(&[
        "id",
        "state",
        "backend",
        "target",
        "copies",
        "ends by itself",
        "problem",
    ]);
    for drill in list(answer, "/drills") {
        let members = list(drill, "/members");
        let made = members
            .iter()
            .filter(|member| member.pointer("/copy/Ok").is_some())
            .count();
        lines.add_row([
            field(drill, "/id"),
            field(drill, "/state"),
            field(drill, "/backend"),
            field(drill, "/target"),
            format!("{made} of {}", members.len()),
            time(drill, "/ends_at"),
            field(drill, "/problem"),
        ]);
    }
    render(&lines)
}
