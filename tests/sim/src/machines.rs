//! Machines that use volumes of the simulation: each writes where it was told that its volume is, as long as it is connected
//! there.

use std::collections::BTreeSet;
use std::time::Duration;

use springform_control::replication::Lead;
use springform_model::contract::{Failure, FailureCode};

use crate::memory::Memory;
use crate::world::{World, unavailable};

/// How often a volume that another operation holds is looked at again, twice a second.
const BUSY: u32 = 60;

/// What the records say of a machine's way to a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The machine.
    pub host: String,
    /// Where the way leads that it was told last.
    pub leads_to: String,
    /// It could not be connected where the volume went; somebody is to repair that.
    pub outdated: bool,
}

impl World {
    /// Connects a machine to a volume on an array, and tells it.
    ///
    /// # Errors
    /// The array does not answer, or has no such volume.
    pub fn connect(&mut self, id: &str, host: &str, target: &str) -> Result<(), Failure> {
        let array = self.arrays.get_mut(target).filter(|array| array.up);
        let array = array.ok_or_else(|| unavailable(target))?;
        if !array.copies.contains_key(id) {
            let why = format!("{target} has no {id}");
            return Err(Failure::new(FailureCode::NotFound, why).on(target));
        }
        array.connections.insert((id.to_owned(), host.to_owned()));
        Ok(())
    }

    /// A machine goes by another way from now on.
    pub fn told(&mut self, host: &str, target: &str) {
        self.machines.insert(host.to_owned(), target.to_owned());
    }

    /// Machines are cut off from a volume on an array.
    pub(crate) fn cut_off(&mut self, target: &str, id: &str) {
        if let Some(array) = self.arrays.get_mut(target) {
            array.connections.retain(|(of, _)| of != id);
        }
    }

    /// Arrays on which a machine reaches a volume.
    #[must_use]
    pub fn reached(&self, id: &str, host: &str) -> BTreeSet<String> {
        let way = (id.to_owned(), host.to_owned());
        let there = self.arrays.iter();
        let there = there.filter(|(_, array)| array.connections.contains(&way));
        there.map(|(name, _)| name.clone()).collect()
    }

    /// A machine writes, where it can.
    pub fn write_by(&mut self, id: &str, host: &str) {
        let Some(target) = self.machines.get(host).cloned() else {
            return;
        };
        if self.reached(id, host).contains(&target) {
            self.write(id, &target);
        }
    }
}

impl Memory {
    /// Leads a machine to where its volume is now, as whoever connects machines does: the volume stays where it is meanwhile.
    pub(crate) async fn lead_again(&self, operation: &str, id: &str, whom: Lead) {
        self.pause().await;
        for _ in 0..BUSY {
            let holder = self.rows().volumes[id].0.operation.clone();
            if holder.is_none_or(|holder| holder == operation) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let faults = *self.faults.lock().unwrap();
        let (refused, lost) = (self.roll(faults.refuse), self.roll(faults.lose_answer));
        let mut rows = self.rows();
        let volume = &rows.volumes[id].0;
        let target = volume.placement.as_ref().map(|p| p.target.clone());
        let target = target.unwrap_or_default();
        let free = volume.operation.as_ref().is_none_or(|o| o == operation);
        let relation = rows.relations.get(id);
        let served = relation.is_none_or(|(relation, _)| relation.serving.is_some());
        let Some(attached) = rows.attached.get_mut(id) else {
            return;
        };
        let told = std::iter::once(attached.leads_to.as_str());
        if !attached.outdated && whom.leaves(told, &target) {
            return;
        }
        let mut world = self.world();
        let able = free && served && !refused;
        let connected = able && world.connect(id, &attached.host, &target).is_ok();
        attached.outdated = !connected || lost;
        if !attached.outdated {
            world.told(&attached.host, &target);
            attached.leads_to.clone_from(&target);
        }
        let outcome = match attached.outdated {
            true => "could not be connected",
            false => "is connected",
        };
        let line = format!(
            "{operation}: {} of {id} {outcome} on {target}",
            attached.host
        );
        drop((rows, world));
        self.tell(line);
    }
}
