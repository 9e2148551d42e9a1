//! `springform attachments …`: servers whose volumes moved are attached anew.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::Client;
use super::keystone::{Environment, token};
use super::operations::print;
use crate::cli::AttachmentsCommand;
use crate::show::{field, list};

/// Carries out a command about attachments. Status 0: all is done; 2: something is left for a person or for the next time.
///
/// # Errors
/// The host cannot be reached, or refused with a reason; there is no token for Nova.
pub async fn run(client: &Client, command: AttachmentsCommand) -> anyhow::Result<ExitCode> {
    let AttachmentsCommand::Repair {
        nova,
        backend,
        dry_run,
    } = command;
    let mut body = json!({ "dry_run": dry_run, "backend": backend });
    match (nova, body.as_object_mut()) {
        (Some(nova), Some(fields)) => {
            let variables = |name: &str| std::env::var(name).ok();
            let token = token(&Environment(&variables)).await?;
            fields.insert("nova".to_owned(), json!(nova));
            fields.insert("token".to_owned(), json!(token));
        }
        _ if dry_run => {}
        _ => bail!("--nova URL is needed (or NOVA_URL); --dry-run works without"),
    }
    let answer = all(client, &body).await?;
    print(client, &answer, show)?;
    let done = |attachment: &Value| {
        matches!(
            attachment.get("outcome").and_then(Value::as_str),
            Some("reattached" | "would-reattach")
        )
    };
    if list(&answer, "/attachments").iter().all(done) {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::from(2))
    }
}

/// Asks until nothing remains: the host does a bounded part at a time.
async fn all(client: &Client, body: &Value) -> anyhow::Result<Value> {
    let mut done: Vec<Value> = Vec::new();
    loop {
        let answer = client.post("/attachments/repair", body).await?;
        let page = list(&answer, "/attachments");
        let moved = page
            .iter()
            .any(|one| one.get("outcome").and_then(Value::as_str) == Some("reattached"));
        for one in page {
            let same = |other: &Value| {
                ["volume_id", "server_id", "attachment_id"]
                    .iter()
                    .all(|key| other.get(key) == one.get(key))
            };
            done.retain(|other| !same(other));
            done.push(one.clone());
        }
        let remaining = answer.get("remaining").and_then(Value::as_u64).unwrap_or(0);
        // What is left for a person stands in the way of the rest only if nothing else moved.
        if remaining == 0 || !moved {
            return Ok(json!({ "attachments": done, "remaining": remaining }));
        }
    }
}

/// One line for each, with what to type below it.
#[must_use]
pub fn show(answer: &Value) -> String {
    let attachments = list(answer, "/attachments");
    if attachments.is_empty() {
        return "no attachment is outdated\n".to_owned();
    }
    let mut text = String::new();
    for attachment in attachments {
        let place = match attachment.get("server_id").and_then(Value::as_str) {
            Some(server) => format!("server {server}"),
            None => format!("attachment {}", field(attachment, "/attachment_id")),
        };
        text.push_str(&format!(
            "volume {}  {place}  {}",
            field(attachment, "/volume_id"),
            field(attachment, "/outcome")
        ));
        if let Some(reason) = attachment.get("reason").and_then(Value::as_str) {
            text.push_str(&format!(": {reason}"));
        }
        text.push('\n');
        for command in list(attachment, "/commands") {
            text.push_str(&format!("    {}\n", field(command, "")));
        }
    }
    let remaining = answer.get("remaining").and_then(Value::as_u64).unwrap_or(0);
    if remaining > 0 {
        text.push_str(&format!(
            "{remaining} more were not looked at; run it again\n"
        ));
    }
    text
}
