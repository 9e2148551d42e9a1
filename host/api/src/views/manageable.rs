//! What could be taken over on an array, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_control::manageable::Entry;
use springform_model::contract::Reference;
use utoipa::ToSchema;

use super::{AnswerTo, Plural};

type Names<'a> = BTreeMap<&'a str, &'a str>;

fn names<'a>(pairs: impl IntoIterator<Item = &'a (String, String)>) -> Names<'a> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, name)| (key.as_str(), name.as_str()))
        .collect()
}

fn named(reference: &Reference) -> Names<'_> {
    names(&reference.keys)
}

/// A volume that could be taken over. The driver's names for it are in `reference`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ManageableVolume<'a> {
    /// Which volume of the cloud it is already; in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    cinder_id: Option<Option<&'a str>>,
    /// In detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_info: Option<Option<BTreeMap<&'a str, &'a str>>>,
    /// In detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_not_safe: Option<Option<&'a str>>,
    reference: BTreeMap<&'a str, &'a str>,
    safe_to_manage: bool,
    /// GiB, rounded up.
    size: u64,
}

impl Plural for ManageableVolume<'_> {
    const KEY: &'static str = "manageable-volumes";
}

impl<'a> ManageableVolume<'a> {
    /// What an array has.
    #[must_use]
    pub fn new(entry: &'a Entry, to: AnswerTo) -> Self {
        let detail = to != AnswerTo::List;
        let extra = names(&entry.found.extensions);
        let extra = Some(extra).filter(|extra| !extra.is_empty());
        Self {
            cinder_id: detail.then_some(entry.id.as_deref()),
            extra_info: detail.then_some(extra),
            reason_not_safe: detail.then_some(entry.refusal()),
            reference: named(&entry.found.reference),
            safe_to_manage: entry.refusal().is_none(),
            size: entry.found.size.div_ceil(1 << 30),
        }
    }
}

/// A snapshot that could be taken over.
#[derive(Debug, Serialize, ToSchema)]
pub struct ManageableSnapshot<'a> {
    /// Which snapshot of the cloud it is already; in detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    cinder_id: Option<Option<&'a str>>,
    /// In detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_info: Option<Option<BTreeMap<&'a str, &'a str>>>,
    /// In detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_not_safe: Option<Option<&'a str>>,
    reference: BTreeMap<&'a str, &'a str>,
    safe_to_manage: bool,
    /// GiB, rounded up.
    size: u64,
    /// Its volume.
    #[schema(required)]
    source_reference: Option<BTreeMap<&'a str, &'a str>>,
}

impl Plural for ManageableSnapshot<'_> {
    const KEY: &'static str = "manageable-snapshots";
}

impl<'a> ManageableSnapshot<'a> {
    /// What an array has.
    #[must_use]
    pub fn new(entry: &'a Entry, to: AnswerTo) -> Self {
        let ManageableVolume {
            cinder_id,
            extra_info,
            reason_not_safe,
            reference,
            safe_to_manage,
            size,
        } = ManageableVolume::new(entry, to);
        Self {
            cinder_id,
            extra_info,
            reason_not_safe,
            reference,
            safe_to_manage,
            size,
            source_reference: entry.found.source.as_ref().map(named),
        }
    }
}
