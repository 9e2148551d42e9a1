//! The types of the contract, with their fields and cases in its order. A test compares this page with the WIT.

use super::shapes::{Place, record, variant};
use super::{Abi, aligned, larger};
use crate::interfaces::{backend, connections, groups, identity, migrating, replication, volumes};
use crate::types::{
    Context, Error, Failure, FailureCode, Outcome, Pending, Placement, Qos, ReplicationKind,
    Snapshot, SnapshotPlacement, Target, Volume, VolumeType,
};

type Pairs = Vec<(String, String)>;

variant!(ReplicationKind { 0 Async, 1 Sync, 2 TriSync, 3 Other(other: String) });
record!(Target {
    name: String,
    primary: bool,
    kind: Option<ReplicationKind>,
    options: Pairs,
    reachable: bool,
    extensions: Pairs,
});
record!(Context {
    operation_id: String,
    backend: String,
    options: Pairs,
    targets: Vec<Target>,
    state: Vec<u8>,
    cursor: Vec<u8>,
    deadline_ms: u64,
    now: u64,
    extensions: Pairs,
});
record!(Pending { waiting_for: String, percent: Option<u8>, poll_after_ms: u32, cursor: Vec<u8> });
variant!(FailureCode {
    0 NotFound, 1 AlreadyExists, 2 InvalidArgument, 3 Unsupported, 4 FailedPrecondition, 5 Busy, 6 Unavailable,
    7 Exhausted, 8 Denied, 9 Deadline, 10 Protocol, 11 Other(other: String)
});
record!(Failure {
    code: FailureCode,
    message: String,
    target: Option<String>,
    detail: Option<String>,
    extensions: Pairs,
});
variant!(Error { 0 Pending(pending: Pending), 1 Failed(failure: Failure) });
record!(Qos { max_iops: Option<u64>, max_bytes_per_second: Option<u64> });
record!(VolumeType {
    id: String,
    name: String,
    replication: Option<ReplicationKind>,
    specs: Pairs,
    qos: Qos,
});
record!(Placement {
    array_name: String,
    target: String,
    serial: Option<String>,
    metadata: Pairs,
    replication: Option<ReplicationKind>,
    extensions: Pairs,
});
record!(Volume {
    id: String,
    name: String,
    display_name: String,
    project: String,
    size: u64,
    volume_type: Option<VolumeType>,
    group: Option<String>,
    placement: Option<Placement>,
    generation: u64,
    instances: Vec<String>,
    boot: bool,
    extensions: Pairs,
});
record!(Snapshot {
    id: String,
    name: String,
    size: u64,
    array_name: Option<String>,
    group_snapshot: Option<String>,
    extensions: Pairs,
});
record!(SnapshotPlacement {
    array_name: String,
    metadata: Pairs,
    extensions: Pairs
});
record!(Outcome { id: String, result: Result<Placement, Failure> });

variant!(identity::OptionType {
    0 Text, 1 Boolean, 2 Integer, 3 Seconds, 4 TextList, 5 Choice(choices: Vec<String>), 6 Other(other: String)
});
record!(identity::OptionSchema {
    name: String,
    kind: identity::OptionType,
    default: Option<String>,
    required: bool,
    secret: bool,
    doc: String,
});
record!(identity::SessionScheme {
    login_path: String,
    login_method: String,
    secret_header: String,
    token_response_header: Option<String>,
    token_pointer: Option<String>,
    token_header: String,
    logout_path: Option<String>,
    version_path: Option<String>,
    version_pointer: Option<String>,
    versions: Vec<String>,
    expired_statuses: Vec<u16>,
});
variant!(identity::CredentialScheme {
    0 None, 1 Header(header: String), 2 Basic, 3 Bearer, 4 Session(session: identity::SessionScheme),
    5 Other(other: String)
});
variant!(identity::Feature {
    0 Snapshots, 1 Clones, 2 Revert, 3 ExtendAttached, 4 Retype, 5 Manage, 6 Groups, 7 GroupSnapshots, 8 Qos,
    9 Multiattach, 10 Chap, 11 PlannedFailover, 12 Drill, 13 Failback, 14 Reconcile, 15 Other(other: String)
});
record!(identity::Description {
    name: String,
    vendor: String,
    version: String,
    summary: String,
    replication: Vec<ReplicationKind>,
    protocols: Vec<String>,
    options: Vec<identity::OptionSchema>,
    target_options: Vec<identity::OptionSchema>,
    credentials: identity::CredentialScheme,
    secret_option: Option<String>,
    target_secret_option: Option<String>,
    features: Vec<identity::Feature>,
    extensions: Pairs,
});

record!(backend::SetupReport {
    state: Vec<u8>,
    changes: Vec<backend::Change>,
    warnings: Vec<String>,
});
record!(backend::TargetHealth {
    target: String,
    reachable: bool,
    array_id: Option<String>,
    array_name: Option<String>,
    api_version: Option<String>,
    array_version: Option<String>,
    problems: Vec<String>,
});
record!(backend::Pool {
    name: String,
    total_bytes: u64,
    free_bytes: u64,
    provisioned_bytes: u64,
    max_over_subscription_permille: u64,
    reserved_percent: u32,
    thin: bool,
    multiattach: bool,
    qos: bool,
    capabilities: Pairs,
});
record!(backend::Statistics {
    vendor: String,
    driver_version: String,
    protocol: String,
    pools: Vec<backend::Pool>,
    replication_enabled: bool,
    replication_types: Vec<String>,
    replication_targets: Vec<String>,
    extensions: Pairs,
});
record!(backend::Change {
    target: String,
    text: String
});

record!(volumes::Reference { keys: Pairs });
record!(volumes::Adopted {
    placement: Placement,
    size: u64
});
record!(volumes::AdoptedSnapshot {
    placement: SnapshotPlacement,
    size: u64
});
record!(volumes::Manageable {
    reference: volumes::Reference,
    size: u64,
    safe_to_manage: bool,
    reason_not_safe: Option<String>,
    source: Option<volumes::Reference>,
    extensions: Pairs,
});
record!(volumes::ManageablePage { items: Vec<volumes::Manageable>, next: Option<String> });

record!(connections::Chap {
    user: String,
    password: String
});
record!(connections::Connector {
    host: String,
    ip: Option<String>,
    initiator: Option<String>,
    wwpns: Vec<String>,
    wwnns: Vec<String>,
    nqn: Option<String>,
    system_uuid: Option<String>,
    multipath: bool,
    chap: Option<connections::Chap>,
    extensions: Pairs,
});
record!(connections::Path {
    target: String,
    portal: Option<String>,
    port: String,
    lun: u32,
    preferred: bool,
});
record!(connections::Connection {
    driver_volume_type: String,
    paths: Vec<connections::Path>,
    wwn: Option<String>,
    nguid: Option<String>,
    discard: bool,
    chap: Option<connections::Chap>,
    transport: Option<String>,
    data: Pairs,
    extensions: Pairs,
});
record!(connections::Disconnected { last_of_host: bool, connection: Option<connections::Connection> });

record!(groups::Group {
    id: String,
    name: String,
    project: String,
    replication: Option<ReplicationKind>,
    target: Option<String>,
    array_name: Option<String>,
    extensions: Pairs,
});
record!(groups::SnapshotOutcome { id: String, result: Result<SnapshotPlacement, Failure> });

record!(migrating::Side {
    backend: String,
    target: String,
    array_id: Option<String>,
    array_name: Option<String>,
    extensions: Pairs,
});
record!(migrating::Migration {
    id: String,
    source: migrating::Side,
    destination: migrating::Side,
    extensions: Pairs,
});

variant!(replication::Role { 0 Primary, 1 Secondary, 2 Both, 3 SplitBrain, 4 Unknown, 5 Other(other: String) });
variant!(replication::LinkState {
    0 Healthy, 1 Degraded, 2 Paused, 3 Down, 4 Resyncing, 5 Unknown, 6 Other(other: String)
});
variant!(replication::Protection {
    0 Unprotected, 1 Initialising, 2 Protected, 3 RpoExceeded, 4 TestActive, 5 Unknown, 6 Other(other: String)
});
record!(replication::RecoveryPoint {
    id: String,
    taken_at: u64
});
record!(replication::Link {
    target: String,
    kind: ReplicationKind,
    state: replication::LinkState,
    last_point: Option<replication::RecoveryPoint>,
    interval_seconds: Option<u64>,
    lag_bytes: Option<u64>,
    percent: Option<u8>,
    detail: Option<String>,
});
record!(replication::Observation {
    volume_id: String,
    target: Option<String>,
    role: replication::Role,
    protection: replication::Protection,
    links: Vec<replication::Link>,
    stale_writable: Vec<String>,
    tests: Vec<String>,
    problems: Vec<String>,
});
variant!(replication::FailoverMode { 0 Planned, 1 Unplanned, 2 Other(other: String) });
record!(replication::PlanRequest {
    volumes: Vec<Volume>,
    to: Option<String>,
    mode: replication::FailoverMode,
    point: Option<String>,
});
record!(replication::VolumePlan {
    volume_id: String,
    source: Option<String>,
    point: Option<replication::RecoveryPoint>,
    possible: bool,
    reason: Option<String>,
    loss_seconds: Option<u64>,
    loss_bytes: Option<u64>,
    warnings: Vec<String>,
});
record!(replication::FailoverPlan {
    target: String,
    mode: replication::FailoverMode,
    volumes: Vec<replication::VolumePlan>,
    interrupts: Vec<String>,
    token: Vec<u8>,
});
record!(replication::TestCopy {
    volume_id: String,
    result: Result<Placement, Failure>,
    point: Option<replication::RecoveryPoint>,
});
record!(replication::ReconcileReport {
    state: Vec<u8>,
    changes: Vec<backend::Change>,
    warnings: Vec<String>,
});
