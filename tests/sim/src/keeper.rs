//! An array that keeps volumes, snapshots and consistency groups in a file, so that they survive the host's death. It makes
//! nothing twice and complains of nothing that is gone already, as the contract asks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use springform_control::{BackendConfig, DriverLoader, Inspected, LoadRefusal, Loaded};
use springform_model::contract::{
    Call, CallError, Connection, Context, CredentialScheme, Description, Disconnected, Driver,
    Failure, FailureCode, Outcome, Path as ConnectionPath, Placement, Pool, ReplicationKind, Reply,
    SetupReport, SnapshotOutcome, SnapshotPlacement, Statistics, Target, VolumeSpec,
};

/// What the array holds.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Volumes by id, each with what it was made from.
    pub volumes: BTreeMap<String, Option<String>>,
    /// Snapshots by id, each with the group snapshot it is part of.
    pub snapshots: BTreeMap<String, Option<String>>,
    /// Groups by id, with the ids of their members.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Bytes of each volume.
    pub sizes: BTreeMap<String, u64>,
    /// Volumes that are on both arrays.
    pub pairs: BTreeSet<String>,
    /// To which arrays each machine has a way, by volume and name of the machine.
    pub ways: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Kept {
    /// What a file holds; nothing where there is none.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        std::fs::read(path).map_or_else(
            |_| Self::default(),
            |text| serde_json::from_slice(&text).unwrap(),
        )
    }

    fn write(&self, path: &Path) {
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(self).unwrap()).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    fn make(&mut self, volume: &VolumeSpec, from: Option<&str>) -> Placement {
        let id = &volume.id;
        let from = from.map(str::to_owned);
        self.volumes.entry(id.clone()).or_insert(from);
        self.sizes.entry(id.clone()).or_insert(volume.size);
        if let Some(group) = &volume.group
            && let Some(members) = self.groups.get_mut(group)
        {
            members.insert(id.clone());
        }
        self.place(id)
    }

    fn place(&self, id: &str) -> Placement {
        Placement {
            array_name: format!("volume-{id}"),
            target: "a".into(),
            serial: None,
            metadata: Vec::new(),
            replication: self.pairs.contains(id).then_some(ReplicationKind::Sync),
            extensions: Vec::new(),
        }
    }

    /// The arrays that hold a volume.
    fn arrays_of(&self, id: &str) -> BTreeSet<String> {
        let both = ["a", "b"].into_iter().map(str::to_owned);
        both.take(1 + usize::from(self.pairs.contains(id)))
            .collect()
    }

    /// A machine that is connected keeps no way to an array that the volume left, and gets none to one that it enters.
    fn retype(&mut self, volume: &str, paired: bool) -> Placement {
        match paired {
            true => self.pairs.insert(volume.to_owned()),
            false => self.pairs.remove(volume),
        };
        let held = self.arrays_of(volume);
        for ways in self.ways.entry(volume.to_owned()).or_default().values_mut() {
            ways.retain(|array| held.contains(array));
        }
        self.place(volume)
    }

    fn connect(&mut self, volume: &str, machine: &str) -> Connection {
        let ways = self.arrays_of(volume);
        let paths = ways.iter().map(|array| ConnectionPath {
            target: array.clone(),
            portal: None,
            port: "iqn".into(),
            lun: 1,
            preferred: true,
        });
        let paths = paths.collect();
        let machines = self.ways.entry(volume.to_owned()).or_default();
        machines.insert(machine.to_owned(), ways);
        Connection {
            driver_volume_type: "iscsi".into(),
            paths,
            wwn: None,
            nguid: None,
            discard: false,
            chap: None,
            transport: None,
            data: Vec::new(),
            extensions: Vec::new(),
        }
    }

    fn take(&mut self, snapshot: &str, of: Option<&str>) -> SnapshotPlacement {
        let of = of.map(str::to_owned);
        self.snapshots.insert(snapshot.to_owned(), of);
        SnapshotPlacement {
            array_name: format!("snapshot-{snapshot}"),
            metadata: Vec::new(),
            extensions: Vec::new(),
        }
    }

    fn carry_out(&mut self, call: Call) -> Result<Reply, CallError> {
        Ok(match call {
            Call::Setup => Reply::Setup(SetupReport::default()),
            Call::Check => Reply::Check(Vec::new()),
            Call::CreateVolume { volume } => Reply::Placement(self.make(&volume, None)),
            Call::CreateFromSnapshot { volume, source, .. } => {
                Reply::Placement(self.make(&volume, Some(&source.id)))
            }
            Call::CloneVolume { volume, source } => {
                Reply::Placement(self.make(&volume, Some(&source.id)))
            }
            Call::DeleteVolume { volume } => {
                self.volumes.remove(&volume.id);
                self.sizes.remove(&volume.id);
                self.pairs.remove(&volume.id);
                self.ways.remove(&volume.id);
                for members in self.groups.values_mut() {
                    members.remove(&volume.id);
                }
                Reply::Done
            }
            Call::CreateSnapshot { snapshot, .. } => Reply::Snapshot(self.take(&snapshot.id, None)),
            Call::DeleteSnapshot { snapshot, .. } => {
                self.snapshots.remove(&snapshot.id);
                Reply::Done
            }
            Call::ExtendVolume { volume, new_size } => {
                self.sizes.insert(volume.id, new_size);
                Reply::Done
            }
            Call::Revert { volume, snapshot } => {
                self.volumes.insert(volume.id, Some(snapshot.id));
                Reply::Done
            }
            Call::Retype { volume, new_type } => {
                let paired = new_type.is_some_and(|kind| kind.replication.is_some());
                Reply::Placement(self.retype(&volume.id, paired))
            }
            Call::Connect { volume, connector } => {
                Reply::Connection(self.connect(&volume.id, &connector.host))
            }
            Call::Disconnect {
                volume, connector, ..
            } => {
                let machines = self.ways.entry(volume.id).or_default();
                match connector {
                    Some(connector) => drop(machines.remove(&connector.host)),
                    None => machines.clear(),
                }
                Reply::Disconnected(Disconnected {
                    last_of_host: true,
                    connection: None,
                })
            }
            Call::CreateGroup { group } => {
                let name = format!("group-{}", group.id);
                self.groups.entry(group.id).or_default();
                Reply::Name(name)
            }
            Call::DeleteGroup { group } => {
                self.groups.remove(&group.id);
                Reply::Done
            }
            Call::UpdateGroup { group, add, remove } => {
                let Some(members) = self.groups.get_mut(&group.id) else {
                    let why = Failure::new(FailureCode::NotFound, "there is no such group");
                    return Err(CallError::Failed(why));
                };
                members.extend(add.into_iter().map(|volume| volume.id));
                for volume in remove {
                    members.remove(&volume.id);
                }
                Reply::Done
            }
            Call::CreateGroupSnapshot {
                snapshot_id,
                snapshots,
                ..
            } => {
                let outcomes = snapshots.into_iter().map(|snapshot| SnapshotOutcome {
                    result: Ok(self.take(&snapshot.id, Some(&snapshot_id))),
                    id: snapshot.id,
                });
                Reply::GroupSnapshot(outcomes.collect())
            }
            Call::DeleteGroupSnapshot { snapshot_id, .. } => {
                self.snapshots
                    .retain(|_, of| of.as_ref() != Some(&snapshot_id));
                Reply::Done
            }
            Call::CreateGroupFrom {
                group,
                volumes,
                source_volumes,
                snapshot_id,
                ..
            } => {
                let mut outcomes = Vec::new();
                for (volume, source) in volumes.into_iter().zip(source_volumes) {
                    let from = snapshot_id.as_deref().unwrap_or(&source.id);
                    let result = Ok(self.make(&volume, Some(from)));
                    let members = self.groups.entry(group.id.clone()).or_default();
                    members.insert(volume.id.clone());
                    outcomes.push(Outcome {
                        id: volume.id,
                        result,
                    });
                }
                Reply::Outcomes(outcomes)
            }
            other => {
                let why = Failure::new(FailureCode::Unsupported, other.name());
                return Err(CallError::Failed(why));
            }
        })
    }
}

fn statistics(paired: bool) -> Statistics {
    Statistics {
        vendor: "nobody".into(),
        driver_version: "1".into(),
        protocol: "iSCSI".into(),
        pools: vec![Pool {
            name: "pool".into(),
            total_bytes: 100 << 40,
            free_bytes: 100 << 40,
            provisioned_bytes: 0,
            max_over_subscription_permille: 20_000,
            reserved_percent: 0,
            thin: true,
            multiattach: true,
            qos: true,
            capabilities: Vec::new(),
        }],
        replication_enabled: paired,
        replication_types: paired.then(|| "sync".to_owned()).into_iter().collect(),
        replication_targets: paired.then(|| "b".to_owned()).into_iter().collect(),
        extensions: Vec::new(),
    }
}

fn kinds(paired: bool) -> Vec<ReplicationKind> {
    paired
        .then_some(ReplicationKind::Sync)
        .into_iter()
        .collect()
}

/// The driver of the array in a file.
#[derive(Clone)]
pub struct Keeper {
    path: PathBuf,
    paired: bool,
    turn: Arc<Mutex<()>>,
    description: Description,
}

impl Keeper {
    /// The array in this file; it keeps groups as one, or knows only volumes.
    #[must_use]
    pub fn new(path: PathBuf, as_one: bool) -> Self {
        let features = if as_one {
            vec!["groups".into(), "group-snapshots".into()]
        } else {
            Vec::new()
        };
        Self {
            path,
            paired: false,
            turn: Arc::default(),
            description: Description {
                name: "keeper".into(),
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
                features,
                extensions: Vec::new(),
            },
        }
    }

    /// With a second array, which holds every write of the volumes that are replicated.
    #[must_use]
    pub fn paired(mut self) -> Self {
        self.paired = true;
        self.description.replication = kinds(true);
        self
    }

    /// The arrays as the backend is configured with them.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let one = |name: &str, kind: Option<ReplicationKind>| Target {
            name: name.into(),
            primary: kind.is_none(),
            kind,
            options: Vec::new(),
            reachable: true,
            extensions: Vec::new(),
        };
        let second = self.paired.then(|| one("b", Some(ReplicationKind::Sync)));
        [one("a", None)].into_iter().chain(second).collect()
    }
}

#[async_trait]
impl Driver for Keeper {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn call(&self, _context: Context, call: Call) -> Result<Reply, CallError> {
        if matches!(call, Call::Stats) {
            return Ok(Reply::Stats(statistics(self.paired)));
        }
        let _turn = self.turn.lock().unwrap();
        let mut kept = Kept::read(&self.path);
        let answer = kept.carry_out(call);
        kept.write(&self.path);
        answer
    }
}

#[async_trait]
impl DriverLoader for Keeper {
    async fn load(&self, _path: &Path, _backend: &BackendConfig) -> Result<Loaded, LoadRefusal> {
        Ok(Loaded {
            signers: Vec::new(),
            driver: Arc::new(self.clone()),
            digest: "keeper".into(),
            grants: Vec::new(),
            options: Vec::new(),
        })
    }

    async fn inspect(&self, _path: &Path, _driver: &str) -> Result<Inspected, LoadRefusal> {
        Ok(Inspected {
            signers: Vec::new(),
            digest: "keeper".into(),
            description: self.description.clone(),
            imports: Vec::new(),
            exports: Vec::new(),
        })
    }
}
