//! What the command line shows: tables, plans, progress. Functions from the API's JSON to text, so that golden files can
//! hold what they print. Fields that a host of another version leaves out are shown as `-`.

pub mod drill;
pub mod driver;
pub mod operation;
pub mod plan;
pub mod progress;
pub mod reload;
pub mod standing;
pub mod width;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use springform_model::time::Timestamp;

/// An empty table with headings.
#[must_use]
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// A finished table as text, no wider than there is room for.
#[must_use]
pub fn render(table: &Table) -> String {
    match width::columns() {
        Some(columns) => width::fitted(table, columns),
        None => width::plain(table),
    }
}

/// Text without what a terminal would obey: names are their tenants', and messages may be a driver's. Lines stay lines.
#[must_use]
pub fn harmless(text: &str) -> String {
    let replaced = |c: char| match c {
        '\n' => c,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(replaced).collect()
}

/// A field as text, in one line; `-` for what is not there.
#[must_use]
pub fn field(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => harmless(text).replace('\n', " "),
        Some(other) => other.to_string(),
    }
}

/// A list; empty for what is not there.
#[must_use]
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A time: microseconds in the model, texts in some answers.
#[must_use]
pub fn time(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer).and_then(Value::as_i64) {
        Some(micros) => Timestamp(micros)
            .to_cinder()
            .chars()
            .take(19)
            .collect::<String>()
            .replace('T', " "),
        None => field(value, pointer),
    }
}

/// Bytes for people: `1.5 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut scaled = count;
    let mut rest = 0;
    let mut unit = "B";
    for next in UNITS {
        if scaled < 1024 {
            break;
        }
        rest = scaled % 1024;
        scaled /= 1024;
        unit = next;
    }
    format!("{scaled}.{} {unit}", rest * 10 / 1024)
}

/// Seconds for people: `1 h 02 min`.
#[must_use]
pub fn seconds(count: u64) -> String {
    match count {
        0..60 => format!("{count} s"),
        60..3600 => format!("{} min {:02} s", count / 60, count % 60),
        3600..86_400 => format!("{} h {:02} min", count / 3600, count % 3600 / 60),
        _ => format!("{} d {:02} h", count / 86_400, count % 86_400 / 3600),
    }
}

/// The first twelve digits of a digest.
#[must_use]
pub fn short_digest(digest: &str) -> String {
    digest
        .trim_start_matches("sha256:")
        .chars()
        .take(12)
        .collect()
}

#[cfg(test)]
mod tests;
