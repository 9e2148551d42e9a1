//! How the simulated arrays replicate: whatever is asked for is done at once.

use springform_model::contract::{
    Call, CallError, FailoverPlan, FailureCode, Observation, Outcome, Placement, Protection,
    RecoveryPoint, ReplicationKind, Reply, Role, VolumePlan, VolumeSpec,
};
use springform_model::replication::evidence;

use super::{Array, fail};

fn each(volumes: Vec<VolumeSpec>, target: Option<&str>, kind: Option<ReplicationKind>) -> Reply {
    let outcomes = volumes.into_iter().map(|volume| {
        let there = volume.placement.map(|placed| placed.target);
        let there = target.map(str::to_owned).or(there);
        Outcome {
            result: Ok(Placement {
                array_name: format!("{}-sim", volume.id),
                target: there.unwrap_or_default(),
                serial: None,
                metadata: Vec::new(),
                replication: kind.clone(),
                extensions: Vec::new(),
            }),
            id: volume.id,
        }
    });
    Reply::Outcomes(outcomes.collect())
}

fn whole(volume: &VolumeSpec) -> bool {
    let mut told = volume.extensions.iter();
    told.any(|(key, _)| key == evidence::WHOLE)
}

fn nothing(volume: &VolumeSpec) -> Observation {
    Observation {
        volume_id: volume.id.clone(),
        target: volume.placement.as_ref().map(|at| at.target.clone()),
        role: Role::Primary,
        protection: Protection::Unknown,
        links: Vec::new(),
        stale_writable: Vec::new(),
        tests: Vec::new(),
        problems: Vec::new(),
    }
}

pub fn answer(array: &Array, call: Call) -> Result<Reply, CallError> {
    let copied = Some(ReplicationKind::Async);
    let sick = array.sick.lock().unwrap();
    Ok(match call {
        Call::PlanFailover { request } => Reply::Plan(FailoverPlan {
            target: request.to.unwrap_or_else(|| "b".to_owned()),
            mode: request.mode,
            volumes: request
                .volumes
                .into_iter()
                .map(|volume| VolumePlan {
                    volume_id: volume.id,
                    source: None,
                    point: None,
                    possible: true,
                    reason: None,
                    loss_seconds: Some(0),
                    loss_bytes: None,
                    warnings: Vec::new(),
                })
                .collect(),
            interrupts: Vec::new(),
            token: Vec::new(),
        }),
        Call::FailOver { volumes, .. } if volumes.iter().any(|one| sick.contains(&one.id)) => {
            return fail(FailureCode::FailedPrecondition, "a volume is sick");
        }
        Call::FailOver { plan, .. } if array.refusing.lock().unwrap().contains(&plan.target) => {
            return fail(FailureCode::FailedPrecondition, "a machine is connected");
        }
        Call::FailOver { plan, volumes } => {
            let mut reply = each(volumes, Some(&plan.target), copied);
            let answers = array.answers.lock().unwrap().clone();
            if let (Some(name), Reply::Outcomes(outcomes)) = (answers, &mut reply) {
                for placement in outcomes.iter_mut().flat_map(|one| &mut one.result) {
                    placement.array_name.clone_from(&name);
                }
            }
            reply
        }
        Call::Demote { volumes, .. }
        | Call::Reprotect { volumes, .. }
        | Call::Resync { volumes, .. }
        | Call::Enable { volumes } => each(volumes, None, copied),
        Call::Disable { volumes } => each(volumes, None, None),
        Call::FinalSync { mut plan, .. } => {
            for volume in &mut plan.volumes {
                let before = volume.point.as_ref().map_or(0, |p| p.taken_at);
                volume.point = Some(RecoveryPoint {
                    id: format!("transfer {}", before + 1),
                    taken_at: before + 1,
                });
            }
            Reply::Plan(plan)
        }
        Call::FinishFailover { .. } => Reply::State(Vec::new()),
        Call::StopTest { .. } => Reply::Done,
        // Whoever is about to adopt what the arrays say is told that they carry no evidence.
        Call::Observe { volumes } if volumes.iter().any(whole) => {
            Reply::Observations(volumes.iter().map(nothing).collect())
        }
        other => return fail(FailureCode::Unsupported, other.name()),
    })
}
