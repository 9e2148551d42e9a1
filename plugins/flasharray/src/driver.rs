//! The drivers: every function of the contract in terms of the library's modules.
//!
//! Volume by volume the layout decides which module answers. Generic over how requests travel, so that the components and
//! the native tests run the same code.

use std::collections::BTreeMap;

use springform_sdk::http::Http;
use springform_sdk::interfaces::backend::{SetupReport, Statistics, TargetHealth};
use springform_sdk::interfaces::replication::{
    FailoverMode, FailoverPlan, Observation, PlanRequest, ReconcileReport, TestCopy,
};
use springform_sdk::interfaces::volumes::{Adopted, Reference};
use springform_sdk::types::{
    Context, Error, Failure, FailureCode, Outcome, Placement, Snapshot, Volume, VolumeType,
};

use crate::array::Array;
use crate::arrays::Arrays;
use crate::evidence::{self, Act};
use crate::layout::Kind;
use crate::options::Options;
use crate::volume::Volumes;
use crate::{
    async_leg, demote, drill, failover, health, mixed_failover, observe, plan, reprotect, setup,
    snapshot, stats, stretched,
};

/// One call's view of the world.
pub struct Driver<'a> {
    context: &'a Context,
    arrays: Arrays<'a>,
    options: Options<'a>,
}

impl<'a> Driver<'a> {
    /// A driver of this kind, for one call.
    #[must_use]
    pub fn new(kind: Kind, http: &'a dyn Http, context: &'a Context) -> Self {
        Self {
            context,
            arrays: Arrays::new(http, context),
            options: Options::new(context, kind),
        }
    }

    /// The life of volumes.
    #[must_use]
    pub fn volumes(&self) -> Volumes<'a> {
        Volumes {
            arrays: self.arrays,
            options: self.options,
        }
    }

    /// `backend.setup`.
    ///
    /// # Errors
    /// See the contract.
    pub fn setup(&self) -> Result<SetupReport, Error> {
        setup::Setup::new(self.context, self.arrays, self.options).run()
    }

    /// `backend.check`.
    #[must_use]
    pub fn check(&self) -> Vec<TargetHealth> {
        health::check(&self.arrays)
    }

    /// `backend.stats`.
    ///
    /// # Errors
    /// See the contract.
    pub fn stats(&self) -> Result<Statistics, Error> {
        Ok(stats::read(self.context, &self.arrays, &self.options)?)
    }

    /// `volumes.create`, `create-from-snapshot` and `clone`: `source` is a name on the array.
    ///
    /// # Errors
    /// See the contract.
    pub fn create(
        &self,
        volume: &Volume,
        source: Option<(&Volume, Option<&Snapshot>)>,
    ) -> Result<Placement, Error> {
        let volumes = self.volumes();
        let Some((from, taken)) = source else {
            return Ok(volumes.create(volume, &volumes.serving(volume)?, None)?);
        };
        // A copy can only be made where its source is.
        let on = volumes.serving(from)?;
        Ok(volumes.wherever(&on, from, |from| {
            let name = taken.map_or_else(
                || crate::volume::array_name(from),
                |s| snapshot::name_of(from, s),
            );
            volumes.create(volume, &on, Some(&name))
        })?)
    }

    /// `volumes.delete`. What a later promotion made of a volume is not deleted for an older record of it.
    ///
    /// # Errors
    /// See the contract.
    pub fn delete(&self, volume: &Volume) -> Result<(), Error> {
        let volumes = self.volumes();
        if crate::layout::wanted(volume).is_some() {
            let on = volumes.serving(volume)?;
            let (one, name) = (
                std::slice::from_ref(volume),
                self.options.layout().name(volume),
            );
            let kept = evidence::left_alone(self.context, &on, one, &[name], Act::Take)?;
            if let Some(failure) = kept.into_values().next() {
                return Err(failure.into());
            }
        }
        Ok(volumes.delete(volume)?)
    }

    /// `volumes.retype`.
    ///
    /// # Errors
    /// See the contract.
    pub fn retype(&self, volume: &Volume, wanted: Option<&VolumeType>) -> Result<Placement, Error> {
        self.volumes().retype(self.context, volume, wanted)
    }

    /// `volumes.manage`.
    ///
    /// # Errors
    /// See the contract.
    pub fn manage(
        &self,
        volume: &Volume,
        reference: &Reference,
        keep_name: bool,
    ) -> Result<Adopted, Error> {
        self.volumes()
            .manage(self.context, volume, reference, keep_name)
    }

    /// `replication.observe`.
    ///
    /// # Errors
    /// See the contract.
    pub fn observe(&self, volumes: &[Volume]) -> Result<Vec<Observation>, Error> {
        let (context, arrays, options) = (self.context, &self.arrays, &self.options);
        let mut seen = options.layout().each(
            volumes,
            |single| observe::observe(context, arrays, options, single),
            |pod| {
                let mut seen = stretched::observe::observe(context, arrays, pod)?;
                async_leg::observe::observe(context, arrays, options, pod, &mut seen);
                Ok::<_, Failure>(seen)
            },
        )?;
        evidence::observe::observe(context, arrays, options, volumes, &mut seen);
        Ok(seen)
    }

    /// `replication.plan-failover`.
    ///
    /// # Errors
    /// See the contract.
    pub fn plan(&self, request: &PlanRequest) -> Result<FailoverPlan, Error> {
        Ok(mixed_failover::plan(
            self.context,
            &self.arrays,
            &self.options,
            request,
        )?)
    }

    /// `replication.final-sync`.
    ///
    /// # Errors
    /// See the contract.
    pub fn final_sync(
        &self,
        plan: &FailoverPlan,
        volumes: &[Volume],
    ) -> Result<FailoverPlan, Error> {
        mixed_failover::final_sync(self.context, &self.arrays, &self.options, plan, volumes)
    }

    /// `replication.demote`.
    ///
    /// # Errors
    /// See the contract.
    pub fn demote(&self, target: &str, volumes: &[Volume]) -> Result<Vec<Outcome>, Error> {
        let on = self.arrays.named(target)?;
        let names = self.names_on(&on, volumes);
        let take = |volumes: &[Volume]| self.demote_all(target, &on, volumes);
        evidence::guarded(self.context, &on, volumes, &names, Act::Take, take)
    }

    /// What volumes are called on an array, wherever they are now.
    fn names_on(&self, on: &Array<'_>, volumes: &[Volume]) -> Vec<String> {
        let there = |v| async_leg::name_there(&self.arrays, &self.options, v, on);
        volumes.iter().map(there).collect()
    }

    fn demote_all(
        &self,
        target: &str,
        on: &Array<'_>,
        volumes: &[Volume],
    ) -> Result<Vec<Outcome>, Error> {
        let (arrays, options) = (&self.arrays, &self.options);
        Ok(self.options.layout().each(
            volumes,
            |single| {
                // What is served beyond the pod has its stretched self here.
                if single
                    .iter()
                    .any(|v| async_leg::comes_home(arrays, options, v, on))
                {
                    return async_leg::demote::apart(arrays, options, target, single);
                }
                demote::demote(arrays, options, target, single)
            },
            |pod| {
                // The third site knows them without the pod, and has machines of its own that still write there.
                if async_leg::is_beyond(arrays, options, target) {
                    let names = self.names_on(on, pod);
                    return demote::under(arrays, options, target, pod, &names);
                }
                if pod
                    .iter()
                    .any(|v| async_leg::demote::leaves(arrays, options, v))
                {
                    return async_leg::demote::demote(arrays, options, target, pod);
                }
                stretched::demote::demote(arrays, target, pod)
            },
        )?)
    }

    /// `replication.fail-over`.
    ///
    /// # Errors
    /// See the contract.
    pub fn fail_over(
        &self,
        plan: &FailoverPlan,
        volumes: &[Volume],
    ) -> Result<Vec<Outcome>, Error> {
        let on = self.arrays.named(&plan.target)?;
        let names = self.names_on(&on, volumes);
        let promote = |volumes: &[Volume]| {
            let served = self.promote_all(plan, volumes)?;
            Ok(evidence::marked(self.context, &on, volumes, served))
        };
        evidence::guarded(self.context, &on, volumes, &names, Act::Promote, promote)
    }

    fn promote_all(&self, plan: &FailoverPlan, volumes: &[Volume]) -> Result<Vec<Outcome>, Error> {
        let (arrays, options) = (&self.arrays, &self.options);
        // A plan with nothing to copy, to where the volumes are: the role that they gave up there is given back.
        let stays = |v: &Volume| {
            let there = v
                .placement
                .as_ref()
                .is_some_and(|p| p.target == plan.target);
            there && plan::point_of(plan, v).is_none()
        };
        if !volumes.is_empty() && volumes.iter().all(stays) {
            return Ok(failover::give_back(arrays, options, &plan.target, volumes)?);
        }
        if self.leaves_the_pod(plan, volumes)? {
            return Ok(failover::fail_over(arrays, options, plan, volumes)?);
        }
        Ok(self.options.layout().each(
            volumes,
            |single| failover::fail_over(arrays, options, plan, single),
            |pod| stretched::failover::fail_over(self.context, arrays, plan, pod),
        )?)
    }

    /// `replication.finish-failover`.
    ///
    /// # Errors
    /// See the contract.
    pub fn finish_failover(&self, plan: &FailoverPlan) -> Result<(), Error> {
        failover::finish(&self.arrays, &self.options, plan)?;
        let away = async_leg::is_beyond(&self.arrays, &self.options, &plan.target);
        if self.options.layout().kind == Kind::TriSync && !away {
            self.tidy_up_at_home(&plan.target)?;
        }
        Ok(())
    }

    /// What was deleted beyond the pod is deleted in it as well once it serves again. The volumes have moved whatever becomes
    /// of that: what stays is found by the next reconciliation.
    fn tidy_up_at_home(&self, target: &str) -> Result<(), Error> {
        let mut work = setup::Setup::new(self.context, self.arrays, self.options);
        let tidied = work.leftovers(&self.arrays.named(target)?);
        let changes = work.changes.iter().map(|change| &change.text);
        for said in changes.chain(&work.warnings) {
            eprintln!("{said}");
        }
        if let Err(Error::Failed(failure)) = tidied {
            eprintln!(
                "what was deleted beyond the pod is still in it: {}",
                failure.message
            );
        }
        Ok(())
    }

    /// Whether a plan leads beyond the pod. Then no machine is left on the array that the host does not demote.
    fn leaves_the_pod(&self, plan: &FailoverPlan, volumes: &[Volume]) -> Result<bool, Error> {
        let beyond = async_leg::is_beyond(&self.arrays, &self.options, &plan.target);
        if beyond && plan.mode != FailoverMode::Planned {
            let layout = self.options.layout();
            let inside = volumes.iter().filter(|v| layout.is_stretched(v));
            let inside: Vec<_> = inside.cloned().collect();
            async_leg::demote::cut_off(&self.arrays, &self.options, &inside)?;
        }
        Ok(beyond)
    }

    /// `replication.reprotect`.
    ///
    /// # Errors
    /// See the contract.
    pub fn reprotect(
        &self,
        volumes: &[Volume],
        to: Option<&str>,
        discard: bool,
        wait: bool,
    ) -> Result<Vec<Outcome>, Error> {
        let goal = reprotect::Goal { to, discard, wait };
        let kept = self.kept_from(goal, volumes)?;
        evidence::without(volumes, kept, |volumes| self.protect_all(volumes, goal))
    }

    /// Volumes that one of the goals holds newer than they are known to be, which is not overwritten.
    fn kept_from(
        &self,
        goal: reprotect::Goal<'_>,
        volumes: &[Volume],
    ) -> Result<BTreeMap<usize, Failure>, Error> {
        let mut kept = BTreeMap::new();
        for on in self.arrays.all() {
            let serves = |v: &Volume| v.placement.as_ref().is_some_and(|p| p.target == on.name());
            if goal.to.is_some_and(|to| to != on.name()) || volumes.iter().all(serves) {
                continue;
            }
            let names = self.names_on(&on, volumes);
            match evidence::left_alone(self.context, &on, volumes, &names, Act::Take) {
                Ok(more) => kept.extend(more),
                // It cannot be overwritten either; set-up warns of it.
                Err(failure) if failure.code == FailureCode::Unavailable => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(kept)
    }

    fn protect_all(
        &self,
        volumes: &[Volume],
        goal: reprotect::Goal<'_>,
    ) -> Result<Vec<Outcome>, Error> {
        let (context, arrays, options) = (self.context, &self.arrays, &self.options);
        let reprotect::Goal { to, wait, .. } = goal;
        self.options.layout().each(
            volumes,
            |single| reprotect::reprotect(context, arrays, options, single, goal),
            |pod| match options.layout().kind {
                Kind::TriSync => async_leg::protect::reprotect(context, arrays, options, pod, goal),
                _ => stretched::reprotect::reprotect(context, arrays, pod, to, wait),
            },
        )
    }

    /// `replication.enable` and `disable`.
    ///
    /// # Errors
    /// See the contract.
    pub fn switch(&self, volumes: &[Volume], on: bool) -> Result<Vec<Outcome>, Error> {
        stretched::switch::switch(self.context, &self.arrays, &self.options, volumes, on)
    }

    /// `groups.enable-replication` and `disable-replication`: all members, or the first reason why not.
    ///
    /// # Errors
    /// See the contract.
    pub fn switch_group(&self, volumes: &[Volume], on: bool) -> Result<(), Error> {
        for outcome in self.switch(volumes, on)? {
            outcome.result?;
        }
        Ok(())
    }

    /// `replication.start-test`.
    ///
    /// # Errors
    /// See the contract.
    pub fn start_test(
        &self,
        test: &str,
        target: &str,
        point: Option<&str>,
        volumes: &[Volume],
    ) -> Result<Vec<TestCopy>, Error> {
        let (context, arrays) = (self.context, &self.arrays);
        stretched::drill::elsewhere(target, volumes)?;
        let beyond = async_leg::is_beyond(arrays, &self.options, target);
        let (plain, inside) = (self.options.pgroup(), self.options.third_group());
        Ok(self.options.layout().each(
            volumes,
            |single| drill::start(context, arrays, plain, test, target, point, single),
            |pod| match beyond {
                true => drill::start(context, arrays, &inside, test, target, point, pod),
                false => stretched::drill::start(context, arrays, test, target, point, pod),
            },
        )?)
    }

    /// `replication.stop-test`.
    ///
    /// # Errors
    /// See the contract.
    pub fn stop_test(&self, test: &str, target: &str, volumes: &[Volume]) -> Result<(), Error> {
        drill::stop(&self.arrays, test, target, volumes)?;
        if async_leg::is_beyond(&self.arrays, &self.options, target) {
            // Its copies are made of what was sent there; there is no snapshot of the drill's own.
            return Ok(());
        }
        let layout = self.options.layout();
        let (inside, _): (Vec<_>, Vec<_>) = volumes
            .iter()
            .cloned()
            .partition(|v| layout.is_stretched(v));
        Ok(stretched::drill::forget(
            &self.arrays,
            test,
            target,
            &inside,
        )?)
    }

    /// `replication.commit-test`.
    ///
    /// # Errors
    /// See the contract.
    pub fn commit_test(
        &self,
        test: &str,
        plan: &FailoverPlan,
        volumes: &[Volume],
    ) -> Result<Vec<Outcome>, Error> {
        let on = self.arrays.named(&plan.target)?;
        let names = self.names_on(&on, volumes);
        let promote = |volumes: &[Volume]| {
            let (arrays, options) = (&self.arrays, &self.options);
            self.leaves_the_pod(plan, volumes)?;
            let served = drill::commit(arrays, options, test, plan, volumes)?;
            Ok(evidence::marked(self.context, &on, volumes, served))
        };
        evidence::guarded(self.context, &on, volumes, &names, Act::Promote, promote)
    }

    /// `replication.reconcile`: what `setup` does, for a configuration that changed, and the volumes held against the arrays.
    ///
    /// # Errors
    /// See the contract.
    pub fn reconcile(&self, volumes: &[Volume], dry_run: bool) -> Result<ReconcileReport, Error> {
        let work = setup::Setup::new(self.context, self.arrays, self.options);
        let SetupReport {
            state,
            changes,
            warnings,
        } = if dry_run { work.dry() } else { work }.run_for(Some(volumes))?;
        Ok(ReconcileReport {
            state,
            changes,
            warnings,
        })
    }
}
