//! Tenants beside operators: one seed is a few volumes, on which both ask for everything at once, through the whole control
//! plane and its database. When all of it has ended every array is compared with every record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use springform_control::attachments::CreateAttachment;
use springform_control::replication::{Ask, Request, Scope};
use springform_control::snapshots::CreateSnapshot;
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_control::{
    BackendConfig, Caller, Clock, Control, ControlConfig, ControlError, DriverConfig, ErrorKind,
};
use springform_model::cloud::{
    AttachStatus, Attachment, Metadata, Snapshot, SnapshotStatus, Volume, VolumeStatus,
};
use springform_model::contract::{Connector, FailoverMode, ReplicationKind, Role, Target};
use springform_model::operation::Operation;
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::{Acknowledge, DebtState, Phase, Relation};
use springform_store::{Attempt, Durability, Fault, Query, Store, StoreOptions};

use crate::fleet::{Fleet, Loader, Side, base};

const VOLUMES: usize = 2;
const STEPS: usize = 9;
const HOSTS: [&str; 2] = ["h1", "h2"];
/// The reconciler looks twice a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// What a disk says that takes no more.
const FULL: &str = "the disk is full";
/// Of a hundred writes of a failing store, those that fail.
const FAIL: u32 = 2;

/// A host in front of two arrays.
pub struct Cloud {
    control: Control,
    fleet: Arc<Fleet>,
    /// Every volume of every seed.
    made: Mutex<Vec<String>>,
    _folder: tempfile::TempDir,
}

fn target(name: &str) -> Target {
    Target {
        name: name.into(),
        primary: name == "a",
        kind: (name != "a").then_some(ReplicationKind::Async),
        options: Vec::new(),
        reachable: true,
        extensions: Vec::new(),
    }
}

fn caller(seed: u64) -> Caller {
    Caller {
        request_id: Some(format!("seed-{seed}")),
        ..Caller::new("u", "p", vec!["admin".into()])
    }
}

/// Lets writes fail now and then; every second one that failed was carried out all the same.
fn let_fail(store: &Store) {
    let rng = Mutex::new(StdRng::seed_from_u64(11));
    store.fail_with(Some(Arc::new(move |attempt| {
        let mut rng = rng.lock().unwrap();
        let fails = matches!(attempt, Attempt::Commit(_)) && rng.random_range(0..100) < FAIL;
        match fails {
            false => Fault::None,
            true if rng.random_bool(0.5) => Fault::After(FULL.to_owned()),
            true => Fault::Before(FULL.to_owned()),
        }
    })));
}

/// As a client does that is told to come back: asks again until the store does not refuse any more.
async fn asked<T, F>(request: impl Fn() -> F) -> Result<T, ControlError>
where
    F: Future<Output = Result<T, ControlError>>,
{
    loop {
        match request().await {
            Err(error) if error.message.contains(FULL) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

impl Cloud {
    /// Starts one whose store cannot be written now and then.
    pub async fn on_a_failing_store() -> Self {
        let cloud = Self::start().await;
        let_fail(cloud.control.store());
        cloud
    }

    /// Starts one.
    pub async fn start() -> Self {
        Self::at(Clock::system()).await
    }

    /// Starts one that goes by this clock.
    pub async fn at(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            durability: Durability::Process,
            readers: 4,
            ..StoreOptions::default()
        };
        let store = Store::open_with(&folder.path().join("db"), options).await;
        let fleet = Arc::new(Fleet::new(7));
        let targets = vec![target("a"), target("b")];
        let config = ControlConfig {
            drivers: vec![DriverConfig {
                name: "fleet".into(),
                path: "fleet".into(),
            }],
            backends: vec![BackendConfig::new("pure1", "fleet", targets)],
            ..ControlConfig::default()
        };
        let loader = Arc::new(Loader(fleet.clone()));
        let control = Control::start(config, store.unwrap(), loader, clock).await;
        let control = control.unwrap();
        while !control.backends().all(|backend| backend.status().is_up()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let free = ["volumes", "snapshots", "gigabytes"].map(|key| (key.to_owned(), -1));
        control.quotas().set_defaults(free.into()).await.unwrap();
        let kind = CreateType {
            name: "mirrored".into(),
            is_public: true,
            extra_specs: Metadata::from(
                ["replication_enabled", "multiattach"].map(|key| (key.into(), "<is> True".into())),
            ),
            ..CreateType::default()
        };
        let admin = Caller::new("u", "p", vec!["admin".into()]);
        control.types().create(&admin, kind).await.unwrap();
        Self {
            control,
            fleet,
            made: Mutex::default(),
            _folder: folder,
        }
    }

    /// The host.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Makes a replicated volume.
    pub async fn volume(&self, caller: &Caller) -> String {
        let wanted = CreateVolume {
            size: 1,
            volume_type: Some("mirrored".into()),
            ..CreateVolume::default()
        };
        let tenant = self.control.volumes();
        let made = asked(|| tenant.create(caller, wanted.clone())).await;
        made.unwrap().id
    }

    /// Plays one seed.
    ///
    /// # Errors
    /// The broken law and what was asked for.
    pub async fn play(&self, seed: u64) -> Result<(), String> {
        let mut rng = StdRng::seed_from_u64(seed);
        let caller = caller(seed);
        let mut volumes = Vec::new();
        for _ in 0..VOLUMES {
            volumes.push(self.volume(&caller).await);
        }
        self.made.lock().unwrap().extend(volumes.clone());
        self.rest(&caller, &volumes).await;
        let mut told = Vec::new();
        let mut requests = Vec::new();
        for _ in 0..STEPS {
            let volume = volumes.choose(&mut rng).unwrap().clone();
            let step = Step::draw(&mut rng);
            told.push(format!("{step:?} {volume}"));
            let (control, caller) = (self.control.clone(), caller.clone());
            requests.push(tokio::spawn(async move {
                asked(|| step.clone().ask(&control, &caller, &volume)).await
            }));
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..12))).await;
        }
        for (request, told) in requests.into_iter().zip(&told) {
            if let Err(error) = request.await.map_err(|error| error.to_string())? {
                let known = !matches!(error.kind, ErrorKind::Internal)
                    && !error.message.contains("many at once");
                if !known {
                    return Err(format!("seed {seed}: {told}: {error:?}"));
                }
            }
        }
        self.rest(&caller, &volumes).await;
        let broken = self.laws(&volumes).await;
        broken.map_err(|law| format!("seed {seed}: {law}\n{}", told.join("\n")))
    }

    /// What other arrays are owed of what was deleted is done by the host itself: nothing is left of it anywhere, and whatever
    /// an array holds is what a record says.
    ///
    /// # Errors
    /// What is left.
    pub async fn settles(&self) -> Result<(), String> {
        let store = self.control.store();
        let open = Query::new().eq("open", true);
        let owed = async {
            while store.count::<Obligation>(&Query::new()).await.unwrap() > 0
                || store.count::<Operation>(&open).await.unwrap() > 0
                || store.outage().is_some()
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, owed).await.is_err() {
            let owed = store.list::<Obligation>(&Query::new()).await;
            let open = store.list::<Operation>(&open).await;
            return Err(format!("owed for ever: {owed:?}; open for ever: {open:?}"));
        }
        let sides = self.fleet.sides.lock().unwrap().clone();
        let recorded = store.list::<Volume>(&Query::new()).await.unwrap();
        let recorded: Vec<String> = recorded.into_iter().map(|one| one.record.id).collect();
        let mut known = self.made.lock().unwrap().clone();
        // What was refused because the store could not be written may have been made all the same.
        known.extend(sides.values().flat_map(Side::ids));
        for id in known {
            if recorded.contains(&id) {
                continue;
            }
            if let Some((name, _)) = sides.iter().find(|(_, side)| side.knows(&id)) {
                return Err(format!("{id} is deleted, and {name} has something of it"));
            }
        }
        self.laws(&recorded).await
    }

    /// Waits until nothing is under way.
    async fn rest(&self, caller: &Caller, volumes: &[String]) {
        let store = self.control.store();
        let request = caller.request_id.clone().unwrap_or_default();
        let open = Query::new().eq("open", true).eq("request_id", request);
        loop {
            let busy = store.count::<Operation>(&open).await.unwrap();
            let held = store.get_many::<Volume>(volumes).await.unwrap();
            let free = held.iter().all(|volume| volume.operation.is_none());
            if busy == 0 && free && store.outage().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    async fn laws(&self, volumes: &[String]) -> Result<(), String> {
        let store = self.control.store();
        let sides = self.fleet.sides.lock().unwrap().clone();
        for id in volumes {
            let of = Query::new().eq("volume_id", id);
            let attachments = store.list::<Attachment>(&of).await.unwrap();
            let snapshots = store.list::<Snapshot>(&of).await.unwrap();
            let Some(volume) = store.get::<Volume>(id).await.unwrap() else {
                let left = sides.iter().find(|(_, side)| {
                    let held = side.name_of(id).and_then(|name| side.volumes.get(&name));
                    held.is_some_and(|held| held.writable)
                });
                if let Some((name, _)) = left {
                    return Err(format!("{id} is deleted, and {name} has it"));
                }
                continue;
            };
            let at = volume.placement.clone().unwrap();
            let side = &sides[&at.target];
            let Some(held) = side.volumes.get(&at.array_name) else {
                return Err(format!("{at:?}: there is only {:?}", side.name_of(id)));
            };
            if held.size != volume.size << 30 || !held.writable {
                return Err(format!("{volume:?} is {held:?}"));
            }
            for (name, other) in sides.iter().filter(|(name, _)| **name != at.target) {
                let there = other.name_of(id).map(|there| &other.volumes[&there]);
                if there.is_some_and(|there| there.writable) {
                    return Err(format!("{id} can be written on {name}, too"));
                }
            }
            let mut ways = BTreeSet::new();
            for attachment in &attachments {
                let settled = [AttachStatus::Attached, AttachStatus::Attaching];
                let Some(connector) = &attachment.connector else {
                    continue;
                };
                let way = (at.array_name.clone(), connector.host.clone());
                ways.insert(way.clone());
                let shown = attachment.connection.as_ref();
                let leads =
                    shown.is_some_and(|shown| shown.paths.iter().all(|p| p.target == at.target));
                let right = leads && side.connections.contains(&way);
                if settled.contains(&attachment.status) && !right {
                    return Err(format!("{attachment:?} leads elsewhere than {at:?}"));
                }
                if attachment.outdated.is_some() && attachment.operation.is_some() {
                    return Err(format!("{attachment:?} is held"));
                }
            }
            let of_it = side.connections.iter().filter(|(of, _)| base(of) == id);
            if let Some(left) = of_it.into_iter().find(|way| !ways.contains(*way)) {
                return Err(format!("{left:?} was detached and keeps its access"));
            }
            let known: BTreeSet<String> = snapshots.iter().map(|one| one.id.clone()).collect();
            for snapshot in &snapshots {
                if snapshot.status != SnapshotStatus::Available {
                    continue;
                }
                let there = snapshot.target.clone().unwrap_or_default();
                let end = format!("{id}.{}", snapshot.id);
                let held = sides.get(&there).map(|side| &side.snapshots);
                if !held.is_some_and(|held| held.iter().any(|name| base(name) == end)) {
                    return Err(format!("{snapshot:?} is not on its array"));
                }
            }
            let on_it = side.snapshots.iter().filter_map(|name| {
                let rest = base(name).strip_prefix(id.as_str())?;
                rest.strip_prefix('.').map(str::to_owned)
            });
            if let Some(left) = on_it.into_iter().find(|one| !known.contains(one)) {
                return Err(format!("snapshot {left} is deleted, and the array has it"));
            }
            let stuck = [
                VolumeStatus::Extending,
                VolumeStatus::Deleting,
                VolumeStatus::Creating,
            ];
            if stuck.contains(&volume.status) {
                return Err(format!("{volume:?}"));
            }
        }
        Ok(())
    }
}

/// What one of them asks for.
#[derive(Debug, Clone)]
enum Step {
    Attach(&'static str, bool),
    Detach,
    Snapshot,
    DeleteSnapshot,
    Extend,
    Delete,
    Switch(bool),
    Move(&'static str, FailoverMode),
}

impl Step {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..100) {
            0..25 => Self::Attach(HOSTS.choose(rng).unwrap(), rng.random_bool(0.6)),
            25..40 => Self::Detach,
            40..52 => Self::Snapshot,
            52..62 => Self::DeleteSnapshot,
            62..68 => Self::Extend,
            68..70 => Self::Delete,
            70..80 => Self::Switch(rng.random_bool(0.5)),
            _ => Self::Move(
                if rng.random_bool(0.6) { "b" } else { "a" },
                match rng.random_bool(0.5) {
                    true => FailoverMode::Planned,
                    false => FailoverMode::Unplanned,
                },
            ),
        }
    }

    async fn ask(
        self,
        control: &Control,
        caller: &Caller,
        volume: &str,
    ) -> Result<(), ControlError> {
        let store = control.store();
        let of = Query::new().eq("volume_id", volume);
        let about = || Ask::about(Scope::Volumes(vec![volume.to_owned()]));
        let replication = control.replication();
        match self {
            Self::Attach(host, completes) => {
                let attachments = control.attachments();
                let wanted = CreateAttachment {
                    volume_id: volume.to_owned(),
                    connector: Some(Connector {
                        host: host.into(),
                        initiator: Some(format!("iqn.{host}")),
                        ..Connector::default()
                    }),
                    ..CreateAttachment::default()
                };
                let made = attachments.create(caller, wanted).await?;
                match completes {
                    true => attachments.complete(caller, &made.id).await,
                    false => Ok(()),
                }
            }
            Self::Detach => match store.first::<Attachment>(&of).await? {
                Some(one) => control
                    .attachments()
                    .delete(caller, &one.id)
                    .await
                    .map(drop),
                None => Ok(()),
            },
            Self::Snapshot => {
                let wanted = CreateSnapshot {
                    volume_id: volume.to_owned(),
                    force: true,
                    ..CreateSnapshot::default()
                };
                control.snapshots().create(caller, wanted).await.map(drop)
            }
            Self::DeleteSnapshot => match store.first::<Snapshot>(&of).await? {
                Some(one) => control.snapshots().delete(caller, &one.id, false).await,
                None => Ok(()),
            },
            Self::Extend => {
                let size = store.get::<Volume>(volume).await?.map_or(1, |v| v.size);
                control.volumes().extend(caller, volume, size + 1).await
            }
            Self::Delete => control.volumes().delete(caller, volume, true, false).await,
            Self::Switch(on) => {
                let request = match on {
                    true => Request::Enable(about()),
                    false => Request::Disable(about()),
                };
                replication.submit(caller, request).await.map(drop)
            }
            Self::Move(to, mode) => {
                let mut ask = about();
                ask.to = Some(to.into());
                ask.mode = Some(mode);
                ask.acknowledge = agreed(control, volume, to).await?.into();
                let request = Request::Failover(ask);
                replication.submit(caller, request).await.map(drop)
            }
        }
    }
}

/// The operator agrees that what only the array holds which was left behind is lost.
async fn agreed(
    control: &Control,
    volume: &str,
    to: &str,
) -> Result<Option<Acknowledge>, ControlError> {
    let relation = control.store().get::<Relation>(volume).await?;
    let Some(relation) = relation.filter(|relation| relation.phase == Phase::Settled) else {
        return Ok(None);
    };
    Ok(relation.debt(to).map(|debt| Acknowledge {
        target: debt.target.clone(),
        role: match debt.state {
            DebtState::Owed => Role::Primary,
            _ => Role::Secondary,
        },
        generation: relation.generation,
    }))
}
