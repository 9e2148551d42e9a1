//! Interface `types`: context, errors, volumes, snapshots, placement.

use serde::{Deserialize, Serialize};

use super::{Extensions, TimestampMs};

/// How a copy is kept at another array.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicationKind {
    /// Point-in-time copies on a schedule.
    Async,
    /// Every write on both arrays before it is acknowledged.
    Sync,
    /// Synchronous to one array, asynchronous to a third.
    TriSync,
    /// A kind of a later contract.
    Other(String),
}

impl ReplicationKind {
    /// Whether the volume is on two arrays at a time, so that machines may have ways to both.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        !matches!(self, Self::Async)
    }
}

/// One configured array, as a driver sees it: by name, without address or credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Configured name (`backend_id`), unique in the backend.
    pub name: String,
    /// True for the array named by `san_ip`.
    pub primary: bool,
    /// What replicates to it; none for the primary.
    pub kind: Option<ReplicationKind>,
    /// The remaining keys of its configuration.
    pub options: Vec<(String, String)>,
    /// False when the host knows that it does not answer.
    pub reachable: bool,
    /// Room for growth.
    pub extensions: Extensions,
}

/// What every call is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Idempotency key.
    pub operation_id: String,
    /// Backend name.
    pub backend: String,
    /// Options, defaults filled in.
    pub options: Vec<(String, String)>,
    /// Arrays.
    pub targets: Vec<Target>,
    /// What the driver asked to be remembered.
    pub state: Vec<u8>,
    /// Cursor of the last `pending` answer of this operation.
    pub cursor: Vec<u8>,
    /// Milliseconds left.
    pub deadline_ms: u64,
    /// The host's clock.
    pub now: TimestampMs,
    /// Room for growth.
    pub extensions: Extensions,
}

/// Not yet: call again with the same operation id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What is waited for, as a sentence.
    pub waiting_for: String,
    /// 0 to 100.
    pub percent: Option<u8>,
    /// When to ask again, in milliseconds.
    pub poll_after_ms: u32,
    /// To be handed back.
    pub cursor: Vec<u8>,
}

/// What a failure means to whoever has to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// The object does not exist.
    NotFound,
    /// Another object has the name.
    AlreadyExists,
    /// The request cannot be served as it is.
    InvalidArgument,
    /// This driver or array cannot do this.
    Unsupported,
    /// A precondition does not hold; needs the operator.
    FailedPrecondition,
    /// Ends by itself; retry.
    Busy,
    /// Target unreachable or faulty; retry, or fail over.
    Unavailable,
    /// Out of space or of objects.
    Exhausted,
    /// Credential or permission refused.
    Denied,
    /// The deadline passed; the outcome is unknown until the call is repeated.
    Deadline,
    /// The array's answer was not understood: whether it did what was asked is not known until the call is repeated.
    Protocol,
    /// A code of a later contract.
    Other(String),
}

impl FailureCode {
    /// Whether repeating the call with the same operation id may help without anybody doing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Unavailable | Self::Deadline | Self::Protocol
        )
    }

    /// The name as it stands in the contract.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::InvalidArgument => "invalid-argument",
            Self::Unsupported => "unsupported",
            Self::FailedPrecondition => "failed-precondition",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Exhausted => "exhausted",
            Self::Denied => "denied",
            Self::Deadline => "deadline",
            Self::Protocol => "protocol",
            Self::Other(name) => name,
        }
    }
}

/// A failure with everything an operator needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it means.
    pub code: FailureCode,
    /// One sentence, without secret or address.
    pub message: String,
    /// The target it happened on.
    pub target: Option<String>,
    /// The array's own words.
    pub detail: Option<String>,
    /// Room for growth.
    pub extensions: Extensions,
}

impl Failure {
    /// A failure with a code and a sentence.
    #[must_use]
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            target: None,
            detail: None,
            extensions: Vec::new(),
        }
    }

    /// The same failure, placed on a target.
    #[must_use]
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }
}

/// Limits of one volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qos {
    /// Operations a second.
    pub max_iops: Option<u64>,
    /// Bytes a second.
    pub max_bytes_per_second: Option<u64>,
}

/// What a volume's type asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeSpec {
    /// Id of the type.
    pub id: String,
    /// Name of the type.
    pub name: String,
    /// None: not replicated.
    pub replication: Option<ReplicationKind>,
    /// Extra specs, and QoS specs under `qos:`.
    pub specs: Vec<(String, String)>,
    /// Computed from the QoS specs and the size.
    pub qos: Qos,
}

/// Where a volume is, as the driver decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Name on the array.
    pub array_name: String,
    /// Target which serves it.
    pub target: String,
    /// Serial or id on the array.
    pub serial: Option<String>,
    /// Pairs shown as volume metadata.
    pub metadata: Vec<(String, String)>,
    /// What replicates it now.
    pub replication: Option<ReplicationKind>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// One volume, as a driver sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// UUID of the cloud.
    pub id: String,
    /// `volume-<id>`.
    pub name: String,
    /// The user's name for it.
    pub display_name: String,
    /// Project (tenant) id.
    pub project: String,
    /// Bytes.
    pub size: u64,
    /// Its type.
    pub volume_type: Option<TypeSpec>,
    /// Consistency group id.
    pub group: Option<String>,
    /// None until created.
    pub placement: Option<Placement>,
    /// Generation of its replication relation.
    pub generation: u64,
    /// Instances it is attached to.
    pub instances: Vec<String>,
    /// Whether one of them boots from it.
    pub boot: bool,
    /// Room for growth.
    pub extensions: Extensions,
}

/// One snapshot, as a driver sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSpec {
    /// UUID of the cloud.
    pub id: String,
    /// `snapshot-<id>`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// None until created.
    pub array_name: Option<String>,
    /// Group snapshot it belongs to.
    pub group_snapshot: Option<String>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// What a snapshot is called on the array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPlacement {
    /// Name on the array.
    pub array_name: String,
    /// Pairs shown as snapshot metadata.
    pub metadata: Vec<(String, String)>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// The outcome of one member of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Volume id.
    pub id: String,
    /// Where it is now, or why not.
    pub result: Result<Placement, Failure>,
}
