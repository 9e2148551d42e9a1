//! Group snapshots as JSON.

use serde::Serialize;
use springform_model::cloud::GroupSnapshot;
use utoipa::ToSchema;

use super::{Plural, Reader, Single, Time};

/// A group snapshot.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupSnapshot)]
pub struct GroupSnapshotView<'a> {
    id: &'a str,
    group_id: &'a str,
    group_type_id: &'a str,
    status: &'static str,
    created_at: Time,
    #[schema(required)]
    name: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    /// From 3.58, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_id: Option<&'a str>,
}

impl Single for GroupSnapshotView<'_> {
    const KEY: &'static str = "group_snapshot";
}

impl Plural for GroupSnapshotView<'_> {
    const KEY: &'static str = "group_snapshots";
    const LINKS: Option<&'static str> = Some("group_snapshot_links");
}

impl<'a> GroupSnapshotView<'a> {
    /// A group snapshot for one reader.
    #[must_use]
    pub fn new(taken: &'a GroupSnapshot, reader: &Reader<'a>) -> Self {
        let with_project = reader.version.has(58) && reader.admin;
        Self {
            id: &taken.id,
            group_id: &taken.group_id,
            group_type_id: &taken.group_type_id,
            status: taken.status.as_str(),
            created_at: Time(taken.created_at),
            name: taken.name.as_deref(),
            description: taken.description.as_deref(),
            project_id: with_project.then_some(&taken.project_id),
        }
    }
}

/// A group snapshot in a list without detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupSnapshotBrief<'a> {
    id: &'a str,
    #[schema(required)]
    name: Option<&'a str>,
}

impl Plural for GroupSnapshotBrief<'_> {
    const KEY: &'static str = "group_snapshots";
    const LINKS: Option<&'static str> = Some("group_snapshot_links");
}

impl<'a> GroupSnapshotBrief<'a> {
    /// The same for every reader.
    #[must_use]
    pub fn new(taken: &'a GroupSnapshot) -> Self {
        Self {
            id: &taken.id,
            name: taken.name.as_deref(),
        }
    }
}

/// A group snapshot that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupSnapshotMade<'a> {
    group_type_id: &'a str,
    id: &'a str,
    #[schema(required)]
    name: Option<&'a str>,
}

impl Single for GroupSnapshotMade<'_> {
    const KEY: &'static str = "group_snapshot";
}

impl<'a> GroupSnapshotMade<'a> {
    /// The same for every reader.
    #[must_use]
    pub fn new(taken: &'a GroupSnapshot) -> Self {
        Self {
            group_type_id: &taken.group_type_id,
            id: &taken.id,
            name: taken.name.as_deref(),
        }
    }
}
