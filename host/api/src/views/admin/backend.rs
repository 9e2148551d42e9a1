//! How backends stand, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_control::obligations::Owed;
use springform_control::observer::TargetTally;
use springform_control::replication::{
    BackendStanding, Differences, OpenOperation, OutdatedStanding, TargetStanding,
};
use springform_model::cloud::Service;
use utoipa::ToSchema;

use super::words::{ContractWord, word};
use crate::views::{Micros, micros};

/// How a backend stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backend)]
pub struct BackendView<'a> {
    backend: &'a str,
    /// Service host, `springform@pure1`.
    host: &'a str,
    driver: &'a str,
    /// Of the driver; null where it could not be loaded.
    #[schema(required)]
    generation: Option<u64>,
    /// Whether it can be given work.
    up: bool,
    /// Why it cannot.
    #[schema(required)]
    reason: Option<&'a str>,
    /// Whether the scheduler keeps off it.
    disabled: bool,
    #[schema(required)]
    disabled_reason: Option<&'a str>,
    /// Whether changes are refused.
    frozen: bool,
    /// In Cinder's words.
    replication_status: String,
    /// Array on which new volumes land, where it is not the primary.
    #[schema(required)]
    active_target: Option<&'a str>,
    /// Operation that holds the backend.
    #[schema(required)]
    operation: Option<&'a str>,
    /// Open operations of replication on it.
    operations: Vec<OpenOperationView<'a>>,
    /// When all of its volumes were last observed; null before the first time.
    #[schema(required)]
    observed_at: Option<Micros>,
    /// Observations that failed since.
    failures: u32,
    /// Why the last of them failed.
    #[schema(required)]
    error: Option<&'a str>,
    /// Replicated volumes that were observed.
    volumes: u64,
    /// How many are in each state of protection now.
    protection: &'a BTreeMap<String, u64>,
    /// Why that is unknown, and what was last known; null where what was observed is what is.
    #[schema(required)]
    outdated: Option<OutdatedView<'a>>,
    /// Volumes that were written on two arrays, at most a hundred.
    split_brain: &'a [String],
    /// Volumes whose record is older than what the arrays say.
    overtaken: u64,
    /// Since when nothing is changed: the database was restored.
    #[schema(required)]
    look_only_since: Option<Micros>,
    /// In what the arrays differ from the records; null before they were compared.
    #[schema(required)]
    differences: Option<DifferencesView<'a>>,
    /// Open drills.
    drills: u64,
    /// What its arrays are owed of objects without a record.
    obligations: Vec<ObligationsView<'a>>,
    /// Its arrays, the primary first.
    targets: Vec<BackendTarget<'a>>,
}

/// Why nothing is known of now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outdated)]
pub struct OutdatedView<'a> {
    reason: &'static str,
    /// How many volumes were in each state of protection at `observed_at`.
    protection: &'a BTreeMap<String, u64>,
}

/// An operation that is not over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenOperation)]
pub struct OpenOperationView<'a> {
    id: &'a str,
    verb: String,
    /// `backend pure1`.
    subject: &'a str,
}

/// In what arrays differ from the records.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Differences)]
pub struct DifferencesView<'a> {
    at: Micros,
    count: u64,
    /// The first of them, in words.
    found: &'a [String],
}

/// What an array is owed of one kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Obligations)]
pub struct ObligationsView<'a> {
    target: &'a str,
    /// `fence`, `delete-volume`, …
    kind: String,
    count: u64,
    /// Since when the oldest.
    since: Micros,
    /// Names of the first of the objects on the array.
    objects: &'a [String],
    /// Why the oldest is owed.
    reason: &'a str,
    /// Why the last attempt at the oldest failed.
    #[schema(required)]
    error: Option<&'a str>,
}

/// An array of a backend.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackendTarget<'a> {
    target: &'a str,
    /// Whether it is the configured primary.
    primary: bool,
    /// Whether new volumes land on it.
    active: bool,
    /// Whether it answered last time; null before the first time.
    #[schema(required)]
    reachable: Option<bool>,
    /// What the array says is wrong with it.
    problems: &'a [String],
    /// Why the one that answers at its address is not believed to be the array.
    #[schema(required)]
    distrust: Option<&'a str>,
    /// How far its clock is ahead of this host's.
    #[schema(required)]
    clock_skew_seconds: Option<i64>,
    /// How many volumes' links are in each state.
    links: &'a BTreeMap<String, u64>,
    /// The worst of these states.
    #[schema(required)]
    worst: Option<ContractWord<'a>>,
    /// The largest lag.
    #[schema(required)]
    lag_seconds: Option<u64>,
    /// The largest ratio of lag to schedule, thousandths.
    #[schema(required)]
    ratio_permille: Option<u64>,
    /// `fine`, `warning` or `critical`: the most alarming lag.
    severity: String,
    /// When the oldest of the volumes' newest points was taken, milliseconds.
    #[schema(required)]
    oldest_point: Option<u64>,
    /// The point, milliseconds, and the schedule, seconds, that are worst against each other.
    #[schema(required)]
    latest_for: Option<[u64; 2]>,
    /// Volumes whose copy here was left behind and must be fenced.
    owed: u64,
    /// Since when the longest of them.
    #[schema(required)]
    owed_since: Option<Micros>,
    /// How many of these can be fenced: the array answers.
    back: u64,
    /// Volumes whose copy here will not be fenced: the array is not configured any more.
    written_off: u64,
}

impl<'a> BackendView<'a> {
    /// All of it.
    #[must_use]
    pub fn new(standing: &'a BackendStanding) -> Self {
        let BackendStanding {
            backend,
            host,
            driver,
            generation,
            up,
            reason,
            disabled,
            disabled_reason,
            frozen,
            replication_status,
            active_target,
            operation,
            operations,
            observed_at,
            failures,
            error,
            volumes,
            protection,
            outdated,
            split_brain,
            overtaken,
            look_only_since,
            differences,
            drills,
            obligations,
            targets,
        } = standing;
        Self {
            backend,
            host,
            driver,
            generation: *generation,
            up: *up,
            reason: reason.as_deref(),
            disabled: *disabled,
            disabled_reason: disabled_reason.as_deref(),
            frozen: *frozen,
            replication_status: word(replication_status),
            active_target: active_target.as_deref(),
            operation: operation.as_deref(),
            operations: operations.iter().map(OpenOperationView::new).collect(),
            observed_at: micros(*observed_at),
            failures: *failures,
            error: error.as_deref(),
            volumes: *volumes,
            protection,
            outdated: outdated.as_ref().map(OutdatedView::new),
            split_brain,
            overtaken: *overtaken,
            look_only_since: micros(*look_only_since),
            differences: differences.as_ref().map(DifferencesView::new),
            drills: *drills,
            obligations: obligations.iter().map(ObligationsView::new).collect(),
            targets: targets.iter().map(BackendTarget::new).collect(),
        }
    }
}

impl<'a> OutdatedView<'a> {
    fn new(outdated: &'a OutdatedStanding) -> Self {
        let OutdatedStanding { reason, protection } = outdated;
        Self { reason, protection }
    }
}

impl<'a> OpenOperationView<'a> {
    fn new(operation: &'a OpenOperation) -> Self {
        let OpenOperation { id, verb, subject } = operation;
        let verb = word(verb);
        Self { id, verb, subject }
    }
}

impl<'a> DifferencesView<'a> {
    fn new(differences: &'a Differences) -> Self {
        let Differences { at, count, found } = differences;
        Self {
            at: Micros(*at),
            count: *count as u64,
            found,
        }
    }
}

impl<'a> ObligationsView<'a> {
    fn new(owed: &'a Owed) -> Self {
        let Owed {
            target,
            kind,
            count,
            since,
            objects,
            reason,
            error,
        } = owed;
        Self {
            target,
            kind: word(kind),
            count: *count,
            since: Micros(*since),
            objects,
            reason,
            error: error.as_deref(),
        }
    }
}

impl<'a> BackendTarget<'a> {
    fn new(standing: &'a TargetStanding) -> Self {
        let TargetStanding {
            target,
            primary,
            active,
            reachable,
            problems,
            distrust,
            clock_skew_seconds,
            links,
        } = standing;
        let TargetTally {
            links,
            worst,
            lag_seconds,
            ratio_permille,
            severity,
            oldest_point,
            latest_for,
            owed,
            owed_since,
            back,
            written_off,
        } = links;
        Self {
            target,
            primary: *primary,
            active: *active,
            reachable: *reachable,
            problems,
            distrust: distrust.as_deref(),
            clock_skew_seconds: *clock_skew_seconds,
            links,
            worst: worst.as_ref().map(ContractWord::from),
            lag_seconds: *lag_seconds,
            ratio_permille: *ratio_permille,
            severity: word(severity),
            oldest_point: *oldest_point,
            latest_for: latest_for.map(|(point, schedule)| [point, schedule]),
            owed: *owed,
            owed_since: micros(*owed_since),
            back: *back,
            written_off: *written_off,
        }
    }
}

/// All backends.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backends<'a> {
    /// The backends.
    pub backends: Vec<BackendView<'a>>,
}

/// The record of a backend that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackendRecord<'a> {
    #[schema(required)]
    active_target: Option<&'a str>,
    backend: &'a str,
    disabled: bool,
    #[schema(required)]
    disabled_reason: Option<&'a str>,
    frozen: bool,
    host: &'a str,
    #[schema(required)]
    operation: Option<&'a str>,
    replication_status: String,
}

impl<'a> BackendRecord<'a> {
    /// What of the record can be changed.
    #[must_use]
    pub fn new(service: &'a Service) -> Self {
        Self {
            active_target: service.active_target.as_deref(),
            backend: &service.backend,
            disabled: service.disabled,
            disabled_reason: service.disabled_reason.as_deref(),
            frozen: service.frozen,
            host: &service.host,
            operation: service.operation.as_deref(),
            replication_status: word(&service.replication_status),
        }
    }
}
