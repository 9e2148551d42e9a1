//! What arrays of the simulation know of promotions, and how their driver keeps to that: as those of the project do.

use serde::{Deserialize, Serialize};
use springform_model::contract::{
    Failure, FailureCode, Link, LinkState, Observation, Protection, ReplicationKind, Role,
    VolumeSpec,
};
use springform_model::replication::evidence::{self, Evidence, LINK, Promotion};

use crate::nouns::placement;
use crate::world::World;

/// What is written beside a copy when it is promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Generation of the relation.
    pub generation: u64,
    /// The operation.
    pub operation: String,
    /// The array.
    pub target: String,
}

/// What is about to be done to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is to serve.
    Promote,
    /// It is fenced, overwritten or deleted.
    Take,
}

fn link(target: &str, detail: Option<String>) -> Link {
    Link {
        target: target.to_owned(),
        kind: ReplicationKind::Other(LINK.to_owned()),
        state: match detail {
            Some(_) => LinkState::Healthy,
            None => LinkState::Unknown,
        },
        last_point: None,
        interval_seconds: None,
        lag_bytes: None,
        percent: None,
        detail,
    }
}

impl World {
    /// What is written beside a volume that is promoted on an array.
    pub(crate) fn mark(&self, on: &str, volume: &VolumeSpec) -> Mark {
        Mark {
            generation: volume.generation,
            operation: self.caller.clone(),
            target: on.to_owned(),
        }
    }

    /// Refuses what the record of a volume is too old for.
    pub(crate) fn left_alone(
        &self,
        on: &str,
        volume: &VolumeSpec,
        act: Act,
    ) -> Result<(), Failure> {
        let copy = self.arrays.get(on).and_then(|a| a.copies.get(&volume.id));
        let Some(mark) = copy.and_then(|copy| copy.mark.as_ref()) else {
            return Ok(());
        };
        let same = mark.generation == volume.generation;
        let newer = mark.generation > volume.generation
            || match act {
                Act::Promote => same && mark.operation != self.caller,
                Act::Take => same && mark.target == on && Self::source(volume) != on,
            };
        if !newer {
            return Ok(());
        }
        let why = format!(
            "{} was promoted on {on} as generation {}, and the record is of {}",
            volume.id, mark.generation, volume.generation
        );
        Err(Failure::new(FailureCode::FailedPrecondition, why).on(on))
    }

    /// What a driver sees of a volume, with the evidence of each array.
    pub(crate) fn observe(&self, volume: &VolumeSpec) -> Observation {
        let source = Self::source(volume);
        let mut told = volume.extensions.iter();
        let whole = told.any(|(key, _)| key == evidence::WHOLE);
        let replicated = volume
            .placement
            .as_ref()
            .is_some_and(|p| p.replication.is_some());
        let mut seen = Observation {
            volume_id: volume.id.clone(),
            target: None,
            role: Role::Unknown,
            protection: Protection::Unknown,
            links: Vec::new(),
            stale_writable: Vec::new(),
            tests: Vec::new(),
            problems: Vec::new(),
        };
        for (name, array) in &self.arrays {
            if !array.up {
                seen.links.push(link(name, None));
                continue;
            }
            let Some(copy) = array.copies.get(&volume.id) else {
                continue;
            };
            if *name == source {
                seen.target = Some(source.clone());
                seen.role = match copy.writable {
                    true => Role::Primary,
                    false => Role::Secondary,
                };
            } else if copy.writable {
                seen.stale_writable.push(name.clone());
            }
            if copy.mark.is_none() && !whole {
                continue;
            }
            let mark = copy.mark.clone().map(|mark| Promotion {
                generation: mark.generation,
                host: "host".to_owned(),
                operation: mark.operation,
                target: mark.target,
            });
            let evidence = Evidence {
                target: String::new(),
                mark: mark.map_or(evidence::Mark::None, evidence::Mark::Promoted),
                placement: Some(placement(&volume.id, name, replicated)),
                size: Some(copy.size),
            };
            let detail = serde_json::to_string(&evidence).unwrap();
            seen.links.push(link(name, Some(detail)));
        }
        seen
    }
}
