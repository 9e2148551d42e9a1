//! What the verbs of replication stand on: rows, arrays, time. One port, so that a seeded simulation can run the very
//! same verbs on a world in memory and on a clock of its own.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use springform_model::audit::Entry;
use springform_model::cloud::{Group, Service, UserMessage, Volume};
use springform_model::contract::{Call, CallError, ClockSkew, Reply, Target, VolumeSpec};
use springform_model::operation::Operation;
use springform_model::replication::Refusal;
use springform_model::replication::drill::Drill;
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::Relation;
use springform_model::time::Timestamp;

use super::{GroupView, Plan, Scope};
use crate::outbox::CloudEvent;

/// A volume with its relation, as read. In boxes, because lists of members are sorted out again and again.
#[derive(Debug, Clone)]
pub struct Member {
    /// The volume.
    pub volume: Box<Volume>,
    /// Its row's revision.
    pub revision: u64,
    /// Its relation; made up from the volume where none is stored yet.
    pub relation: Box<Relation>,
    /// The relation's row's revision; none where none is stored yet.
    pub relation_revision: Option<u64>,
    /// What a driver is told of it.
    pub spec: Box<VolumeSpec>,
}

impl Member {
    /// Whether it can be moved at all: it asks for a copy, and was made on an array.
    #[must_use]
    pub fn movable(&self) -> bool {
        self.volume.placement.is_some() && self.replicated()
    }

    /// Whether its type asks for a copy.
    #[must_use]
    pub fn replicated(&self) -> bool {
        let placed = self.volume.placement.as_ref();
        placed.is_some_and(|p| p.replication.is_some())
            || self
                .spec
                .volume_type
                .as_ref()
                .is_some_and(|t| t.replication.is_some())
    }
}

/// Names on arrays of the snapshots of one volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotNames {
    /// Taken on the array that serves the volume now.
    pub there: Vec<String>,
    /// Taken on another one, or nobody knows where.
    pub elsewhere: Vec<String>,
}

/// Everything that is written at once or not at all.
#[derive(Debug, Default)]
pub struct Writes {
    /// Volumes and relations, at the revisions they were read with.
    pub members: Vec<Member>,
    /// Services, likewise.
    pub services: Vec<(Service, u64)>,
    /// The operation; only its runner writes it.
    pub operation: Option<Operation>,
    /// Drills; only the operation that holds one writes it.
    pub drills: Vec<Drill>,
    /// Drills that an operation takes, at the revisions they were read with: of two that want one, one gets it.
    pub taken: Vec<(Drill, u64)>,
    /// Groups, at the revisions they were read with.
    pub groups: Vec<(Group, u64)>,
    /// A plan to keep.
    pub plan: Option<Plan>,
    /// What arrays are owed, and what became of it.
    pub obligations: Vec<Obligation>,
    /// Ids of obligations that are done.
    pub settled: Vec<String>,
    /// Events to deliver.
    pub events: Vec<CloudEvent>,
    /// What projects are told.
    pub messages: Vec<UserMessage>,
    /// What the audit log is told.
    pub audit: Vec<Entry>,
}

/// One backend, as far as replication needs it.
#[derive(Debug, Clone)]
pub struct BackendView {
    /// Name.
    pub name: String,
    /// Its arrays.
    pub targets: Vec<Target>,
    /// How their clocks stand against this host's, as far as that was measured.
    pub clocks: BTreeMap<String, ClockSkew>,
    /// Those that answer and are not believed to be themselves.
    pub distrusted: Vec<String>,
    /// Changes whenever its configuration or its driver does.
    pub fingerprint: String,
    /// Calls that may be under way at once.
    pub parallel: usize,
    /// Volumes of one call.
    pub batch: usize,
}

impl BackendView {
    /// The array named by `san_ip`.
    #[must_use]
    pub fn primary(&self) -> Option<&Target> {
        self.targets.iter().find(|t| t.primary)
    }

    /// The array of a name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|t| t.name == name)
    }
}

/// Why a verb could not begin or go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReplicationError {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Something is in the way.
    #[error("{message}")]
    Conflict {
        /// What, and what to do.
        message: String,
        /// The operation in the way.
        operation: Option<String>,
    },
    /// The request makes sense, but not as things stand; waiting alone does not help.
    #[error("{0}")]
    Refused(String),
    /// A row was written by somebody else since it was read.
    #[error("{0} was changed by somebody else meanwhile; try again")]
    Moved(String),
    /// An array or driver does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed.
    #[error("{0}")]
    Internal(String),
}

impl ReplicationError {
    /// A conflict without an operation in the way.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict {
            message: message.into(),
            operation: None,
        }
    }
}

impl From<Refusal> for ReplicationError {
    fn from(refusal: Refusal) -> Self {
        let operation = match &refusal {
            Refusal::Busy { operation } => Some(operation.clone()),
            _ => None,
        };
        Self::Conflict {
            message: refusal.to_string(),
            operation,
        }
    }
}

/// Which hosts of a volume are connected to the array that serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// All: that array has cut them off.
    All,
    /// All but those that were told ways to both arrays from the beginning: what leads there alone may have been cut off when the
    /// volume went away from there.
    Moved,
    /// Those that were told a way to another array only.
    Astray,
    /// All that use a volume which has not moved: it has a second array again, on which they are not connected any more.
    Both,
}

impl Lead {
    /// Whether a host needs no other way than the one it was told, which leads to these arrays.
    #[must_use]
    pub fn leaves<'a>(self, told: impl Iterator<Item = &'a str> + Clone, serving: &str) -> bool {
        let (mut there, mut beyond) = (told.clone(), told);
        let there = there.any(|target| target == serving);
        match self {
            Self::All | Self::Both => false,
            Self::Moved => there && beyond.any(|target| target != serving),
            Self::Astray => there,
        }
    }
}

/// StoreEnv, arrays, time.
#[async_trait]
pub trait ReplicationEnv: Send + Sync + 'static {
    /// The clock.
    fn now(&self) -> Timestamp;

    /// A new id for an operation, a plan or a drill. A simulation draws it from its seed.
    fn new_id(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    /// A backend.
    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError>;

    /// The service of a backend, with its revision.
    async fn service(&self, backend: &str) -> Result<(Service, u64), ReplicationError>;

    /// One page of the scope's volumes on a backend, by id, after `after`.
    async fn members(
        &self,
        scope: &Scope,
        backend: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Member>, ReplicationError>;

    /// How many volumes a scope holds on a backend.
    async fn count(&self, scope: &Scope, backend: &str) -> Result<u64, ReplicationError>;

    /// Backends on which the scope has volumes.
    async fn backends_of(&self, scope: &Scope) -> Result<Vec<String>, ReplicationError>;

    /// Writes all of it or nothing. [`ReplicationError::Moved`] where a revision is not the one read.
    async fn commit(&self, writes: Writes) -> Result<(), ReplicationError>;

    /// Whether somebody asked to cancel the operation.
    async fn cancelled(&self, operation: &str) -> bool;

    /// A group; none where groups have no records.
    async fn group(&self, _id: &str) -> Result<Option<GroupView>, ReplicationError> {
        Ok(None)
    }

    /// A plan that was kept.
    async fn plan(&self, id: &str) -> Result<Option<Plan>, ReplicationError>;

    /// A drill, with its revision.
    async fn drill_row(&self, id: &str) -> Result<Option<(Drill, u64)>, ReplicationError>;

    /// A drill.
    async fn drill(&self, id: &str) -> Result<Option<Drill>, ReplicationError> {
        Ok(self.drill_row(id).await?.map(|(drill, _)| drill))
    }

    /// Those of these volumes that have attachments which follow a move, whatever state they are in.
    async fn followed(&self, moved: Vec<Member>) -> Result<Vec<Member>, ReplicationError> {
        let used = |m: &Member| !m.volume.attachments.is_empty();
        Ok(moved.into_iter().filter(used).collect())
    }

    /// Which of these operations of tenants let a failover take their volumes' locks: they look again before they commit, and
    /// do their work again where the volume is then. What they wait for now they give up.
    async fn give_way(&self, _holders: Vec<String>) -> Result<Vec<String>, ReplicationError> {
        Ok(Vec::new())
    }

    /// These volumes moved: hosts that use them are connected where they are now, and told. What cannot be done is told, too;
    /// it does not undo the move. May be repeated.
    async fn reconnect(&self, _backend: &str, _operation: &str, _moved: &[Member], _whom: Lead) {}

    /// Which of these volumes there are, on whatever backend.
    async fn known(&self, _ids: Vec<String>) -> Result<BTreeSet<String>, ReplicationError> {
        Ok(BTreeSet::new())
    }

    /// What the arrays of a backend are owed, written off or not, by id; at most `limit` after `after`.
    async fn obligations(
        &self,
        _backend: &str,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Vec<Obligation>, ReplicationError> {
        Ok(Vec::new())
    }

    /// Whether a record says that an array serves a volume of this name: somebody took it over since it was given up. Of a
    /// machine that was detached: whether it is attached again.
    async fn taken_over(&self, _obligation: &Obligation) -> Result<bool, ReplicationError> {
        Ok(false)
    }

    /// Open operations of a backend that wait until its records were brought up to the arrays, `but` one.
    async fn waiting(
        &self,
        _backend: &str,
        _but: &str,
    ) -> Result<Vec<Operation>, ReplicationError> {
        Ok(Vec::new())
    }

    /// Names of the snapshots of each of these volumes, by its id; none where snapshots have no records.
    async fn snapshots(
        &self,
        _members: &[Member],
    ) -> Result<Option<BTreeMap<String, SnapshotNames>>, ReplicationError> {
        Ok(None)
    }

    /// The records of a backend are up to its arrays: where that holds of all, the database does not count as restored any
    /// more.
    async fn adopted(&self) -> Result<(), ReplicationError> {
        Ok(())
    }

    /// Lets them go on.
    async fn resume(&self, _waiting: Vec<Operation>) {}

    /// One call of the backend's driver, under its present generation.
    async fn call(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError>;
}

#[cfg(test)]
mod tests {
    use super::Lead;

    #[test]
    fn a_host_is_left_with_its_way_only_where_that_cannot_have_been_cut_off() {
        let leaves = |whom: Lead, told: &[&'static str]| whom.leaves(told.iter().copied(), "b");
        for (told, moved, astray) in [
            (&["a"][..], false, false),
            // The volume went away from there and came back.
            (&["b"][..], false, true),
            (&["a", "b"][..], true, true),
            (&[][..], false, false),
        ] {
            assert!(!leaves(Lead::All, told), "{told:?}");
            assert!(!leaves(Lead::Both, told), "{told:?}");
            assert_eq!(leaves(Lead::Moved, told), moved, "{told:?}");
            assert_eq!(leaves(Lead::Astray, told), astray, "{told:?}");
        }
    }
}
