//! Groups and their snapshots as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::{Group, GroupSnapshot};

use super::Time;
use crate::http::{Shape, Version};

/// Form of a group.
pub const GROUP: Shape = "{group:{id:text, status:text, availability_zone:text?, created_at:text, name:text?, \
    description:text?, group_type:text, volume_types:[text], group_snapshot_id?:text?, source_group_id?:text?, \
    replication_status?:text?, project_id?:text, volumes?:[text]}}";

/// Form of a group's snapshot.
pub const GROUP_SNAPSHOT: Shape = "{group_snapshot:{id:text, group_id:text, status:text, created_at:text, name:text?, \
    description:text?, group_type_id:text, project_id?:text}}";

/// A group.
#[derive(Debug)]
pub struct GroupView<'a> {
    /// The record.
    pub group: &'a Group,
    /// Ids of its volumes, where they were asked for.
    pub volumes: Option<Vec<String>>,
    /// Asked shape.
    pub version: Version,
}

impl Serialize for GroupView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let group = self.group;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &group.id)?;
        map.serialize_entry("status", group.status.as_str())?;
        map.serialize_entry("availability_zone", &group.availability_zone)?;
        map.serialize_entry("created_at", &Time(group.created_at))?;
        map.serialize_entry("name", &group.name)?;
        map.serialize_entry("description", &group.description)?;
        map.serialize_entry("group_type", &group.group_type_id)?;
        map.serialize_entry("volume_types", &group.volume_type_ids)?;
        if self.version.has(14) {
            map.serialize_entry("group_snapshot_id", &group.group_snapshot_id)?;
            map.serialize_entry("source_group_id", &group.source_group_id)?;
        }
        if self.version.has(38) {
            map.serialize_entry("replication_status", group.replication_status.as_str())?;
        }
        if self.version.has(58) {
            map.serialize_entry("project_id", &group.project_id)?;
        }
        if let Some(volumes) = &self.volumes {
            map.serialize_entry("volumes", volumes)?;
        }
        map.end()
    }
}

/// A group's snapshot.
#[derive(Debug)]
pub struct GroupSnapshotView<'a> {
    /// The record.
    pub snapshot: &'a GroupSnapshot,
    /// Asked shape.
    pub version: Version,
}

impl Serialize for GroupSnapshotView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let snapshot = self.snapshot;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &snapshot.id)?;
        map.serialize_entry("group_id", &snapshot.group_id)?;
        map.serialize_entry("status", snapshot.status.as_str())?;
        map.serialize_entry("created_at", &Time(snapshot.created_at))?;
        map.serialize_entry("name", &snapshot.name)?;
        map.serialize_entry("description", &snapshot.description)?;
        map.serialize_entry("group_type_id", &snapshot.group_type_id)?;
        if self.version.has(58) {
            map.serialize_entry("project_id", &snapshot.project_id)?;
        }
        map.end()
    }
}
