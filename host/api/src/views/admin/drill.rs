//! Drills as JSON.

use serde::Serialize;
use springform_model::contract::{Failure, Placement};
use springform_model::replication::drill::{Drill, DrillMember};
use utoipa::ToSchema;

use super::RecoveryPointView;
use super::words::{ContractWord, word};
use crate::views::Micros;

/// A drill: writable copies at a target while replication goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drill)]
pub struct DrillView<'a> {
    id: &'a str,
    backend: &'a str,
    /// Project that asked.
    project: &'a str,
    /// Where the copies are.
    target: &'a str,
    /// Whether it is about all volumes of the backend.
    whole_backend: bool,
    /// `starting`, `open`, `stopping`, `committing`, `stopped` or `committed`.
    state: String,
    /// Volumes and their copies.
    members: Vec<DrillMemberView<'a>>,
    /// Operation that works on it.
    #[schema(required)]
    operation: Option<&'a str>,
    created_at: Micros,
    /// When it is ended by itself.
    ends_at: Micros,
    /// Why it could not be started or stopped, when that was tried last.
    #[schema(required)]
    problem: Option<&'a str>,
}

/// A volume of a drill.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DrillMember)]
pub struct DrillMemberView<'a> {
    /// Where the volume was when the drill began.
    #[schema(required)]
    origin: Option<PlacementView<'a>>,
    volume_id: &'a str,
    /// Null before it is made.
    #[schema(required)]
    copy: Option<DrillCopy<'a>>,
    /// The point in time that the copy shows.
    #[schema(required)]
    point: Option<RecoveryPointView<'a>>,
}

/// A copy, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
pub enum DrillCopy<'a> {
    /// Where it is.
    Ok(PlacementView<'a>),
    /// Why there is none.
    Err(FailureView<'a>),
}

/// Where a volume is on an array.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Placement)]
pub struct PlacementView<'a> {
    array_name: &'a str,
    target: &'a str,
    #[schema(required)]
    serial: Option<&'a str>,
    metadata: &'a [(String, String)],
    #[schema(required)]
    replication: Option<ContractWord<'a>>,
    /// Names and values of a later contract.
    extensions: &'a [(String, String)],
}

/// Why a driver failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriverFailure)]
pub struct FailureView<'a> {
    code: ContractWord<'a>,
    message: &'a str,
    #[schema(required)]
    target: Option<&'a str>,
    #[schema(required)]
    detail: Option<&'a str>,
    /// Names and values of a later contract.
    extensions: &'a [(String, String)],
}

impl<'a> DrillView<'a> {
    /// The whole record.
    #[must_use]
    pub fn new(drill: &'a Drill) -> Self {
        let Drill {
            id,
            backend,
            project,
            target,
            whole_backend,
            state,
            members,
            operation,
            created_at,
            ends_at,
            problem,
        } = drill;
        Self {
            id,
            backend,
            project,
            target,
            whole_backend: *whole_backend,
            state: word(state),
            members: members.iter().map(DrillMemberView::new).collect(),
            operation: operation.as_deref(),
            created_at: Micros(*created_at),
            ends_at: Micros(*ends_at),
            problem: problem.as_deref(),
        }
    }
}

impl<'a> DrillMemberView<'a> {
    fn new(member: &'a DrillMember) -> Self {
        let DrillMember {
            origin,
            volume_id,
            copy,
            point,
        } = member;
        let copy = copy.as_ref().map(|made| match made {
            Ok(placement) => DrillCopy::Ok(PlacementView::new(placement)),
            Err(failure) => DrillCopy::Err(FailureView::new(failure)),
        });
        Self {
            origin: origin.as_ref().map(PlacementView::new),
            volume_id,
            copy,
            point: point.as_ref().map(RecoveryPointView::new),
        }
    }
}

impl<'a> PlacementView<'a> {
    fn new(placement: &'a Placement) -> Self {
        let Placement {
            array_name,
            target,
            serial,
            metadata,
            replication,
            extensions,
        } = placement;
        Self {
            array_name,
            target,
            serial: serial.as_deref(),
            metadata,
            replication: replication.as_ref().map(ContractWord::from),
            extensions,
        }
    }
}

impl<'a> FailureView<'a> {
    fn new(failure: &'a Failure) -> Self {
        let Failure {
            code,
            message,
            target,
            detail,
            extensions,
        } = failure;
        Self {
            code: code.into(),
            message,
            target: target.as_deref(),
            detail: detail.as_deref(),
            extensions,
        }
    }
}

/// A page of drills.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drills<'a> {
    /// The drills.
    pub drills: Vec<DrillView<'a>>,
    /// Marker of the next page; null after the last.
    #[schema(required)]
    pub next: Option<String>,
}

/// A drill on which an operation was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct DrillBegun<'a> {
    /// The drill.
    pub drill: &'a str,
    /// The operation.
    pub operation: &'a str,
}
