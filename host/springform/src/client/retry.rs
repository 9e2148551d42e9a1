//! `springform operation retry`: the verb of an operation once more, for the volumes that failed and nothing else.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::{Client, replication};
use crate::cli::{ScopeArgs, TargetArgs, Wait};
use crate::show::{field, operation};

/// Shows the plan of what is tried again where the verb has one, asks, and carries it out.
///
/// # Errors
/// The operation is not over, nothing failed, its verb cannot be repeated; else what the verb says.
pub async fn run(client: &Client, id: &str, discard: bool, wait: Wait) -> anyhow::Result<ExitCode> {
    let ended = client.get(&format!("/operations/{id}")).await?;
    if !operation::is_over(&ended) {
        bail!("operation {id} is not over; follow it with `springform operation watch {id}`");
    }
    let failures = ended.pointer("/result/failures").and_then(Value::as_object);
    let volumes: Vec<String> = failures
        .into_iter()
        .flat_map(|failures| failures.keys().cloned())
        .collect();
    if volumes.is_empty() {
        bail!(
            "no volume of operation {id} has failed by itself; give its verb again as you gave it"
        );
    }
    let scope = ScopeArgs {
        volumes,
        ..ScopeArgs::default()
    };
    match field(&ended, "/verb").as_str() {
        "failover" => {
            let target = failover_target(&ended);
            let planned = replication::plan(client, "failover", &scope, &target).await?;
            let agreed = (discard, wait);
            replication::carry_out(client, "/failover", &scope, &planned, json!({}), agreed).await
        }
        "failback" => {
            let target = TargetArgs::default();
            let planned = replication::plan(client, "failback", &scope, &target).await?;
            let agreed = (discard, wait);
            let bare = ended.pointer("/input/protect") == Some(&Value::Bool(false));
            let extra = if bare {
                json!({ "reprotect": false })
            } else {
                json!({})
            };
            replication::carry_out(client, "/failback", &scope, &planned, extra, agreed).await
        }
        "reprotect" => {
            let to = text(&ended, "/input/ask/to");
            replication::reprotect(client, &scope, to, discard, wait).await
        }
        "resync" => {
            let to = text(&ended, "/input/ask/to");
            replication::resync(client, &scope, to, discard, wait).await
        }
        "reconcile" if ended.pointer("/input/ask/adopt") == Some(&Value::Bool(true)) => {
            bail!("a backend is adopted as a whole; run `springform reconcile --adopt` again")
        }
        verb @ ("enable" | "disable" | "fence" | "reconcile") => {
            replication::simple(client, &format!("/{verb}"), &scope, wait).await
        }
        verb => {
            bail!("{verb} cannot be tried again for single volumes; give it again as you gave it")
        }
    }
}

/// Where the operation was going, whoever chose it, and how.
fn failover_target(ended: &Value) -> TargetArgs {
    let mode = field(ended, "/input/order/mode");
    TargetArgs {
        to: text(ended, "/result/target").or_else(|| text(ended, "/input/order/to")),
        planned: mode == "planned",
        unplanned: mode == "unplanned",
        point: text(ended, "/input/order/point"),
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
