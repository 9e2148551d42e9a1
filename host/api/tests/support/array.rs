//! An array as a map, and a driver for it: enough for the routes that reach a driver.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use springform_control::{BackendConfig, DriverLoader, Inspected, LoadRefusal, Loaded};
use springform_model::contract::{
    Adopted, AdoptedSnapshot, Call, CallError, Connection, Context, CredentialScheme, Description,
    Disconnected, Driver, Failure, FailureCode, MIGRATE, Manageable, ManageablePage,
    Path as ArrayPath, Placement, Pool, Reference, ReplicationKind, Reply, SetupReport,
    SnapshotPlacement, Statistics,
};

const GIB: u64 = 1 << 30;

/// What is on the array, by name, in bytes.
pub struct Array {
    pub volumes: Mutex<BTreeMap<String, u64>>,
    pub snapshots: Mutex<BTreeMap<String, u64>>,
    /// GiB that can be provisioned.
    pub room: u64,
    /// Whether its driver claims to replicate everything to an array `b`.
    pub claims: bool,
    /// Whether its driver moves volumes from array to array.
    pub migrates: bool,
    /// Whether the arrays of different backends are connected.
    pub connected: AtomicBool,
    /// Whether every call but those that look is refused.
    pub broken: AtomicBool,
    /// Calls that change something, in order.
    pub log: Mutex<Vec<&'static str>>,
}

impl Default for Array {
    fn default() -> Self {
        Self {
            volumes: Mutex::default(),
            snapshots: Mutex::default(),
            room: 1 << 20,
            claims: false,
            migrates: false,
            connected: AtomicBool::new(true),
            broken: AtomicBool::new(false),
            log: Mutex::default(),
        }
    }
}

struct Simulated {
    description: Description,
    array: Arc<Array>,
}

fn named(name: &str) -> Reference {
    Reference {
        keys: vec![("source-name".into(), name.into())],
    }
}

fn name_in(reference: &Reference) -> Result<String, CallError> {
    let found = reference.keys.iter().find(|(key, _)| key == "source-name");
    found.map(|(_, name)| name.clone()).ok_or_else(|| {
        CallError::Failed(Failure::new(
            FailureCode::InvalidArgument,
            "the reference needs source-name",
        ))
    })
}

fn absent(name: &str) -> CallError {
    CallError::Failed(Failure::new(
        FailureCode::NotFound,
        format!("{name} is not on the array"),
    ))
}

fn place(name: &str) -> Placement {
    Placement {
        array_name: name.to_owned(),
        target: "a".into(),
        serial: None,
        metadata: vec![("array_volume_name".into(), name.to_owned())],
        replication: None,
        extensions: Vec::new(),
    }
}

fn snapshot_place(name: &str) -> SnapshotPlacement {
    SnapshotPlacement {
        array_name: name.to_owned(),
        metadata: Vec::new(),
        extensions: Vec::new(),
    }
}

fn page(all: &BTreeMap<String, u64>, after: Option<String>, limit: u32) -> Reply {
    // Small pages, so that whoever lists has to ask more than once.
    let limit = limit.min(3) as usize;
    let mut rest = all
        .iter()
        .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after));
    let items: Vec<Manageable> = rest
        .by_ref()
        .take(limit)
        .map(|(name, size)| Manageable {
            reference: named(name),
            size: *size,
            safe_to_manage: !name.starts_with("busy"),
            reason_not_safe: name.starts_with("busy").then(|| "connected".to_owned()),
            source: name.split_once('.').map(|(volume, _)| named(volume)),
            extensions: Vec::new(),
        })
        .collect();
    let last = items.last().map(|item| item.reference.keys[0].1.clone());
    let next = last.filter(|_| rest.next().is_some());
    Reply::Manageable(ManageablePage { items, next })
}

fn rename(
    all: &mut BTreeMap<String, u64>,
    reference: &Reference,
    new: String,
    keep: bool,
) -> Result<(String, u64), CallError> {
    let old = name_in(reference)?;
    let size = *all.get(&old).ok_or_else(|| absent(&old))?;
    if keep {
        return Ok((old, size));
    }
    all.remove(&old);
    all.insert(new.clone(), size);
    Ok((new, size))
}

#[async_trait::async_trait]
impl Driver for Simulated {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn call(&self, context: Context, call: Call) -> Result<Reply, CallError> {
        if !call.is_read_only() && !matches!(call, Call::Setup) {
            self.array.log.lock().unwrap().push(call.name());
            if self.array.broken.load(Ordering::SeqCst) {
                let why = Failure::new(FailureCode::FailedPrecondition, "the array is broken");
                return Err(CallError::Failed(why));
            }
        }
        let mut volumes = self.array.volumes.lock().unwrap();
        let mut snapshots = self.array.snapshots.lock().unwrap();
        Ok(match call {
            Call::Setup => Reply::Setup(SetupReport::default()),
            Call::Check => Reply::Check(Vec::new()),
            Call::Stats => {
                let mut found = statistics(self.array.room, volumes.values().sum());
                if self.array.claims {
                    found.replication_enabled = true;
                    found.replication_types = vec!["async".into()];
                    found.replication_targets = vec!["b".into()];
                }
                Reply::Stats(found)
            }
            Call::CreateVolume { volume }
            | Call::CreateFromSnapshot { volume, .. }
            | Call::CloneVolume { volume, .. } => {
                volumes.insert(volume.name.clone(), volume.size);
                let mut placed = place(&volume.name);
                placed.replication = self.array.claims.then_some(ReplicationKind::Async);
                Reply::Placement(placed)
            }
            Call::DeleteVolume { volume } => {
                volumes.remove(
                    &volume
                        .placement
                        .map_or(volume.name, |place| place.array_name),
                );
                Reply::Done
            }
            Call::ExtendVolume { volume, new_size } => {
                let name = volume
                    .placement
                    .map_or(volume.name, |place| place.array_name);
                volumes.insert(name, new_size);
                Reply::Done
            }
            Call::Retype { volume, .. } => Reply::Placement(place(&volume.name)),
            Call::CreateSnapshot { volume, snapshot } => {
                let name = format!("{}.{}", volume.name, snapshot.name);
                snapshots.insert(name.clone(), volume.size);
                Reply::Snapshot(snapshot_place(&name))
            }
            Call::DeleteSnapshot { snapshot, .. } => {
                snapshots.remove(&snapshot.array_name.unwrap_or_default());
                Reply::Done
            }
            Call::Revert { .. } => Reply::Done,
            Call::Inspect { reference } => {
                let name = name_in(&reference)?;
                Reply::Size(*volumes.get(&name).ok_or_else(|| absent(&name))?)
            }
            Call::Manage {
                volume,
                reference,
                keep_name,
            } => {
                let (name, size) = rename(&mut volumes, &reference, volume.name, keep_name)?;
                Reply::Adopted(Adopted {
                    placement: place(&name),
                    size,
                })
            }
            Call::Unmanage { volume } => {
                let name = volume.placement.unwrap().array_name;
                let size = volumes.remove(&name).unwrap();
                volumes.insert(format!("{name}-unmanaged"), size);
                Reply::Done
            }
            Call::ManageSnapshot {
                volume,
                snapshot,
                reference,
                keep_name,
            } => {
                assert_eq!(snapshot.array_name, None);
                let new = format!("{}.{}", volume.name, snapshot.name);
                let (name, size) = rename(&mut snapshots, &reference, new, keep_name)?;
                Reply::AdoptedSnapshot(AdoptedSnapshot {
                    placement: snapshot_place(&name),
                    size,
                })
            }
            Call::UnmanageSnapshot { snapshot, .. } => {
                let name = snapshot.array_name.unwrap();
                let size = snapshots.remove(&name).unwrap();
                snapshots.insert(format!("{name}-unmanaged"), size);
                Reply::Done
            }
            Call::ListManageable { after, limit } => page(&volumes, after, limit),
            Call::ListManageableSnapshots { after, limit } => page(&snapshots, after, limit),
            Call::Connect { connector, .. } => Reply::Connection(Connection {
                driver_volume_type: "iscsi".into(),
                paths: vec![ArrayPath {
                    target: "a".into(),
                    portal: Some("192.0.2.1:3260".into()),
                    port: "iqn.array".into(),
                    lun: 7,
                    preferred: true,
                }],
                wwn: None,
                nguid: None,
                discard: true,
                chap: connector.chap,
                transport: None,
                data: Vec::new(),
                extensions: Vec::new(),
            }),
            Call::OfferVolume { volume, migration } => {
                if !self.array.connected.load(Ordering::SeqCst) {
                    let why = "the arrays are not connected; connect them";
                    let why = Failure::new(FailureCode::FailedPrecondition, why);
                    return Err(CallError::Failed(why));
                }
                assert_eq!(context.backend, migration.source.backend);
                assert!(volumes.contains_key(&volume.placement.unwrap().array_name));
                Reply::Parcel(b"offer".to_vec())
            }
            Call::AcceptVolume { offer, .. } => {
                assert_eq!(offer, b"offer");
                Reply::Parcel(b"acceptance".to_vec())
            }
            Call::SendVolume { acceptance, .. } => {
                assert_eq!(acceptance, b"acceptance");
                Reply::Parcel(b"parcel".to_vec())
            }
            Call::ReceiveVolume { volume, parcel, .. } => {
                assert_eq!(parcel, b"parcel");
                // All backends have the one map.
                let name = format!("{} on {}", volume.name, context.backend);
                volumes.insert(name.clone(), volume.size);
                Reply::Placement(place(&name))
            }
            Call::ReleaseVolume { volume, moved, .. } => {
                if moved {
                    volumes.remove(&volume.placement.unwrap().array_name);
                }
                Reply::Done
            }
            Call::SettleVolume { volume, moved, .. } => {
                assert_eq!(volume.placement.is_some(), moved);
                if !moved {
                    volumes.remove(&format!("{} on {}", volume.name, context.backend));
                }
                Reply::Done
            }
            Call::Disconnect { .. } => Reply::Disconnected(Disconnected {
                last_of_host: true,
                connection: None,
            }),
            other => {
                let why = Failure::new(FailureCode::Unsupported, other.name());
                return Err(CallError::Failed(why));
            }
        })
    }
}

fn statistics(room: u64, used: u64) -> Statistics {
    Statistics {
        vendor: "nobody".into(),
        driver_version: "1".into(),
        protocol: "iSCSI".into(),
        pools: vec![Pool {
            name: "pool".into(),
            total_bytes: room * GIB,
            free_bytes: room * GIB - used,
            provisioned_bytes: used,
            max_over_subscription_permille: 1000,
            reserved_percent: 0,
            thin: true,
            multiattach: true,
            qos: true,
            capabilities: Vec::new(),
        }],
        replication_enabled: false,
        replication_types: Vec::new(),
        replication_targets: Vec::new(),
        extensions: Vec::new(),
    }
}

/// Gives every backend the one array.
pub struct Loader(pub Arc<Array>);

#[async_trait::async_trait]
impl DriverLoader for Loader {
    async fn load(&self, path: &Path, backend: &BackendConfig) -> Result<Loaded, LoadRefusal> {
        let seen = self.inspect(path, "").await?;
        let mut description = seen.description;
        if self.0.migrates {
            description.features.push(MIGRATE.to_owned());
        }
        if backend.name == "stranger" {
            description.vendor = "somebody else".to_owned();
        }
        Ok(Loaded {
            signers: Vec::new(),
            driver: Arc::new(Simulated {
                description,
                array: self.0.clone(),
            }),
            digest: seen.digest,
            grants: Vec::new(),
            options: Vec::new(),
        })
    }

    async fn inspect(&self, path: &Path, _driver: &str) -> Result<Inspected, LoadRefusal> {
        Ok(Inspected {
            signers: Vec::new(),
            digest: path.display().to_string(),
            description: Description {
                name: "simulated".into(),
                vendor: "nobody".into(),
                version: "1".into(),
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
            },
            imports: Vec::new(),
            exports: Vec::new(),
        })
    }
}
