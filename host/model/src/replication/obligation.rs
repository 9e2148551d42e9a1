//! What an array still has to be told of objects that have no record any more: written down in the commit that removes the
//! record, and done when the array answers.
//!
//! What is owed of a volume that has a record is that record's: see [`Debt`](super::relation::Debt).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::relation::{DebtState, Phase, Relation};
use crate::contract::{Call, Connector, GroupSpec, Migration, Side, SnapshotSpec, VolumeSpec};
use crate::time::Timestamp;

/// What has to be done on an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObligationKind {
    /// Nobody may write what it holds of a volume, and it sends that nowhere.
    Fence,
    /// A volume that was deleted goes, and with it its snapshots and its place in protection groups.
    DeleteVolume,
    /// A snapshot that was deleted goes.
    DeleteSnapshot,
    /// A consistency group that was deleted goes.
    DeleteGroup,
    /// A snapshot of a consistency group that was deleted goes.
    DeleteGroupSnapshot,
    /// A machine that was detached does not reach a volume any more.
    Disconnect,
    /// What a move of a volume between backends made goes, save the volume.
    EndMigration,
}

impl ObligationKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Fence,
        Self::DeleteVolume,
        Self::DeleteSnapshot,
        Self::DeleteGroup,
        Self::DeleteGroupSnapshot,
        Self::Disconnect,
        Self::EndMigration,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::DeleteVolume => "delete-volume",
            Self::DeleteSnapshot => "delete-snapshot",
            Self::DeleteGroup => "delete-group",
            Self::DeleteGroupSnapshot => "delete-group-snapshot",
            Self::Disconnect => "disconnect",
            Self::EndMigration => "end-migration",
        }
    }
}

/// Where an obligation stands. One that is done has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObligationState {
    /// To be done as soon as the array answers.
    Pending,
    /// Written off: the configuration does not name the array any more. Pending again should it come back.
    Abandoned,
}

impl ObligationState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What one array is owed of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// Follows from backend, array, kind and object, so the same thing is owed once.
    pub id: String,
    /// Backend.
    pub backend: String,
    /// The array that is owed.
    pub target: String,
    /// What.
    pub kind: ObligationKind,
    /// Where it stands.
    pub state: ObligationState,
    /// Name of the object on the array, as far as it is known.
    pub object: String,
    /// The volume that it is, or is a snapshot of; none for groups.
    pub volume_id: Option<String>,
    /// Project that the object belonged to.
    pub project: String,
    /// What the driver is told to do.
    pub call: Call,
    /// Why it is owed, as a sentence.
    pub reason: String,
    /// The operation that owes it.
    pub operation: String,
    /// Generation of the volume's relation then; 0 for groups.
    pub generation: u64,
    /// Since when.
    pub since: Timestamp,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// Who owes, and when.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// Backend.
    pub backend: &'a str,
    /// Its arrays, as configured.
    pub targets: &'a [String],
    /// The operation.
    pub operation: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// A volume as a driver is told of it on another array than the one that serves it.
fn placed_on(volume: &VolumeSpec, target: &str) -> VolumeSpec {
    let mut volume = volume.clone();
    if let Some(placement) = &mut volume.placement {
        target.clone_into(&mut placement.target);
        // There it has another serial; its name is all that is known of it.
        placement.serial = None;
    }
    volume
}

fn name_of(volume: &VolumeSpec) -> &str {
    let placement = volume.placement.as_ref();
    placement.map_or(&volume.name, |p| &p.array_name)
}

impl Cause<'_> {
    fn owes(
        &self,
        target: &str,
        kind: ObligationKind,
        about: &About<'_>,
        call: Call,
    ) -> Obligation {
        let known = self.targets.iter().any(|t| t == target);
        Obligation {
            id: format!("{}/{target}/{}/{}", self.backend, kind.as_str(), about.id),
            backend: self.backend.to_owned(),
            target: target.to_owned(),
            kind,
            state: if known {
                ObligationState::Pending
            } else {
                ObligationState::Abandoned
            },
            object: about.name.to_owned(),
            volume_id: about.volume.map(|volume| volume.id.clone()),
            project: about.project.to_owned(),
            call,
            reason: about.reason.clone(),
            operation: self.operation.to_owned(),
            generation: about.volume.map_or(0, |volume| volume.generation),
            since: self.at,
            error: None,
        }
    }

    /// A volume is deleted from the array that serves it: every other array that may hold it is owed its deletion. One that
    /// was never moved is nowhere else.
    #[must_use]
    pub fn volume_deleted(
        &self,
        volume: &VolumeSpec,
        relation: Option<&Relation>,
    ) -> Vec<Obligation> {
        let Some(placement) = &volume.placement else {
            return Vec::new();
        };
        let mut holders: BTreeSet<&str> = BTreeSet::new();
        if volume.generation > 0 || relation.is_some_and(|r| r.generation > 0) {
            holders.extend(self.targets.iter().map(String::as_str));
        }
        if let Some(relation) = relation {
            holders.extend(relation.debts.iter().map(|d| d.target.as_str()));
            if let Phase::Moving(m) | Phase::Stranded(m) = &relation.phase {
                holders.extend(m.from.iter().chain([&m.to]).map(String::as_str));
            }
        }
        holders.remove(placement.target.as_str());
        let reason = format!(
            "volume {} was deleted while {} served it",
            volume.id, placement.target
        );
        let about = About::volume(volume, reason);
        let owed = holders.into_iter().map(|target| {
            let volume = placed_on(volume, target);
            let call = Call::DeleteVolume { volume };
            self.owes(target, ObligationKind::DeleteVolume, &about, call)
        });
        owed.collect()
    }

    /// The cloud gives a volume up and leaves it on the array that serves it: an array that was left behind and can still
    /// be written is owed its fence.
    #[must_use]
    pub fn volume_unmanaged(
        &self,
        volume: &VolumeSpec,
        relation: Option<&Relation>,
    ) -> Vec<Obligation> {
        let debts = relation.into_iter().flat_map(|r| &r.debts);
        let owed = debts.filter(|d| d.state != DebtState::Fenced).map(|debt| {
            let target = debt.target.clone();
            let reason = format!(
                "volume {} was given up after it had moved away from {target}",
                volume.id
            );
            let call = Call::Demote {
                volumes: vec![placed_on(volume, &target)],
                target: target.clone(),
            };
            let about = About::volume(volume, reason);
            self.owes(&target, ObligationKind::Fence, &about, call)
        });
        owed.collect()
    }

    /// A snapshot is deleted that was taken on an array which is away now.
    #[must_use]
    pub fn snapshot_deleted(
        &self,
        volume: &VolumeSpec,
        snapshot: &SnapshotSpec,
        taken_on: &str,
    ) -> Obligation {
        let about = About {
            id: &snapshot.id,
            name: snapshot.array_name.as_deref().unwrap_or(&snapshot.name),
            project: &volume.project,
            volume: Some(volume),
            reason: format!(
                "snapshot {} was deleted while {taken_on}, on which it was taken, was away",
                snapshot.id
            ),
        };
        let call = Call::DeleteSnapshot {
            volume: placed_on(volume, taken_on),
            snapshot: snapshot.clone(),
        };
        self.owes(taken_on, ObligationKind::DeleteSnapshot, &about, call)
    }

    /// A snapshot of a group is deleted that was taken on an array which is away now.
    #[must_use]
    pub fn group_snapshot_deleted(
        &self,
        group: &GroupSpec,
        id: &str,
        snapshots: &[SnapshotSpec],
        taken_on: &str,
    ) -> Obligation {
        let about = About {
            id,
            name: id,
            project: &group.project,
            volume: None,
            reason: format!(
                "group snapshot {id} was deleted while {taken_on}, on which it was taken, was away"
            ),
        };
        let call = Call::DeleteGroupSnapshot {
            group: GroupSpec {
                target: Some(taken_on.to_owned()),
                ..group.clone()
            },
            snapshot_id: id.to_owned(),
            snapshots: snapshots.to_vec(),
        };
        self.owes(taken_on, ObligationKind::DeleteGroupSnapshot, &about, call)
    }

    /// A machine is detached from a volume while an array that has a way to it is away.
    #[must_use]
    pub fn detached(
        &self,
        volume: &VolumeSpec,
        attachment: &str,
        connector: &Connector,
        target: &str,
    ) -> Obligation {
        let about = About {
            id: attachment,
            name: name_of(volume),
            project: &volume.project,
            volume: Some(volume),
            reason: format!(
                "{} was detached from volume {} while {target} was away",
                connector.host, volume.id
            ),
        };
        let call = Call::Disconnect {
            volume: placed_on(volume, target),
            connector: Some(connector.clone()),
            keep: false,
        };
        self.owes(target, ObligationKind::Disconnect, &about, call)
    }

    /// A volume has moved to another backend while the array that had it was away: that is owed its deletion.
    #[must_use]
    pub fn left_behind(
        &self,
        volume: &VolumeSpec,
        migration: &Migration,
        call: Call,
    ) -> Obligation {
        let Side {
            backend, target, ..
        } = &migration.source;
        let reason = format!(
            "volume {} was moved from {target} to backend {} ({}), and {backend} could not delete it then",
            volume.id, migration.destination.backend, migration.destination.target
        );
        let about = About::volume(volume, reason);
        self.owes(target, ObligationKind::DeleteVolume, &about, call)
    }

    /// A move of a volume between backends is over, and an array could not be told: what the move made there is owed its end.
    #[must_use]
    pub fn migration_ended(
        &self,
        volume: &VolumeSpec,
        migration: &Migration,
        target: &str,
        call: Call,
    ) -> Obligation {
        let about = About {
            id: &migration.id,
            reason: format!(
                "a move of volume {} from backend {} to {} is over, and {target} still has what it made",
                volume.id, migration.source.backend, migration.destination.backend
            ),
            ..About::volume(volume, String::new())
        };
        self.owes(target, ObligationKind::EndMigration, &about, call)
    }

    /// A group that has moved is deleted: every other array is owed its deletion.
    #[must_use]
    pub fn group_deleted(&self, group: &GroupSpec) -> Vec<Obligation> {
        let serves = |target: &&String| group.target.as_ref() == Some(*target);
        let about = About {
            id: &group.id,
            name: group.array_name.as_deref().unwrap_or(&group.id),
            project: &group.project,
            volume: None,
            reason: format!("group {} was deleted after it had moved", group.id),
        };
        let others = self.targets.iter().filter(|target| !serves(target));
        let owed = others.map(|target| {
            let group = GroupSpec {
                target: Some(target.clone()),
                ..group.clone()
            };
            let call = Call::DeleteGroup { group };
            self.owes(target, ObligationKind::DeleteGroup, &about, call)
        });
        owed.collect()
    }
}

/// What an obligation is about.
struct About<'a> {
    id: &'a str,
    name: &'a str,
    project: &'a str,
    volume: Option<&'a VolumeSpec>,
    reason: String,
}

impl<'a> About<'a> {
    fn volume(volume: &'a VolumeSpec, reason: String) -> Self {
        Self {
            id: &volume.id,
            name: name_of(volume),
            project: &volume.project,
            volume: Some(volume),
            reason,
        }
    }
}

impl Obligation {
    /// The state it has to have now that these are the arrays of the backend; none where it has that.
    #[must_use]
    pub fn known(&self, targets: &[String]) -> Option<ObligationState> {
        let state = match targets.contains(&self.target) {
            true => ObligationState::Pending,
            false => ObligationState::Abandoned,
        };
        (state != self.state).then_some(state)
    }
}
