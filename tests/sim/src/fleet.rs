//! Arrays with names, sizes, connections and snapshots, behind a driver that believes what it is told: no such name is done.
//! What keeps the records true of them is the host alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use springform_control::{BackendConfig, DriverLoader, Inspected, LoadRefusal, Loaded};
use springform_model::contract::{
    Call, CallError, Connection, Context, CredentialScheme, Description, Disconnected, Driver,
    FailoverPlan, Failure, FailureCode, Outcome, Path, Placement, Pool, ReplicationKind, Reply,
    SetupReport, SnapshotPlacement, SnapshotSpec, Statistics, TargetHealth, VolumePlan, VolumeSpec,
};

/// In front of the names of replicated volumes.
const POD: &str = "pod::";

/// A volume on one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Id.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// Whether machines can write to it.
    pub writable: bool,
}

/// What one array holds, by its own names.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// Volumes.
    pub volumes: BTreeMap<String, Held>,
    /// Snapshots, `<volume>.<snapshot>`.
    pub snapshots: BTreeSet<String>,
    /// Volumes and the machines that reach them.
    pub connections: BTreeSet<(String, String)>,
}

/// A name without its pod.
#[must_use]
pub fn base(name: &str) -> &str {
    name.strip_prefix(POD).unwrap_or(name)
}

impl Side {
    /// What a volume is called now.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<String> {
        let found = self.volumes.iter().find(|(_, held)| held.id == id);
        found.map(|(name, _)| name.clone())
    }

    /// Ids of all volumes.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.volumes.values().map(|held| held.id.clone())
    }

    /// Whether anything is left of a volume.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        let of_it = |name: &str| base(name).starts_with(id);
        self.name_of(id).is_some()
            || self.snapshots.iter().any(|name| of_it(name))
            || self.connections.iter().any(|(name, _)| of_it(name))
    }

    fn rename(&mut self, from: &str, to: &str) {
        if from == to {
            return;
        }
        if let Some(held) = self.volumes.remove(from) {
            self.volumes.insert(to.to_owned(), held);
        }
        let renamed = |of: &str| of.strip_prefix(from).map(|rest| format!("{to}{rest}"));
        let snapshots = std::mem::take(&mut self.snapshots).into_iter();
        let behind = |name: &String| name.starts_with(&format!("{from}."));
        self.snapshots = snapshots
            .map(|name| match behind(&name) {
                true => renamed(&name).unwrap(),
                false => name,
            })
            .collect();
        let connections = std::mem::take(&mut self.connections).into_iter();
        self.connections = connections
            .map(|(name, host)| match name == from {
                true => (to.to_owned(), host),
                false => (name, host),
            })
            .collect();
    }
}

/// Two arrays and how slow they are.
pub struct Fleet {
    /// By name.
    pub sides: Mutex<BTreeMap<String, Side>>,
    rng: Mutex<StdRng>,
}

impl Fleet {
    /// Empty arrays.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let sides = ["a", "b"].map(|name| (name.to_owned(), Side::default()));
        Self {
            sides: Mutex::new(sides.into()),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    fn health(&self) -> Vec<TargetHealth> {
        let sides = self.sides.lock().unwrap();
        let well = sides.keys().map(|name| TargetHealth {
            target: name.clone(),
            reachable: true,
            array_id: None,
            array_name: None,
            api_version: None,
            array_version: None,
            problems: Vec::new(),
        });
        well.collect()
    }

    async fn dawdle(&self) {
        let pause = {
            let mut rng = self.rng.lock().unwrap();
            match rng.random_range(0..100) {
                // Longer than a failover that nobody planned waits for anybody.
                0..3 => 1500,
                3..60 => rng.random_range(0..8),
                _ => 0,
            }
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn refuse<T>(code: FailureCode, message: &str) -> Result<T, CallError> {
    Err(CallError::Failed(Failure::new(code, message)))
}

fn placement(name: &str, target: &str) -> Placement {
    Placement {
        array_name: name.to_owned(),
        target: target.to_owned(),
        serial: None,
        metadata: Vec::new(),
        replication: name.starts_with(POD).then_some(ReplicationKind::Async),
        extensions: Vec::new(),
    }
}

/// Where a driver is told that a volume is.
fn told(volume: &VolumeSpec) -> (String, String) {
    let at = volume.placement.as_ref();
    at.map(|at| (at.array_name.clone(), at.target.clone()))
        .unwrap_or_default()
}

fn snapshot_name(volume: &str, snapshot: &SnapshotSpec) -> String {
    format!("{volume}.{}", snapshot.id)
}

type Sides = BTreeMap<String, Side>;

fn tenant(sides: &mut Sides, call: Call) -> Result<Reply, CallError> {
    let gone = || refuse(FailureCode::NotFound, "no such volume");
    Ok(match call {
        Call::CreateVolume { volume } => {
            let kind = volume.volume_type.and_then(|kind| kind.replication);
            let pod = if kind.is_some() { POD } else { "" };
            let name = format!("{pod}{}", volume.id);
            let held = Held {
                id: volume.id,
                size: volume.size,
                writable: true,
            };
            sides
                .get_mut("a")
                .unwrap()
                .volumes
                .insert(name.clone(), held);
            Reply::Placement(placement(&name, "a"))
        }
        Call::DeleteVolume { volume } => {
            let (name, target) = told(&volume);
            let side = sides.get_mut(&target).unwrap();
            // An array that was left behind is asked for what it may have, whatever it calls it.
            let name = side.name_of(&volume.id).unwrap_or(name);
            side.volumes.remove(&name);
            side.connections.retain(|(of, _)| *of != name);
            let of_it = format!("{name}.");
            side.snapshots.retain(|known| !known.starts_with(&of_it));
            Reply::Done
        }
        Call::ExtendVolume { volume, new_size } => {
            let (name, target) = told(&volume);
            match sides.get_mut(&target).unwrap().volumes.get_mut(&name) {
                Some(held) => held.size = new_size,
                None => return gone(),
            }
            Reply::Done
        }
        Call::CreateSnapshot { volume, snapshot } => {
            let (name, target) = told(&volume);
            let side = sides.get_mut(&target).unwrap();
            if !side.volumes.contains_key(&name) {
                return gone();
            }
            let array_name = snapshot_name(&name, &snapshot);
            side.snapshots.insert(array_name.clone());
            Reply::Snapshot(SnapshotPlacement {
                array_name,
                metadata: Vec::new(),
                extensions: Vec::new(),
            })
        }
        Call::DeleteSnapshot { volume, snapshot } => {
            let (name, target) = told(&volume);
            for (side, held) in sides {
                if *side == target {
                    held.snapshots.remove(&snapshot_name(&name, &snapshot));
                } else {
                    // An array that was left behind is asked for what it may have, whatever it calls it.
                    let end = format!(".{}", snapshot.id);
                    held.snapshots.retain(|known| !known.ends_with(&end));
                }
            }
            Reply::Done
        }
        Call::Connect { volume, connector } => {
            let (name, target) = told(&volume);
            let side = sides.get_mut(&target).unwrap();
            if !side.volumes.contains_key(&name) {
                return gone();
            }
            side.connections.insert((name, connector.host));
            Reply::Connection(Connection {
                driver_volume_type: "iscsi".into(),
                paths: vec![Path {
                    target,
                    portal: Some("127.0.0.1:3260".into()),
                    port: "iqn".into(),
                    lun: 1,
                    preferred: true,
                }],
                wwn: None,
                nguid: None,
                discard: true,
                chap: None,
                transport: None,
                data: Vec::new(),
                extensions: Vec::new(),
            })
        }
        Call::Disconnect {
            volume,
            connector,
            keep,
        } => {
            let (name, target) = told(&volume);
            if let Some(connector) = connector.filter(|_| !keep) {
                let side = sides.get_mut(&target).unwrap();
                side.connections.remove(&(name, connector.host));
            }
            Reply::Disconnected(Disconnected {
                last_of_host: false,
                connection: None,
            })
        }
        other => return operator(sides, other),
    })
}

fn each(
    volumes: Vec<VolumeSpec>,
    mut act: impl FnMut(&VolumeSpec) -> Result<Placement, Failure>,
) -> Reply {
    let outcomes = volumes.into_iter().map(|volume| Outcome {
        result: act(&volume),
        id: volume.id,
    });
    Reply::Outcomes(outcomes.collect())
}

fn operator(sides: &mut Sides, call: Call) -> Result<Reply, CallError> {
    let missing = || Failure::new(FailureCode::NotFound, "no such volume");
    Ok(match call {
        Call::Enable { volumes } => switched(sides, volumes, true),
        Call::Disable { volumes } => switched(sides, volumes, false),
        Call::PlanFailover { request } => Reply::Plan(FailoverPlan {
            target: request.to.unwrap_or_else(|| "b".to_owned()),
            mode: request.mode,
            volumes: request
                .volumes
                .into_iter()
                .map(|volume| VolumePlan {
                    volume_id: volume.id,
                    source: None,
                    point: None,
                    possible: true,
                    reason: None,
                    loss_seconds: Some(0),
                    loss_bytes: None,
                    warnings: Vec::new(),
                })
                .collect(),
            interrupts: Vec::new(),
            token: Vec::new(),
        }),
        Call::FinalSync { plan, .. } => Reply::Plan(plan),
        Call::Demote { target, volumes } => {
            let side = sides.get_mut(&target).unwrap();
            each(volumes, |volume| {
                let name = side.name_of(&volume.id).ok_or_else(missing)?;
                side.volumes.get_mut(&name).unwrap().writable = false;
                side.connections.retain(|(of, _)| *of != name);
                let (name, at) = told(volume);
                Ok(placement(&name, &at))
            })
        }
        Call::FailOver { plan, volumes } => each(volumes, |volume| {
            let (name, from) = told(volume);
            let source = sides.get(&from).and_then(|side| side.volumes.get(&name));
            let held = Held {
                writable: true,
                ..source.cloned().ok_or_else(missing)?
            };
            let side = sides.get_mut(&plan.target).unwrap();
            if let Some(old) = side.name_of(&volume.id) {
                side.rename(&old, &name);
            }
            side.volumes.insert(name.clone(), held);
            Ok(placement(&name, &plan.target))
        }),
        Call::FinishFailover { .. } => Reply::State(Vec::new()),
        Call::Reprotect { volumes, .. } | Call::Resync { volumes, .. } => each(volumes, |volume| {
            let (name, at) = told(volume);
            Ok(placement(&name, &at))
        }),
        other => return refuse(FailureCode::Unsupported, other.name()),
    })
}

/// Into the pod, or out of it: a rename.
fn switched(sides: &mut Sides, volumes: Vec<VolumeSpec>, on: bool) -> Reply {
    each(volumes, |volume| {
        let (name, target) = told(volume);
        let side = sides.get_mut(&target).unwrap();
        if !side.volumes.contains_key(&name) {
            return Err(Failure::new(FailureCode::NotFound, "no such volume"));
        }
        let pod = if on { POD } else { "" };
        let to = format!("{pod}{}", base(&name));
        side.rename(&name, &to);
        Ok(placement(&to, &target))
    })
}

struct Simulated {
    description: Description,
    fleet: Arc<Fleet>,
}

#[async_trait]
impl Driver for Simulated {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn call(&self, _context: Context, call: Call) -> Result<Reply, CallError> {
        match call {
            Call::Setup => return Ok(Reply::Setup(SetupReport::default())),
            // What an array is owed is told only to one that answers.
            Call::Check => return Ok(Reply::Check(self.fleet.health())),
            Call::Stats => return Ok(Reply::Stats(statistics())),
            Call::Observe { .. } => return refuse(FailureCode::Unsupported, "nobody looks"),
            _ => {}
        }
        self.fleet.dawdle().await;
        let answer = tenant(&mut self.fleet.sides.lock().unwrap(), call);
        // The array has done it, and the host does not know yet.
        self.fleet.dawdle().await;
        answer
    }
}

fn statistics() -> Statistics {
    Statistics {
        vendor: "nobody".into(),
        driver_version: "1".into(),
        protocol: "iSCSI".into(),
        pools: vec![Pool {
            name: "pool".into(),
            total_bytes: 1 << 60,
            free_bytes: 1 << 60,
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

/// Gives every backend a driver of this fleet.
pub struct Loader(pub Arc<Fleet>);

#[async_trait]
impl DriverLoader for Loader {
    async fn load(&self, path: &FilePath, _: &BackendConfig) -> Result<Loaded, LoadRefusal> {
        let seen = self.inspect(path, "").await?;
        Ok(Loaded {
            signers: Vec::new(),
            driver: Arc::new(Simulated {
                description: seen.description,
                fleet: self.0.clone(),
            }),
            digest: seen.digest,
            grants: Vec::new(),
            options: Vec::new(),
        })
    }

    async fn inspect(&self, _: &FilePath, _driver: &str) -> Result<Inspected, LoadRefusal> {
        Ok(Inspected {
            signers: Vec::new(),
            digest: "fleet".into(),
            description: Description {
                name: "fleet".into(),
                vendor: "nobody".into(),
                version: "1".into(),
                summary: String::new(),
                replication: vec![ReplicationKind::Async],
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
