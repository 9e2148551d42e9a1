//! A snapshot as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_model::cloud::Snapshot;
use utoipa::ToSchema;

use super::{AnswerTo, Plural, Reader, Single, Time, time};

/// A snapshot.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub struct SnapshotView<'a> {
    id: &'a str,
    created_at: Time,
    #[schema(required)]
    updated_at: Option<Time>,
    #[schema(required)]
    name: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    volume_id: &'a str,
    status: &'static str,
    /// GiB.
    size: u64,
    metadata: &'a BTreeMap<String, String>,
    /// From 3.14.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_snapshot_id: Option<Option<&'a str>>,
    /// From 3.41.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<&'a str>,
    /// From 3.65.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    consumes_quota: Option<bool>,
    #[serde(rename = "os-extended-snapshot-attributes:project_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_id: Option<&'a str>,
    /// `100%`.
    #[serde(rename = "os-extended-snapshot-attributes:progress")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    progress: Option<&'a str>,
}

impl Single for SnapshotView<'_> {
    const KEY: &'static str = "snapshot";
}

impl Plural for SnapshotView<'_> {
    const KEY: &'static str = "snapshots";
    const LINKS: Option<&'static str> = Some("snapshots_links");
    const COUNTED: bool = true;
}

impl<'a> SnapshotView<'a> {
    /// A snapshot for one reader.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, reader: &Reader<'a>, to: AnswerTo) -> Self {
        let version = reader.version_to(to);
        let from = |minor| to != AnswerTo::List && version.has(minor);
        let shown = to == AnswerTo::Show;
        Self {
            id: &snapshot.id,
            created_at: Time(snapshot.created_at),
            updated_at: time(snapshot.updated_at),
            name: snapshot.name.as_deref(),
            description: snapshot.description.as_deref(),
            volume_id: &snapshot.volume_id,
            status: snapshot.status.as_str(),
            size: snapshot.size,
            metadata: &snapshot.metadata,
            group_snapshot_id: from(14).then_some(snapshot.group_snapshot_id.as_deref()),
            user_id: from(41).then_some(&snapshot.user_id),
            consumes_quota: from(65).then_some(snapshot.consumes_quota),
            project_id: shown.then_some(&snapshot.project_id),
            progress: shown.then_some(&snapshot.progress),
        }
    }
}
