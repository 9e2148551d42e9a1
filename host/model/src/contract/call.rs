//! A call as data, its reply as data, and the port through which the host calls a driver.
//!
//! One enum rather than forty methods: a call can then be journalled before it is made, recorded, replayed, rehearsed
//! on another driver, counted by name and answered by a simulated driver, each in one place.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    Adopted, AdoptedSnapshot, Connection, Connector, Context, Description, Disconnected,
    FailoverPlan, Failure, GroupSpec, ManageablePage, Migration, Observation, Outcome, Pending,
    Placement, PlanRequest, Reference, SetupReport, SnapshotOutcome, SnapshotPlacement,
    SnapshotSpec, Statistics, TargetFacts, TargetHealth, TestCopy, TypeSpec, VolumeSpec,
};

macro_rules! calls {
    ($( $(#[$meta:meta])* $variant:ident $name:literal $({ $($field:ident : $ty:ty),+ $(,)? })? => $reply:ident ),+ $(,)?) => {
        /// One call of a driver, as data. Variants and fields follow the functions of the contract.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "verb", rename_all = "kebab-case")]
        #[allow(missing_docs)]
        pub enum Call { $( $(#[$meta])* $variant $({ $($field: $ty),+ })?, )+ }

        impl Call {
            /// `interface.function`, as in the contract.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name, )+ }
            }
        }
    };
}

calls! {
    Setup "backend.setup" => Setup,
    Check "backend.check" => Check,
    Stats "backend.stats" => Stats,

    CreateVolume "volumes.create" { volume: VolumeSpec } => Placement,
    CreateFromSnapshot "volumes.create-from-snapshot" { volume: VolumeSpec, source: SnapshotSpec, source_volume: VolumeSpec } => Placement,
    CloneVolume "volumes.clone" { volume: VolumeSpec, source: VolumeSpec } => Placement,
    DeleteVolume "volumes.delete" { volume: VolumeSpec } => Done,
    ExtendVolume "volumes.extend" { volume: VolumeSpec, new_size: u64 } => Done,
    CreateSnapshot "volumes.create-snapshot" { volume: VolumeSpec, snapshot: SnapshotSpec } => Snapshot,
    DeleteSnapshot "volumes.delete-snapshot" { volume: VolumeSpec, snapshot: SnapshotSpec } => Done,
    Revert "volumes.revert" { volume: VolumeSpec, snapshot: SnapshotSpec } => Done,
    Retype "volumes.retype" { volume: VolumeSpec, new_type: Option<TypeSpec> } => Placement,
    Inspect "volumes.inspect" { reference: Reference } => Size,
    Manage "volumes.manage" { volume: VolumeSpec, reference: Reference, keep_name: bool } => Adopted,
    Unmanage "volumes.unmanage" { volume: VolumeSpec } => Done,
    ManageSnapshot "volumes.manage-snapshot" { volume: VolumeSpec, snapshot: SnapshotSpec, reference: Reference, keep_name: bool } => AdoptedSnapshot,
    UnmanageSnapshot "volumes.unmanage-snapshot" { volume: VolumeSpec, snapshot: SnapshotSpec } => Done,
    ListManageable "volumes.list-manageable" { after: Option<String>, limit: u32 } => Manageable,
    ListManageableSnapshots "volumes.list-manageable-snapshots" { after: Option<String>, limit: u32 } => Manageable,

    Connect "connections.connect" { volume: VolumeSpec, connector: Connector } => Connection,
    Disconnect "connections.disconnect" { volume: VolumeSpec, connector: Option<Connector>, keep: bool } => Disconnected,

    Observe "replication.observe" { volumes: Vec<VolumeSpec> } => Observations,
    PlanFailover "replication.plan-failover" { request: PlanRequest } => Plan,
    FinalSync "replication.final-sync" { plan: FailoverPlan, volumes: Vec<VolumeSpec> } => Plan,
    Demote "replication.demote" { target: String, volumes: Vec<VolumeSpec> } => Outcomes,
    FailOver "replication.fail-over" { plan: FailoverPlan, volumes: Vec<VolumeSpec> } => Outcomes,
    FinishFailover "replication.finish-failover" { plan: FailoverPlan, volumes: Vec<VolumeSpec> } => State,
    Reprotect "replication.reprotect" { volumes: Vec<VolumeSpec>, to: Option<String>, discard: bool, wait: bool } => Outcomes,
    Resync "replication.resync" { target: String, volumes: Vec<VolumeSpec>, discard: bool } => Outcomes,
    Enable "replication.enable" { volumes: Vec<VolumeSpec> } => Outcomes,
    Disable "replication.disable" { volumes: Vec<VolumeSpec> } => Outcomes,
    StartTest "replication.start-test" { test_id: String, target: String, point: Option<String>, volumes: Vec<VolumeSpec> } => Tests,
    StopTest "replication.stop-test" { test_id: String, target: String, volumes: Vec<VolumeSpec> } => Done,
    CommitTest "replication.commit-test" { test_id: String, plan: FailoverPlan, volumes: Vec<VolumeSpec> } => Outcomes,
    Reconcile "replication.reconcile" { volumes: Vec<VolumeSpec>, dry_run: bool } => Setup,

    CreateGroup "groups.create" { group: GroupSpec } => Name,
    DeleteGroup "groups.delete" { group: GroupSpec } => Done,
    UpdateGroup "groups.update" { group: GroupSpec, add: Vec<VolumeSpec>, remove: Vec<VolumeSpec> } => Done,
    CreateGroupSnapshot "groups.create-snapshot" { group: GroupSpec, snapshot_id: String, volumes: Vec<VolumeSpec>, snapshots: Vec<SnapshotSpec> } => GroupSnapshot,
    DeleteGroupSnapshot "groups.delete-snapshot" { group: GroupSpec, snapshot_id: String, snapshots: Vec<SnapshotSpec> } => Done,
    CreateGroupFrom "groups.create-from" { group: GroupSpec, volumes: Vec<VolumeSpec>, source: GroupSpec, snapshot_id: Option<String>, source_volumes: Vec<VolumeSpec> } => Outcomes,
    EnableGroupReplication "groups.enable-replication" { group: GroupSpec, volumes: Vec<VolumeSpec> } => Done,
    DisableGroupReplication "groups.disable-replication" { group: GroupSpec, volumes: Vec<VolumeSpec> } => Done,

    OfferVolume "migrating.offer" { volume: VolumeSpec, migration: Migration } => Parcel,
    AcceptVolume "migrating.accept" { volume: VolumeSpec, migration: Migration, offer: Vec<u8> } => Parcel,
    SendVolume "migrating.send" { volume: VolumeSpec, migration: Migration, acceptance: Vec<u8> } => Parcel,
    ReceiveVolume "migrating.receive" { volume: VolumeSpec, migration: Migration, parcel: Vec<u8> } => Placement,
    ReleaseVolume "migrating.release" { volume: VolumeSpec, migration: Migration, moved: bool } => Done,
    SettleVolume "migrating.settle" { volume: VolumeSpec, migration: Migration, moved: bool } => Done,
}

impl Call {
    /// Whether the contract calls it read only: the broker then refuses every request that could change an array.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        matches!(
            self,
            Self::Check
                | Self::Stats
                | Self::Inspect { .. }
                | Self::ListManageable { .. }
                | Self::ListManageableSnapshots { .. }
                | Self::Observe { .. }
                | Self::PlanFailover { .. }
                | Self::Reconcile { dry_run: true, .. }
        )
    }

    /// The same call about some of its volumes only; none for a call that has no outcome for each volume by itself.
    #[must_use]
    pub fn about(&self, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut call = self.clone();
        let (plan, volumes) = match &mut call {
            Self::FailOver { plan, volumes } | Self::CommitTest { plan, volumes, .. } => {
                (Some(plan), volumes)
            }
            Self::Demote { volumes, .. }
            | Self::Reprotect { volumes, .. }
            | Self::Resync { volumes, .. }
            | Self::Enable { volumes }
            | Self::Disable { volumes } => (None, volumes),
            _ => return None,
        };
        volumes.retain(|volume| wanted(&volume.id));
        if let Some(plan) = plan {
            plan.volumes.retain(|volume| wanted(&volume.volume_id));
        }
        Some(call)
    }
}

macro_rules! replies {
    ($($variant:ident($ty:ty) $into:ident),+ $(,)?) => {
        /// What a driver answered, as data. [`Call`] says which variant belongs to which verb.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "reply", content = "value", rename_all = "kebab-case")]
        #[allow(missing_docs)]
        pub enum Reply { Done, $( $variant($ty), )+ }

        impl Reply {
            $(
                #[doc = concat!("The content of [`Reply::", stringify!($variant), "`].\n\n# Errors\n[`CallError::Fault`] when the reply is another one.")]
                pub fn $into(self) -> Result<$ty, CallError> {
                    match self {
                        Self::$variant(value) => Ok(value),
                        _ => Err(CallError::Fault(Fault::new(FaultKind::WrongReply, concat!("expected the reply ", stringify!($variant))))),
                    }
                }
            )+
        }
    };
}

replies! {
    Setup(SetupReport) into_setup,
    Check(Vec<TargetHealth>) into_check,
    Stats(Statistics) into_stats,
    Placement(Placement) into_placement,
    Snapshot(SnapshotPlacement) into_snapshot,
    Size(u64) into_size,
    Adopted(Adopted) into_adopted,
    AdoptedSnapshot(AdoptedSnapshot) into_adopted_snapshot,
    Manageable(ManageablePage) into_manageable,
    Connection(Connection) into_connection,
    Disconnected(Disconnected) into_disconnected,
    Observations(Vec<Observation>) into_observations,
    Plan(FailoverPlan) into_plan,
    Outcomes(Vec<Outcome>) into_outcomes,
    State(Vec<u8>) into_state,
    Tests(Vec<TestCopy>) into_tests,
    Name(String) into_name,
    GroupSnapshot(Vec<SnapshotOutcome>) into_group_snapshot,
    Parcel(Vec<u8>) into_parcel,
}

/// How the machinery around a driver failed, as opposed to the driver's own typed failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The guest trapped (panic, bad memory access).
    Trap,
    /// It used more memory, stack or tables than allowed.
    Memory,
    /// It used its time; the outcome is unknown.
    Deadline,
    /// It made too many requests, held too many, wrote too much log or result.
    Limit,
    /// No instance was free within the deadline.
    Overloaded,
    /// The driver does not export the interface.
    Unsupported,
    /// A batch answer does not match what was asked.
    Partial,
    /// Another reply than the contract says.
    WrongReply,
    /// The generation is gone or the host is stopping.
    Gone,
    /// The driver failed too often, and calls are kept from it for a while. This one has not begun.
    Quarantined,
}

impl FaultKind {
    /// The code with which an operation shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::Limit => "limit",
            Self::Overloaded => "overloaded",
            Self::Unsupported => "unsupported",
            Self::Partial => "partial",
            Self::WrongReply => "wrong-reply",
            Self::Gone => "unavailable",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A failure of the machinery around a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// One sentence.
    pub message: String,
    /// Wasm backtrace or other detail for the log.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault with a sentence.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
        }
    }
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CallError {
    /// Not yet: call again with the same operation id.
    #[error("waiting for {}", .0.waiting_for)]
    Pending(Pending),
    /// The driver's typed failure.
    #[error("{0}")]
    Failed(Failure),
    /// The driver misbehaved or could not be run.
    #[error("{0}")]
    Fault(Fault),
}

impl CallError {
    /// Whether the same call with the same operation id may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Pending(_) => true,
            Self::Failed(failure) => failure.code.is_retryable(),
            Self::Fault(fault) => matches!(
                fault.kind,
                FaultKind::Deadline | FaultKind::Overloaded | FaultKind::Gone
            ),
        }
    }
}

/// One driver generation, bound to one backend's targets, ready to be called. Implemented by the sandbox, and by
/// simulated drivers in tests.
///
/// Calls run concurrently; each gets a fresh instance. Dropping the future abandons the call: its outcome is then unknown.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// What the driver says of itself.
    fn description(&self) -> &Description;

    /// Makes one call. `context.deadline_ms` is enforced by the implementation.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn call(&self, context: Context, call: Call) -> Result<Reply, CallError>;

    /// Tells under which number it serves, once that is known: what it logs names it.
    fn serve_as(&self, _generation: u64) {}

    /// What the host found out about the targets by itself; nothing where it does not speak to them.
    fn targets(&self) -> Vec<TargetFacts> {
        Vec::new()
    }

    /// Whether calls are kept from the driver because it failed too often.
    fn is_quarantined(&self) -> bool {
        false
    }

    /// Requests of the driver that the host denied since it was made.
    fn denied_requests(&self) -> u64 {
        0
    }
}
