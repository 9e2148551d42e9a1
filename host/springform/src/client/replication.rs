//! The verbs of replication. What is dangerous shows its plan and asks first.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::{Client, operations};
use crate::cli::{Command, DrillCommand, ScopeArgs, TargetArgs, Wait};

/// Carries out a verb.
///
/// # Errors
/// The host cannot be reached, or refused with a reason.
pub async fn run(client: &Client, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Plan {
            verb,
            scope,
            target,
        } => {
            let plan = plan(client, verb.as_str(), &scope, &target).await?;
            operations::print_plan(client, &plan);
            Ok(ExitCode::SUCCESS)
        }
        Command::Failover {
            scope,
            target,
            plan,
            wait,
        } => failover(client, &scope, &target, plan, wait).await,
        Command::Failback { scope, wait } => {
            let planned = plan(client, "failback", &scope, &TargetArgs::default()).await?;
            agree(client, &planned, wait)?;
            let mut body = json!({ "scope": scope.to_json() });
            add(&mut body, "plan", planned.get("id").cloned());
            begin(client, "/failback", &body, wait).await
        }
        Command::Reprotect {
            scope,
            to,
            discard,
            wait,
        } => {
            let mut body = json!({ "scope": scope.to_json(), "discard": discard });
            add(&mut body, "to", to.map(Value::from));
            begin(client, "/reprotect", &body, wait).await
        }
        Command::Drill { command } => drill(client, command).await,
        Command::Promote { scope, wait } => {
            ask(
                &format!("make the configured arrays {}'s own?", scope.describe()),
                wait.yes,
            )?;
            begin(
                client,
                "/promote",
                &json!({ "scope": scope.to_json() }),
                wait,
            )
            .await
        }
        Command::Reconcile {
            scope,
            dry_run,
            wait,
        } => {
            let body = json!({ "scope": scope.to_json(), "dry_run": dry_run });
            begin(client, "/reconcile", &body, wait).await
        }
        Command::Freeze { backend } => now(client, &backend, "freeze", "frozen").await,
        Command::Thaw { backend } => now(client, &backend, "thaw", "thawed").await,
        Command::ResetActiveBackend { backend, yes } => {
            ask(
                &format!("make the primary of {backend} its active array, in the records only?"),
                yes,
            )?;
            now(client, &backend, "reset-active-backend", "reset").await
        }
        Command::Serve { .. }
        | Command::Config { .. }
        | Command::Driver { .. }
        | Command::Outbox { .. }
        | Command::Attachments { .. }
        | Command::Operation { .. } => {
            bail!("this command does not talk to a host")
        }
    }
}

async fn plan(
    client: &Client,
    verb: &str,
    scope: &ScopeArgs,
    target: &TargetArgs,
) -> anyhow::Result<Value> {
    let mut body = json!({ "verb": verb, "scope": scope.to_json() });
    target.add_to(&mut body);
    client.post("/plans", &body).await
}

async fn failover(
    client: &Client,
    scope: &ScopeArgs,
    target: &TargetArgs,
    known: Option<String>,
    wait: Wait,
) -> anyhow::Result<ExitCode> {
    let id = match known {
        Some(id) => Some(Value::from(id)),
        None => {
            let planned = plan(client, "failover", scope, target).await?;
            agree(client, &planned, wait)?;
            planned.get("id").cloned()
        }
    };
    let mut body = json!({ "scope": scope.to_json() });
    target.add_to(&mut body);
    add(&mut body, "plan", id);
    begin(client, "/failover", &body, wait).await
}

async fn drill(client: &Client, command: DrillCommand) -> anyhow::Result<ExitCode> {
    match command {
        DrillCommand::Start {
            scope,
            target,
            minutes,
            wait,
        } => {
            let mut body = json!({ "scope": scope.to_json(), "minutes": minutes });
            target.add_to(&mut body);
            begin(client, "/drills", &body, wait).await
        }
        DrillCommand::Stop { id, wait } => {
            begin(client, &format!("/drills/{id}/stop"), &json!({}), wait).await
        }
        DrillCommand::Commit { id, wait } => {
            ask("turn the drill into the failover?", wait.yes)?;
            begin(client, &format!("/drills/{id}/commit"), &json!({}), wait).await
        }
    }
}

/// Sends a verb and follows the operation it begins.
async fn begin(client: &Client, path: &str, body: &Value, wait: Wait) -> anyhow::Result<ExitCode> {
    let answer = client.post(path, body).await?;
    let Some(id) = operations::begun(&answer) else {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    };
    if wait.no_wait {
        println!("{id}");
        return Ok(ExitCode::SUCCESS);
    }
    operations::watch(client, &id).await
}

async fn now(client: &Client, backend: &str, verb: &str, done: &str) -> anyhow::Result<ExitCode> {
    client
        .post(&format!("/backends/{backend}/{verb}"), &json!({}))
        .await?;
    println!("{backend}: {done}");
    Ok(ExitCode::SUCCESS)
}

fn add(body: &mut Value, key: &str, value: Option<Value>) {
    if let (Value::Object(fields), Some(value)) = (body, value) {
        fields.insert(key.to_owned(), value);
    }
}

fn agree(client: &Client, plan: &Value, wait: Wait) -> anyhow::Result<()> {
    if operations::shows_tables(client) {
        operations::print_plan(client, plan);
    }
    ask("carry out this plan?", wait.yes)
}

/// Asks on the terminal; without one, `--yes` has to have been given.
fn ask(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("there is no terminal to ask on: give --yes to go ahead ({question})");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        bail!("nothing was done")
    }
}
