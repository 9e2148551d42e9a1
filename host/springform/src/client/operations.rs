//! `springform operation …`, and following an operation to its end.

use std::process::ExitCode;

use anyhow::Context;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{Client, events};
use crate::cli::{Format, OperationCommand};
use crate::show::{self, operation, progress::Progress};

/// Carries out a command about operations.
///
/// # Errors
/// The host cannot be reached, or refused with a reason.
pub async fn run(client: &Client, command: OperationCommand) -> anyhow::Result<ExitCode> {
    match command {
        OperationCommand::List {
            state,
            backend,
            limit,
        } => {
            let mut path = format!("/operations?limit={limit}");
            for (key, value) in [("state", state), ("backend", backend)] {
                if let Some(value) = value {
                    path.push_str(&format!("&{key}={value}"));
                }
            }
            let answer = client.get(&path).await?;
            print(client, &answer, operation::list_of);
        }
        OperationCommand::Show { id } => {
            let answer = client.get(&format!("/operations/{id}")).await?;
            print(client, &answer, operation::one);
        }
        OperationCommand::Watch { id } => return watch(client, &id).await,
        OperationCommand::Cancel { id } => {
            let answer = client
                .post(&format!("/operations/{id}/cancel"), &json!({}))
                .await?;
            print(client, &answer, operation::cancelled);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows an operation to its end, shows how it ended, and says so in the status: 0 done, 2 partly, 1 not.
///
/// # Errors
/// The host cannot be reached, or does not know the operation.
pub async fn watch(client: &Client, id: &str) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::begin();
    let mut newest = client.get(&format!("/operations/{id}")).await?;
    progress.show(&newest);
    while !operation::is_over(&newest) {
        let response = client.stream(&format!("/operations/{id}/events")).await?;
        let mut stream = Box::pin(events::data(response));
        while let Some(event) = stream.next().await {
            // A stream that breaks off is taken up again below: the host may have been restarted.
            let Ok(event) = event else { break };
            newest =
                serde_json::from_str(&event).context("the host sent an event that is not JSON")?;
            progress.show(&newest);
            if operation::is_over(&newest) {
                break;
            }
        }
        if !operation::is_over(&newest) {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            newest = client.get(&format!("/operations/{id}")).await?;
        }
    }
    progress.end();
    print(client, &newest, operation::one);
    Ok(match newest.get("state").and_then(Value::as_str) {
        Some("succeeded") => ExitCode::SUCCESS,
        Some("partly-failed") => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}

/// Prints an answer in the format that was asked for.
pub fn print(client: &Client, answer: &Value, as_text: impl Fn(&Value) -> String) {
    match client.format {
        Format::Json => println!("{answer:#}"),
        Format::Table => print!("{}", as_text(answer)),
    }
}

/// The id of the operation that an answer began, wherever it stands.
#[must_use]
pub fn begun(answer: &Value) -> Option<String> {
    let id = ["/operation/id", "/operation", "/operation_id", "/id"]
        .iter()
        .find_map(|pointer| answer.pointer(pointer).and_then(Value::as_str));
    id.map(str::to_owned)
}

/// Whether a plan or operation was shown as a table, so that a question may follow it.
#[must_use]
pub fn shows_tables(client: &Client) -> bool {
    client.format == Format::Table
}

/// A plan, printed.
pub fn print_plan(client: &Client, plan: &Value) {
    print(client, plan, show::plan::one);
}
