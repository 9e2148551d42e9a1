//! `springform operation …`, and following an operation to its end.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::http::Unreachable;
use super::{Client, events, retry};
use crate::cli::{Format, OperationCommand};
use crate::out;
use crate::show::{self, operation, progress::Progress};

/// How long a host that is being restarted may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts to follow an operation.
const PAUSE: Duration = Duration::from_millis(500);

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
            print(client, &answer, operation::list_of)?;
        }
        OperationCommand::Show { id } => {
            let answer = client.get(&format!("/operations/{id}")).await?;
            print(client, &answer, operation::one)?;
        }
        OperationCommand::Watch { id } => return watch(client, &id).await,
        OperationCommand::Cancel { id } => {
            let answer = client
                .post(&format!("/operations/{id}/cancel"), &json!({}))
                .await?;
            print(client, &answer, operation::cancelled)?;
        }
        OperationCommand::Retry { id, discard, wait } => {
            return retry::run(client, &id, discard, wait).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows an operation to its end, shows how it ended, and says so in the status: 0 done, 2 partly, 1 not.
///
/// # Errors
/// The host cannot be reached, or does not know the operation.
pub async fn watch(client: &Client, id: &str) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::begin(shows_tables(client));
    let mut newest = client.get(&format!("/operations/{id}")).await?;
    progress.show(&newest);
    let mut heard = Instant::now();
    while !operation::is_over(&newest) {
        // The host may be restarted meanwhile: the operation goes on, and so do we.
        match follow(client, id, &mut progress, &mut newest).await {
            Ok(()) => heard = Instant::now(),
            Err(error) if error.is::<Unreachable>() && heard.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        if !operation::is_over(&newest) {
            tokio::time::sleep(PAUSE).await;
        }
    }
    progress.end();
    print(client, &newest, operation::one)?;
    Ok(match newest.get("state").and_then(Value::as_str) {
        Some("succeeded") => ExitCode::SUCCESS,
        Some("partly-failed") => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}

/// Shows what becomes of an operation until it is over or the host breaks off.
async fn follow(
    client: &Client,
    id: &str,
    progress: &mut Progress,
    newest: &mut Value,
) -> anyhow::Result<()> {
    let response = client.stream(&format!("/operations/{id}/events")).await?;
    let mut stream = Box::pin(events::data(response));
    while let Some(Ok(event)) = stream.next().await {
        *newest =
            serde_json::from_str(&event).context("the host sent an event that is not JSON")?;
        progress.show(newest);
        if operation::is_over(newest) {
            break;
        }
    }
    Ok(())
}

/// Prints an answer in the format that was asked for.
///
/// # Errors
/// As [`out::print`].
pub fn print(
    client: &Client,
    answer: &Value,
    as_text: impl Fn(&Value) -> String,
) -> anyhow::Result<()> {
    match client.format {
        Format::Json => out::line(format_args!("{answer:#}"))?,
        Format::Table => out::print(&as_text(answer))?,
    }
    Ok(())
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
///
/// # Errors
/// As [`out::print`].
pub fn print_plan(client: &Client, plan: &Value) -> anyhow::Result<()> {
    print(client, plan, show::plan::one)
}
