//! The verbs of replication. What is dangerous shows its plan and asks first.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::{Client, operations};
use crate::cli::{Command, DrillCommand, ScopeArgs, TargetArgs, Wait};
use crate::out;
use crate::show::{self, field, list};

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
            operations::print_plan(client, &plan)?;
            Ok(match show::plan::is_complete(&plan) {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(2),
            })
        }
        Command::Failover {
            scope,
            target,
            plan,
            only_detached,
            discard,
            wait,
        } => {
            let planned = match plan {
                Some(id) => client.get(&format!("/plans/{id}")).await?,
                None => self::plan(client, "failover", &scope, &target).await?,
            };
            let extra = json!({ "allow_attached": !only_detached });
            let agreed = (discard, wait);
            carry_out(client, "/failover", &scope, &planned, extra, agreed).await
        }
        Command::Failback {
            scope,
            discard,
            no_reprotect,
            wait,
        } => {
            let planned = plan(client, "failback", &scope, &TargetArgs::default()).await?;
            let mut extra = json!({});
            add(
                &mut extra,
                "reprotect",
                no_reprotect.then_some(Value::from(false)),
            );
            let agreed = (discard, wait);
            carry_out(client, "/failback", &scope, &planned, extra, agreed).await
        }
        Command::Reprotect {
            scope,
            to,
            discard,
            wait,
        } => reprotect(client, &scope, to, discard, wait).await,
        Command::Resync {
            scope,
            to,
            discard,
            wait,
        } => resync(client, &scope, to, discard, wait).await,
        Command::Enable { scope, wait } => simple(client, "/enable", &scope, wait).await,
        Command::Disable { scope, wait } => simple(client, "/disable", &scope, wait).await,
        Command::Fence { scope, wait } => simple(client, "/fence", &scope, wait).await,
        Command::Drill { command } => drill(client, command).await,
        Command::Promote { scope, wait } => {
            ask(
                &format!("make the configured arrays {}'s own?", scope.describe()),
                wait.yes,
            )?;
            simple(client, "/promote", &scope, wait).await
        }
        Command::Reconcile {
            scope,
            dry_run,
            adopt,
            wait,
        } => reconcile(client, &scope, dry_run, adopt, wait).await,
        Command::Freeze { backend } => now(client, &backend, "freeze", "frozen", &json!({})).await,
        Command::Thaw { backend } => now(client, &backend, "thaw", "thawed", &json!({})).await,
        Command::ResetActiveBackend { backend, to, yes } => {
            let named = to.as_deref().unwrap_or("its primary");
            ask(
                &format!("make {named} the active array of {backend}, in the records only?"),
                yes,
            )?;
            let mut body = json!({});
            add(&mut body, "to", to.map(Value::from));
            now(client, &backend, "reset-active-backend", "reset", &body).await
        }
        Command::Serve { .. }
        | Command::Config { .. }
        | Command::Db { .. }
        | Command::Audit { .. }
        | Command::Import { .. }
        | Command::Image { .. }
        | Command::Status(_)
        | Command::Driver { .. }
        | Command::Outbox { .. }
        | Command::Attachments { .. }
        | Command::Completion { .. }
        | Command::Man { .. }
        | Command::Operation { .. } => {
            bail!("this command does not talk to a host")
        }
    }
}

pub(super) async fn plan(
    client: &Client,
    verb: &str,
    scope: &ScopeArgs,
    target: &TargetArgs,
) -> anyhow::Result<Value> {
    let mut body = json!({ "verb": verb, "scope": scope.to_json() });
    target.add_to(&mut body);
    client.post("/plans", &body).await
}

/// Protects again: shows the plan, asks, and carries it out.
pub(super) async fn reprotect(
    client: &Client,
    scope: &ScopeArgs,
    to: Option<String>,
    discard: bool,
    wait: Wait,
) -> anyhow::Result<ExitCode> {
    let planned = plan(client, "reprotect", scope, &towards(&to)).await?;
    let mut extra = json!({});
    add(&mut extra, "to", to.map(Value::from));
    let agreed = (discard, wait);
    carry_out(client, "/reprotect", scope, &planned, extra, agreed).await
}

/// Copies once more. What that throws away is asked for only where somebody agrees to it.
pub(super) async fn resync(
    client: &Client,
    scope: &ScopeArgs,
    to: Option<String>,
    discard: bool,
    wait: Wait,
) -> anyhow::Result<ExitCode> {
    let mut body = json!({ "scope": scope.to_json() });
    if discard {
        let planned = plan(client, "reprotect", scope, &towards(&to)).await?;
        let known = planned.get("acknowledge").cloned();
        add(&mut body, "acknowledge", known);
    }
    add(&mut body, "to", to.map(Value::from));
    begin(client, "/resync", &body, wait).await
}

/// Adopting is planned first: what would be recorded is shown, and agreed to.
async fn reconcile(
    client: &Client,
    scope: &ScopeArgs,
    dry_run: bool,
    adopt: bool,
    wait: Wait,
) -> anyhow::Result<ExitCode> {
    let body = json!({ "scope": scope.to_json(), "dry_run": dry_run, "adopt": adopt });
    if adopt && !dry_run && !wait.yes {
        let mut first = body.clone();
        add(&mut first, "dry_run", Some(true.into()));
        let shown = begin(client, "/reconcile", &first, Wait::default()).await?;
        if shown != ExitCode::SUCCESS {
            return Ok(shown);
        }
        ask("record this?", false)?;
    }
    begin(client, "/reconcile", &body, wait).await
}

fn towards(to: &Option<String>) -> TargetArgs {
    TargetArgs {
        to: to.clone(),
        ..TargetArgs::default()
    }
}

/// Shows a plan, asks, and sends it with what it says must be acknowledged, if that was agreed to.
pub(super) async fn carry_out(
    client: &Client,
    path: &str,
    scope: &ScopeArgs,
    planned: &Value,
    extra: Value,
    (discard, wait): (bool, Wait),
) -> anyhow::Result<ExitCode> {
    if operations::shows_tables(client) {
        operations::print_plan(client, planned)?;
    }
    if !discard && !list(planned, "/acknowledge").is_empty() {
        bail!(
            "nothing was done: this throws away what the plan lists under \"overwritten\"; give --discard to agree"
        );
    }
    ask("carry out this plan?", wait.yes)?;
    let mut body = extra;
    add(&mut body, "scope", Some(scope.to_json()));
    add(&mut body, "plan", planned.get("id").cloned());
    if discard {
        add(
            &mut body,
            "acknowledge",
            planned.get("acknowledge").cloned(),
        );
    }
    begin(client, path, &body, wait).await
}

pub(super) async fn simple(
    client: &Client,
    path: &str,
    scope: &ScopeArgs,
    wait: Wait,
) -> anyhow::Result<ExitCode> {
    begin(client, path, &json!({ "scope": scope.to_json() }), wait).await
}

async fn drill(client: &Client, command: DrillCommand) -> anyhow::Result<ExitCode> {
    match command {
        DrillCommand::List { backend } => {
            let query = backend.map_or_else(String::new, |b| format!("?backend={b}"));
            let answer = client.get(&format!("/drills{query}")).await?;
            operations::print(client, &answer, show::drill::list_of)?;
            Ok(ExitCode::SUCCESS)
        }
        DrillCommand::Start {
            scope,
            to,
            point,
            minutes,
            wait,
        } => {
            let mut body = json!({ "scope": scope.to_json(), "minutes": minutes });
            add(&mut body, "to", to.map(Value::from));
            add(&mut body, "point", point.map(Value::from));
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
        out::line(format_args!("{answer:#}"))?;
        return Ok(ExitCode::SUCCESS);
    };
    if wait.no_wait {
        out::line(&id)?;
        return Ok(ExitCode::SUCCESS);
    }
    operations::watch(client, &id).await
}

async fn now(
    client: &Client,
    backend: &str,
    verb: &str,
    done: &str,
    body: &Value,
) -> anyhow::Result<ExitCode> {
    let answer = client
        .post(&format!("/backends/{backend}/{verb}"), body)
        .await?;
    operations::print(client, &answer, |answer| {
        let active = match field(answer, "/active_target").as_str() {
            "-" => "its primary".to_owned(),
            other => other.to_owned(),
        };
        let status = field(answer, "/replication_status");
        format!("{backend}: {done}; replication is {status}, new volumes land on {active}\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn add(body: &mut Value, key: &str, value: Option<Value>) {
    if let (Value::Object(fields), Some(value)) = (body, value) {
        fields.insert(key.to_owned(), value);
    }
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
    let mut terminal = std::io::stderr();
    write!(terminal, "{question} [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        bail!("nothing was done")
    }
}
