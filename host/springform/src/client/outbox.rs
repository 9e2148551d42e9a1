//! `springform outbox …`: events on their way to webhooks.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::Client;
use super::operations::print;
use crate::cli::OutboxCommand;
use crate::show::{field, list, render, table};

/// Carries out a command about the outbox.
///
/// # Errors
/// The host cannot be reached, or refused with a reason.
pub async fn run(client: &Client, command: OutboxCommand) -> anyhow::Result<ExitCode> {
    match command {
        OutboxCommand::List {
            state,
            receiver,
            subject,
            limit,
        } => {
            let mut path = format!("/outbox?limit={limit}");
            for (key, value) in [
                ("state", state),
                ("receiver", receiver),
                ("subject", subject),
            ] {
                if let Some(value) = value {
                    path.push_str(&format!("&{key}={}", encode(&value)));
                }
            }
            let answer = client.get(&path).await?;
            print(client, &answer, |answer| {
                show(list(answer, "/deliveries").iter())
            })?;
        }
        OutboxCommand::Retry { id } => {
            let Some((event, receiver)) = id.split_once('/') else {
                bail!(
                    "{id} is no id of a delivery: it has an event and a webhook, as `springform outbox list` shows them"
                );
            };
            let path = format!("/outbox/{}/{}/retry", encode(event), encode(receiver));
            let answer = client.post(&path, &json!({})).await?;
            print(client, &answer, |answer| show(std::iter::once(answer)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A part of a URL.
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
        encoded
    })
}

fn show<'a>(deliveries: impl Iterator<Item = &'a Value>) -> String {
    let mut shown = table(&["id", "type", "subject", "state", "attempts", "last error"]);
    for delivery in deliveries {
        let kind = field(delivery, "/event/type");
        shown.add_row([
            field(delivery, "/id"),
            kind.trim_start_matches("org.springform.").to_owned(),
            field(delivery, "/event/subject"),
            field(delivery, "/state"),
            field(delivery, "/attempts"),
            field(delivery, "/last_error"),
        ]);
    }
    render(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_shown_in_one_line_with_why_it_failed() {
        let delivery = json!({
            "id": "e1/ops", "state": "dead", "attempts": 32, "last_error": "it answered 500 Internal Server Error",
            "event": { "type": "org.springform.volume.moved", "subject": "v1" },
        });
        let text = show(std::iter::once(&delivery));
        let line = text.lines().nth(1).unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().take(5).collect();
        assert_eq!(words, ["e1/ops", "volume.moved", "v1", "dead", "32"]);
        assert!(line.ends_with("500 Internal Server Error"));
    }

    #[test]
    fn a_name_cannot_change_the_path() {
        assert_eq!(encode("a/../b?c"), "a%2F..%2Fb%3Fc");
    }
}
