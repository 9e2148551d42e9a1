//! The life of volumes: what is asked for is checked and journalled here, and carried out by [`work`].

mod actions;
mod change;
mod create;
mod destroy;
mod group;
mod input;
mod manage;
mod migrate;
mod place;
mod retype;
mod take_over;
mod turn;
mod work;
mod zone;

pub use change::UpdateVolume;
pub use create::CreateVolume;
pub use manage::ManageVolume;
pub(crate) use manage::{OWNED, in_service, name_of, owned, sole_owner};
pub(crate) use migrate::is_moving;
pub(crate) use place::{CreateExecutor, available, call_for, source_of};
pub use retype::Migration;
pub(crate) use take_over::{ManageExecutor, gib};
pub(crate) use turn::{look_only, may_change, not_frozen, report, up_to_date};
pub(crate) use work::VolumeExecutor;
pub(crate) use zone::exists as zone_exists;

use std::collections::BTreeMap;

use springform_model::cloud::Volume;
use springform_store::{Query, Stored};

use crate::engine::Operations;
use crate::ownership::of_caller;
use crate::{Caller, ControlError};

/// Volumes.
#[derive(Debug, Clone, Copy)]
pub struct Volumes<'a> {
    pub(crate) operations: &'a Operations,
}

impl<'a> Volumes<'a> {
    pub(crate) fn new(operations: &'a Operations) -> Self {
        Self { operations }
    }

    /// One volume of the caller's view.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Volume, ControlError> {
        Ok(self.stored(caller, id).await?.record)
    }

    pub(crate) async fn stored(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Stored<Volume>, ControlError> {
        of_caller(self.operations.store(), caller, id).await
    }

    /// One page of volumes. Give the query a limit.
    ///
    /// # Errors
    /// `NotFound` for a marker that is none, `Invalid` for a column that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<Vec<Volume>, ControlError> {
        let found = self
            .operations
            .store()
            .list::<Volume>(&caller.scope(query, all_tenants))
            .await?;
        Ok(found.into_iter().map(|stored| stored.record).collect())
    }

    /// How many volumes a query finds, and their GiB.
    ///
    /// # Errors
    /// What the store says.
    pub async fn summary(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<(u64, u64), ControlError> {
        let query = caller.scope(query, all_tenants);
        let count = self.operations.store().count::<Volume>(&query).await?;
        let size = self
            .operations
            .store()
            .sum::<Volume>("size", &query)
            .await?;
        Ok((count, u64::try_from(size).unwrap_or(0)))
    }

    /// The values that each key of the metadata has over what a query finds.
    ///
    /// # Errors
    /// What the store says.
    pub async fn metadata_values(
        &self,
        caller: &Caller,
        query: Query,
        all_tenants: bool,
    ) -> Result<BTreeMap<String, Vec<String>>, ControlError> {
        let query = caller.scope(query, all_tenants);
        let pairs = self
            .operations
            .store()
            .entries::<Volume>("metadata", &query);
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in pairs.await? {
            values.entry(key).or_default().push(value);
        }
        Ok(values)
    }
}
