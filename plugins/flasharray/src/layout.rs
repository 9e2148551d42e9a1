//! How a backend lays its volumes out on its arrays: the small noun in which the three drivers differ.
//!
//! A volume is either *single* (on one array, perhaps sent elsewhere by a protection group) or *stretched* (in a pod that
//! two arrays hold). What a verb does follows from that, volume by volume; which of the two a new volume may be follows
//! from the kind of driver.

use springform_sdk::fail::failure;
use springform_sdk::types::{Failure, FailureCode, ReplicationKind, Volume};

use crate::names;
use crate::vgroup::Vgroup;

/// Which of the three drivers this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// `pure-async`.
    #[default]
    Asynchronous,
    /// `pure-activecluster`.
    ActiveCluster,
    /// `pure-trisync`.
    TriSync,
}

impl Kind {
    /// What it can give a volume.
    #[must_use]
    pub fn offers(self) -> &'static [ReplicationKind] {
        match self {
            Self::Asynchronous => &[ReplicationKind::Async],
            Self::ActiveCluster => &[ReplicationKind::Async, ReplicationKind::Sync],
            Self::TriSync => &[
                ReplicationKind::Async,
                ReplicationKind::Sync,
                ReplicationKind::TriSync,
            ],
        }
    }

    /// Whether its backends have a stretched pod.
    #[must_use]
    pub fn has_pod(self) -> bool {
        self != Self::Asynchronous
    }
}

/// The layout of one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout<'a> {
    /// Which driver.
    pub kind: Kind,
    /// The pod of all stretched volumes.
    pub pod: &'a str,
    /// Whether new volumes land on an array that the pod is on. While a third site leads they do not, and are single.
    pub at_home: bool,
}

impl Layout<'_> {
    /// Whether a volume is, or is to be, in the pod: where it is decides, for a new one its type does.
    #[must_use]
    pub fn is_stretched(&self, volume: &Volume) -> bool {
        match &volume.placement {
            Some(placement) => names::pod_of(&placement.array_name).is_some(),
            None => self.at_home && self.kind.has_pod() && wants_pod(wanted(volume)),
        }
    }

    /// Name on the array: what was stored, else what Cinder would have called it.
    #[must_use]
    pub fn name(&self, volume: &Volume) -> String {
        let base = names::volume(&volume.name);
        match &volume.placement {
            Some(placement) => placement.array_name.clone(),
            None if self.is_stretched(volume) => names::in_pod(self.pod, &base),
            None => match Vgroup::of(volume) {
                Ok(Some(group)) => names::in_vgroup(Some(&group.name), &base),
                _ => base,
            },
        }
    }

    /// Whether this driver can give a volume what its type asks for.
    ///
    /// # Errors
    /// `unsupported`, when it cannot.
    pub fn supports(&self, wanted: Option<&ReplicationKind>) -> Result<(), Failure> {
        match wanted {
            None => Ok(()),
            Some(kind) if self.kind.offers().contains(kind) => Ok(()),
            Some(kind) => Err(failure(
                FailureCode::Unsupported,
                format!(
                    "this driver does not replicate {}; use a backend whose driver does",
                    word(kind)
                ),
            )),
        }
    }

    /// Does one thing for single volumes and another for stretched ones; the answers are in the order of the volumes.
    ///
    /// # Errors
    /// The first error of either.
    pub fn each<T, E>(
        &self,
        volumes: &[Volume],
        single: impl FnOnce(&[Volume]) -> Result<Vec<T>, E>,
        stretched: impl FnOnce(&[Volume]) -> Result<Vec<T>, E>,
    ) -> Result<Vec<T>, E> {
        let inside: Vec<bool> = volumes.iter().map(|v| self.is_stretched(v)).collect();
        if !inside.contains(&true) {
            return single(volumes);
        }
        if !inside.contains(&false) {
            return stretched(volumes);
        }
        let part = |which: bool| -> Vec<Volume> {
            let chosen = volumes.iter().zip(&inside).filter(|(_, i)| **i == which);
            chosen.map(|(v, _)| v.clone()).collect()
        };
        let mut first = stretched(&part(true))?.into_iter();
        let mut second = single(&part(false))?.into_iter();
        let ordered = inside
            .iter()
            .filter_map(|i| if *i { first.next() } else { second.next() });
        Ok(ordered.collect())
    }
}

/// What protects a volume that is in the pod, as far as its placement tells.
#[must_use]
pub fn in_the_pod(volume: &Volume) -> ReplicationKind {
    let known = volume
        .placement
        .as_ref()
        .and_then(|p| p.replication.clone());
    match known {
        Some(ReplicationKind::TriSync) => ReplicationKind::TriSync,
        _ => ReplicationKind::Sync,
    }
}

/// What a volume's type asks for.
#[must_use]
pub fn wanted(volume: &Volume) -> Option<&ReplicationKind> {
    volume.volume_type.as_ref()?.replication.as_ref()
}

/// Whether that means a pod.
#[must_use]
pub fn wants_pod(wanted: Option<&ReplicationKind>) -> bool {
    matches!(
        wanted,
        Some(ReplicationKind::Sync | ReplicationKind::TriSync)
    )
}

fn word(kind: &ReplicationKind) -> &str {
    match kind {
        ReplicationKind::Async => "asynchronously",
        ReplicationKind::Sync => "synchronously",
        ReplicationKind::TriSync => "to three sites",
        ReplicationKind::Other(other) => other,
    }
}
