//! `springform status`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Client, operations};
use crate::cli::StatusArgs;
use crate::show::standing;

/// Volumes asked for at a time.
const PAGE: usize = 1000;

/// Shows how replication stands.
///
/// # Errors
/// The host cannot be reached, or knows no such thing.
pub async fn run(client: &Client, status: StatusArgs) -> anyhow::Result<ExitCode> {
    let limit = status.limit;
    if let Some(name) = &status.backend {
        let backend = client.get(&format!("/backends/{name}")).await?;
        let filter = format!("backend={name}");
        let listed = volumes(client, &filter, status.all, limit).await?;
        let answer = json!({"backend": backend, "volumes": listed.volumes, "more": listed.more});
        operations::print(client, &answer, |_| {
            let volumes = listed.shown(status.all);
            format!("{}\n{volumes}", standing::backend(&backend))
        })?;
    } else if !status.volumes.is_empty() {
        let mut found = Vec::new();
        for id in &status.volumes {
            found.push(client.get(&format!("/volumes/{id}")).await?);
        }
        operations::print(client, &json!({ "volumes": found }), |_| {
            let shown: Vec<String> = found.iter().map(standing::volume).collect();
            shown.join("\n")
        })?;
    } else if let Some(filter) = within(&status) {
        let listed = volumes(client, &filter, true, limit).await?;
        let answer = json!({"volumes": listed.volumes, "more": listed.more});
        operations::print(client, &answer, |_| listed.shown(true))?;
    } else {
        let answer = client.get("/backends").await?;
        operations::print(client, &answer, standing::backends)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn within(status: &StatusArgs) -> Option<String> {
    let group = status.group.as_ref().map(|id| format!("group_id={id}"));
    let project = status.project.as_ref().map(|id| format!("project_id={id}"));
    group.or(project)
}

/// The first volumes of a list, and whether there are more.
struct Listed {
    volumes: Vec<Value>,
    more: bool,
}

impl Listed {
    fn shown(&self, all: bool) -> String {
        if self.volumes.is_empty() {
            return match all {
                true => "no volumes\n".to_owned(),
                false => "nothing to look at in any volume; --all lists them\n".to_owned(),
            };
        }
        let mut text = standing::volumes(&json!({ "volumes": self.volumes }));
        if self.more {
            text.push_str(&format!(
                "\n({} are shown and there are more; --limit shows more of them)\n",
                self.volumes.len()
            ));
        }
        text
    }
}

/// Pages of volumes until there are `limit` of them; without `all` only those that an operator should look at.
async fn volumes(client: &Client, filter: &str, all: bool, limit: usize) -> anyhow::Result<Listed> {
    let mut found: Vec<Value> = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let mut path = format!("/volumes?{filter}&limit={PAGE}&concerning={}", !all);
        if let Some(marker) = &marker {
            path.push_str(&format!("&marker={marker}"));
        }
        let page = client.get(&path).await?;
        found.extend(crate::show::list(&page, "/volumes").iter().cloned());
        marker = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if found.len() > limit || marker.is_none() {
            let more = found.len() > limit;
            found.truncate(limit);
            return Ok(Listed {
                volumes: found,
                more,
            });
        }
    }
}
