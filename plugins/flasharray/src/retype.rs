//! A volume of another type: its limits, its volume group, its protection group and its pod become what that asks for.

use springform_sdk::types::{Context, Error, FailureCode, Placement, Volume, VolumeType};

use crate::array::Array;
use crate::stretched::pod_migration::PodMigration;
use crate::vgroup::{self, Vgroup};
use crate::volume::{Volumes, array_name};
use crate::{async_leg, layout, limits, names, pgroup};

impl<'a> Volumes<'a> {
    /// Gives a volume another type. An attempt that was cut off finds what it had done, and goes on.
    ///
    /// # Errors
    /// See the contract's `volumes.retype`; `pending` while the volume is on its way into or out of the pod.
    pub fn retype(
        &self,
        context: &Context,
        volume: &Volume,
        wanted: Option<&VolumeType>,
    ) -> Result<Placement, Error> {
        let layout = self.options.layout();
        layout.supports(wanted.and_then(|t| t.replication.as_ref()))?;
        let on = self.serving(volume)?;
        let after = Volume {
            volume_type: wanted.cloned(),
            ..volume.clone()
        };
        let (before, wants) = (layout::wanted(volume), layout::wanted(&after));
        async_leg::protect::not_away(&self.arrays, &self.options, &on, before, wants)?;
        let group = Vgroup::of(&after)?;
        let old = array_name(volume);
        let limited = limits::wanted(volume).is_some();
        let mut name = self.outside(&on, &old, group.as_ref())?;
        let mut left = false;
        if let Some(group) = &group
            && (limited || names::pod_of(&name).is_some())
        {
            // An earlier attempt may have come as far as this.
            let there = names::in_vgroup(Some(&group.name), names::base(&name));
            if vgroup::is_live(&on, &there)? {
                left = names::pod_of(&name).is_some();
                name = there;
            }
        }
        let into = self.stretches(&on) && layout::wants_pod(wants);
        if into != names::pod_of(&name).is_some() {
            let journey =
                PodMigration::new(context, &self.arrays, self.options, on, &name, &volume.id)?;
            name = match names::pod_of(&name) {
                Some(pod) => {
                    left = true;
                    journey.leave(pod)?
                }
                None => journey.enter()?,
            };
        }
        limits::change(&on, &name, limited, limits::wanted(&after))?;
        if let Some(group) = &group {
            group.ensure(&on)?;
            if names::vgroup_of(&name) != Some(&group.name) {
                name = vgroup::carry(&on, &name, Some(&group.name))?;
            }
        }
        if let Some(emptied) = names::vgroup_of(&old)
            && names::vgroup_of(&name) != Some(emptied)
        {
            vgroup::tidy(&on, emptied, self.options.eradicate())?;
        }
        let replication = if into {
            Some(self.third_leg(&on, &name, wants)?)
        } else if wants.is_some() {
            self.join_backend(&on, &name)?
        } else {
            // Who has left the pod has left every group there, and has joined none.
            if !left {
                pgroup::leave(&on, self.options.pgroup(), &[&name])?;
            }
            None
        };
        let serial = volume.placement.as_ref().and_then(|p| p.serial.as_deref());
        Ok(self.placement(&on, &name, serial, replication)?)
    }

    /// The volume outside a volume group that its new type does not ask for.
    fn outside(&self, on: &Array<'a>, name: &str, group: Option<&Vgroup>) -> Result<String, Error> {
        if group.is_some() || names::vgroup_of(name).is_none() {
            return Ok(name.to_owned());
        }
        match vgroup::carry(on, name, None) {
            // An earlier attempt may have brought it further, into a pod.
            Err(failure) if failure.code == FailureCode::NotFound => {
                Ok(names::base(name).to_owned())
            }
            carried => Ok(carried?),
        }
    }
}
