//! Drivers and their generations.

use serde_json::Value;

use super::{bytes, field, list, render, short_digest, table};

/// One line for each driver with its four versions, and below it the backends that are down.
#[must_use]
pub fn list_of(answer: &Value) -> String {
    let mut lines = table(&[
        "driver",
        "running",
        "deployed",
        "rollback",
        "configured",
        "backends",
    ]);
    let mut reasons = String::new();
    for driver in list(answer, "/drivers") {
        let backends: Vec<String> = list(driver, "/backends")
            .iter()
            .map(|backend| field(backend, "/backend"))
            .collect();
        lines.add_row([
            field(driver, "/name"),
            generation(driver.get("running")),
            generation(driver.get("deployed")),
            generation(driver.get("rollback")),
            field(driver, "/configured"),
            backends.join(", "),
        ]);
        for backend in list(driver, "/backends") {
            if let Some(reason) = backend.get("reason").and_then(Value::as_str) {
                reasons.push_str(&format!("\n{}: {reason}\n", field(backend, "/backend")));
            }
        }
    }
    format!("{}{reasons}", render(&lines))
}

/// `3 (1.2.0 ab12cd34ef56)`.
fn generation(value: Option<&Value>) -> String {
    match value {
        Some(generation) if generation.is_object() => {
            let digest = short_digest(&field(generation, "/digest"));
            format!(
                "{} ({} {digest})",
                field(generation, "/number"),
                field(generation, "/version")
            )
        }
        _ => "-".to_owned(),
    }
}

/// What a component says and wants.
#[must_use]
pub fn inspection(answer: &Value) -> String {
    let about = answer.get("description").unwrap_or(&Value::Null);
    let mut text = format!(
        "{} {} by {}\n{}\n\ndigest      {}\nworld       {}\nsize        {}\nreplicates  {}\nprotocols   {}\nfeatures    {}\n",
        field(about, "/name"),
        field(about, "/version"),
        field(about, "/vendor"),
        field(about, "/summary"),
        field(answer, "/digest"),
        field(answer, "/world"),
        answer
            .get("size")
            .and_then(Value::as_u64)
            .map_or_else(|| "-".to_owned(), bytes),
        words(about, "/replication"),
        words(about, "/protocols"),
        words(about, "/features"),
    );
    section(&mut text, "imports", list(answer, "/imports"));
    section(&mut text, "exports", list(answer, "/exports"));
    for (title, pointer) in [
        ("options of a backend", "/options"),
        ("options of a replication device", "/target_options"),
    ] {
        options(&mut text, title, list(about, pointer));
    }
    text
}

fn words(value: &Value, pointer: &str) -> String {
    let words: Vec<String> = list(value, pointer)
        .iter()
        .map(|word| field(word, ""))
        .collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}

fn section(text: &mut String, title: &str, items: &[Value]) {
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title}\n"));
    for item in items {
        text.push_str(&format!("  {}\n", field(item, "")));
    }
}

fn options(text: &mut String, title: &str, items: &[Value]) {
    if items.is_empty() {
        return;
    }
    let mut lines = table(&["option", "type", "default", "what"]);
    for option in items {
        let kind = match option.get("kind") {
            Some(Value::String(kind)) => kind.clone(),
            Some(choice) => words(choice, "/choice"),
            None => "-".to_owned(),
        };
        let default = match (option.get("secret"), option.get("required")) {
            (Some(Value::Bool(true)), _) => "(secret)".to_owned(),
            (_, Some(Value::Bool(true))) => "(required)".to_owned(),
            _ => field(option, "/default"),
        };
        lines.add_row([field(option, "/name"), kind, default, field(option, "/doc")]);
    }
    text.push_str(&format!("\n{title}\n{}", render(&lines)));
}
