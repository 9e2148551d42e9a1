//! Plans as JSON.

use serde::Serialize;
use springform_control::replication::{Order, Plan, Scope};
use springform_model::contract::VolumePlan;
use springform_model::replication::relation::Acknowledge;
use utoipa::ToSchema;

use super::RecoveryPointView;
use super::words::{ContractWord, word};
use crate::views::Micros;

/// A plan: what was ordered stands beside what it comes to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanView<'a> {
    /// What has to be acknowledged, because it would be thrown away.
    acknowledge: Vec<AcknowledgeView<'a>>,
    backend: &'a str,
    created_at: Micros,
    /// Until when it can be carried out.
    expires_at: Micros,
    id: &'a str,
    /// What else is interrupted.
    interrupts: &'a [String],
    /// Where the arrays tell.
    loss_bytes: u64,
    /// `planned` or `unplanned`.
    mode: &'a str,
    /// An older recovery point, where one was asked for.
    #[schema(required)]
    point: Option<&'a str>,
    /// Volumes that can be moved.
    possible: u64,
    scope: ScopeView<'a>,
    /// The target it goes to.
    target: &'a str,
    /// The target that was asked for.
    #[schema(required)]
    to: Option<&'a str>,
    /// Volumes in the scope.
    total: u64,
    /// `failover`, `failback` or `reprotect`.
    verb: String,
    /// For each of the first 1,024 volumes.
    volumes: Vec<VolumePlanView<'a>>,
    /// The largest known loss.
    #[schema(required)]
    worst_loss_seconds: Option<u64>,
}

/// What a verb of replication is about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scope)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeView<'a> {
    /// A backend with all of its volumes.
    Backend(&'a str),
    /// Volumes, by their ids.
    Volumes(&'a [String]),
    /// A group, by its id.
    Group(&'a str),
    /// A project, by its id.
    Project(&'a str),
    /// Obligations, by their ids.
    Obligations(&'a [String]),
}

/// A copy that would be thrown away.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Acknowledge)]
pub struct AcknowledgeView<'a> {
    target: &'a str,
    /// `primary`: it can still be written; `secondary`: it is fenced.
    role: ContractWord<'a>,
    generation: u64,
}

/// What becomes of a volume.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VolumePlan)]
pub struct VolumePlanView<'a> {
    volume_id: &'a str,
    /// Where it is served now.
    #[schema(required)]
    source: Option<&'a str>,
    #[schema(required)]
    point: Option<RecoveryPointView<'a>>,
    possible: bool,
    /// Why not.
    #[schema(required)]
    reason: Option<&'a str>,
    #[schema(required)]
    loss_seconds: Option<u64>,
    #[schema(required)]
    loss_bytes: Option<u64>,
    /// What is different at the recovery point.
    warnings: &'a [String],
}

impl<'a> PlanView<'a> {
    /// All but its fingerprint, which is for the host.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        let Plan {
            id,
            verb,
            order,
            backend,
            target,
            volumes,
            total,
            possible,
            worst_loss_seconds,
            loss_bytes,
            acknowledge,
            interrupts,
            fingerprint: _,
            created_at,
            expires_at,
        } = plan;
        let Order {
            scope,
            to,
            mode,
            point,
        } = order;
        Self {
            acknowledge: acknowledge.iter().map(AcknowledgeView::new).collect(),
            backend,
            created_at: Micros(*created_at),
            expires_at: Micros(*expires_at),
            id,
            interrupts,
            loss_bytes: *loss_bytes,
            mode: mode.as_str(),
            point: point.as_deref(),
            possible: *possible,
            scope: ScopeView::new(scope),
            target,
            to: to.as_deref(),
            total: *total,
            verb: word(verb),
            volumes: volumes.iter().map(VolumePlanView::new).collect(),
            worst_loss_seconds: *worst_loss_seconds,
        }
    }
}

impl<'a> ScopeView<'a> {
    fn new(scope: &'a Scope) -> Self {
        match scope {
            Scope::Backend(name) => Self::Backend(name),
            Scope::Volumes(ids) => Self::Volumes(ids),
            Scope::Group(id) => Self::Group(id),
            Scope::Project(id) => Self::Project(id),
            Scope::Obligations(ids) => Self::Obligations(ids),
        }
    }
}

impl<'a> AcknowledgeView<'a> {
    fn new(acknowledge: &'a Acknowledge) -> Self {
        let Acknowledge {
            target,
            role,
            generation,
        } = acknowledge;
        Self {
            target,
            role: role.into(),
            generation: *generation,
        }
    }
}

impl<'a> VolumePlanView<'a> {
    fn new(plan: &'a VolumePlan) -> Self {
        let VolumePlan {
            volume_id,
            source,
            point,
            possible,
            reason,
            loss_seconds,
            loss_bytes,
            warnings,
        } = plan;
        Self {
            volume_id,
            source: source.as_deref(),
            point: point.as_ref().map(RecoveryPointView::new),
            possible: *possible,
            reason: reason.as_deref(),
            loss_seconds: *loss_seconds,
            loss_bytes: *loss_bytes,
            warnings,
        }
    }
}
