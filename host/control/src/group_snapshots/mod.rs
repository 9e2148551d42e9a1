//! Snapshots of groups: one of every member, at one point in time where the array keeps the group.

mod take;
mod work;

use serde_json::json;
use springform_model::cloud::{Group, GroupSnapshot, GroupStatus, Snapshot, SnapshotStatus};
use springform_model::operation::Verb;
use springform_store::{Changes, Direction, Query, Stored};

pub use take::CreateGroupSnapshot;
pub(crate) use work::GroupSnapshotExecutor;

use crate::edit::{edit, is_conflict, no_more};
use crate::engine::{NewOperation, Operations};
use crate::error::ErrorKind;
use crate::groups::ROUNDS;
use crate::groups::rules::words;
use crate::ownership::of_caller;
use crate::volumes::not_frozen;
use crate::{Caller, ControlError};

/// Group snapshots.
#[derive(Debug, Clone, Copy)]
pub struct GroupSnapshots<'a> {
    pub(crate) operations: &'a Operations,
}

impl<'a> GroupSnapshots<'a> {
    pub(crate) fn new(operations: &'a Operations) -> Self {
        Self { operations }
    }

    /// One group snapshot of the caller's view.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<GroupSnapshot, ControlError> {
        Ok(self.stored(caller, id).await?.record)
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Stored<GroupSnapshot>, ControlError> {
        of_caller(self.operations.store(), caller, id).await
    }

    /// One page of group snapshots.
    ///
    /// # Errors
    /// `NotFound` for a marker that is none, `Invalid` for a column that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<Vec<GroupSnapshot>, ControlError> {
        let query = caller.scope(query, all_tenants);
        let found = self
            .operations
            .store()
            .list::<GroupSnapshot>(&query)
            .await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// The snapshots it consists of, by id.
    ///
    /// # Errors
    /// What the store says.
    pub async fn snapshots(&self, id: &str) -> Result<Vec<Snapshot>, ControlError> {
        let query = Query::new()
            .eq("group_snapshot_id", id)
            .sort("id", Direction::Asc);
        let found = self.operations.store().list::<Snapshot>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// Deletes a group snapshot with all it consists of.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` in another state or while a group is being made from it; `Conflict`.
    pub async fn delete(&self, caller: &Caller, id: &str) -> Result<(), ControlError> {
        let operations = self.operations;
        let store = operations.store();
        for _ in 0..ROUNDS {
            let mut taken = self.stored(caller, id).await?;
            if let Some(holder) = &taken.operation {
                return Err(ControlError::busy(&format!("GroupSnapshot {id}"), holder));
            }
            let group = store.get::<Group>(&taken.group_id).await?;
            let backend = group.and_then(|group| group.record.backend);
            not_frozen(operations, backend.as_deref()).await?;
            let source = Query::new()
                .eq("group_snapshot_id", id)
                .eq("status", GroupStatus::Creating.as_str());
            let idle = [
                GroupStatus::Available,
                GroupStatus::Error,
                GroupStatus::ErrorDeleting,
            ];
            if !idle.contains(&taken.status) || store.count::<Group>(&source).await? > 0 {
                return Err(ControlError::invalid(
                    "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no Group can be currently using it as source for its creation.",
                ));
            }
            let query = Query::new().eq("group_snapshot_id", id);
            let snapshots = store.list::<Snapshot>(&query).await?;
            let ids: Vec<&str> = snapshots
                .iter()
                .map(|snapshot| snapshot.id.as_str())
                .collect();
            let new = NewOperation::new(Verb::DeleteGroupSnapshot, "group-snapshot", id)
                .on(backend.unwrap_or_default())
                .input(json!({ "snapshots": ids }));
            let operation = operations.prepare(caller, new)?;
            taken.record.status = GroupStatus::Deleting;
            taken.record.operation = Some(operation.id.clone());
            taken.record.updated_at = Some(operations.now());
            let mut changes = no_more::<Group>(Changes::new(), source, 0).update(&taken);
            for mut snapshot in snapshots {
                snapshot.record.status = SnapshotStatus::Deleting;
                snapshot.record.operation = Some(operation.id.clone());
                changes = changes.update(&snapshot);
            }
            match operations.submit(changes, operation).await {
                Ok(()) => return Ok(()),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ControlError::conflict(format!(
            "GroupSnapshot {id} is being changed by many at once. Try again."
        )))
    }

    /// Sets the state as an administrator says.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Invalid` for a word that is no state.
    pub async fn reset_status(
        &self,
        caller: &Caller,
        id: &str,
        status: &str,
    ) -> Result<GroupSnapshot, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Policy doesn't allow group:reset_group_snapshot_status to be performed.",
            ));
        }
        let word: GroupStatus = status.trim().to_ascii_lowercase().parse().map_err(|_| {
            ControlError::invalid(format!(
                "Invalid GroupSnapshot Status: Group snapshot status: {status} is invalid, valid statuses are: {}.",
                words(GroupStatus::ALL)
            ))
        })?;
        let now = self.operations.now();
        edit(
            self.operations.store(),
            id,
            || ControlError::not_found("GroupSnapshot", id),
            |taken: &mut GroupSnapshot| {
                taken.status = word;
                taken.updated_at = Some(now);
                Ok(())
            },
        )
        .await
    }
}
