//! What somebody wants done, and who.

use serde::{Deserialize, Serialize};
use springform_model::contract::FailoverMode;

use crate::replication::Scope;
use crate::replication::consent::Consent;

/// What somebody wants done. Fields that a verb has no use for are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// What about.
    pub scope: Scope,
    /// Where to; none: the driver chooses, or the primary for a failback.
    #[serde(default)]
    pub to: Option<String>,
    /// How; unplanned where nothing is said, because that is what Cinder's call means.
    #[serde(default)]
    pub mode: Option<FailoverMode>,
    /// An older recovery point.
    #[serde(default)]
    pub point: Option<String>,
    /// Apply this plan, if what it was made from still holds.
    #[serde(default)]
    pub plan: Option<String>,
    /// Leave to discard what a left-behind array wrote on its own.
    #[serde(default)]
    pub acknowledge: Consent,
    /// Whether attached volumes may be moved.
    #[serde(default = "yes")]
    pub allow_attached: bool,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether a failback ends with the volumes replicated again.
    #[serde(default = "yes")]
    pub reprotect: bool,
    /// Bring the records up to what the arrays say, instead of the arrays up to the records.
    #[serde(default)]
    pub adopt: bool,
    /// Minutes until a drill ends by itself.
    #[serde(default)]
    pub minutes: Option<u32>,
}

pub(super) fn yes() -> bool {
    true
}

impl Ask {
    /// About a scope, nothing else said.
    #[must_use]
    pub fn about(scope: Scope) -> Self {
        Self {
            scope,
            to: None,
            mode: None,
            point: None,
            plan: None,
            acknowledge: Consent::default(),
            allow_attached: true,
            dry_run: false,
            reprotect: true,
            adopt: false,
            minutes: None,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Move to another array.
    Failover(Ask),
    /// Overwrite the primary from the serving side, then move back, planned.
    Failback(Ask),
    /// Copy from the serving side again.
    Reprotect(Ask),
    /// Copy once more, now.
    Resync(Ask),
    /// Switch replication on.
    Enable(Ask),
    /// Switch it off.
    Disable(Ask),
    /// Make writable copies for a test.
    StartDrill(Ask),
    /// Throw them away.
    StopDrill(String),
    /// Make them the volumes.
    CommitDrill(String),
    /// Take over a changed configuration: new targets, a new primary.
    Promote(Ask),
    /// Make the arrays match the records.
    Reconcile(Ask),
    /// Fence whoever was left behind and answers again.
    Fence(Ask),
    /// Tell arrays that answer again what they are owed.
    Settle(Vec<String>),
}

impl Request {
    /// What it is about; none for what is about a drill.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Failover(ask)
            | Self::Failback(ask)
            | Self::Reprotect(ask)
            | Self::Resync(ask)
            | Self::Enable(ask)
            | Self::Disable(ask)
            | Self::StartDrill(ask)
            | Self::Promote(ask)
            | Self::Reconcile(ask)
            | Self::Fence(ask) => Some(&ask.scope),
            Self::StopDrill(_) | Self::CommitDrill(_) | Self::Settle(_) => None,
        }
    }

    /// The drill it is about.
    #[must_use]
    pub fn drill(&self) -> Option<&str> {
        match self {
            Self::StopDrill(id) | Self::CommitDrill(id) => Some(id),
            _ => None,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// Project.
    pub project: String,
    /// User.
    pub user: String,
    /// API request.
    pub request_id: Option<String>,
    /// Address.
    pub address: Option<String>,
}
