//! A control plane over a simulated driver. The array is a map outside the control plane, so it survives a restart.
// Each test program uses a part of it.
#![allow(dead_code)]

mod groups;
mod replicas;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use springform_control::{
    BackendConfig, Caller, Clock, Control, ControlConfig, DriverConfig, DriverLoader, Inspected,
    LoadRefusal, Loaded,
};
use springform_model::contract::Path as ConnectionPath;
use springform_model::contract::{
    Adopted, AdoptedSnapshot, Call, CallError, Connection, Context, CredentialScheme, Description,
    Disconnected, Driver, Failure, FailureCode, Placement, Pool, ReplicationKind, Reply,
    SetupReport, SnapshotPlacement, Statistics, Target,
};
use springform_store::{Durability, Keyring, Store, StoreOptions};

/// What the arrays hold and how they misbehave.
#[derive(Default)]
pub struct Array {
    pub volumes: Mutex<BTreeMap<String, u64>>,
    pub full: Mutex<Vec<String>>,
    pub away: AtomicBool,
    /// Whether it connects and then does not say so.
    pub deaf: AtomicBool,
    pub hang: AtomicBool,
    /// Whether the code of the host behind a creation is at fault.
    pub panics: AtomicBool,
    pub calls: AtomicU64,
    /// Whether the driver keeps consistency groups.
    pub grouping: AtomicBool,
    /// Groups on the array and their members.
    pub groups: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// Snapshots on the array; those of a group snapshot carry its id.
    pub snapshots: Mutex<BTreeMap<String, Option<String>>>,
    /// Volumes and the hosts that reach them.
    pub connections: Mutex<BTreeSet<(String, String)>>,
    /// Volumes, hosts, and the array on which each is connected.
    pub ways: Mutex<BTreeSet<(String, String, String)>>,
    /// What a driver was told of a volume: the call, the volume, the array that serves it.
    pub told: Mutex<Vec<(&'static str, String, String)>>,
    /// Volumes of which no snapshot and no copy can be taken, and which cannot be deleted.
    pub sick: Mutex<BTreeSet<String>>,
    /// The name on the array that is answered for every volume, in place of its own.
    pub answers: Mutex<Option<String>>,
    /// Arrays that give no volume the role it is to have there.
    pub refusing: Mutex<BTreeSet<String>>,
    /// Names of calls that are kept waiting.
    pub held: Mutex<BTreeSet<&'static str>>,
    /// Names of the calls, in order.
    pub log: Mutex<Vec<&'static str>>,
}

pub struct Simulated {
    description: Description,
    array: Arc<Array>,
}

/// The volume that a call of a tenant is about, and the array that serves it.
fn about(call: &Call) -> Option<(String, String)> {
    let (Call::Connect { volume, .. }
    | Call::Disconnect { volume, .. }
    | Call::CreateSnapshot { volume, .. }
    | Call::DeleteSnapshot { volume, .. }
    | Call::ManageSnapshot { volume, .. }
    | Call::Revert { volume, .. }
    | Call::ExtendVolume { volume, .. }
    | Call::DeleteVolume { volume }
    | Call::Retype { volume, .. }
    | Call::Unmanage { volume }
    | Call::CloneVolume { source: volume, .. }
    | Call::CreateFromSnapshot {
        source_volume: volume,
        ..
    }) = call
    else {
        return None;
    };
    let there = volume.placement.as_ref()?.target.clone();
    Some((volume.id.clone(), there))
}

fn description(version: &str) -> Description {
    Description {
        name: "simulated".into(),
        vendor: "nobody".into(),
        version: version.into(),
        summary: String::new(),
        replication: Vec::new(),
        protocols: vec!["iscsi".into()],
        options: Vec::new(),
        target_options: Vec::new(),
        credentials: CredentialScheme::None,
        secret_option: None,
        target_secret_option: None,
        features: Vec::new(),
        extensions: Vec::new(),
    }
}

fn fail(code: FailureCode, message: &str) -> Result<Reply, CallError> {
    Err(CallError::Failed(Failure::new(code, message)))
}

#[async_trait]
impl Driver for Simulated {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn call(&self, context: Context, call: Call) -> Result<Reply, CallError> {
        self.array.calls.fetch_add(1, Ordering::SeqCst);
        self.array.log.lock().unwrap().push(call.name());
        if let Some((id, target)) = about(&call) {
            let mut told = self.array.told.lock().unwrap();
            told.push((call.name(), id, target));
        }
        tokio::task::yield_now().await;
        while self.array.held.lock().unwrap().contains(call.name()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if self.array.away.load(Ordering::SeqCst) {
            return fail(FailureCode::Unavailable, "the array does not answer");
        }
        if matches!(&call, Call::CreateVolume { .. }) && self.array.panics.load(Ordering::SeqCst) {
            panic!("as a test wants it");
        }
        if let Call::CreateVolume { volume } = &call
            && self.array.hang.load(Ordering::SeqCst)
        {
            self.array
                .volumes
                .lock()
                .unwrap()
                .insert(volume.id.clone(), volume.size);
            std::future::pending::<()>().await;
        }
        if call.name().starts_with("groups.") {
            let answer = groups::answer(&self.array, call);
            if self.array.hang.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            return answer;
        }
        if call.name().starts_with("replication.") {
            return replicas::answer(&self.array, call);
        }
        let mut volumes = self.array.volumes.lock().unwrap();
        let mut snapshots = self.array.snapshots.lock().unwrap();
        let sick = self.array.sick.lock().unwrap();
        let answers = self.array.answers.lock().unwrap().clone();
        let place = |id: &str| Placement {
            array_name: answers.clone().unwrap_or_else(|| format!("{id}-sim")),
            target: "a".into(),
            serial: None,
            metadata: vec![("array".into(), context.backend.clone())],
            replication: None,
            extensions: Vec::new(),
        };
        match call {
            Call::Setup => Ok(Reply::Setup(SetupReport::default())),
            Call::Check => Ok(Reply::Check(Vec::new())),
            Call::Stats => Ok(Reply::Stats(statistics(&context.backend))),
            Call::CreateVolume { volume } => {
                if self.array.full.lock().unwrap().contains(&context.backend) {
                    return fail(FailureCode::Exhausted, "no space is left");
                }
                volumes.insert(volume.id.clone(), volume.size);
                let kind = volume.volume_type.and_then(|kind| kind.replication);
                Ok(Reply::Placement(Placement {
                    replication: kind,
                    ..place(&volume.id)
                }))
            }
            Call::CloneVolume { source, .. } if sick.contains(&source.id) => {
                fail(FailureCode::FailedPrecondition, "the source is sick")
            }
            Call::CreateSnapshot { volume, .. } | Call::DeleteVolume { volume }
                if sick.contains(&volume.id) =>
            {
                fail(FailureCode::FailedPrecondition, "the volume is sick")
            }
            Call::CreateFromSnapshot { volume, .. } | Call::CloneVolume { volume, .. } => {
                volumes.insert(volume.id.clone(), volume.size);
                Ok(Reply::Placement(place(&volume.id)))
            }
            Call::DeleteVolume { volume } => {
                volumes.remove(&volume.id);
                Ok(Reply::Done)
            }
            Call::Revert { .. } => Ok(Reply::Done),
            Call::ExtendVolume { volume, new_size } => {
                volumes.insert(volume.id, new_size);
                Ok(Reply::Done)
            }
            Call::CreateSnapshot { snapshot, .. } => {
                snapshots.insert(snapshot.id.clone(), None);
                Ok(Reply::Snapshot(SnapshotPlacement {
                    array_name: format!("{}.snap", snapshot.id),
                    metadata: Vec::new(),
                    extensions: Vec::new(),
                }))
            }
            Call::DeleteSnapshot { snapshot, .. } => {
                snapshots.remove(&snapshot.id);
                Ok(Reply::Done)
            }
            Call::Connect { volume, connector } => {
                let mut connections = self.array.connections.lock().unwrap();
                let there = volume.placement.map(|at| at.target).unwrap_or_default();
                let way = (volume.id.clone(), connector.host.clone(), there.clone());
                self.array.ways.lock().unwrap().insert(way);
                connections.insert((volume.id, connector.host));
                if self.array.deaf.load(Ordering::SeqCst) {
                    return fail(FailureCode::Unavailable, "the array does not answer");
                }
                Ok(Reply::Connection(Connection {
                    driver_volume_type: "iscsi".into(),
                    paths: vec![ConnectionPath {
                        target: there,
                        portal: Some("127.0.0.1:3260".into()),
                        port: "iqn.array".into(),
                        lun: 1,
                        preferred: true,
                    }],
                    wwn: None,
                    nguid: None,
                    discard: true,
                    chap: connector.chap,
                    transport: None,
                    data: Vec::new(),
                    extensions: Vec::new(),
                }))
            }
            Call::Disconnect {
                volume,
                connector,
                keep,
            } => {
                if let Some(connector) = connector.filter(|_| !keep) {
                    let there = volume.placement.map(|at| at.target).unwrap_or_default();
                    let way = (volume.id.clone(), connector.host.clone(), there);
                    self.array.ways.lock().unwrap().remove(&way);
                    let mut connections = self.array.connections.lock().unwrap();
                    connections.remove(&(volume.id, connector.host));
                }
                Ok(Reply::Disconnected(Disconnected {
                    last_of_host: true,
                    connection: None,
                }))
            }
            Call::Unmanage { volume } => {
                volumes.remove(&volume.id);
                Ok(Reply::Done)
            }
            Call::Retype { volume, new_type } => Ok(Reply::Placement(Placement {
                replication: new_type.and_then(|kind| kind.replication),
                ..place(&volume.id)
            })),
            Call::Inspect { .. } => Ok(Reply::Size(1 << 30)),
            Call::Manage { volume, .. } => {
                volumes.insert(volume.id.clone(), volume.size);
                Ok(Reply::Adopted(Adopted {
                    placement: place(&volume.id),
                    size: 1 << 30,
                }))
            }
            Call::ManageSnapshot { snapshot, .. } => {
                snapshots.insert(snapshot.id.clone(), None);
                Ok(Reply::AdoptedSnapshot(AdoptedSnapshot {
                    placement: SnapshotPlacement {
                        array_name: format!("{}.snap", snapshot.id),
                        metadata: Vec::new(),
                        extensions: Vec::new(),
                    },
                    size: 1 << 30,
                }))
            }
            other => fail(FailureCode::Unsupported, other.name()),
        }
    }
}

fn statistics(backend: &str) -> Statistics {
    // The first backend has more room, so that the weigher prefers it.
    let total = if backend.ends_with('1') {
        200 << 40
    } else {
        100 << 40
    };
    Statistics {
        vendor: "nobody".into(),
        driver_version: "1".into(),
        protocol: "iSCSI".into(),
        pools: vec![Pool {
            name: "pool".into(),
            total_bytes: total,
            free_bytes: total,
            provisioned_bytes: 0,
            max_over_subscription_permille: 20_000,
            reserved_percent: 0,
            thin: true,
            multiattach: true,
            qos: true,
            capabilities: Vec::new(),
        }],
        replication_enabled: true,
        replication_types: vec!["async".into()],
        replication_targets: Vec::new(),
        extensions: Vec::new(),
    }
}

/// The file's name is its digest and version; `broken` is refused.
pub struct Loader(pub Arc<Array>);

#[async_trait]
impl DriverLoader for Loader {
    async fn load(&self, path: &Path, _backend: &BackendConfig) -> Result<Loaded, LoadRefusal> {
        let seen = self.inspect(path, "").await?;
        if path.ends_with("unloadable") {
            return Err(LoadRefusal::new("validate", "option colour is required"));
        }
        let mut description = seen.description;
        if self.0.grouping.load(Ordering::SeqCst) {
            description.features = vec!["groups".into(), "group-snapshots".into()];
        }
        let driver = Arc::new(Simulated {
            description,
            array: self.0.clone(),
        });
        Ok(Loaded {
            signers: Vec::new(),
            driver,
            digest: seen.digest,
            grants: Vec::new(),
            options: Vec::new(),
        })
    }

    async fn inspect(&self, path: &Path, _driver: &str) -> Result<Inspected, LoadRefusal> {
        let name = path.display().to_string();
        if name == "broken" {
            return Err(LoadRefusal::new("verify", "it is not a component"));
        }
        Ok(Inspected {
            signers: Vec::new(),
            digest: name.clone(),
            description: description(&name),
            imports: Vec::new(),
            exports: Vec::new(),
        })
    }
}

pub fn target() -> Target {
    Target {
        name: "a".into(),
        primary: true,
        kind: None,
        options: Vec::new(),
        reachable: true,
        extensions: Vec::new(),
    }
}

/// Where replicated volumes are copied to.
pub fn second() -> Target {
    Target {
        name: "b".into(),
        primary: false,
        kind: Some(ReplicationKind::Async),
        ..target()
    }
}

pub fn config(backends: usize) -> ControlConfig {
    let mut backends: Vec<BackendConfig> = (1..=backends)
        .map(|n| BackendConfig::new(format!("pure{n}"), "simulated", vec![target(), second()]))
        .collect();
    for backend in &mut backends {
        backend.use_chap = true;
    }
    ControlConfig {
        drivers: vec![DriverConfig {
            name: "simulated".into(),
            path: "one".into(),
        }],
        backends,
        ..ControlConfig::default()
    }
}

pub async fn open(path: &Path) -> Store {
    // A control plane that was just dropped may still hold the file for a moment.
    loop {
        match Store::open_with(
            path,
            StoreOptions {
                durability: Durability::Process,
                readers: 4,
                keys: Some(Keyring::parse(&"5a".repeat(32)).unwrap()),
                ..StoreOptions::default()
            },
        )
        .await
        {
            Ok(store) => return store,
            Err(springform_store::OpenError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

pub async fn start(path: &Path, array: &Arc<Array>, backends: usize) -> Control {
    start_with(path, array, backends, Clock::system()).await
}

pub async fn start_with(path: &Path, array: &Arc<Array>, backends: usize, clock: Clock) -> Control {
    let store = open(path).await;
    let loader = Arc::new(Loader(array.clone()));
    let started = Control::start(config(backends), store, loader, clock).await;
    started.unwrap()
}

/// Waits until every backend can be given work.
pub async fn up(control: &Control) {
    until(|| async { control.backends().all(|backend| backend.status().is_up()) }).await;
}

/// Waits for something that is bound to happen.
pub async fn until<F: Future<Output = bool>>(happened: impl Fn() -> F) {
    let waiting = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), waiting)
        .await
        .expect("it never happened");
}

pub fn admin() -> Caller {
    Caller::new("u", "p", vec!["admin".into()])
}
