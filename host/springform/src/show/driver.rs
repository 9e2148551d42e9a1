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
        "signed by",
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
            signers(driver),
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

/// Names of the keys that signed what serves.
fn signers(driver: &Value) -> String {
    let running = field(driver, "/running/number");
    let mut generations = list(driver, "/generations").iter();
    let serving = generations.find(|one| field(one, "/number") == running);
    serving.map_or_else(|| "-".to_owned(), |one| words(one, "/signers"))
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

/// What the generation that serves may send, as the host says it.
#[must_use]
pub fn grants(answer: &Value) -> String {
    let running = field(answer, "/running/number");
    let generations = list(answer, "/generations").iter();
    let serving = generations
        .filter(|generation| field(generation, "/number") == running)
        .flat_map(|generation| list(generation, "/grants"));
    let lines: Vec<String> = serving.map(|line| field(line, "") + "\n").collect();
    match lines.is_empty() {
        true => "no generation serves\n".to_owned(),
        false => lines.concat(),
    }
}

/// What a component is and wants; what it says of itself, where that is known.
#[must_use]
pub fn inspection(answer: &Value) -> String {
    let mut text = String::new();
    let about = answer.get("description").filter(|about| about.is_object());
    if let Some(about) = about {
        text.push_str(&format!(
            "{} {} by {}\n{}\n\n",
            field(about, "/name"),
            field(about, "/version"),
            field(about, "/vendor"),
            field(about, "/summary"),
        ));
    }
    let size = |key: &str| answer.get(key).and_then(Value::as_u64).map(bytes);
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<11} {value}\n"));
    line("digest", field(answer, "/digest"));
    line("world", field(answer, "/world"));
    line("size", size("size").unwrap_or_else(|| "-".to_owned()));
    if let Some(code) = size("code_bytes") {
        let (functions, modules) = (field(answer, "/functions"), field(answer, "/modules"));
        line(
            "code",
            format!("{code} in {functions} functions of {modules} modules"),
        );
        line("made by", words(answer, "/producers"));
    }
    if let Some(about) = about {
        line("replicates", words(about, "/replication"));
        line("protocols", words(about, "/protocols"));
        line("features", words(about, "/features"));
    }
    section(&mut text, "imports", list(answer, "/imports"));
    section(&mut text, "exports", list(answer, "/exports"));
    for (title, pointer) in [
        ("options of a backend", "/options"),
        ("options of a replication device", "/target_options"),
    ] {
        options(
            &mut text,
            title,
            about.map_or(&[], |about| list(about, pointer)),
        );
    }
    if let Some(about) = about {
        text.push_str(&proposal(about));
    }
    text
}

/// What a component proposes to be granted, as TOML to paste.
fn proposal(about: &Value) -> String {
    let pairs = list(about, "/extensions").iter();
    let rules: Vec<String> = pairs
        .filter(|pair| field(pair, "/0") == springform_sandbox::PROPOSAL)
        .map(|pair| format!("  \"{}\",\n", field(pair, "/1").escape_default()))
        .collect();
    let name = field(about, "/name");
    match rules.is_empty() {
        true => "\nit proposes no requests: it gets all but those that the host keeps\n".to_owned(),
        false => format!(
            "\nrequests that it proposes; as a grant of your own\n[driver.{name}.grant]\nproposal = false\nallow = [\n{}]\n",
            rules.concat()
        ),
    }
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
