//! How an error is told: in a sentence for people, or as one JSON object under `--format json`.

use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::Format;
use crate::client::{Refused, Unreachable};
use crate::config::ConfigError;
use crate::out;

/// Tells of an error on standard error.
pub fn report(error: &anyhow::Error, format: Format) -> ExitCode {
    match format {
        Format::Table => out::note(format_args!("springform: {error:#}")),
        Format::Json => out::note(json!({ "error": to_json(error) })),
    }
    ExitCode::FAILURE
}

/// Tells of a command line that was not understood, or prints the help that was asked for.
///
/// The status is 1 as for every error: 2 is what a plan or an operation ends with of which a part failed.
pub fn usage(error: &clap::Error, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    if error.use_stderr() && wants_json(arguments) {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        let (message, _) = text.split_once("\n\nUsage:").unwrap_or((text, ""));
        out::note(json!({ "error": {
            "code": "usage", "message": message.trim(), "advice": "springform --help",
        } }));
        return ExitCode::FAILURE;
    }
    // Colours where there is a terminal, and nobody to tell where it has gone away.
    let _ = error.print();
    match error.use_stderr() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// What was not understood cannot say in which format to say so.
fn wants_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let mut arguments = arguments.into_iter();
    let mut json = false;
    while let Some(argument) = arguments.next() {
        json |= argument == "--format=json"
            || (argument == "--format" && arguments.next().is_some_and(|value| value == "json"));
    }
    json
}

fn to_json(error: &anyhow::Error) -> Value {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return refused.to_json();
    }
    let mut told = json!({ "code": "failed", "message": format!("{error:#}") });
    let Some(fields) = told.as_object_mut() else {
        return told;
    };
    if let Some(unreachable) = error.downcast_ref::<Unreachable>() {
        fields.insert("code".to_owned(), json!("unreachable"));
        fields.insert("advice".to_owned(), json!(unreachable.advice()));
        fields.insert("retryable".to_owned(), json!(true));
    }
    if let Some(ConfigError { path, problems }) = error.downcast_ref::<ConfigError>() {
        let problems = problems.iter();
        let problems: Vec<Value> = problems
            .map(|problem| json!({ "line": problem.line, "message": problem.text }))
            .collect();
        fields.insert("code".to_owned(), json!("configuration"));
        fields.insert("file".to_owned(), json!(path.display().to_string()));
        fields.insert("problems".to_owned(), json!(problems));
    }
    told
}

#[cfg(test)]
mod tests;
