//! From a call as data to a function of the guest, and from its answer to a reply.

use springform_model::contract::{Call, CallError, Context, Reply};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower};

use crate::bindings::exports::springform::driver::{
    backend, connections, groups, migrating, replication, volumes,
};
use crate::bindings::springform::driver::types as wit;
use crate::convert::Convert;
use crate::state::CallState;

/// A function of one instance.
pub struct Guest<'a> {
    /// The store.
    pub store: &'a mut Store<CallState>,
    /// The instance.
    pub instance: Instance,
    /// The function.
    pub function: &'a ComponentExportIndex,
}

impl Guest<'_> {
    async fn call<P, W, M>(self, params: P) -> wasmtime::Result<Result<M, CallError>>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        W: Convert<M> + 'static,
        Result<W, wit::Error>: Lift + Send + Sync + wasmtime::component::ComponentType,
    {
        let function = self
            .instance
            .get_typed_func::<P, (Result<W, wit::Error>,)>(&mut *self.store, self.function)?;
        let (answer,) = function.call_async(&mut *self.store, params).await?;
        Ok(answer.convert())
    }
}

/// Makes the call.
///
/// # Errors
/// The outer error is the machinery's (a trap, a limit); the inner one is the driver's own answer.
pub async fn dispatch(
    guest: Guest<'_>,
    context: Context,
    call: Call,
) -> wasmtime::Result<Result<Reply, CallError>> {
    /// `call!(Reply variant: type of the guest's answer; parameters)`
    macro_rules! call {
        ($reply:ident: $answer:ty; $($param:expr => $ty:ty),* $(,)?) => {{
            let ctx: wit::Context = context.convert();
            let params = (ctx, $({ let p: $ty = $param.convert(); p },)*);
            guest.call::<_, $answer, _>(params).await?.map(Reply::$reply)
        }};
    }
    macro_rules! done {
        ($($param:expr => $ty:ty),* $(,)?) => {{
            let ctx: wit::Context = context.convert();
            let params = (ctx, $({ let p: $ty = $param.convert(); p },)*);
            guest.call::<_, (), ()>(params).await?.map(|()| Reply::Done)
        }};
    }
    type Vols = Vec<wit::Volume>;
    type Outs = Vec<wit::Outcome>;
    type Page = volumes::ManageablePage;
    type Plan = replication::FailoverPlan;

    Ok(match call {
        Call::Setup => call!(Setup: backend::SetupReport;),
        Call::Check => call!(Check: Vec<backend::TargetHealth>;),
        Call::Stats => call!(Stats: backend::Statistics;),

        Call::CreateVolume { volume } => call!(Placement: wit::Placement; volume => wit::Volume),
        Call::CreateFromSnapshot {
            volume,
            source,
            source_volume,
        } => {
            call!(Placement: wit::Placement; volume => wit::Volume, source => wit::Snapshot, source_volume => wit::Volume)
        }
        Call::CloneVolume { volume, source } => {
            call!(Placement: wit::Placement; volume => wit::Volume, source => wit::Volume)
        }
        Call::DeleteVolume { volume } => done!(volume => wit::Volume),
        Call::ExtendVolume { volume, new_size } => done!(volume => wit::Volume, new_size => u64),
        Call::CreateSnapshot { volume, snapshot } => {
            call!(Snapshot: wit::SnapshotPlacement; volume => wit::Volume, snapshot => wit::Snapshot)
        }
        Call::DeleteSnapshot { volume, snapshot } => {
            done!(volume => wit::Volume, snapshot => wit::Snapshot)
        }
        Call::Revert { volume, snapshot } => {
            done!(volume => wit::Volume, snapshot => wit::Snapshot)
        }
        Call::Retype { volume, new_type } => {
            call!(Placement: wit::Placement; volume => wit::Volume, new_type => Option<wit::VolumeType>)
        }
        Call::Inspect { reference } => call!(Size: u64; reference => volumes::Reference),
        Call::Manage {
            volume,
            reference,
            keep_name,
        } => {
            call!(Adopted: volumes::Adopted; volume => wit::Volume, reference => volumes::Reference, keep_name => bool)
        }
        Call::Unmanage { volume } => done!(volume => wit::Volume),
        Call::ManageSnapshot {
            volume,
            snapshot,
            reference,
            keep_name,
        } => {
            call!(AdoptedSnapshot: volumes::AdoptedSnapshot; volume => wit::Volume, snapshot => wit::Snapshot, reference => volumes::Reference, keep_name => bool)
        }
        Call::UnmanageSnapshot { volume, snapshot } => {
            done!(volume => wit::Volume, snapshot => wit::Snapshot)
        }
        Call::ListManageable { after, limit } => {
            call!(Manageable: Page; after => Option<String>, limit => u32)
        }
        Call::ListManageableSnapshots { after, limit } => {
            call!(Manageable: Page; after => Option<String>, limit => u32)
        }

        Call::Connect { volume, connector } => {
            call!(Connection: connections::Connection; volume => wit::Volume, connector => connections::Connector)
        }
        Call::Disconnect {
            volume,
            connector,
            keep,
        } => {
            call!(Disconnected: connections::Disconnected; volume => wit::Volume, connector => Option<connections::Connector>, keep => bool)
        }

        Call::Observe { volumes } => {
            call!(Observations: Vec<replication::Observation>; volumes => Vols)
        }
        Call::PlanFailover { request } => call!(Plan: Plan; request => replication::PlanRequest),
        Call::FinalSync { plan, volumes } => call!(Plan: Plan; plan => Plan, volumes => Vols),
        Call::Demote { target, volumes } => {
            call!(Outcomes: Outs; target => String, volumes => Vols)
        }
        Call::FailOver { plan, volumes } => call!(Outcomes: Outs; plan => Plan, volumes => Vols),
        Call::FinishFailover { plan, volumes } => {
            call!(State: Vec<u8>; plan => Plan, volumes => Vols)
        }
        Call::Reprotect {
            volumes,
            to,
            discard,
            wait,
        } => {
            call!(Outcomes: Outs; volumes => Vols, to => Option<String>, discard => bool, wait => bool)
        }
        Call::Resync {
            target,
            volumes,
            discard,
        } => call!(Outcomes: Outs; target => String, volumes => Vols, discard => bool),
        Call::Enable { volumes } => call!(Outcomes: Outs; volumes => Vols),
        Call::Disable { volumes } => call!(Outcomes: Outs; volumes => Vols),
        Call::StartTest {
            test_id,
            target,
            point,
            volumes,
        } => {
            call!(Tests: Vec<replication::TestCopy>; test_id => String, target => String, point => Option<String>, volumes => Vols)
        }
        Call::StopTest {
            test_id,
            target,
            volumes,
        } => done!(test_id => String, target => String, volumes => Vols),
        Call::CommitTest {
            test_id,
            plan,
            volumes,
        } => call!(Outcomes: Outs; test_id => String, plan => Plan, volumes => Vols),
        Call::Reconcile { volumes, dry_run } => {
            call!(Setup: replication::ReconcileReport; volumes => Vols, dry_run => bool)
        }

        Call::CreateGroup { group } => call!(Name: String; group => groups::Group),
        Call::DeleteGroup { group } => done!(group => groups::Group),
        Call::UpdateGroup { group, add, remove } => {
            done!(group => groups::Group, add => Vols, remove => Vols)
        }
        Call::CreateGroupSnapshot {
            group,
            snapshot_id,
            volumes,
            snapshots,
        } => {
            call!(GroupSnapshot: Vec<groups::SnapshotOutcome>; group => groups::Group, snapshot_id => String, volumes => Vols, snapshots => Vec<wit::Snapshot>)
        }
        Call::DeleteGroupSnapshot {
            group,
            snapshot_id,
            snapshots,
        } => {
            done!(group => groups::Group, snapshot_id => String, snapshots => Vec<wit::Snapshot>)
        }
        Call::CreateGroupFrom {
            group,
            volumes,
            source,
            snapshot_id,
            source_volumes,
        } => {
            call!(Outcomes: Outs; group => groups::Group, volumes => Vols, source => groups::Group, snapshot_id => Option<String>, source_volumes => Vols)
        }
        Call::EnableGroupReplication { group, volumes } => {
            done!(group => groups::Group, volumes => Vols)
        }
        Call::DisableGroupReplication { group, volumes } => {
            done!(group => groups::Group, volumes => Vols)
        }

        Call::OfferVolume { volume, migration } => {
            call!(Parcel: Vec<u8>; volume => wit::Volume, migration => migrating::Migration)
        }
        Call::AcceptVolume {
            volume,
            migration,
            offer,
        } => {
            call!(Parcel: Vec<u8>; volume => wit::Volume, migration => migrating::Migration, offer => Vec<u8>)
        }
        Call::SendVolume {
            volume,
            migration,
            acceptance,
        } => {
            call!(Parcel: Vec<u8>; volume => wit::Volume, migration => migrating::Migration, acceptance => Vec<u8>)
        }
        Call::ReceiveVolume {
            volume,
            migration,
            parcel,
        } => {
            call!(Placement: wit::Placement; volume => wit::Volume, migration => migrating::Migration, parcel => Vec<u8>)
        }
        Call::ReleaseVolume {
            volume,
            migration,
            moved,
        } => done!(volume => wit::Volume, migration => migrating::Migration, moved => bool),
        Call::SettleVolume {
            volume,
            migration,
            moved,
        } => done!(volume => wit::Volume, migration => migrating::Migration, moved => bool),
    })
}
