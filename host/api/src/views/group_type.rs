//! Group types as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_model::cloud::GroupType;
use utoipa::ToSchema;

use super::{Plural, Reader, Single};

/// A group type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupType)]
pub struct GroupTypeView<'a> {
    id: &'a str,
    name: &'a str,
    #[schema(required)]
    description: Option<&'a str>,
    is_public: bool,
    /// For administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    group_specs: Option<&'a BTreeMap<String, String>>,
}

impl Single for GroupTypeView<'_> {
    const KEY: &'static str = "group_type";
}

impl Plural for GroupTypeView<'_> {
    const KEY: &'static str = "group_types";
    const LINKS: Option<&'static str> = Some("group_type_links");
}

impl<'a> GroupTypeView<'a> {
    /// A group type for one reader.
    #[must_use]
    pub fn new(record: &'a GroupType, reader: &Reader<'a>) -> Self {
        Self {
            id: &record.id,
            name: &record.name,
            description: record.description.as_deref(),
            is_public: record.is_public,
            group_specs: reader.admin.then_some(&record.group_specs),
        }
    }
}

/// Specs of a group type.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupSpecs<'a> {
    /// The specs.
    pub group_specs: &'a BTreeMap<String, String>,
}
