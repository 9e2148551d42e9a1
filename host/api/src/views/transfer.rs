//! Transfers of volumes as JSON.

use serde::Serialize;
use springform_model::cloud::Transfer;
use utoipa::ToSchema;

use super::{AnswerTo, Link, Plural, Reader, Single, Time};

/// A transfer. In a list without detail, and once it is accepted, it has only what is required.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transfer)]
pub struct TransferView<'a> {
    /// From 3.57.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    accepted: Option<bool>,
    /// Shown once, to the project that offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_at: Option<Time>,
    /// From 3.57.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_project_id: Option<Option<&'a str>>,
    id: &'a str,
    links: [Link<'a>; 2],
    #[schema(required)]
    name: Option<&'a str>,
    /// From 3.55.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    no_snapshots: Option<bool>,
    /// From 3.57.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source_project_id: Option<&'a str>,
    volume_id: &'a str,
}

impl Single for TransferView<'_> {
    const KEY: &'static str = "transfer";
}

impl Plural for TransferView<'_> {
    const KEY: &'static str = "transfers";
    const LINKS: Option<&'static str> = Some("transfers_links");
}

impl<'a> TransferView<'a> {
    /// A transfer for one reader.
    #[must_use]
    pub fn new(transfer: &'a Transfer, reader: &Reader<'a>, to: AnswerTo) -> Self {
        let detail = to != AnswerTo::List;
        let from = |minor| detail && reader.version.has(minor);
        let destination = transfer.destination_project_id.as_deref();
        Self {
            accepted: from(57).then_some(transfer.accepted),
            auth_key: None,
            created_at: detail.then_some(Time(transfer.created_at)),
            destination_project_id: from(57).then_some(destination),
            id: &transfer.id,
            links: reader.links("os-volume-transfer", &transfer.id),
            name: transfer.name.as_deref(),
            no_snapshots: from(55).then_some(transfer.no_snapshots),
            source_project_id: from(57).then_some(&transfer.source_project_id),
            volume_id: &transfer.volume_id,
        }
    }

    /// With the key that accepts it.
    #[must_use]
    pub fn with_key(self, key: &'a str) -> Self {
        Self {
            auth_key: Some(key),
            ..self
        }
    }
}
