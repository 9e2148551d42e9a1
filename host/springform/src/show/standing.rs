//! How replication stands: backends, their arrays, volumes and what to look at.

use serde_json::Value;
use springform_model::contract::ClockSkew;
use springform_model::time::Timestamp;

use super::{field, list, render, seconds, table, time};

/// One line for each backend, and below it what is not well.
#[must_use]
pub fn backends(answer: &Value) -> String {
    let mut lines = table(&[
        "backend",
        "state",
        "served by",
        "replication",
        "protected",
        "worst link",
        "lag",
        "under way",
        "seen",
    ]);
    let mut notes = String::new();
    for backend in list(answer, "/backends") {
        lines.add_row([
            field(backend, "/backend"),
            state(backend),
            active(backend),
            field(backend, "/replication_status"),
            protected(backend),
            worst_link(backend),
            worst_lag(backend),
            under_way(backend),
            time(backend, "/observed_at"),
        ]);
        for note in troubles(backend) {
            notes.push_str(&format!("\n{}: {note}", field(backend, "/backend")));
        }
    }
    if !notes.is_empty() {
        notes.push('\n');
    }
    format!("{}{notes}", render(&lines))
}

/// One backend with its arrays.
#[must_use]
pub fn backend(backend: &Value) -> String {
    let mut text = format!(
        "backend     {} ({})\ndriver      {}, generation {}\nstate       {}\nserved by   {}\nreplication {}\nprotected   {}\ndrills      {} open\nseen        {}\n",
        field(backend, "/backend"),
        field(backend, "/host"),
        field(backend, "/driver"),
        field(backend, "/generation"),
        state(backend),
        active(backend),
        field(backend, "/replication_status"),
        protected(backend),
        field(backend, "/drills"),
        time(backend, "/observed_at"),
    );
    for operation in list(backend, "/operations") {
        text.push_str(&format!(
            "under way   {} of {}: operation {}\n",
            field(operation, "/verb"),
            field(operation, "/subject"),
            field(operation, "/id"),
        ));
    }
    for note in troubles(backend) {
        text.push_str(&format!("look at     {note}\n"));
    }
    let mut lines = table(&["array", "role", "answers", "links", "lag", "of schedule"]);
    for target in list(backend, "/targets") {
        lines.add_row([
            field(target, "/target"),
            role(target),
            answers(target),
            links(target),
            lag(target),
            ratio(target),
        ]);
    }
    format!("{text}\n{}", render(&lines))
}

/// One line for each volume.
#[must_use]
pub fn volumes(answer: &Value) -> String {
    let mut lines = table(&[
        "volume",
        "name",
        "served by",
        "protection",
        "copies",
        "look at",
    ]);
    for volume in list(answer, "/volumes") {
        lines.add_row([
            field(volume, "/id"),
            field(volume, "/name"),
            field(volume, "/serving"),
            protection(volume),
            or_none(&copies(volume), "; "),
            joined(list(volume, "/concerns"), "; "),
        ]);
    }
    render(&lines)
}

/// One volume.
#[must_use]
pub fn volume(volume: &Value) -> String {
    let mut text = format!(
        "volume      {}\nname        {}\nbackend     {}\nserved by   {}\ngeneration  {}, moved last {}\nphase       {}\nprotection  {}\nattached    {} time(s)\noperation   {}\nseen        {}\n",
        field(volume, "/id"),
        field(volume, "/name"),
        field(volume, "/backend"),
        field(volume, "/serving"),
        field(volume, "/generation"),
        time(volume, "/moved_at"),
        field(volume, "/phase"),
        protection(volume),
        field(volume, "/attachments"),
        field(volume, "/operation"),
        time(volume, "/observed/at"),
    );
    if volume.pointer("/drill").is_some_and(Value::is_object) {
        text.push_str(&format!(
            "drill       {} on {}\n",
            field(volume, "/drill/id"),
            field(volume, "/drill/target"),
        ));
    }
    for copy in copies(volume) {
        text.push_str(&format!("copy        {copy}\n"));
    }
    for concern in list(volume, "/concerns") {
        text.push_str(&format!("look at     {}\n", field(concern, "")));
    }
    text
}

fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_default()
}

fn joined(texts: &[Value], with: &str) -> String {
    let texts: Vec<String> = texts.iter().map(|text| field(text, "")).collect();
    or_none(&texts, with)
}

/// Texts in one; `-` for none.
fn or_none(texts: &[String], with: &str) -> String {
    match texts {
        [] => "-".to_owned(),
        texts => texts.join(with),
    }
}

fn state(backend: &Value) -> String {
    let mut words = vec![if flag(backend, "/up") { "up" } else { "down" }];
    if flag(backend, "/frozen") {
        words.push("frozen");
    } else if flag(backend, "/disabled") {
        words.push("disabled");
    }
    words.join(", ")
}

fn active(backend: &Value) -> String {
    let targets = list(backend, "/targets");
    let active = targets.iter().find(|target| flag(target, "/active"));
    active.map_or_else(
        || field(backend, "/active_target"),
        |target| field(target, "/target"),
    )
}

fn protected(backend: &Value) -> String {
    let all = number(backend, "/volumes");
    match (all, backend.pointer("/outdated/reason")) {
        (0, _) => "-".to_owned(),
        (_, Some(_)) => format!(
            "unknown (was {} of {all})",
            number(backend, "/outdated/protection/protected")
        ),
        (_, None) => format!("{} of {all}", number(backend, "/protection/protected")),
    }
}

/// The arrays that are copied to, with their names.
fn copied_to(backend: &Value) -> impl Iterator<Item = &Value> {
    let targets = list(backend, "/targets").iter();
    targets.filter(|target| target.get("worst").is_some_and(Value::is_string))
}

fn worst_link(backend: &Value) -> String {
    let links: Vec<String> = copied_to(backend)
        .map(|target| format!("{} {}", field(target, "/target"), field(target, "/worst")))
        .collect();
    or_none(&links, ", ")
}

fn worst_lag(backend: &Value) -> String {
    let worst = copied_to(backend)
        .filter_map(|target| target.get("lag_seconds").and_then(Value::as_u64))
        .max();
    worst.map_or_else(|| "-".to_owned(), seconds)
}

fn under_way(backend: &Value) -> String {
    let operations = list(backend, "/operations");
    match operations {
        [] => "-".to_owned(),
        [one] => field(one, "/verb"),
        many => format!("{} operations", many.len()),
    }
}

/// What is not well with a backend, the worst first.
fn troubles(backend: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let reason = field(backend, "/reason");
    if !flag(backend, "/up") && reason != "-" {
        found.push(reason);
    }
    let split = list(backend, "/split_brain");
    if !split.is_empty() {
        found.push(format!("written on two arrays: {}", joined(split, ", ")));
    }
    if backend
        .get("look_only_since")
        .is_some_and(|since| !since.is_null())
    {
        found.push(
            "its database was restored: nothing is changed until `springform reconcile --adopt`"
                .to_owned(),
        );
    }
    match number(backend, "/overtaken") {
        0 => {}
        older => found.push(format!(
            "the arrays know of promotions that {older} record(s) do not: see `springform reconcile --adopt --dry-run`"
        )),
    }
    match number(backend, "/differences/count") {
        0 => {}
        count => found.push(format!(
            "the arrays differ from the records in {count} way(s), see `springform reconcile --dry-run`: {}",
            joined(list(backend, "/differences/found"), "; ")
        )),
    }
    for target in list(backend, "/targets") {
        let name = field(target, "/target");
        let problems = list(target, "/problems");
        let dark = target.get("reachable").and_then(Value::as_bool) == Some(false);
        let distrust = field(target, "/distrust");
        match (dark, problems) {
            _ if distrust != "-" => found.push(format!(
                "array {name} answers and is not believed: {distrust}"
            )),
            (false, problems) => found.extend(
                problems
                    .iter()
                    .map(|problem| format!("array {name}: {}", field(problem, ""))),
            ),
            (true, []) => found.push(format!("array {name} does not answer")),
            (true, problems) => found.push(format!(
                "array {name} does not answer: {}",
                joined(problems, "; ")
            )),
        }
        let skew = target.get("clock_skew_seconds").and_then(Value::as_i64);
        let skew = skew.map(|seconds| ClockSkew {
            seconds,
            measured_at: Timestamp(0),
        });
        if let Some(skew) = skew.filter(|skew| !skew.within_bound()) {
            found.push(format!(
                "the clock of array {name} is {} this host's: how old its copies are is unknown",
                skew.in_words()
            ));
        }
        match number(target, "/owed") {
            0 => {}
            owed => found.push(format!(
                "array {name} was left behind and is not fenced yet: {owed} volume(s)"
            )),
        }
        match number(target, "/written_off") {
            0 => {}
            lost => found.push(format!(
                "array {name} was left behind and never fenced: {lost} volume(s)"
            )),
        }
    }
    for owed in list(backend, "/obligations") {
        let what = match field(owed, "/kind").as_str() {
            "delete-volume" => "deleted volume(s) are still there".to_owned(),
            "delete-snapshot" => "deleted snapshot(s) are still there".to_owned(),
            "delete-group" => "deleted group(s) are still there".to_owned(),
            "delete-group-snapshot" => "deleted group snapshot(s) are still there".to_owned(),
            "disconnect" => "detached machine(s) can still reach their volumes".to_owned(),
            "end-migration" => "leftover(s) of moves between backends are still there".to_owned(),
            other => format!("{other}(s) are owed"),
        };
        let why = match field(owed, "/error").as_str() {
            "-" => "it is told as soon as it answers".to_owned(),
            error => format!("it was told in vain: {error}"),
        };
        found.push(format!(
            "array {} since {}: {} {what} ({}); {why}",
            field(owed, "/target"),
            time(owed, "/since"),
            field(owed, "/count"),
            joined(list(owed, "/objects"), ", "),
        ));
    }
    let outdated = field(backend, "/outdated/reason");
    if outdated != "-" && number(backend, "/volumes") > 0 {
        found.push(format!(
            "nothing is known of its copies since {}: {outdated}",
            time(backend, "/observed_at")
        ));
    }
    let late = |state: &str| match outdated == "-" {
        true => number(backend, &format!("/protection/{state}")),
        false => 0,
    };
    for (state, words) in [
        ("unprotected", "without a copy"),
        ("rpo-exceeded", "with copies older than promised"),
        ("initialising", "whose first copy is under way"),
        ("unknown", "of whose copies nothing is known"),
    ] {
        if late(state) > 0 {
            found.push(format!("{} volume(s) {words}", late(state)));
        }
    }
    let failures = number(backend, "/failures");
    if failures > 0 {
        found.push(format!(
            "what was seen is old, {failures} look(s) have failed since: {}",
            field(backend, "/error")
        ));
    }
    found.extend(unused(backend));
    found
}

/// Why nothing new is placed on a backend, and how that ends.
fn unused(backend: &Value) -> Option<String> {
    let host = field(backend, "/host");
    match (flag(backend, "/frozen"), flag(backend, "/disabled")) {
        (true, _) => Some(format!(
            "changes are refused: `springform thaw {}` ends that",
            field(backend, "/backend")
        )),
        (false, true) => Some(format!(
            "no new volumes are placed on it ({}): `cinder service-enable {host} cinder-volume` ends that",
            field(backend, "/disabled_reason"),
        )),
        (false, false) => None,
    }
}

fn role(target: &Value) -> String {
    let mut words = Vec::new();
    if flag(target, "/active") {
        words.push("serves");
    }
    if flag(target, "/primary") {
        words.push("primary");
    }
    match words.is_empty() {
        true => "target".to_owned(),
        false => words.join(", "),
    }
}

fn answers(target: &Value) -> String {
    match target.get("reachable").and_then(Value::as_bool) {
        Some(true) => "yes".to_owned(),
        Some(false) if field(target, "/distrust") != "-" => "not believed".to_owned(),
        Some(false) => "no".to_owned(),
        None => "-".to_owned(),
    }
}

/// `3 healthy, 1 down`.
fn links(target: &Value) -> String {
    let links = target.get("links").and_then(Value::as_object);
    let counted: Vec<String> = links
        .into_iter()
        .flatten()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    or_none(&counted, ", ")
}

fn lag(target: &Value) -> String {
    let lag = target.get("lag_seconds").and_then(Value::as_u64);
    lag.map_or_else(|| "-".to_owned(), seconds)
}

fn ratio(target: &Value) -> String {
    match target.get("ratio_permille").and_then(Value::as_u64) {
        None => "-".to_owned(),
        Some(permille) => format!("{}.{} x", permille / 1000, permille % 1000 / 100),
    }
}

fn protection(volume: &Value) -> String {
    match flag(volume, "/replicated") {
        true if volume.pointer("/observed/what").is_none() => "unknown".to_owned(),
        true => field(volume, "/observed/what/protection"),
        false => "not replicated".to_owned(),
    }
}

/// `sec2 healthy (pure1:cinder-group.5 of 2026-11-21 14:34:38)`.
fn copies(volume: &Value) -> Vec<String> {
    let links = list(volume, "/observed/what/links").iter();
    let shown = links.map(|link| {
        let point = match link.pointer("/last_point/taken_at").and_then(Value::as_u64) {
            None => String::new(),
            Some(millis) => format!(" ({} of {})", field(link, "/last_point/id"), at(millis)),
        };
        format!(
            "{} {}{point}",
            field(link, "/target"),
            field(link, "/state")
        )
    });
    shown.collect()
}

fn at(millis: u64) -> String {
    let text = Timestamp::from_millis(millis).to_cinder();
    text.chars().take(19).collect::<String>().replace('T', " ")
}
