//! `springform driver …`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use super::Client;
use crate::cli::{Connection, DriverCommand, Format};
use crate::out;
use crate::serve::inspect;
use crate::show::{self, field, short_digest};
use crate::signing;

/// Carries out a command about drivers.
///
/// # Errors
/// The host cannot be reached, or refused with a reason.
pub async fn run(client: &Client, command: DriverCommand) -> anyhow::Result<ExitCode> {
    match command {
        DriverCommand::List => {
            let answer = client.get("/drivers").await?;
            super::operations::print(client, &answer, show::driver::list_of)?;
        }
        DriverCommand::Inspect { subject, .. } => {
            let answer = client.get(&format!("/drivers/{subject}")).await?;
            super::operations::print(client, &answer, show::driver::inspection)?;
        }
        DriverCommand::Grants { name } => {
            let answer = client.get(&format!("/drivers/{name}")).await?;
            super::operations::print(client, &answer, show::driver::grants)?;
        }
        DriverCommand::Install { name, file } => {
            let component =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let signatures = signing::beside(&file)?;
            let answer = client
                .put_wasm(&format!("/drivers/{name}"), component, &signatures)
                .await?;
            super::operations::print(client, &answer, |answer| {
                let digest = short_digest(&field(answer, "/digest"));
                let version = field(answer, "/description/version");
                format!(
                    "installed {name} {version} ({digest}); it serves after `springform driver activate {name} --digest {digest}`\n"
                )
            })?;
        }
        // Both need no host, and were carried out before one was looked for.
        DriverCommand::Sign(_) | DriverCommand::Verify { .. } => {}
        DriverCommand::Activate { name, digest } => {
            let body = request(&[("digest", digest)]);
            let answer = client
                .post(&format!("/drivers/{name}/activate"), &body)
                .await?;
            super::operations::print(client, &answer, |answer| published(&name, answer))?;
        }
        DriverCommand::Rollback { name } => {
            let answer = client
                .post(&format!("/drivers/{name}/rollback"), &json!({}))
                .await?;
            super::operations::print(client, &answer, |answer| published(&name, answer))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `springform driver inspect FILE.wasm`: no host needed.
///
/// # Errors
/// The file is no driver; the reason is named.
pub async fn inspect_file(
    path: &Path,
    describe: bool,
    connection: &Connection,
) -> anyhow::Result<ExitCode> {
    let answer = match describe {
        true => inspect::file_described(path).await?,
        false => inspect::file(path)?,
    };
    match connection.format {
        Format::Json => out::line(format_args!("{answer:#}"))?,
        Format::Table => out::print(&show::driver::inspection(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn request(fields: &[(&str, Option<String>)]) -> Value {
    let given = fields.iter().filter_map(|(key, value)| {
        value
            .as_ref()
            .map(|value| ((*key).to_owned(), json!(value)))
    });
    Value::Object(given.collect())
}

fn published(name: &str, answer: &Value) -> String {
    let driver = answer.get("driver").unwrap_or(answer);
    format!(
        "{name} generation {} serves; `springform driver rollback {name}` goes back to {}\n",
        field(driver, "/running/number"),
        field(driver, "/rollback/number"),
    )
}
