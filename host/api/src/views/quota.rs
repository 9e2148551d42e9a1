//! Quotas and limits as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_control::quotas::Usage;
use utoipa::ToSchema;

use super::{NoItems, Single};

/// Limits by resource: `volumes`, `gigabytes`, `gigabytes_<type>`, …; -1 is none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuotaSet)]
pub struct QuotaView<'a> {
    /// The project, where one is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<&'a str>,
    #[serde(flatten)]
    limits: BTreeMap<String, i64>,
}

impl Single for QuotaView<'_> {
    const KEY: &'static str = "quota_set";
}

impl<'a> QuotaView<'a> {
    /// The limits of a project.
    #[must_use]
    pub fn of(project: &'a str, limits: BTreeMap<String, i64>) -> Self {
        let id = Some(project);
        Self { id, limits }
    }

    /// Limits that were set.
    #[must_use]
    pub fn set(limits: BTreeMap<String, i64>) -> Self {
        Self { id: None, limits }
    }
}

/// Limits of a class of projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaClass<'a> {
    /// Limits; its id is the name of the class.
    pub quota_class_set: QuotaView<'a>,
}

/// How much of each resource is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaUsage<'a> {
    id: &'a str,
    #[serde(flatten)]
    usage: BTreeMap<String, ResourceUsage>,
}

impl Single for QuotaUsage<'_> {
    const KEY: &'static str = "quota_set";
}

/// How much of a resource is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceUsage {
    in_use: i64,
    /// -1: none.
    limit: i64,
    /// Always 0: nothing is reserved before it is used.
    reserved: i64,
}

impl<'a> QuotaUsage<'a> {
    /// Of a project.
    #[must_use]
    pub fn of(project: &'a str, usage: BTreeMap<String, Usage>) -> Self {
        let usage = usage.into_iter().map(|(resource, usage)| {
            let usage = ResourceUsage {
                in_use: usage.in_use,
                limit: usage.limit,
                reserved: 0,
            };
            (resource, usage)
        });
        Self {
            id: project,
            usage: usage.collect(),
        }
    }
}

/// What a project may have and has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitsView {
    /// By name: `maxTotalVolumes`, `totalVolumesUsed`, …
    pub absolute: BTreeMap<&'static str, i64>,
    /// Always empty: rates are limited for each client, and not told.
    pub rate: NoItems,
}

impl Single for LimitsView {
    const KEY: &'static str = "limits";
}
