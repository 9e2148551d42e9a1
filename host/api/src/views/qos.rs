//! QoS specs as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_model::cloud::QosSpecs;
use utoipa::ToSchema;

use super::{Link, Plural, Reader};

/// QoS specs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QosSpecs)]
pub struct QosView<'a> {
    id: &'a str,
    name: &'a str,
    /// `front-end`, `back-end` or `both`.
    consumer: &'a str,
    specs: &'a BTreeMap<String, String>,
}

impl Plural for QosView<'_> {
    const KEY: &'static str = "qos_specs";
    const LINKS: Option<&'static str> = Some("qos_specs_links");
}

impl<'a> QosView<'a> {
    /// The same for every reader.
    #[must_use]
    pub fn new(found: &'a QosSpecs) -> Self {
        Self {
            id: &found.id,
            name: &found.name,
            consumer: &found.consumer,
            specs: &found.specs,
        }
    }
}

/// QoS specs, with links beside them.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkedQos<'a> {
    links: [Link<'a>; 2],
    qos_specs: QosView<'a>,
}

impl<'a> LinkedQos<'a> {
    /// QoS specs for one reader.
    #[must_use]
    pub fn new(found: &'a QosSpecs, reader: &Reader<'a>) -> Self {
        Self {
            links: reader.links("qos-specs", &found.id),
            qos_specs: QosView::new(found),
        }
    }
}

/// Keys that were set.
#[derive(Debug, Serialize, ToSchema)]
pub struct QosKeys<'a> {
    /// The keys with their values.
    pub qos_specs: &'a BTreeMap<String, String>,
}

/// A type that has the QoS specs.
#[derive(Debug, Serialize, ToSchema)]
pub struct QosAssociation<'a> {
    association_type: &'static str,
    id: &'a str,
    name: &'a str,
}

impl Plural for QosAssociation<'_> {
    const KEY: &'static str = "qos_associations";
}

impl<'a> QosAssociation<'a> {
    /// A volume type.
    #[must_use]
    pub fn new(id: &'a str, name: &'a str) -> Self {
        Self {
            association_type: "volume_type",
            id,
            name,
        }
    }
}
