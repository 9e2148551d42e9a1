//! What there is before two requests meet: made anew for every meeting, over one host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use springform_control::attachments::CreateAttachment;
use springform_control::groups::CreateGroup;
use springform_control::snapshots::CreateSnapshot;
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_control::{Clock, Control};
use springform_model::cloud::{
    Attachment, DefaultType, Group, GroupSnapshot, GroupType, Metadata, QosSpecs, QuotaSet,
    Snapshot, Transfer, Volume, VolumeType,
};
use springform_model::contract::Connector;
use springform_model::operation::Operation;
use springform_model::replication::relation::Relation;
use springform_store::{Changes, Query, Record};

use crate::common::{Array, admin, start, start_with, until, up};
use crate::verbs::Who;

/// Where the two meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A volume that nobody uses, a group without members, QoS specs.
    Bare,
    /// The same, and the volume has a snapshot.
    Snapped,
    /// The volume is the member of the group.
    Grouped,
    /// It is offered to another project.
    Offered,
    /// Two attachments of one host use it, a third waits.
    Used,
}

#[derive(Debug, Default, Clone)]
pub struct World {
    pub kind: String,
    pub other: String,
    pub group_kind: String,
    pub qos: String,
    pub volume: String,
    pub group: String,
    pub snapshot: String,
    /// A transfer and its key.
    pub offer: (String, String),
    pub attachments: Vec<String>,
}

pub struct Rig {
    pub control: Control,
    pub array: Arc<Array>,
    folder: tempfile::TempDir,
}

pub fn connector() -> Connector {
    Connector {
        host: "h1".into(),
        initiator: Some("iqn.h1".into()),
        ..Connector::default()
    }
}

impl Rig {
    pub async fn new() -> Self {
        Self::with(Clock::system()).await
    }

    pub async fn with(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let array = Arc::new(Array::default());
        array.grouping.store(true, Ordering::SeqCst);
        let control = start_with(&folder.path().join("db"), &array, 1, clock).await;
        up(&control).await;
        let free = ["volumes", "snapshots", "gigabytes", "groups"];
        let free: BTreeMap<String, i64> = free.map(|key| (key.to_owned(), -1)).into();
        control.quotas().set_defaults(free).await.unwrap();
        Self {
            control,
            array,
            folder,
        }
    }

    /// The host is started again on the same database.
    pub async fn starts_again(&mut self) {
        self.control = start(&self.folder.path().join("db"), &self.array, 1).await;
    }

    /// Waits until everything that was begun has ended.
    pub async fn quiet(&self) {
        let store = self.control.store();
        let open = Query::new().eq("open", true);
        until(|| async { store.count::<Operation>(&open).await.unwrap() == 0 }).await;
    }

    /// Waits until everything that one of the two began has ended. What the other began may not even run yet.
    pub async fn ended(&self, who: Who) {
        let store = self.control.store();
        let open = Query::new().eq("open", true).eq("request_id", who.word());
        until(|| async { store.count::<Operation>(&open).await.unwrap() == 0 }).await;
    }

    /// Waits until everything has ended, also what somebody began who has gone since: on one thread that has given its
    /// changes to the database once it was let run, and whatever was given to it before this is written before this.
    pub async fn settled(&self) {
        let set = QuotaSet {
            id: "somebody".into(),
            limits: BTreeMap::new(),
        };
        tokio::task::yield_now().await;
        let store = self.control.store();
        store.commit(Changes::new().put(&set)).await.unwrap();
        self.quiet().await;
    }

    pub async fn all<T: Record>(&self) -> Vec<T> {
        let found = self.control.store().list::<T>(&Query::new()).await.unwrap();
        found.into_iter().map(|stored| stored.record).collect()
    }

    async fn forget<T: Record>(&self) {
        let gone = self.all::<T>().await;
        let changes = gone
            .iter()
            .fold(Changes::new(), |changes, row| changes.remove::<T>(row.id()));
        self.control.store().commit(changes).await.unwrap();
    }

    /// Nothing is left of the meeting.
    pub async fn clear(&self) {
        self.forget::<Volume>().await;
        self.forget::<Snapshot>().await;
        self.forget::<Attachment>().await;
        self.forget::<Transfer>().await;
        self.forget::<Group>().await;
        self.forget::<GroupSnapshot>().await;
        self.forget::<VolumeType>().await;
        self.forget::<GroupType>().await;
        self.forget::<DefaultType>().await;
        self.forget::<QosSpecs>().await;
        self.forget::<Relation>().await;
        self.array.volumes.lock().unwrap().clear();
        self.array.snapshots.lock().unwrap().clear();
        self.array.connections.lock().unwrap().clear();
        self.array.ways.lock().unwrap().clear();
        self.array.told.lock().unwrap().clear();
        self.array.groups.lock().unwrap().clear();
    }

    async fn kind(&self, name: &str, place: Place) -> String {
        // Several hosts use the volume, and a retype must not take that from them.
        let shared = ("multiattach".to_owned(), "<is> True".to_owned());
        let specs = (place == Place::Used).then_some(shared);
        let wanted = CreateType {
            name: name.into(),
            is_public: true,
            extra_specs: specs.into_iter().collect(),
            ..CreateType::default()
        };
        let made = self.control.types().create(&admin(), wanted).await;
        made.unwrap().id
    }

    pub async fn world(&self, place: Place) -> World {
        let control = &self.control;
        let caller = admin();
        let mut world = World {
            kind: self.kind("gold", place).await,
            other: self.kind("silver", place).await,
            ..World::default()
        };
        let kinds = control.group_types();
        let made = kinds.create("together".into(), None, true, Metadata::new());
        world.group_kind = made.await.unwrap().id;
        let qos = control.qos();
        let made = qos.create("fast".into(), "both".into(), Metadata::new());
        world.qos = made.await.unwrap().id;
        let wanted = CreateGroup {
            group_type: world.group_kind.clone(),
            volume_types: vec![world.kind.clone()],
            ..CreateGroup::default()
        };
        world.group = control.groups().create(&caller, wanted).await.unwrap().id;
        self.quiet().await;
        let wanted = CreateVolume {
            size: 1,
            volume_type: Some(world.kind.clone()),
            group_id: (place == Place::Grouped).then(|| world.group.clone()),
            ..CreateVolume::default()
        };
        world.volume = control.volumes().create(&caller, wanted).await.unwrap().id;
        self.quiet().await;
        match place {
            Place::Bare | Place::Grouped => {}
            Place::Snapped => {
                let wanted = CreateSnapshot {
                    volume_id: world.volume.clone(),
                    ..CreateSnapshot::default()
                };
                let taken = control.snapshots().create(&caller, wanted).await;
                world.snapshot = taken.unwrap().id;
                self.quiet().await;
            }
            Place::Offered => {
                let transfers = control.transfers();
                let offer = transfers.create(&caller, &world.volume, None, false);
                let (offer, key) = offer.await.unwrap();
                world.offer = (offer.id, key);
            }
            Place::Used => {
                let attachments = control.attachments();
                for connector in [Some(connector()), Some(connector()), None] {
                    let used = connector.is_some();
                    let wanted = CreateAttachment {
                        volume_id: world.volume.clone(),
                        connector,
                        ..CreateAttachment::default()
                    };
                    let made = attachments.create(&caller, wanted).await.unwrap().id;
                    if used {
                        attachments.complete(&caller, &made).await.unwrap();
                    }
                    world.attachments.push(made);
                }
            }
        }
        world
    }
}
