//! A snapshot as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::Snapshot;

use super::{AnswerTo, Time, time};
use crate::http::{Shape, Version};

/// Form of a snapshot.
pub const SNAPSHOT: Shape = "{id:text, created_at:text, updated_at:text?, name:text?, description:text?, volume_id:text, \
    status:text, size:count, metadata:map, group_snapshot_id?:text?, user_id?:text, consumes_quota?:bool, \
    os-extended-snapshot-attributes:project_id?:text, os-extended-snapshot-attributes:progress?:text}";

/// A snapshot for one caller.
#[derive(Debug)]
pub struct SnapshotView<'a> {
    /// The record.
    pub snapshot: &'a Snapshot,
    /// Asked shape.
    pub version: Version,
    /// What it answers.
    pub to: AnswerTo,
}

impl Serialize for SnapshotView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let snapshot = self.snapshot;
        let version = match self.to {
            AnswerTo::Manage => Version::MIN,
            _ => self.version,
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &snapshot.id)?;
        map.serialize_entry("created_at", &Time(snapshot.created_at))?;
        map.serialize_entry("updated_at", &time(snapshot.updated_at))?;
        map.serialize_entry("name", &snapshot.name)?;
        map.serialize_entry("description", &snapshot.description)?;
        map.serialize_entry("volume_id", &snapshot.volume_id)?;
        map.serialize_entry("status", snapshot.status.as_str())?;
        map.serialize_entry("size", &snapshot.size)?;
        map.serialize_entry("metadata", &snapshot.metadata)?;
        if self.to != AnswerTo::List {
            if version.has(14) {
                map.serialize_entry("group_snapshot_id", &snapshot.group_snapshot_id)?;
            }
            if version.has(41) {
                map.serialize_entry("user_id", &snapshot.user_id)?;
            }
            if version.has(65) {
                map.serialize_entry("consumes_quota", &snapshot.consumes_quota)?;
            }
        }
        if self.to == AnswerTo::Show {
            map.serialize_entry(
                "os-extended-snapshot-attributes:project_id",
                &snapshot.project_id,
            )?;
            map.serialize_entry(
                "os-extended-snapshot-attributes:progress",
                &snapshot.progress,
            )?;
        }
        map.end()
    }
}
