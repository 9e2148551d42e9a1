//! The contract's traits, each function one line, for all three components: they differ in their kind.

use std::marker::PhantomData;

use springform_sdk::WasiHttp;
use springform_sdk::interfaces::backend::{SetupReport, Statistics, TargetHealth};
use springform_sdk::interfaces::connections::{Connection, Connector, Disconnected};
use springform_sdk::interfaces::groups::{Group, SnapshotOutcome};
use springform_sdk::interfaces::identity::Description;
use springform_sdk::interfaces::migrating::Migration;
use springform_sdk::interfaces::replication::{
    FailoverPlan, Observation, PlanRequest, ReconcileReport, TestCopy,
};
use springform_sdk::interfaces::volumes::{Adopted, AdoptedSnapshot, ManageablePage, Reference};
use springform_sdk::interfaces::{
    backend, connections, groups, identity, migrating, replication, volumes,
};
use springform_sdk::types::{
    Context, Error, Outcome, Placement, Snapshot, SnapshotPlacement, Volume, VolumeType,
};

use crate::describe;
use crate::driver::Driver;
use crate::layout::Kind;

type Answer<T> = Result<T, Error>;

/// What a component is made from.
pub trait Shell {
    /// Which driver it is.
    const KIND: Kind;
}

/// A component of one kind. Export it with `springform_sdk::export_driver!` under an alias.
pub struct Component<S>(PhantomData<S>);

impl<S: Shell> Component<S> {
    fn driver(context: &Context) -> Driver<'_> {
        Driver::new(S::KIND, &WasiHttp, context)
    }
}

impl<S: Shell> identity::Guest for Component<S> {
    fn describe() -> Description {
        describe::of(S::KIND)
    }
}

impl<S: Shell> backend::Guest for Component<S> {
    fn setup(ctx: Context) -> Answer<SetupReport> {
        Self::driver(&ctx).setup()
    }
    fn check(ctx: Context) -> Answer<Vec<TargetHealth>> {
        Ok(Self::driver(&ctx).check())
    }
    fn stats(ctx: Context) -> Answer<Statistics> {
        Self::driver(&ctx).stats()
    }
}

impl<S: Shell> volumes::Guest for Component<S> {
    fn create(ctx: Context, volume: Volume) -> Answer<Placement> {
        Self::driver(&ctx).create(&volume, None)
    }
    fn create_from_snapshot(
        ctx: Context,
        volume: Volume,
        source: Snapshot,
        source_volume: Volume,
    ) -> Answer<Placement> {
        Self::driver(&ctx).create(&volume, Some((&source_volume, Some(&source))))
    }
    fn clone(ctx: Context, volume: Volume, source: Volume) -> Answer<Placement> {
        Self::driver(&ctx).create(&volume, Some((&source, None)))
    }
    fn delete(ctx: Context, volume: Volume) -> Answer<()> {
        Self::driver(&ctx).delete(&volume)
    }
    fn extend(ctx: Context, volume: Volume, new_size: u64) -> Answer<()> {
        Ok(Self::driver(&ctx).volumes().extend(&volume, new_size)?)
    }
    fn create_snapshot(
        ctx: Context,
        volume: Volume,
        snapshot: Snapshot,
    ) -> Answer<SnapshotPlacement> {
        Ok(Self::driver(&ctx).volumes().snapshot(&volume, &snapshot)?)
    }
    fn delete_snapshot(ctx: Context, volume: Volume, snapshot: Snapshot) -> Answer<()> {
        Ok(Self::driver(&ctx)
            .volumes()
            .delete_snapshot(&volume, &snapshot)?)
    }
    fn revert(ctx: Context, volume: Volume, snapshot: Snapshot) -> Answer<()> {
        Ok(Self::driver(&ctx).volumes().revert(&volume, &snapshot)?)
    }
    fn retype(ctx: Context, volume: Volume, new_type: Option<VolumeType>) -> Answer<Placement> {
        Self::driver(&ctx).retype(&volume, new_type.as_ref())
    }
    fn inspect(ctx: Context, reference: Reference) -> Answer<u64> {
        Ok(Self::driver(&ctx).volumes().inspect(&reference)?)
    }
    fn manage(
        ctx: Context,
        volume: Volume,
        reference: Reference,
        keep_name: bool,
    ) -> Answer<Adopted> {
        Self::driver(&ctx).manage(&volume, &reference, keep_name)
    }
    fn unmanage(ctx: Context, volume: Volume) -> Answer<()> {
        Ok(Self::driver(&ctx).volumes().unmanage(&volume)?)
    }
    fn manage_snapshot(
        ctx: Context,
        volume: Volume,
        snapshot: Snapshot,
        reference: Reference,
        keep_name: bool,
    ) -> Answer<AdoptedSnapshot> {
        Ok(Self::driver(&ctx)
            .volumes()
            .manage_snapshot(&volume, &snapshot, &reference, keep_name)?)
    }
    fn unmanage_snapshot(ctx: Context, volume: Volume, snapshot: Snapshot) -> Answer<()> {
        Ok(Self::driver(&ctx)
            .volumes()
            .unmanage_snapshot(&volume, &snapshot)?)
    }
    fn list_manageable(ctx: Context, after: Option<String>, limit: u32) -> Answer<ManageablePage> {
        Ok(Self::driver(&ctx)
            .volumes()
            .manageable("/volumes", after.as_deref(), limit)?)
    }
    fn list_manageable_snapshots(
        ctx: Context,
        after: Option<String>,
        limit: u32,
    ) -> Answer<ManageablePage> {
        Ok(Self::driver(&ctx)
            .volumes()
            .manageable("/volume-snapshots", after.as_deref(), limit)?)
    }
}

impl<S: Shell> connections::Guest for Component<S> {
    fn connect(ctx: Context, volume: Volume, connector: Connector) -> Answer<Connection> {
        Ok(Self::driver(&ctx).volumes().connect(&volume, &connector)?)
    }
    fn disconnect(
        ctx: Context,
        volume: Volume,
        connector: Option<Connector>,
        keep: bool,
    ) -> Answer<Disconnected> {
        Ok(Self::driver(&ctx)
            .volumes()
            .disconnect(&volume, connector.as_ref(), keep)?)
    }
}

impl<S: Shell> replication::Guest for Component<S> {
    fn observe(ctx: Context, volumes: Vec<Volume>) -> Answer<Vec<Observation>> {
        Self::driver(&ctx).observe(&volumes)
    }
    fn plan_failover(ctx: Context, request: PlanRequest) -> Answer<FailoverPlan> {
        Self::driver(&ctx).plan(&request)
    }
    fn final_sync(ctx: Context, plan: FailoverPlan, volumes: Vec<Volume>) -> Answer<FailoverPlan> {
        Self::driver(&ctx).final_sync(&plan, &volumes)
    }
    fn demote(ctx: Context, target: String, volumes: Vec<Volume>) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).demote(&target, &volumes)
    }
    fn fail_over(ctx: Context, plan: FailoverPlan, volumes: Vec<Volume>) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).fail_over(&plan, &volumes)
    }
    /// Each copy is complete in itself, and protection of the new side is `reprotect`'s.
    fn finish_failover(ctx: Context, plan: FailoverPlan, _volumes: Vec<Volume>) -> Answer<Vec<u8>> {
        Self::driver(&ctx).finish_failover(&plan)?;
        Ok(ctx.state)
    }
    fn reprotect(
        ctx: Context,
        volumes: Vec<Volume>,
        to: Option<String>,
        discard: bool,
        wait: bool,
    ) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).reprotect(&volumes, to.as_deref(), discard, wait)
    }
    fn resync(
        ctx: Context,
        target: String,
        volumes: Vec<Volume>,
        discard: bool,
    ) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).reprotect(&volumes, Some(&target), discard, true)
    }
    fn enable(ctx: Context, volumes: Vec<Volume>) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).switch(&volumes, true)
    }
    fn disable(ctx: Context, volumes: Vec<Volume>) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).switch(&volumes, false)
    }
    fn start_test(
        ctx: Context,
        test_id: String,
        target: String,
        point: Option<String>,
        volumes: Vec<Volume>,
    ) -> Answer<Vec<TestCopy>> {
        Self::driver(&ctx).start_test(&test_id, &target, point.as_deref(), &volumes)
    }
    fn stop_test(
        ctx: Context,
        test_id: String,
        target: String,
        volumes: Vec<Volume>,
    ) -> Answer<()> {
        Self::driver(&ctx).stop_test(&test_id, &target, &volumes)
    }
    fn commit_test(
        ctx: Context,
        test_id: String,
        plan: FailoverPlan,
        volumes: Vec<Volume>,
    ) -> Answer<Vec<Outcome>> {
        Self::driver(&ctx).commit_test(&test_id, &plan, &volumes)
    }
    fn reconcile(ctx: Context, volumes: Vec<Volume>, dry_run: bool) -> Answer<ReconcileReport> {
        Self::driver(&ctx).reconcile(&volumes, dry_run)
    }
}

impl<S: Shell> groups::Guest for Component<S> {
    fn create(ctx: Context, group: Group) -> Answer<String> {
        Ok(Self::driver(&ctx).volumes().create_group(&group)?)
    }
    fn delete(ctx: Context, group: Group) -> Answer<()> {
        Ok(Self::driver(&ctx).volumes().delete_group(&group)?)
    }
    fn update(ctx: Context, group: Group, add: Vec<Volume>, remove: Vec<Volume>) -> Answer<()> {
        let volumes = Self::driver(&ctx).volumes();
        Ok(volumes.update_group(&group, &add, &remove)?)
    }
    fn create_snapshot(
        ctx: Context,
        group: Group,
        snapshot_id: String,
        volumes: Vec<Volume>,
        snapshots: Vec<Snapshot>,
    ) -> Answer<Vec<SnapshotOutcome>> {
        let work = Self::driver(&ctx).volumes();
        Ok(work.snapshot_group(&group, &snapshot_id, &volumes, &snapshots)?)
    }
    fn delete_snapshot(
        ctx: Context,
        group: Group,
        snapshot_id: String,
        snapshots: Vec<Snapshot>,
    ) -> Answer<()> {
        let work = Self::driver(&ctx).volumes();
        Ok(work.delete_group_snapshot(&group, &snapshot_id, &snapshots)?)
    }
    fn create_from(
        ctx: Context,
        group: Group,
        volumes: Vec<Volume>,
        source: Group,
        snapshot_id: Option<String>,
        source_volumes: Vec<Volume>,
    ) -> Answer<Vec<Outcome>> {
        let work = Self::driver(&ctx).volumes();
        let snapshot = snapshot_id.as_deref();
        Ok(work.fill_group(&group, &volumes, &source, snapshot, &source_volumes)?)
    }
    fn enable_replication(ctx: Context, _group: Group, volumes: Vec<Volume>) -> Answer<()> {
        Self::driver(&ctx).switch_group(&volumes, true)
    }
    fn disable_replication(ctx: Context, _group: Group, volumes: Vec<Volume>) -> Answer<()> {
        Self::driver(&ctx).switch_group(&volumes, false)
    }
}

impl<S: Shell> migrating::Guest for Component<S> {
    fn offer(ctx: Context, volume: Volume, migration: Migration) -> Answer<Vec<u8>> {
        Self::driver(&ctx).volumes().offer(&volume, &migration)
    }
    fn accept(
        ctx: Context,
        volume: Volume,
        migration: Migration,
        offer: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        let volumes = Self::driver(&ctx).volumes();
        volumes.accept(&volume, &migration, offer)
    }
    fn send(
        ctx: Context,
        volume: Volume,
        migration: Migration,
        acceptance: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        let volumes = Self::driver(&ctx).volumes();
        volumes.send(&volume, &migration, acceptance)
    }
    fn receive(
        ctx: Context,
        volume: Volume,
        migration: Migration,
        parcel: Vec<u8>,
    ) -> Answer<Placement> {
        let volumes = Self::driver(&ctx).volumes();
        volumes.receive(&volume, &migration, &parcel)
    }
    fn release(ctx: Context, volume: Volume, migration: Migration, moved: bool) -> Answer<()> {
        let volumes = Self::driver(&ctx).volumes();
        Ok(volumes.release(&volume, &migration, moved)?)
    }
    fn settle(ctx: Context, volume: Volume, migration: Migration, moved: bool) -> Answer<()> {
        let volumes = Self::driver(&ctx).volumes();
        Ok(volumes.settle(&volume, &migration, moved)?)
    }
}
