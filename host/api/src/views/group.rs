//! Groups and group snapshots as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::{Group, GroupSnapshot};

use super::Time;
use crate::http::{Shape, Version};

/// Form of a group.
pub const GROUP: Shape = "{id:text, status:text, availability_zone:text?, created_at:text, name:text?, description:text?, \
    group_type:text, volume_types:[text], group_snapshot_id?:text?, source_group_id?:text?, volumes?:[text], \
    replication_status?:text?, project_id?:text}";

/// Form of a group snapshot.
pub const GROUP_SNAPSHOT: Shape = "{id:text, group_id:text, group_type_id:text, status:text, created_at:text, name:text?, \
    description:text?, project_id?:text}";

/// A group for one caller.
#[derive(Debug)]
pub struct GroupView<'a> {
    /// The record.
    pub group: &'a Group,
    /// Asked shape.
    pub version: Version,
    /// Whether the reader is an administrator.
    pub admin: bool,
    /// Ids of its members, where they are asked for.
    pub volumes: Option<Vec<String>>,
}

impl Serialize for GroupView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (group, version) = (self.group, self.version);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &group.id)?;
        map.serialize_entry("status", group.status.as_str())?;
        map.serialize_entry("availability_zone", &group.availability_zone)?;
        map.serialize_entry("created_at", &Time(group.created_at))?;
        map.serialize_entry("name", &group.name)?;
        map.serialize_entry("description", &group.description)?;
        map.serialize_entry("group_type", &group.group_type_id)?;
        map.serialize_entry("volume_types", &group.volume_type_ids)?;
        if version.has(14) {
            map.serialize_entry("group_snapshot_id", &group.group_snapshot_id)?;
            map.serialize_entry("source_group_id", &group.source_group_id)?;
        }
        if let Some(volumes) = &self.volumes {
            map.serialize_entry("volumes", volumes)?;
        }
        if version.has(38) {
            map.serialize_entry("replication_status", group.replication_status.as_str())?;
        }
        if version.has(58) && self.admin {
            map.serialize_entry("project_id", &group.project_id)?;
        }
        map.end()
    }
}

/// A group snapshot for one caller.
#[derive(Debug)]
pub struct GroupSnapshotView<'a> {
    /// The record.
    pub taken: &'a GroupSnapshot,
    /// Asked shape.
    pub version: Version,
    /// Whether the reader is an administrator.
    pub admin: bool,
}

impl Serialize for GroupSnapshotView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let taken = self.taken;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &taken.id)?;
        map.serialize_entry("group_id", &taken.group_id)?;
        map.serialize_entry("group_type_id", &taken.group_type_id)?;
        map.serialize_entry("status", taken.status.as_str())?;
        map.serialize_entry("created_at", &Time(taken.created_at))?;
        map.serialize_entry("name", &taken.name)?;
        map.serialize_entry("description", &taken.description)?;
        if self.version.has(58) && self.admin {
            map.serialize_entry("project_id", &taken.project_id)?;
        }
        map.end()
    }
}
