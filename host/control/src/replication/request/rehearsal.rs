//! Drills are opened and taken.

use springform_model::operation::Operation;
use springform_model::replication::drill;
use springform_model::replication::drill::{Drill, DrillEvent, DrillMember, DrillState};

use super::Ask;
use crate::replication::env::{Member, ReplicationEnv, ReplicationError};
use crate::replication::{Scope, plan};

/// Volumes of one drill.
const DRILL_VOLUMES: usize = 1024;

pub(super) fn members_of(drill: &Drill) -> Scope {
    Scope::Volumes(drill.members.iter().map(|m| m.volume_id.clone()).collect())
}

pub(super) async fn open_drill(
    env: &dyn ReplicationEnv,
    backend: &str,
    ask: &Ask,
    operation: &Operation,
) -> Result<(Scope, Drill), ReplicationError> {
    let view = env.backend(backend).await?;
    plan::has_another(&view)?;
    let members = env
        .members(&ask.scope, backend, None, DRILL_VOLUMES + 1)
        .await?;
    if members.len() > DRILL_VOLUMES {
        return Err(ReplicationError::Invalid(format!(
            "a drill holds at most {DRILL_VOLUMES} volumes; choose a smaller scope"
        )));
    }
    let target = match plan::resolve(&view, ask.to.as_deref())? {
        Some(target) => target,
        // Where a few volumes were moved alone, no array may be free of all: what serves the fewest can rehearse the rest.
        None => view
            .targets
            .iter()
            .filter(|t| t.reachable)
            .map(|t| {
                let serves = |m: &&Member| m.relation.serving.as_ref() == Some(&t.name);
                (members.iter().filter(serves).count(), t)
            })
            .filter(|(serves, _)| *serves < members.len())
            .min_by_key(|(serves, _)| *serves)
            .map(|(_, t)| t.name.clone())
            .ok_or_else(|| {
                ReplicationError::Unavailable(format!(
                    "no target of backend {backend} can hold a drill"
                ))
            })?,
    };
    let members: Vec<DrillMember> = members
        .into_iter()
        .filter(Member::movable)
        .map(|m| DrillMember {
            origin: m.volume.placement,
            volume_id: m.volume.id,
            copy: None,
            point: None,
        })
        .collect();
    if members.is_empty() {
        return Err(ReplicationError::NotFound(format!(
            "{} has no replicated volume on backend {backend}",
            ask.scope.describe()
        )));
    }
    let now = env.now();
    let minutes = i64::from(ask.minutes.unwrap_or(60).clamp(1, 7 * 24 * 60));
    let made = Drill {
        id: env.new_id(),
        backend: backend.to_owned(),
        project: operation.project.clone(),
        target,
        whole_backend: matches!(ask.scope, Scope::Backend(_)),
        state: DrillState::Starting,
        members,
        operation: Some(operation.id.clone()),
        created_at: now,
        ends_at: now.plus_micros(minutes * 60 * 1_000_000),
        problem: None,
    };
    Ok((members_of(&made), made))
}

pub(super) async fn take_drill(
    env: &dyn ReplicationEnv,
    id: &str,
    event: DrillEvent,
    operation: &str,
) -> Result<(Drill, u64), ReplicationError> {
    let (mut held, revision) = env
        .drill_row(id)
        .await?
        .ok_or_else(|| ReplicationError::NotFound(format!("there is no drill {id}")))?;
    if let Some(holder) = &held.operation {
        return Err(ReplicationError::Conflict {
            message: format!("operation {holder} works on drill {id}"),
            operation: Some(holder.clone()),
        });
    }
    held.state = drill::step(held.state, event)?;
    held.operation = Some(operation.to_owned());
    Ok((held, revision))
}
