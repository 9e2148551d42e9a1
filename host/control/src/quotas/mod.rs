//! Quotas: how much a project may have, and how much it has.
//!
//! Nothing is reserved and nothing is counted beside the records: what is used *is* what the tables hold, and a commit
//! that would go over a limit is refused by a guard in the same transaction. So usage cannot drift.

mod guard;

pub(crate) use guard::{Adds, over};

use std::collections::BTreeMap;

use springform_model::cloud::{Group, QuotaSet, VolumeType};
use springform_store::{Changes, Direction, Query, Store, StoreError};

use crate::ControlError;
use crate::context::Context;

/// Limits of a project that nobody set otherwise. -1 is none.
const DEFAULTS: [(&str, i64); 7] = [
    ("volumes", 10),
    ("snapshots", 10),
    ("gigabytes", 1000),
    ("backups", 10),
    ("backup_gigabytes", 1000),
    ("per_volume_gigabytes", -1),
    ("groups", 10),
];

/// Id under which the limits of the default class are kept.
const CLASS: &str = "class:default";

/// Quotas, read and changed.
#[derive(Debug, Clone, Copy)]
pub struct Quotas<'a> {
    store: &'a Store,
    /// Whether the GiB of snapshots count: not with `no_snapshot_gb_quota`.
    snapshots_count: bool,
}

/// One limit and what of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// -1: none.
    pub limit: i64,
    /// Used.
    pub in_use: i64,
}

impl<'a> Quotas<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            store: context.store(),
            snapshots_count: !context.config().no_snapshot_gb_quota,
        }
    }

    /// Limits that apply to a project which has none of its own.
    ///
    /// # Errors
    /// What the store says.
    pub async fn defaults(&self) -> Result<BTreeMap<String, i64>, ControlError> {
        let mut limits: BTreeMap<String, i64> = DEFAULTS
            .iter()
            .map(|(key, limit)| ((*key).to_owned(), *limit))
            .collect();
        let mut query = Query::new().sort("name", Direction::Asc).limit(500);
        loop {
            let types = self.store.list::<VolumeType>(&query).await?;
            for found in &types {
                for key in ["volumes", "gigabytes", "snapshots"] {
                    limits.insert(format!("{key}_{}", found.name), -1);
                }
            }
            match types.last() {
                Some(last) if types.len() == 500 => query = query.marker(last.id.clone()),
                _ => break,
            }
        }
        if let Some(class) = self.store.get::<QuotaSet>(CLASS).await? {
            limits.extend(class.record.limits);
        }
        Ok(limits)
    }

    /// The limits that somebody set for a project or that it has without; what is not in it is not limited.
    async fn set_for(&self, project: &str) -> Result<BTreeMap<String, i64>, ControlError> {
        let mut limits: BTreeMap<String, i64> = DEFAULTS
            .iter()
            .map(|(key, limit)| ((*key).to_owned(), *limit))
            .collect();
        for id in [CLASS, project] {
            if let Some(set) = self.store.get::<QuotaSet>(id).await? {
                limits.extend(set.record.limits);
            }
        }
        Ok(limits)
    }

    /// Limits of a project.
    ///
    /// # Errors
    /// What the store says.
    pub async fn limits_of(&self, project: &str) -> Result<BTreeMap<String, i64>, ControlError> {
        let mut limits = self.defaults().await?;
        if let Some(own) = self.store.get::<QuotaSet>(project).await? {
            limits.extend(own.record.limits);
        }
        Ok(limits)
    }

    /// Limits of a project with what it uses.
    ///
    /// # Errors
    /// What the store says.
    pub async fn usage_of(&self, project: &str) -> Result<BTreeMap<String, Usage>, ControlError> {
        let mut usage = BTreeMap::new();
        for (key, limit) in self.limits_of(project).await? {
            usage.insert(
                key.clone(),
                Usage {
                    limit,
                    in_use: self.used(project, &key).await?,
                },
            );
        }
        Ok(usage)
    }

    async fn used(&self, project: &str, key: &str) -> Result<i64, ControlError> {
        let store = self.store;
        if key == "groups" {
            let query = Query::new().eq("project_id", project);
            let groups = store.count::<Group>(&query).await?;
            return Ok(i64::try_from(groups).unwrap_or(i64::MAX));
        }
        let (word, name) = match key.split_once('_') {
            None => (key, None),
            Some((word, name)) => (word, Some(name)),
        };
        if !matches!(word, "volumes" | "snapshots" | "gigabytes") {
            return Ok(0);
        }
        let kind = match name {
            None => None,
            Some(name) => {
                let query = Query::new().eq("name", name);
                let Some(found) = store.first::<VolumeType>(&query).await? else {
                    return Ok(0);
                };
                Some(found.record.id)
            }
        };
        Ok(store
            .total(&self.total(word, project, kind.as_deref()))
            .await?)
    }

    /// Sets limits of a project.
    ///
    /// # Errors
    /// Invalid for a key that no quota has, and for a limit below what is used.
    pub async fn set(
        &self,
        project: &str,
        limits: BTreeMap<String, i64>,
    ) -> Result<BTreeMap<String, i64>, ControlError> {
        for (key, limit) in &limits {
            if *limit < 0 || key == "per_volume_gigabytes" {
                continue;
            }
            let used = self.used(project, key).await?;
            if used > *limit {
                return Err(ControlError::invalid(format!(
                    "Quota {key} limit must be equal or greater than existing resources. Current usage is {used} and the requested limit is {limit}."
                )));
            }
        }
        self.write(project, limits).await?;
        self.limits_of(project).await
    }

    /// Sets limits of the default class.
    ///
    /// # Errors
    /// Invalid for a key that no quota has.
    pub async fn set_defaults(
        &self,
        limits: BTreeMap<String, i64>,
    ) -> Result<BTreeMap<String, i64>, ControlError> {
        self.write(CLASS, limits).await?;
        self.defaults().await
    }

    async fn write(&self, id: &str, limits: BTreeMap<String, i64>) -> Result<(), ControlError> {
        let known = self.defaults().await?;
        let mut bad: Vec<&str> = limits
            .keys()
            .filter(|key| !known.contains_key(*key))
            .map(String::as_str)
            .collect();
        if !bad.is_empty() {
            bad.sort_unstable();
            let keys = bad.join(",");
            return Err(ControlError::invalid(format!(
                "Invalid input received: Bad key(s) in quota set: {keys}"
            )));
        }
        for _ in 0..20 {
            let changes = match self.store.get::<QuotaSet>(id).await? {
                Some(mut stored) => {
                    stored.record.limits.extend(limits.clone());
                    Changes::new().update(&stored)
                }
                None => Changes::new().insert(&QuotaSet {
                    id: id.to_owned(),
                    limits: limits.clone(),
                }),
            };
            match self.store.commit(changes).await {
                Err(StoreError::Conflict { .. } | StoreError::Duplicate { .. }) => {}
                other => return Ok(other?),
            }
        }
        Err(ControlError::conflict(
            "The quota is being changed by many at once. Try again.",
        ))
    }

    /// Gives a project the default limits again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn reset(&self, project: &str) -> Result<(), ControlError> {
        Ok(self
            .store
            .commit(Changes::new().remove::<QuotaSet>(project))
            .await?)
    }
}
