//! What arrays of the simulation do to the copies of one volume.

use std::collections::BTreeSet;

use springform_model::contract::{
    FailoverMode, FailoverPlan, Failure, FailureCode, RecoveryPoint, VolumePlan, VolumeSpec,
};

use crate::evidence::Act;
use crate::world::{ARRAYS, Copy, World, unavailable};

impl World {
    pub(crate) fn plan(
        &self,
        volumes: &[VolumeSpec],
        to: Option<String>,
        mode: FailoverMode,
    ) -> Result<FailoverPlan, Failure> {
        let serving: BTreeSet<String> = volumes.iter().map(Self::source).collect();
        let holds = |name: &str| volumes.iter().any(|v| self.copy(name, &v.id).is_ok());
        let target = match to {
            Some(to) => to,
            None => ARRAYS
                .iter()
                .find(|n| !serving.contains(**n) && holds(n))
                .map(|n| (*n).to_owned())
                .ok_or_else(|| {
                    Failure::new(FailureCode::FailedPrecondition, "no array can take over")
                })?,
        };
        if !self.arrays.get(&target).is_some_and(|a| a.up) {
            return Err(unavailable(&target));
        }
        let volumes = volumes
            .iter()
            .map(|v| {
                let there = self.copy(&target, &v.id);
                let here = self.copy(&Self::source(v), &v.id).ok().map(|c| c.content);
                VolumePlan {
                    volume_id: v.id.clone(),
                    source: Some(Self::source(v)),
                    point: there.as_ref().ok().map(|c| RecoveryPoint {
                        id: c.content.to_string(),
                        taken_at: c.content,
                    }),
                    possible: there.is_ok(),
                    reason: there.as_ref().err().map(|f| f.message.clone()),
                    loss_seconds: here
                        .zip(there.ok())
                        .map(|(h, c)| h.saturating_sub(c.content)),
                    loss_bytes: None,
                    warnings: Vec::new(),
                }
            })
            .collect();
        Ok(FailoverPlan {
            target,
            mode,
            volumes,
            interrupts: Vec::new(),
            token: b"t".to_vec(),
        })
    }

    pub(crate) fn final_sync(
        &mut self,
        plan: &FailoverPlan,
        volume: &VolumeSpec,
    ) -> Result<(), Failure> {
        let source = self.copy(&Self::source(volume), &volume.id)?.clone();
        self.copy_mut(&plan.target, &volume.id)?.receive(&source);
        Ok(())
    }

    pub(crate) fn promote(
        &mut self,
        plan: &FailoverPlan,
        volume: &VolumeSpec,
    ) -> Result<(), Failure> {
        let acknowledged = self.acknowledged.get(&volume.id).copied().unwrap_or(0);
        let source = Self::source(volume);
        let written = source != plan.target
            && self
                .arrays
                .get(&source)
                .and_then(|a| a.copies.get(&volume.id))
                .is_some_and(|c| c.writable);
        let from_newest = volume.placement.as_ref().is_some_and(|p| {
            self.arrays.get(&p.target).is_some_and(|a| {
                a.copies
                    .get(&volume.id)
                    .is_some_and(|c| c.content == acknowledged)
            })
        });
        self.copy(&plan.target, &volume.id)?;
        self.left_alone(&plan.target, volume, Act::Promote)?;
        let mark = self.mark(&plan.target, volume);
        let copy = self.copy_mut(&plan.target, &volume.id)?;
        copy.writable = true;
        copy.generation = copy.generation.max(volume.generation);
        copy.mark = Some(mark);
        if plan.mode == FailoverMode::Planned && from_newest {
            if copy.content < acknowledged {
                let text = format!(
                    "{}: a planned failover lost writes {}..{acknowledged}",
                    volume.id, copy.content
                );
                self.violations.push(text);
            }
            if written {
                self.violations.push(format!(
                    "{}: a planned failover promoted while {source} could be written",
                    volume.id
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn overwrite(
        &mut self,
        volume: &VolumeSpec,
        to: &str,
        discard: bool,
    ) -> Result<(), Failure> {
        let source = Self::source(volume);
        let Copy { content, size, .. } = self.copy(&source, &volume.id)?.clone();
        self.left_alone(to, volume, Act::Take)?;
        let array = self
            .arrays
            .get_mut(to)
            .filter(|a| a.up)
            .ok_or_else(|| unavailable(to))?;
        if array
            .copies
            .get(&volume.id)
            .is_some_and(|c| c.writable && !discard)
        {
            let text = format!("{to} can be written; acknowledge the discard");
            return Err(Failure::new(FailureCode::FailedPrecondition, text).on(to));
        }
        let before = array.copies.get(&volume.id);
        let generation = before.map_or(0, |c| c.generation);
        let mark = before.and_then(|c| c.mark.clone());
        if array
            .copies
            .get(&volume.id)
            .is_some_and(|c| c.writable && c.generation >= volume.generation)
        {
            self.violations.push(format!(
                "{}: the serving copy on {to} was overwritten from {source}",
                volume.id
            ));
            return Ok(());
        }
        array.copies.insert(
            volume.id.clone(),
            Copy {
                content,
                size,
                writable: false,
                generation,
                mark,
            },
        );
        Ok(())
    }
}
