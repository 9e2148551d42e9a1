//! The control plane as a process that can be killed during every verb of a tenant: volumes, snapshots, machines that are
//! connected, other types.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use springform_control::attachments::CreateAttachment;
use springform_control::snapshots::CreateSnapshot;
use springform_control::types::CreateType;
use springform_control::volumes::{CreateVolume, Migration};
use springform_model::cloud::{Attachment, Metadata, Snapshot, Volume};
use springform_model::contract::Connector;
use springform_model::operation::Operation;

use crate::keeper::{Keeper, Kept};
use crate::site::Site;

const GIB: u64 = 1 << 30;

/// Verbs. In the beginning there are two volumes, `free` and `used`; a machine is connected to the second, and each has a
/// snapshot, but for `life-delete`.
pub const VERBS: [&str; 13] = [
    "life-create",
    "life-clone",
    "life-restore",
    "life-delete",
    "life-delete-cascade",
    "life-extend",
    "life-snapshot",
    "life-snapshot-delete",
    "life-revert",
    "life-attach",
    "life-detach",
    "life-retype-into-the-pair",
    "life-retype-out-of-the-pair",
];

async fn open(dir: &Path) -> Site {
    Site::open(dir, Keeper::new(dir.join("array.json"), false).paired()).await
}

fn machine(name: &str) -> Connector {
    Connector {
        host: name.into(),
        ip: None,
        initiator: Some(format!("iqn.{name}")),
        wwpns: Vec::new(),
        wwnns: Vec::new(),
        nqn: None,
        system_uuid: None,
        multipath: true,
        chap: None,
        extensions: Vec::new(),
    }
}

impl Site {
    async fn snapshot_of(&self, volume: &str) -> String {
        let volume = self.named(volume).await;
        let mut all = self.all::<Snapshot>().await.into_iter();
        all.find(|s| s.volume_id == volume).unwrap().id
    }

    async fn kind(&self, name: &str, specs: &[(&str, &str)]) {
        let pairs = specs
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        let wanted = CreateType {
            name: name.into(),
            is_public: true,
            extra_specs: pairs.collect::<Metadata>(),
            ..CreateType::default()
        };
        let types = self.control.types();
        types.create(&self.caller, wanted).await.unwrap();
    }

    async fn take_snapshot(&self, volume: &str, name: &str) {
        let wanted = CreateSnapshot {
            volume_id: self.named(volume).await,
            name: Some(name.into()),
            description: None,
            metadata: Metadata::new(),
            force: true,
        };
        let snapshots = self.control.snapshots();
        snapshots.create(&self.caller, wanted).await.unwrap();
    }

    /// Connects a machine, with the attachment that a client whose host died finds again.
    async fn attach(&self, volume: &str) {
        let volume = self.named(volume).await;
        let attachments = self.control.attachments();
        let known = attachments.of(&volume).await.unwrap();
        let id = match known.first() {
            Some(known) => known.id.clone(),
            None => {
                let wanted = CreateAttachment {
                    volume_id: volume,
                    instance_id: None,
                    connector: None,
                    mode: Some("rw".into()),
                    device: None,
                };
                let made = attachments.create(&self.caller, wanted).await;
                made.unwrap().id
            }
        };
        let connected = attachments.update(&self.caller, &id, machine("m"));
        connected.await.unwrap();
    }

    async fn complete(&self, volume: &str) {
        let volume = self.named(volume).await;
        let attachments = self.control.attachments();
        for known in attachments.of(&volume).await.unwrap() {
            let used = attachments.complete(&self.caller, &known.id);
            used.await.unwrap();
        }
    }

    async fn detach(&self, volume: &str) {
        let volume = self.named(volume).await;
        let attachments = self.control.attachments();
        for known in attachments.of(&volume).await.unwrap() {
            let gone = attachments.delete(&self.caller, &known.id);
            gone.await.unwrap();
        }
    }

    async fn make(&self, from: CreateVolume) {
        let wanted = CreateVolume {
            size: 1,
            name: Some("made".into()),
            ..from
        };
        let volumes = self.control.volumes();
        volumes.create(&self.caller, wanted).await.unwrap();
    }

    async fn live(&self, verb: &str) {
        let (caller, volumes) = (&self.caller, self.control.volumes());
        let (free, used) = (self.named("free").await, self.named("used").await);
        let retype = |kind| volumes.retype(caller, &used, kind, Migration::Never);
        match verb {
            "life-create" => self.volume("made", None).await,
            "life-clone" => {
                self.make(CreateVolume {
                    source_volid: Some(used),
                    ..CreateVolume::default()
                })
                .await;
            }
            "life-restore" => {
                self.make(CreateVolume {
                    snapshot_id: Some(self.snapshot_of("used").await),
                    ..CreateVolume::default()
                })
                .await;
            }
            "life-delete" => volumes.delete(caller, &free, false, false).await.unwrap(),
            "life-delete-cascade" => volumes.delete(caller, &free, true, false).await.unwrap(),
            "life-extend" => volumes.extend(caller, &used, 3).await.unwrap(),
            "life-snapshot" => self.take_snapshot("used", "second").await,
            "life-snapshot-delete" => {
                let snapshot = self.snapshot_of("used").await;
                let snapshots = self.control.snapshots();
                snapshots.delete(caller, &snapshot, false).await.unwrap();
            }
            "life-revert" => {
                let snapshot = self.snapshot_of("free").await;
                volumes.revert(caller, &free, &snapshot).await.unwrap();
            }
            "life-attach" => self.attach("free").await,
            "life-detach" => self.detach("used").await,
            "life-retype-into-the-pair" => retype("paired").await.unwrap(),
            "life-retype-out-of-the-pair" => retype("gold").await.unwrap(),
            other => panic!("{other} is no verb"),
        }
    }
}

/// Makes the directory in which a verb can be tried.
pub async fn prepare(dir: &Path, verb: &str) {
    let site = open(dir).await;
    site.kind("gold", &[]).await;
    let paired = [
        ("replication_enabled", "<is> True"),
        ("replication_type", "<in> sync"),
    ];
    site.kind("paired", &paired).await;
    for name in ["free", "used"] {
        site.volume(name, None).await;
        site.quiet().await;
        // Without cascade only a volume that has none is deleted.
        if (verb, name) != ("life-delete", "free") {
            site.take_snapshot(name, name).await;
            site.quiet().await;
        }
    }
    site.attach("used").await;
    site.complete("used").await;
    if verb == "life-retype-out-of-the-pair" {
        site.live("life-retype-into-the-pair").await;
    }
    site.quiet().await;
    site.control.shutdown(Duration::from_secs(5)).await;
}

/// Lets what is open be resumed; then asks for the verb, unless that was done before the last death. Says what has come of it.
pub async fn carry_out(dir: &Path, verb: &str) -> String {
    let mut site = open(dir).await;
    site.ask_once(async |site| site.live(verb).await).await;
    let told = outcome(&site, &Kept::read(&dir.join("array.json"))).await;
    site.control.shutdown(Duration::from_secs(5)).await;
    told
}

/// Everything that must be the same whether the host died in between or not, in names: ids are new in every run.
async fn outcome(site: &Site, kept: &Kept) -> String {
    let volumes = site.all::<Volume>().await;
    let snapshots = site.all::<Snapshot>().await;
    let attachments = site.all::<Attachment>().await;
    let sizes = volumes.iter().map(|v| (v.id.clone(), v.size * GIB));
    assert_eq!(
        kept.sizes,
        sizes.collect(),
        "the array does not hold exactly the volumes that the API shows, in their sizes"
    );
    assert_eq!(
        kept.snapshots.keys().collect::<BTreeSet<_>>(),
        snapshots.iter().map(|s| &s.id).collect(),
        "the array does not hold exactly the snapshots that the API shows"
    );
    let name = |id: &str| {
        let of = volumes.iter().find(|v| v.id == id);
        let of = of.and_then(|v| v.name.clone());
        let taken = snapshots.iter().find(|s| s.id == id);
        let taken = taken
            .and_then(|s| s.name.as_ref())
            .map(|n| format!("snapshot {n}"));
        of.or(taken).unwrap_or_else(|| "somebody gone".into())
    };
    let mut shown: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let mut lines = Vec::new();
    for a in &attachments {
        assert_eq!(a.operation, None, "an attachment is still held");
        let paths = a.connection.iter().flat_map(|c| &c.paths);
        let ways: BTreeSet<_> = paths.map(|path| path.target.clone()).collect();
        lines.push(format!(
            "machine at {} {:?} to {ways:?}",
            name(&a.volume_id),
            a.status
        ));
        if let Some(host) = a.host_name.clone() {
            shown.entry(&a.volume_id).or_default().insert(host, ways);
        }
    }
    for v in &volumes {
        assert_eq!(v.operation, None, "volume {:?} is still held", v.name);
        let ways = kept.ways.get(&v.id).cloned().unwrap_or_default();
        lines.push(format!(
            "volume {} {} of {} GiB and type {:?} on {:?} from {:?}; machines {:?} have ways to {ways:?}",
            name(&v.id),
            v.status,
            v.size,
            v.type_name,
            v.placement.as_ref().map(|p| (&p.target, &p.replication)),
            kept.volumes[&v.id].as_deref().map(name),
            v.attachments.len(),
        ));
        let serves = v.placement.as_ref().map(|p| p.target.as_str()).unwrap();
        for (machine, told) in shown.remove(v.id.as_str()).unwrap_or_default() {
            let has = kept.ways.get(&v.id).and_then(|ways| ways.get(&machine));
            assert!(
                told.contains(serves) && has.is_some_and(|has| has.contains(serves)),
                "{machine} has no way to {}, or was not told of it: {told:?}, {has:?}",
                name(&v.id)
            );
        }
    }
    for s in &snapshots {
        assert_eq!(s.operation, None, "a snapshot is still held");
        let placed = s.array_name.is_some();
        lines.push(format!(
            "{} of {} {} placed {placed}",
            name(&s.id),
            name(&s.volume_id),
            s.status
        ));
    }
    for o in site.all::<Operation>().await {
        let error = o.error.as_ref().map(|e| e.message.as_str());
        lines.push(format!("{:?} {} {error:?}", o.verb, o.state.as_str()));
    }
    lines.sort();
    lines.join("\n")
}
