//! Interface `replication`: role, link and protection are three facts; a plan comes before a switch.

use serde::{Deserialize, Serialize};

use super::{Failure, Placement, ReplicationKind, TimestampMs, VolumeSpec};

macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A value of a later contract.
            Other(String),
        }

        impl $name {
            /// The name as it stands in the contract.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }
    };
}

open_enum! {
    /// Role of a volume on the array that serves it.
    Role {
        /// Written here.
        Primary => "primary",
        /// A replica.
        Secondary => "secondary",
        /// Both sides of a stretched volume may be written.
        Both => "both",
        /// Two arrays were written independently.
        SplitBrain => "split-brain",
        /// Nobody knows.
        Unknown => "unknown",
    }
}

open_enum! {
    /// State of the link to one target.
    LinkState {
        /// Copies arrive as configured.
        Healthy => "healthy",
        /// Copies arrive, but not as configured.
        Degraded => "degraded",
        /// Switched off by somebody.
        Paused => "paused",
        /// No copies arrive.
        Down => "down",
        /// Catching up.
        Resyncing => "resyncing",
        /// Nobody knows.
        Unknown => "unknown",
    }
}

open_enum! {
    /// What role and links add up to.
    Protection {
        /// No copy.
        Unprotected => "unprotected",
        /// The first copy is under way.
        Initialising => "initialising",
        /// A copy within the RPO.
        Protected => "protected",
        /// A copy, older than the RPO allows.
        RpoExceeded => "rpo-exceeded",
        /// A drill is open.
        TestActive => "test-active",
        /// Nobody knows.
        Unknown => "unknown",
    }
}

open_enum! {
    /// How a failover begins.
    FailoverMode {
        /// Final transfer and demotion first.
        Planned => "planned",
        /// Promote what the target has.
        Unplanned => "unplanned",
    }
}

/// A complete point in time on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// Name on the target.
    pub id: String,
    /// When it was taken.
    pub taken_at: TimestampMs,
}

/// The link of a volume to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Target.
    pub target: String,
    /// Kind.
    pub kind: ReplicationKind,
    /// State.
    pub state: LinkState,
    /// Newest complete point.
    pub last_point: Option<RecoveryPoint>,
    /// Schedule, seconds.
    pub interval_seconds: Option<u64>,
    /// Bytes not there yet.
    pub lag_bytes: Option<u64>,
    /// Progress, 0 to 100.
    pub percent: Option<u8>,
    /// In words.
    pub detail: Option<String>,
}

/// What was seen of one volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Volume id.
    pub volume_id: String,
    /// Target which holds it.
    pub target: Option<String>,
    /// Role there.
    pub role: Role,
    /// Protection.
    pub protection: Protection,
    /// One for each other target.
    pub links: Vec<Link>,
    /// Targets on which it is writable although it should not be.
    pub stale_writable: Vec<String>,
    /// Targets with a test copy.
    pub tests: Vec<String>,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// What a plan is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Volumes.
    pub volumes: Vec<VolumeSpec>,
    /// Target; none: the driver chooses.
    pub to: Option<String>,
    /// Mode.
    pub mode: FailoverMode,
    /// An older recovery point.
    pub point: Option<String>,
}

/// The plan for one volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumePlan {
    /// Volume id.
    pub volume_id: String,
    /// Where it is served now.
    pub source: Option<String>,
    /// Recovery point.
    pub point: Option<RecoveryPoint>,
    /// Whether it can be failed over.
    pub possible: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Seconds of writes that are lost.
    pub loss_seconds: Option<u64>,
    /// Bytes that are lost.
    pub loss_bytes: Option<u64>,
    /// What is different at the recovery point.
    pub warnings: Vec<String>,
}

/// What a failover would do, and the token to do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverPlan {
    /// Target.
    pub target: String,
    /// Mode.
    pub mode: FailoverMode,
    /// For each volume asked, in order.
    pub volumes: Vec<VolumePlan>,
    /// What else is interrupted.
    pub interrupts: Vec<String>,
    /// Opaque.
    pub token: Vec<u8>,
}

impl FailoverPlan {
    /// The same plan of these volumes only.
    #[must_use]
    pub fn of(&self, volumes: Vec<VolumePlan>) -> Self {
        Self {
            target: self.target.clone(),
            mode: self.mode.clone(),
            volumes,
            interrupts: self.interrupts.clone(),
            token: self.token.clone(),
        }
    }
}

/// A writable copy made for a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCopy {
    /// Volume id.
    pub volume_id: String,
    /// The copy.
    pub result: Result<Placement, Failure>,
    /// The point it was made from.
    pub point: Option<RecoveryPoint>,
}
