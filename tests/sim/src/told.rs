//! What happens in a simulated world, in words.

use springform_control::replication::Writes;
use springform_model::contract::{Call, CallError, Reply, VolumeSpec};

pub(crate) fn told_call(call: &Call) -> String {
    let ids = |volumes: &[VolumeSpec]| {
        let ids: Vec<&str> = volumes.iter().map(|v| v.id.as_str()).collect();
        ids.join(" ")
    };
    match call {
        Call::PlanFailover { request } => {
            format!("plan to {:?} {}", request.to, ids(&request.volumes))
        }
        Call::FailOver { plan, volumes } => {
            format!("promote on {} {}", plan.target, ids(volumes))
        }
        Call::FinalSync { plan, volumes } => {
            format!("last writes to {} {}", plan.target, ids(volumes))
        }
        Call::CommitTest { plan, volumes, .. } => {
            format!("promote the drill on {} {}", plan.target, ids(volumes))
        }
        Call::Demote { target, volumes } => format!("demote on {target} {}", ids(volumes)),
        Call::Reprotect { to, volumes, .. } => format!("overwrite {to:?} {}", ids(volumes)),
        other => other.name().to_owned(),
    }
}

pub(crate) fn told_answer(answer: &Result<Reply, CallError>) -> String {
    match answer {
        Ok(Reply::Outcomes(outcomes)) => {
            let failed: Vec<&str> = outcomes
                .iter()
                .filter(|o| o.result.is_err())
                .map(|o| o.id.as_str())
                .collect();
            if failed.is_empty() {
                "done".to_owned()
            } else {
                format!("failed for {}", failed.join(" "))
            }
        }
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn told_writes(writes: &Writes) -> String {
    let mut text = "commit".to_owned();
    if let Some(o) = &writes.operation {
        text += &format!(" [{} {}]", o.id, o.state.as_str());
    }
    for m in &writes.members {
        let r = &m.relation;
        text += &format!(
            " [{} {} serving {} generation {} held by {}]",
            r.volume_id,
            r.phase.name(),
            r.serving.as_deref().unwrap_or("-"),
            r.generation,
            m.volume.operation.as_deref().unwrap_or("-"),
        );
    }
    text
}
