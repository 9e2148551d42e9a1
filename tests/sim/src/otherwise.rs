//! What drivers and arrays of the simulation do otherwise than they should, when a test wants it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use springform_model::contract::{CallError, Failure, FailureCode, VolumeSpec};

use crate::world::World;

/// What a driver or an array does otherwise than it should.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Otherwise {
    /// After so many honest transfers the driver copies nothing and answers with what it was given; none: never.
    pub lies_after: Option<u32>,
    /// Hosts write once more when their array is about to give its role up.
    pub written_at_demotion: bool,
    /// These arrays go dark when one has given its role up.
    pub dark_after_demotion: Vec<String>,
    /// Volumes that are made read-only by a demotion which then fails.
    pub half_demoted: BTreeSet<String>,
    /// Volumes of the next batch that their array refuses, and whether it has done what it was asked for all the same.
    #[serde(default)]
    pub refused: BTreeMap<String, bool>,
}

impl World {
    /// Whether the driver lies about this transfer.
    pub(crate) fn lies(&mut self) -> bool {
        match &mut self.otherwise.lies_after {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Does something for one volume of a batch, unless its array refuses it.
    pub(crate) fn unless_refused(
        &mut self,
        volume: &VolumeSpec,
        act: &mut dyn FnMut(&mut Self, &VolumeSpec) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(done) = self.otherwise.refused.remove(&volume.id) else {
            return act(self, volume);
        };
        if done {
            act(self, volume)?;
        }
        let why = "the array refuses this one";
        Err(Failure::new(FailureCode::FailedPrecondition, why))
    }

    /// One call is about volumes of one array, as drivers have it.
    pub(crate) fn one_source(volumes: &[VolumeSpec]) -> Result<(), CallError> {
        let on: BTreeSet<String> = volumes.iter().map(Self::source).collect();
        if on.len() <= 1 {
            return Ok(());
        }
        let text = format!("the volumes are served by several arrays: {on:?}");
        let failure = Failure::new(FailureCode::InvalidArgument, text);
        Err(CallError::Failed(failure))
    }
}
