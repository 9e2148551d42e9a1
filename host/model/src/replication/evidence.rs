//! What the arrays themselves say of who was promoted where. A record that is older than that acts on nothing.
//!
//! Contract 0.1 has no field for it: a driver that is told who the host is ([`HOST`]) answers an observation with one link
//! of the kind [`LINK`] for each array that carries evidence, and for each that could not be asked.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::relation::{Phase, Relation};
use crate::contract::{LinkState, Observation, Placement, ReplicationKind};

/// Key under which a driver is told who the host is: an opaque id, the same for as long as its database lives.
pub const HOST: &str = "springform/host";
/// Kind of the links that carry evidence, and key of the evidence in a failure.
pub const LINK: &str = "springform/evidence";
/// Key by which the host asks a driver for all there is of a volume on each array: it is about to adopt that.
pub const WHOLE: &str = "springform/whole";

/// What an array says of one volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it was read. Filled in from the link.
    #[serde(default)]
    pub target: String,
    /// Who was promoted.
    #[serde(default)]
    pub mark: Mark,
    /// The volume as it is there, where that may be news to the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Its size there, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// Who was promoted, as it is written beside the volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nobody wrote anything.
    #[default]
    None,
    /// A promotion.
    Promoted(Promotion),
    /// Something that no host of this kind wrote.
    Strange(String),
}

/// A promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Under which generation.
    pub generation: u64,
    /// By which host.
    pub host: String,
    /// By which operation.
    pub operation: String,
    /// Of which target.
    pub target: String,
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => into.serialize_none(),
            Self::Promoted(promotion) => promotion.serialize(into),
            Self::Strange(text) => into.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        if value.is_null() {
            return Ok(Self::None);
        }
        let strange = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Ok(serde_json::from_value(value).map_or(Self::Strange(strange), Self::Promoted))
    }
}

/// What an observation says of evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Arrays that could not be asked; what was known of them still is.
    pub dark: BTreeSet<String>,
    /// By array.
    pub evidence: Vec<Evidence>,
}

impl Found {
    /// Whether the driver said anything at all: one that knows no evidence says nothing.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.dark.is_empty() && self.evidence.is_empty()
    }
}

/// Takes the evidence out of an observation: it is no link.
pub fn take(seen: &mut Observation) -> Found {
    let mut found = Found::default();
    let is_evidence =
        |kind: &ReplicationKind| matches!(kind, ReplicationKind::Other(k) if k == LINK);
    seen.links.retain(|link| {
        if !is_evidence(&link.kind) {
            return true;
        }
        let read = link
            .detail
            .as_deref()
            .filter(|_| link.state == LinkState::Healthy);
        match read {
            Some(detail) => {
                let read = serde_json::from_str::<Evidence>(detail);
                let mut evidence = read.unwrap_or_else(|_| Evidence {
                    target: String::new(),
                    mark: Mark::Strange(detail.to_owned()),
                    placement: None,
                    size: None,
                });
                evidence.target.clone_from(&link.target);
                found.evidence.push(evidence);
            }
            None => {
                found.dark.insert(link.target.clone());
            }
        }
        false
    });
    found
}

/// Whether an array knows of a promotion that the record does not: a later one, or another one of the same generation.
#[must_use]
pub fn is_newer(relation: &Relation, evidence: &Evidence) -> bool {
    let promotion = match &evidence.mark {
        Mark::None => return false,
        // Not ours to understand, so not ours to overrule.
        Mark::Strange(_) => return true,
        Mark::Promoted(promotion) => promotion,
    };
    promotion.generation > relation.generation
        || (promotion.generation == relation.generation
            && promotion.generation > 0
            && relation.serving.as_deref() != Some(promotion.target.as_str())
            && !knows(relation, &promotion.operation))
}

/// Whether the record was moved, or is being moved, by this operation.
fn knows(relation: &Relation, operation: &str) -> bool {
    let moving = match &relation.phase {
        Phase::Moving(m) | Phase::Stranded(m) => m.operation == operation,
        Phase::Settled => false,
    };
    moving || relation.moved_by.as_deref() == Some(operation)
}

impl Relation {
    /// Why nothing is fenced, overwritten or deleted for this record: the newest of what the arrays know beyond it.
    #[must_use]
    pub fn overtaken(&self) -> Option<&Evidence> {
        let newer = self.newer.iter().filter(|e| is_newer(self, e));
        newer.max_by_key(|e| match &e.mark {
            Mark::Promoted(promotion) => {
                // Of the two arrays of a pod, which carry the same evidence, the one that it speaks of.
                (promotion.generation, promotion.target == e.target)
            }
            _ => (u64::MAX, false),
        })
    }

    /// Keeps what is news to the record; what was known of arrays that could not be asked is known still.
    pub(super) fn heard(&mut self, found: Found) {
        let mut newer = std::mem::take(&mut self.newer);
        newer.retain(|old| found.dark.contains(&old.target));
        newer.extend(found.evidence);
        newer.retain(|evidence| is_newer(self, evidence));
        self.newer = newer;
    }
}

/// What an operator is told of evidence that is newer than the record.
#[must_use]
pub fn words(evidence: &Evidence) -> String {
    match &evidence.mark {
        Mark::Promoted(p) => format!(
            "{} says that {} was promoted as generation {} by host {}, which this record does not know",
            evidence.target, p.target, p.generation, p.host
        ),
        _ => format!(
            "{} has a mark on it that this host did not write",
            evidence.target
        ),
    }
}
