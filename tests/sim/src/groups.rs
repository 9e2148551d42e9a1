//! The control plane as a process that can be killed while it makes, changes, copies and deletes groups and their snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use springform_control::group_snapshots::CreateGroupSnapshot;
use springform_control::groups::{CreateGroup, GroupSource, UpdateGroup};
use springform_control::types::CreateType;
use springform_model::cloud::{Group, GroupSnapshot, Metadata, Snapshot, Volume};
use springform_model::operation::Operation;

use crate::keeper::{Keeper, Kept};
use crate::site::Site;

/// Verbs; of those that end in `-as-one` the array keeps the groups, of the others only the records know.
pub const VERBS: [&str; 16] = [
    "group-create",
    "group-create-as-one",
    "group-update",
    "group-update-as-one",
    "group-delete",
    "group-delete-as-one",
    "group-join",
    "group-join-as-one",
    "group-copy",
    "group-copy-as-one",
    "group-snapshot-take",
    "group-snapshot-take-as-one",
    "group-snapshot-copy",
    "group-snapshot-copy-as-one",
    "group-snapshot-delete",
    "group-snapshot-delete-as-one",
];

impl Site {
    async fn group(&self) -> Group {
        let all = self.all::<Group>().await;
        all.into_iter()
            .find(|g| g.name.as_deref() == Some("g"))
            .unwrap()
    }

    async fn create_group(&self) {
        let wanted = CreateGroup {
            name: Some("g".into()),
            group_type: "plain".into(),
            volume_types: vec!["gold".into()],
            ..CreateGroup::default()
        };
        let groups = self.control.groups();
        groups.create(&self.caller, wanted).await.unwrap();
    }

    async fn take(&self) {
        let wanted = CreateGroupSnapshot {
            group_id: self.group().await.id,
            name: Some("s".into()),
            description: None,
        };
        let snapshots = self.control.group_snapshots();
        snapshots.create(&self.caller, wanted).await.unwrap();
    }

    async fn ask(&self, verb: &str) {
        let groups = self.control.groups();
        let taken = self.all::<GroupSnapshot>().await;
        match verb.trim_end_matches("-as-one") {
            "group-create" => self.create_group().await,
            "group-update" => {
                let wanted = UpdateGroup {
                    add: vec![self.named("loose").await],
                    remove: vec![self.named("m1").await],
                    ..UpdateGroup::default()
                };
                let group = self.group().await.id;
                groups.update(&self.caller, &group, wanted).await.unwrap();
            }
            "group-delete" => {
                let group = self.group().await.id;
                groups.delete(&self.caller, &group, true).await.unwrap();
            }
            "group-join" => self.volume("joins", Some(self.group().await.id)).await,
            "group-copy" | "group-snapshot-copy" => {
                let source = match taken.first() {
                    Some(taken) => GroupSource::Snapshot(taken.id.clone()),
                    None => GroupSource::Group(self.group().await.id),
                };
                let name = Some("copy".to_owned());
                groups
                    .create_from(&self.caller, name, None, source)
                    .await
                    .unwrap();
            }
            "group-snapshot-take" => self.take().await,
            "group-snapshot-delete" => {
                let snapshots = self.control.group_snapshots();
                let taken = &taken.first().unwrap().id;
                snapshots.delete(&self.caller, taken).await.unwrap();
            }
            other => panic!("{other} is no verb"),
        }
    }
}

async fn open(dir: &Path, verb: &str) -> Site {
    let keeper = Keeper::new(dir.join("array.json"), verb.ends_with("-as-one"));
    Site::open(dir, keeper).await
}

/// Makes the directory in which a verb can be tried: a group of three volumes, a volume beside it.
pub async fn prepare(dir: &Path, verb: &str) {
    let site = open(dir, verb).await;
    let kind = CreateType {
        name: "gold".into(),
        is_public: true,
        ..CreateType::default()
    };
    let types = site.control.types();
    types.create(&site.caller, kind).await.unwrap();
    let kinds = site.control.group_types();
    kinds
        .create("plain".into(), None, true, Metadata::new())
        .await
        .unwrap();
    site.volume("loose", None).await;
    if !verb.starts_with("group-create") {
        site.create_group().await;
        site.quiet().await;
        for name in ["m0", "m1", "m2"] {
            site.volume(name, Some(site.group().await.id)).await;
        }
        site.quiet().await;
    }
    if verb.starts_with("group-snapshot-") && !verb.starts_with("group-snapshot-take") {
        site.take().await;
    }
    site.quiet().await;
    site.control.shutdown(Duration::from_secs(5)).await;
}

/// Lets what is open be resumed; then asks for the verb, unless that was done before the last death. Says what has come of it.
pub async fn carry_out(dir: &Path, verb: &str) -> String {
    let mut site = open(dir, verb).await;
    site.ask_once(async |site| site.ask(verb).await).await;
    let told = outcome(&site, &Kept::read(&dir.join("array.json"))).await;
    site.control.shutdown(Duration::from_secs(5)).await;
    told
}

/// Everything that must be the same whether the host died in between or not, in names: ids are new in every run.
async fn outcome(site: &Site, kept: &Kept) -> String {
    let volumes = site.all::<Volume>().await;
    let snapshots = site.all::<Snapshot>().await;
    let groups = site.all::<Group>().await;
    let taken = site.all::<GroupSnapshot>().await;
    assert_eq!(
        kept.volumes.keys().collect::<BTreeSet<_>>(),
        volumes.iter().map(|v| &v.id).collect(),
        "the array does not hold exactly the volumes that the API shows"
    );
    assert_eq!(
        kept.snapshots.keys().collect::<BTreeSet<_>>(),
        snapshots.iter().map(|s| &s.id).collect(),
        "the array does not hold exactly the snapshots that the API shows"
    );
    for (group, members) in &kept.groups {
        let shown = volumes
            .iter()
            .filter(|v| v.group_id.as_ref() == Some(group));
        assert_eq!(
            members,
            &shown.map(|v| v.id.clone()).collect(),
            "the array does not keep the group's members"
        );
    }
    let as_one = groups.iter().filter(|g| g.array_name.is_some());
    assert_eq!(
        kept.groups.keys().collect::<BTreeSet<_>>(),
        as_one.map(|g| &g.id).collect(),
        "the array does not keep exactly the groups that the API shows"
    );
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let words = |name: &Option<String>| name.clone().unwrap_or_default();
    names.extend(volumes.iter().map(|v| (v.id.as_str(), words(&v.name))));
    names.extend(groups.iter().map(|g| (g.id.as_str(), words(&g.name))));
    names.extend(taken.iter().map(|s| (s.id.as_str(), words(&s.name))));
    for snapshot in &snapshots {
        let of = names.get(snapshot.volume_id.as_str());
        let name = format!("snapshot of {}", of.cloned().unwrap_or_default());
        names.insert(&snapshot.id, name);
    }
    let name = |id: Option<&String>| {
        let known = id.and_then(|id| names.get(id.as_str()).cloned());
        known.unwrap_or_else(|| id.map_or_else(String::new, |_| "somebody gone".into()))
    };
    let mut lines = Vec::new();
    for v in &volumes {
        assert_eq!(v.operation, None, "volume {:?} is still held", v.name);
        lines.push(format!(
            "volume {} {} in {} of {}{} on {:?}",
            words(&v.name),
            v.status,
            name(v.group_id.as_ref()),
            name(v.source_volid.as_ref()),
            name(v.snapshot_id.as_ref()),
            v.placement.as_ref().map(|p| &p.target),
        ));
    }
    for s in &snapshots {
        assert_eq!(s.operation, None, "a snapshot is still held");
        let (own, whole) = (name(Some(&s.id)), name(s.group_snapshot_id.as_ref()));
        let placed = s.array_name.is_some();
        lines.push(format!(
            "{own} {} part of {whole} placed {placed}",
            s.status
        ));
    }
    for g in &groups {
        assert_eq!(g.operation, None, "group {:?} is still held", g.name);
        let (own, kept) = (words(&g.name), g.array_name.is_some());
        lines.push(format!("group {own} {} kept by the array {kept}", g.status));
    }
    for s in &taken {
        assert_eq!(s.operation, None, "a group snapshot is still held");
        let of = name(Some(&s.group_id));
        lines.push(format!("of {of} {} as one {}", s.status, s.consistent));
    }
    for o in site.all::<Operation>().await {
        let error = o.error.as_ref().map(|e| e.message.as_str());
        let steps = o.steps.len();
        let (verb, state) = (o.verb, o.state.as_str());
        lines.push(format!("{verb:?} {state} {error:?} in {steps} steps"));
    }
    lines.sort();
    lines.join("\n")
}
