//! How the simulated array keeps consistency groups.

use springform_model::contract::{
    Call, CallError, Failure, FailureCode, Outcome, Placement, Reply, SnapshotOutcome,
    SnapshotPlacement,
};

use super::{Array, fail};

fn placement(id: &str) -> Placement {
    Placement {
        array_name: format!("{id}-sim"),
        target: "a".into(),
        serial: None,
        metadata: Vec::new(),
        replication: None,
        extensions: Vec::new(),
    }
}

pub fn answer(array: &Array, call: Call) -> Result<Reply, CallError> {
    let mut groups = array.groups.lock().unwrap();
    let mut snapshots = array.snapshots.lock().unwrap();
    let sick = array.sick.lock().unwrap();
    match call {
        Call::CreateGroup { group } => {
            groups.entry(group.id.clone()).or_default();
            Ok(Reply::Name(format!("{}.group", group.id)))
        }
        Call::DeleteGroup { group } => {
            groups.remove(&group.id);
            Ok(Reply::Done)
        }
        Call::UpdateGroup { group, add, remove } => {
            let Some(members) = groups.get_mut(&group.id) else {
                return fail(FailureCode::NotFound, "there is no such group");
            };
            if add.iter().any(|volume| sick.contains(&volume.id)) {
                return fail(FailureCode::FailedPrecondition, "the volume is sick");
            }
            members.extend(add.into_iter().map(|volume| volume.id));
            for volume in remove {
                members.remove(&volume.id);
            }
            Ok(Reply::Done)
        }
        Call::CreateGroupSnapshot {
            snapshot_id,
            volumes,
            snapshots: wanted,
            ..
        } => {
            let outcomes = volumes.iter().zip(wanted).map(|(volume, snapshot)| {
                let result = if sick.contains(&volume.id) {
                    Err(Failure::new(
                        FailureCode::FailedPrecondition,
                        "the volume is sick",
                    ))
                } else {
                    snapshots.insert(snapshot.id.clone(), Some(snapshot_id.clone()));
                    Ok(SnapshotPlacement {
                        array_name: format!("{snapshot_id}.{}", volume.id),
                        metadata: Vec::new(),
                        extensions: Vec::new(),
                    })
                };
                SnapshotOutcome {
                    id: snapshot.id,
                    result,
                }
            });
            Ok(Reply::GroupSnapshot(outcomes.collect()))
        }
        Call::DeleteGroupSnapshot { snapshot_id, .. } => {
            snapshots.retain(|_, of| of.as_ref() != Some(&snapshot_id));
            Ok(Reply::Done)
        }
        Call::CreateGroupFrom { group, volumes, .. } => {
            let ids: Vec<String> = volumes.iter().map(|volume| volume.id.clone()).collect();
            groups.entry(group.id).or_default().extend(ids);
            let mut kept = array.volumes.lock().unwrap();
            let outcomes = volumes.into_iter().map(|volume| {
                kept.insert(volume.id.clone(), volume.size);
                let result = Ok(placement(&volume.id));
                Outcome {
                    id: volume.id,
                    result,
                }
            });
            Ok(Reply::Outcomes(outcomes.collect()))
        }
        Call::EnableGroupReplication { group, volumes }
        | Call::DisableGroupReplication { group, volumes } => {
            assert!(
                group.replication.is_some(),
                "the driver is told what the group is replicated by"
            );
            if volumes.iter().any(|volume| sick.contains(&volume.id)) {
                return fail(FailureCode::FailedPrecondition, "the volume is sick");
            }
            Ok(Reply::Done)
        }
        other => fail(FailureCode::Unsupported, other.name()),
    }
}
