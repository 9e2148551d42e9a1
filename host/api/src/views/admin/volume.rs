//! How the replication of volumes stands, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_control::replication::VolumeStanding;
use springform_model::contract::{Link, Observation, RecoveryPoint};
use springform_model::replication::relation::{Debt, DrillRef, Observed, PointSeen};
use utoipa::ToSchema;

use super::words::{ContractWord, word};
use crate::views::{Micros, micros};

/// How the replication of a volume stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplicatedVolume)]
pub struct ReplicatedVolumeView<'a> {
    id: &'a str,
    #[schema(required)]
    name: Option<&'a str>,
    project_id: &'a str,
    #[schema(required)]
    group_id: Option<&'a str>,
    backend: &'a str,
    /// Whether it, or its type, asks for a copy.
    replicated: bool,
    /// Array that serves it, as a driver confirmed; null in the middle of a move.
    #[schema(required)]
    serving: Option<&'a str>,
    /// Array that shall serve it.
    desired: &'a str,
    /// `settled`, `moving` or `stranded`.
    phase: &'static str,
    /// Bumped by each move.
    generation: u64,
    #[schema(required)]
    moved_at: Option<Micros>,
    /// Arrays left behind.
    debts: Vec<DebtView<'a>>,
    /// Open drill.
    #[schema(required)]
    drill: Option<DrillRefView<'a>>,
    /// Operation that holds it.
    #[schema(required)]
    operation: Option<&'a str>,
    /// How many attachments it has.
    attachments: u64,
    /// What was last seen of its copies, and when.
    #[schema(required)]
    observed: Option<ObservedView<'a>>,
    /// What an operator should look at, the worst first.
    concerns: &'a [String],
}

/// An array that was left behind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeftBehind)]
pub struct DebtView<'a> {
    target: &'a str,
    generation: u64,
    /// `owed`, `fenced` or `written-off`.
    state: String,
    since: Micros,
}

/// A drill that has a copy of the volume.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DrillRef)]
pub struct DrillRefView<'a> {
    id: &'a str,
    /// Where the copy is.
    target: &'a str,
}

/// What was seen of a volume's copies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Observed)]
pub struct ObservedView<'a> {
    at: Micros,
    what: ObservationView<'a>,
    /// Of the volume, when it was seen.
    generation: u64,
    /// Newest recovery point of each target, and from where it was copied.
    points: BTreeMap<&'a str, PointSeenView<'a>>,
    #[schema(required)]
    clock: Option<&'a str>,
}

/// A recovery point that was seen for the first time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PointSeen)]
pub struct PointSeenView<'a> {
    /// Array from which it was copied.
    source: &'a str,
    at: Micros,
}

/// What a driver says of a volume.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Observation)]
pub struct ObservationView<'a> {
    volume_id: &'a str,
    /// Target that holds it.
    #[schema(required)]
    target: Option<&'a str>,
    role: ContractWord<'a>,
    protection: ContractWord<'a>,
    /// One for each other target.
    links: Vec<LinkState<'a>>,
    /// Targets on which it is writable although it should not be.
    stale_writable: &'a [String],
    /// Targets with a test copy.
    tests: &'a [String],
    /// What is wrong, in words.
    problems: &'a [String],
}

/// How a copy is kept at a target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplicationLink)]
pub struct LinkState<'a> {
    target: &'a str,
    kind: ContractWord<'a>,
    state: ContractWord<'a>,
    #[schema(required)]
    last_point: Option<RecoveryPointView<'a>>,
    #[schema(required)]
    interval_seconds: Option<u64>,
    #[schema(required)]
    lag_bytes: Option<u64>,
    /// Of a copy under way.
    #[schema(required)]
    percent: Option<u8>,
    #[schema(required)]
    detail: Option<&'a str>,
}

/// A point in time that a target has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecoveryPoint)]
pub struct RecoveryPointView<'a> {
    id: &'a str,
    /// Milliseconds since 1970-01-01, UTC.
    taken_at: u64,
}

impl<'a> RecoveryPointView<'a> {
    /// All of it.
    #[must_use]
    pub fn new(point: &'a RecoveryPoint) -> Self {
        let RecoveryPoint { id, taken_at } = point;
        let taken_at = *taken_at;
        Self { id, taken_at }
    }
}

impl<'a> ReplicatedVolumeView<'a> {
    /// All of it.
    #[must_use]
    pub fn new(standing: &'a VolumeStanding) -> Self {
        let VolumeStanding {
            id,
            name,
            project_id,
            group_id,
            backend,
            replicated,
            serving,
            desired,
            phase,
            generation,
            moved_at,
            debts,
            drill,
            operation,
            attachments,
            observed,
            concerns,
        } = standing;
        Self {
            id,
            name: name.as_deref(),
            project_id,
            group_id: group_id.as_deref(),
            backend,
            replicated: *replicated,
            serving: serving.as_deref(),
            desired,
            phase,
            generation: *generation,
            moved_at: micros(*moved_at),
            debts: debts.iter().map(DebtView::new).collect(),
            drill: drill.as_ref().map(DrillRefView::new),
            operation: operation.as_deref(),
            attachments: *attachments as u64,
            observed: observed.as_ref().map(ObservedView::new),
            concerns,
        }
    }
}

impl<'a> DebtView<'a> {
    fn new(debt: &'a Debt) -> Self {
        let Debt {
            target,
            generation,
            state,
            since,
        } = debt;
        Self {
            target,
            generation: *generation,
            state: word(state),
            since: Micros(*since),
        }
    }
}

impl<'a> DrillRefView<'a> {
    fn new(drill: &'a DrillRef) -> Self {
        let DrillRef { id, target } = drill;
        Self { id, target }
    }
}

impl<'a> ObservedView<'a> {
    fn new(observed: &'a Observed) -> Self {
        let Observed {
            at,
            what,
            generation,
            points,
            clock,
        } = observed;
        let seen = |(target, point): (&'a String, &'a PointSeen)| {
            let PointSeen { source, at } = point;
            let at = Micros(*at);
            (target.as_str(), PointSeenView { source, at })
        };
        Self {
            at: Micros(*at),
            what: ObservationView::new(what),
            generation: *generation,
            points: points.iter().map(seen).collect(),
            clock: clock.as_deref(),
        }
    }
}

impl<'a> ObservationView<'a> {
    fn new(observation: &'a Observation) -> Self {
        let Observation {
            volume_id,
            target,
            role,
            protection,
            links,
            stale_writable,
            tests,
            problems,
        } = observation;
        Self {
            volume_id,
            target: target.as_deref(),
            role: role.into(),
            protection: protection.into(),
            links: links.iter().map(LinkState::new).collect(),
            stale_writable,
            tests,
            problems,
        }
    }
}

impl<'a> LinkState<'a> {
    fn new(link: &'a Link) -> Self {
        let Link {
            target,
            kind,
            state,
            last_point,
            interval_seconds,
            lag_bytes,
            percent,
            detail,
        } = link;
        Self {
            target,
            kind: kind.into(),
            state: state.into(),
            last_point: last_point.as_ref().map(RecoveryPointView::new),
            interval_seconds: *interval_seconds,
            lag_bytes: *lag_bytes,
            percent: *percent,
            detail: detail.as_deref(),
        }
    }
}

/// A page of volumes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplicatedVolumes<'a> {
    /// Marker of the next page; null after the last.
    #[schema(required)]
    pub next: Option<&'a str>,
    /// The volumes.
    pub volumes: Vec<ReplicatedVolumeView<'a>>,
}
