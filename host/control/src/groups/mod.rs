//! Generic groups: what is asked for is checked and journalled here, and carried out by `work` and `fill`.
//!
//! A driver that exports the contract's `groups` keeps each group on the array (`Group::array_name`); with any other a
//! group is a set of volumes that only the records know, and what is asked of it is done volume by volume.

mod create;
mod delete;
mod fill;
mod replication;
pub(crate) mod rules;
pub(crate) mod settle;
mod source;
mod update;
mod work;

pub use create::CreateGroup;
pub(crate) use fill::GroupFromExecutor;
pub use replication::FailoverGroup;
pub(crate) use settle::ROUNDS;
pub use source::GroupSource;
pub use update::UpdateGroup;
pub(crate) use work::GroupExecutor;

use springform_model::cloud::{Group, GroupStatus, Volume};
use springform_store::{Changes, Direction, Query, StoreError, Stored};

use crate::edit::{edit, no_more};
use crate::engine::Operations;
use crate::error::ErrorKind;
use crate::ownership::of_caller;
use crate::{Caller, ControlError};

/// Groups.
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a> {
    pub(crate) operations: &'a Operations,
}

/// `Invalid Group: …`
pub(crate) fn invalid(why: impl std::fmt::Display) -> ControlError {
    ControlError::invalid(format!("Invalid Group: {why}"))
}

/// A group that somebody keeps changing.
pub(crate) fn contended(id: &str) -> ControlError {
    ControlError::conflict(format!(
        "Group {id} is being changed by many at once. Try again."
    ))
}

/// Only if the group has no more members than were read.
pub(crate) fn still(changes: Changes, group: &str, members: usize) -> Changes {
    no_more::<Volume>(changes, Query::new().eq("group_id", group), members)
}

impl<'a> Groups<'a> {
    pub(crate) fn new(operations: &'a Operations) -> Self {
        Self { operations }
    }

    /// One group of the caller's view.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Group, ControlError> {
        Ok(self.stored(caller, id).await?.record)
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Stored<Group>, ControlError> {
        of_caller(self.operations.store(), caller, id).await
    }

    /// One page of groups.
    ///
    /// # Errors
    /// `NotFound` for a marker that is none, `Invalid` for a column that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<Vec<Group>, ControlError> {
        let query = caller.scope(query, all_tenants);
        let found = self.operations.store().list::<Group>(&query).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// The members of a group, by id.
    ///
    /// # Errors
    /// What the store says.
    pub async fn volumes(&self, id: &str) -> Result<Vec<Volume>, ControlError> {
        let found = self.members(id).await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    pub(crate) async fn members(&self, id: &str) -> Result<Vec<Stored<Volume>>, StoreError> {
        let query = Query::new().eq("group_id", id).sort("id", Direction::Asc);
        self.operations.store().list::<Volume>(&query).await
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
    ) -> Result<Group, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Policy doesn't allow group:reset_status to be performed.",
            ));
        }
        let word: GroupStatus = status.trim().to_ascii_lowercase().parse().map_err(|_| {
            ControlError::invalid(format!(
                "Invalid Group Status: Group status: {status} is invalid, valid status are: {}.",
                rules::words(GroupStatus::ALL)
            ))
        })?;
        let now = self.operations.now();
        edit(
            self.operations.store(),
            id,
            || ControlError::not_found("Group", id),
            |group: &mut Group| {
                group.status = word;
                group.updated_at = Some(now);
                Ok(())
            },
        )
        .await
    }
}
