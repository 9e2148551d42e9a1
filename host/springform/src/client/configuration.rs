//! `springform config reload`.

use std::process::ExitCode;

use serde_json::json;

use super::Client;
use crate::show;

/// Asks the host to read its file again.
///
/// # Errors
/// The host cannot be reached, or refused with everything that is wrong with the file.
pub async fn reload(client: &Client, dry_run: bool) -> anyhow::Result<ExitCode> {
    let body = json!({ "dry_run": dry_run });
    let answer = client.post("/configuration/reload", &body).await?;
    super::operations::print(client, &answer, show::reload::one)?;
    Ok(ExitCode::SUCCESS)
}
