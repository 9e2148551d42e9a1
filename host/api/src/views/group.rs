//! Groups as JSON.

use serde::Serialize;
use springform_model::cloud::Group;
use utoipa::ToSchema;

use super::{Plural, Reader, Single, Time};

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub struct GroupView<'a> {
    id: &'a str,
    status: &'static str,
    availability_zone: &'a str,
    created_at: Time,
    #[schema(required)]
    name: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    /// Id of its type.
    group_type: &'a str,
    /// Ids of the types that its volumes may have.
    volume_types: &'a [String],
    /// From 3.14.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_snapshot_id: Option<Option<&'a str>>,
    /// From 3.14.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_group_id: Option<Option<&'a str>>,
    /// Ids of its volumes, where they are asked for (from 3.25).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    volumes: Option<&'a [String]>,
    /// From 3.38.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replication_status: Option<&'static str>,
    /// From 3.58, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_id: Option<&'a str>,
}

impl Single for GroupView<'_> {
    const KEY: &'static str = "group";
}

impl Plural for GroupView<'_> {
    const KEY: &'static str = "groups";
    const LINKS: Option<&'static str> = Some("group_links");
}

impl<'a> GroupView<'a> {
    /// A group for one reader, with the ids of its volumes where they are asked for.
    #[must_use]
    pub fn new(group: &'a Group, reader: &Reader<'a>, volumes: Option<&'a [String]>) -> Self {
        let version = reader.version;
        let with_project = version.has(58) && reader.admin;
        Self {
            id: &group.id,
            status: group.status.as_str(),
            availability_zone: &group.availability_zone,
            created_at: Time(group.created_at),
            name: group.name.as_deref(),
            description: group.description.as_deref(),
            group_type: &group.group_type_id,
            volume_types: &group.volume_type_ids,
            group_snapshot_id: version
                .has(14)
                .then_some(group.group_snapshot_id.as_deref()),
            source_group_id: version.has(14).then_some(group.source_group_id.as_deref()),
            volumes,
            replication_status: version.has(38).then(|| group.replication_status.as_str()),
            project_id: with_project.then_some(&group.project_id),
        }
    }
}

/// A group in a list without detail, or that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupBrief<'a> {
    id: &'a str,
    #[schema(required)]
    name: Option<&'a str>,
}

impl Single for GroupBrief<'_> {
    const KEY: &'static str = "group";
}

impl Plural for GroupBrief<'_> {
    const KEY: &'static str = "groups";
    const LINKS: Option<&'static str> = Some("group_links");
}

impl<'a> GroupBrief<'a> {
    /// The same for every reader.
    #[must_use]
    pub fn new(group: &'a Group) -> Self {
        Self {
            id: &group.id,
            name: group.name.as_deref(),
        }
    }
}

/// A place to which a group can fail over. Cinder shows administrators the whole configuration of each, its token
/// included; a name is enough.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplicationTarget {
    /// Name of the target.
    pub backend_id: String,
}

impl Plural for ReplicationTarget {
    const KEY: &'static str = "replication_targets";
}
