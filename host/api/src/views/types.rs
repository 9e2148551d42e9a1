//! Volume types, QoS specs and group types as JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use springform_model::cloud::{GroupType, QosSpecs, VolumeType};

use super::AnswerTo;
use crate::http::Shape;

/// Form of a volume type.
pub const VOLUME_TYPE: Shape = "{id:text, name:text, is_public:bool, description:text?, \
    os-volume-type-access:is_public?:bool, extra_specs?:map, qos_specs_id?:text?}";

/// Form of a group type.
pub const GROUP_TYPE: Shape =
    "{id:text, name:text, description:text?, is_public:bool, group_specs?:map}";

/// Extra specs that tell every tenant what a type can do; the rest is for administrators.
pub const USER_VISIBLE: [&str; 3] = [
    "RESKEY:availability_zones",
    "multiattach",
    "replication_enabled",
];

/// A volume type.
#[derive(Debug)]
pub struct TypeView<'a> {
    /// The record.
    pub record: &'a VolumeType,
    /// Whether the reader is an administrator.
    pub admin: bool,
    /// What it answers.
    pub to: AnswerTo,
}

impl Serialize for TypeView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &record.id)?;
        map.serialize_entry("name", &record.name)?;
        map.serialize_entry("is_public", &record.is_public)?;
        map.serialize_entry("description", &record.description)?;
        if !matches!(self.to, AnswerTo::Update | AnswerTo::Default) {
            map.serialize_entry("os-volume-type-access:is_public", &record.is_public)?;
        }
        let visible = record
            .extra_specs
            .iter()
            .filter(|(key, _)| self.admin || USER_VISIBLE.contains(&key.as_str()));
        let visible: std::collections::BTreeMap<_, _> = visible.collect();
        map.serialize_entry("extra_specs", &visible)?;
        if matches!(self.to, AnswerTo::Show | AnswerTo::Default) && self.admin {
            map.serialize_entry("qos_specs_id", &record.qos_specs_id)?;
        }
        map.end()
    }
}

/// QoS specs.
#[derive(Debug)]
pub struct QosView<'a>(pub &'a QosSpecs);

impl Serialize for QosView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("id", &self.0.id)?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("consumer", &self.0.consumer)?;
        map.serialize_entry("specs", &self.0.specs)?;
        map.end()
    }
}

/// A group type.
#[derive(Debug)]
pub struct GroupTypeView<'a> {
    /// The record.
    pub record: &'a GroupType,
    /// Whether the reader is an administrator.
    pub admin: bool,
}

impl Serialize for GroupTypeView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &record.id)?;
        map.serialize_entry("name", &record.name)?;
        map.serialize_entry("description", &record.description)?;
        map.serialize_entry("is_public", &record.is_public)?;
        if self.admin {
            map.serialize_entry("group_specs", &record.group_specs)?;
        }
        map.end()
    }
}
