//! A driver made with the SDK that has consistency groups and hardly anything else: every function of `groups` answers with
//! what it was told, so that a test sees the call arrive; every other function says that it is not there.
#![cfg(target_arch = "wasm32")]

use springform_sdk::fail::failure;
use springform_sdk::interfaces::groups::{Group, SnapshotOutcome};
use springform_sdk::interfaces::identity::{CredentialScheme, Description, Feature};
use springform_sdk::interfaces::{backend, connections, groups, identity, replication, volumes};
use springform_sdk::types::{
    Context, Error, FailureCode, Outcome, Placement, Snapshot, SnapshotPlacement, Volume, VolumeType,
};

type Answer<T> = Result<T, Error>;

struct Grouped;

springform_sdk::export_driver!(Grouped, full);

/// The failure which carries what a function without a result of its own was told.
fn told<T>(text: String) -> Answer<T> {
    Err(failure(FailureCode::FailedPrecondition, text).into())
}

fn absent<T>() -> Answer<T> {
    Err(failure(FailureCode::Unsupported, "this fixture only has groups").into())
}

fn ids(volumes: &[Volume]) -> String {
    volumes.iter().map(|v| v.id.as_str()).collect::<Vec<_>>().join("+")
}

impl groups::Guest for Grouped {
    fn create(ctx: Context, group: Group) -> Answer<String> {
        Ok(format!("{}/{}", ctx.backend, group.id))
    }
    fn delete(_: Context, group: Group) -> Answer<()> {
        told(format!("delete {}", group.id))
    }
    fn update(_: Context, group: Group, add: Vec<Volume>, remove: Vec<Volume>) -> Answer<()> {
        told(format!("update {} add {} remove {}", group.id, ids(&add), ids(&remove)))
    }
    fn create_snapshot(
        _: Context,
        group: Group,
        snapshot_id: String,
        volumes: Vec<Volume>,
        snapshots: Vec<Snapshot>,
    ) -> Answer<Vec<SnapshotOutcome>> {
        let taken = snapshots.iter().zip(&volumes).map(|(snapshot, volume)| SnapshotOutcome {
            id: snapshot.id.clone(),
            result: Ok(SnapshotPlacement {
                array_name: format!("{}.{snapshot_id}.{}", group.id, volume.id),
                metadata: Vec::new(),
                extensions: Vec::new(),
            }),
        });
        Ok(taken.collect())
    }
    fn delete_snapshot(_: Context, group: Group, snapshot_id: String, snapshots: Vec<Snapshot>) -> Answer<()> {
        told(format!("delete {} of {} with {}", snapshot_id, group.id, snapshots.len()))
    }
    fn create_from(
        ctx: Context,
        group: Group,
        volumes: Vec<Volume>,
        source: Group,
        snapshot_id: Option<String>,
        source_volumes: Vec<Volume>,
    ) -> Answer<Vec<Outcome>> {
        let from = snapshot_id.unwrap_or_else(|| "now".to_owned());
        let made = volumes.iter().zip(&source_volumes).map(|(volume, old)| Outcome {
            id: volume.id.clone(),
            result: Ok(Placement {
                array_name: format!("{}/{from}/{} in {}", source.id, old.id, group.id),
                target: ctx.targets.first().map(|t| t.name.clone()).unwrap_or_default(),
                serial: None,
                metadata: Vec::new(),
                replication: None,
                extensions: Vec::new(),
            }),
        });
        Ok(made.collect())
    }
    fn enable_replication(_: Context, group: Group, volumes: Vec<Volume>) -> Answer<()> {
        told(format!("enable {} for {}", group.id, ids(&volumes)))
    }
    fn disable_replication(_: Context, group: Group, volumes: Vec<Volume>) -> Answer<()> {
        told(format!("disable {} for {}", group.id, ids(&volumes)))
    }
}

impl identity::Guest for Grouped {
    fn describe() -> Description {
        Description {
            name: "grouped".to_owned(),
            vendor: "Springform".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "consistency groups and nothing else".to_owned(),
            replication: Vec::new(),
            protocols: Vec::new(),
            options: Vec::new(),
            target_options: Vec::new(),
            credentials: CredentialScheme::None,
            secret_option: None,
            target_secret_option: None,
            features: vec![Feature::Groups, Feature::GroupSnapshots],
            extensions: Vec::new(),
        }
    }
}

impl backend::Guest for Grouped {
    fn setup(_: Context) -> Answer<backend::SetupReport> {
        absent()
    }
    fn check(_: Context) -> Answer<Vec<backend::TargetHealth>> {
        absent()
    }
    fn stats(_: Context) -> Answer<backend::Statistics> {
        absent()
    }
}

impl volumes::Guest for Grouped {
    fn create(_: Context, _: Volume) -> Answer<Placement> {
        absent()
    }
    fn create_from_snapshot(_: Context, _: Volume, _: Snapshot, _: Volume) -> Answer<Placement> {
        absent()
    }
    fn clone(_: Context, _: Volume, _: Volume) -> Answer<Placement> {
        absent()
    }
    fn delete(_: Context, _: Volume) -> Answer<()> {
        absent()
    }
    fn extend(_: Context, _: Volume, _: u64) -> Answer<()> {
        absent()
    }
    fn create_snapshot(_: Context, _: Volume, _: Snapshot) -> Answer<SnapshotPlacement> {
        absent()
    }
    fn delete_snapshot(_: Context, _: Volume, _: Snapshot) -> Answer<()> {
        absent()
    }
    fn revert(_: Context, _: Volume, _: Snapshot) -> Answer<()> {
        absent()
    }
    fn retype(_: Context, _: Volume, _: Option<VolumeType>) -> Answer<Placement> {
        absent()
    }
    fn inspect(_: Context, _: volumes::Reference) -> Answer<u64> {
        absent()
    }
    fn manage(_: Context, _: Volume, _: volumes::Reference, _: bool) -> Answer<volumes::Adopted> {
        absent()
    }
    fn unmanage(_: Context, _: Volume) -> Answer<()> {
        absent()
    }
    fn manage_snapshot(
        _: Context,
        _: Volume,
        _: Snapshot,
        _: volumes::Reference,
        _: bool,
    ) -> Answer<volumes::AdoptedSnapshot> {
        absent()
    }
    fn unmanage_snapshot(_: Context, _: Volume, _: Snapshot) -> Answer<()> {
        absent()
    }
    fn list_manageable(_: Context, _: Option<String>, _: u32) -> Answer<volumes::ManageablePage> {
        absent()
    }
    fn list_manageable_snapshots(_: Context, _: Option<String>, _: u32) -> Answer<volumes::ManageablePage> {
        absent()
    }
}

impl connections::Guest for Grouped {
    fn connect(_: Context, _: Volume, _: connections::Connector) -> Answer<connections::Connection> {
        absent()
    }
    fn disconnect(
        _: Context,
        _: Volume,
        _: Option<connections::Connector>,
        _: bool,
    ) -> Answer<connections::Disconnected> {
        absent()
    }
}

impl replication::Guest for Grouped {
    fn observe(_: Context, _: Vec<Volume>) -> Answer<Vec<replication::Observation>> {
        absent()
    }
    fn plan_failover(_: Context, _: replication::PlanRequest) -> Answer<replication::FailoverPlan> {
        absent()
    }
    fn final_sync(
        _: Context,
        _: replication::FailoverPlan,
        _: Vec<Volume>,
    ) -> Answer<replication::FailoverPlan> {
        absent()
    }
    fn demote(_: Context, _: String, _: Vec<Volume>) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn fail_over(_: Context, _: replication::FailoverPlan, _: Vec<Volume>) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn finish_failover(_: Context, _: replication::FailoverPlan, _: Vec<Volume>) -> Answer<Vec<u8>> {
        absent()
    }
    fn reprotect(_: Context, _: Vec<Volume>, _: Option<String>, _: bool, _: bool) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn resync(_: Context, _: String, _: Vec<Volume>, _: bool) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn enable(_: Context, _: Vec<Volume>) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn disable(_: Context, _: Vec<Volume>) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn start_test(
        _: Context,
        _: String,
        _: String,
        _: Option<String>,
        _: Vec<Volume>,
    ) -> Answer<Vec<replication::TestCopy>> {
        absent()
    }
    fn stop_test(_: Context, _: String, _: String, _: Vec<Volume>) -> Answer<()> {
        absent()
    }
    fn commit_test(
        _: Context,
        _: String,
        _: replication::FailoverPlan,
        _: Vec<Volume>,
    ) -> Answer<Vec<Outcome>> {
        absent()
    }
    fn reconcile(_: Context, _: Vec<Volume>, _: bool) -> Answer<replication::ReconcileReport> {
        absent()
    }
}
