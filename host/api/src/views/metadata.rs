//! Metadata, and single entries of maps.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// All metadata of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllMetadata<'a> {
    /// The entries.
    pub metadata: &'a BTreeMap<String, String>,
}

/// One entry of metadata.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetadataEntry<'a> {
    /// The entry.
    pub meta: Entry<'a>,
}

/// One entry of a map.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Entry<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Entry<'a> {
    /// A key and its value.
    #[must_use]
    pub fn new(key: &'a str, value: &'a str) -> Self {
        Self(BTreeMap::from([(key, value)]))
    }
}
