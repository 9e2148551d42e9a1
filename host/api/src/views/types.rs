//! Volume types as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_model::cloud::{DefaultType, VolumeType};
use utoipa::ToSchema;

use super::{AnswerTo, Plural, Reader, Single};

/// Extra specs that tell every tenant what a type can do; the rest is for administrators.
pub const USER_VISIBLE: [&str; 3] = [
    "RESKEY:availability_zones",
    "multiattach",
    "replication_enabled",
];

/// A volume type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VolumeType)]
pub struct TypeView<'a> {
    id: &'a str,
    name: &'a str,
    is_public: bool,
    #[schema(required)]
    description: Option<&'a str>,
    /// Neither of the default type nor of one that was changed.
    #[serde(rename = "os-volume-type-access:is_public")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    access_is_public: Option<bool>,
    /// To those who are no administrators only those that say what a type can do.
    extra_specs: BTreeMap<&'a str, &'a str>,
    /// For administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    qos_specs_id: Option<Option<&'a str>>,
}

impl Single for TypeView<'_> {
    const KEY: &'static str = "volume_type";
}

impl Plural for TypeView<'_> {
    const KEY: &'static str = "volume_types";
    const LINKS: Option<&'static str> = Some("volume_type_links");
}

impl<'a> TypeView<'a> {
    /// A volume type for one reader.
    #[must_use]
    pub fn new(record: &'a VolumeType, reader: &Reader<'a>, to: AnswerTo) -> Self {
        let brief = matches!(to, AnswerTo::Update | AnswerTo::Default);
        let shown = matches!(to, AnswerTo::Show | AnswerTo::Default);
        let qos_specs_id = record.qos_specs_id.as_deref();
        Self {
            id: &record.id,
            name: &record.name,
            is_public: record.is_public,
            description: record.description.as_deref(),
            access_is_public: (!brief).then_some(record.is_public),
            extra_specs: visible_specs(record, reader),
            qos_specs_id: (shown && reader.admin).then_some(qos_specs_id),
        }
    }
}

fn visible_specs<'a>(record: &'a VolumeType, reader: &Reader<'a>) -> BTreeMap<&'a str, &'a str> {
    let all = record.extra_specs.iter();
    let all = all.map(|(key, value)| (key.as_str(), value.as_str()));
    all.filter(|(key, _)| reader.admin || USER_VISIBLE.contains(key))
        .collect()
}

/// Extra specs of a volume type.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtraSpecs<'a> {
    extra_specs: BTreeMap<&'a str, &'a str>,
}

impl<'a> ExtraSpecs<'a> {
    /// Those that a reader may see.
    #[must_use]
    pub fn visible(record: &'a VolumeType, reader: &Reader<'a>) -> Self {
        Self {
            extra_specs: visible_specs(record, reader),
        }
    }

    /// Those that were set.
    #[must_use]
    pub fn set(specs: &'a BTreeMap<String, String>) -> Self {
        let specs = specs.iter();
        Self {
            extra_specs: specs
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        }
    }
}

/// A project that may use a private type.
#[derive(Debug, Serialize, ToSchema)]
pub struct TypeAccess<'a> {
    /// The project.
    pub project_id: &'a str,
    /// The type.
    pub volume_type_id: &'a str,
}

impl Plural for TypeAccess<'_> {
    const KEY: &'static str = "volume_type_access";
}

/// The default type of a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DefaultType)]
pub struct DefaultTypeView<'a> {
    project_id: &'a str,
    volume_type_id: &'a str,
}

impl Single for DefaultTypeView<'_> {
    const KEY: &'static str = "default_type";
}

impl Plural for DefaultTypeView<'_> {
    const KEY: &'static str = "default_types";
}

impl<'a> DefaultTypeView<'a> {
    /// The same for every reader.
    #[must_use]
    pub fn new(found: &'a DefaultType) -> Self {
        Self {
            project_id: &found.project_id,
            volume_type_id: &found.type_id,
        }
    }
}
