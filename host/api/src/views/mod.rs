//! The answers of the API: one type for each, from which both the JSON and the document's schema are made. Each is built from
//! its record by a constructor that knows who reads it ([`Reader`]: microversion, administrator or not) and which request it
//! answers ([`AnswerTo`]).
//!
//! Of the optional members, `Option<T>` with `required` is always there and may be null, `Option<T>` that is skipped where it
//! is `None` is absent or has a value, and `Option<Option<T>>` may be both.

pub mod admin;
mod attachment;
mod backup;
mod connection;
mod encryption;
mod extension;
mod group;
mod group_snapshot;
mod group_type;
mod host;
mod link;
mod manageable;
mod members;
mod message;
mod metadata;
mod pool;
mod qos;
mod quota;
mod reader;
mod service;
mod snapshot;
mod time;
mod transfer;
mod types;
mod volume;
mod wrap;

pub use attachment::{AttachmentBrief, AttachmentView, RemainingAttachments};
pub use backup::Backups;
pub use connection::ConnectionInfo;
pub use encryption::{
    EncryptionChanged, EncryptionMade, EncryptionMember, EncryptionView, VolumeEncryption,
};
pub use extension::Extension;
pub use group::{GroupBrief, GroupView, ReplicationTarget};
pub use group_snapshot::{GroupSnapshotBrief, GroupSnapshotMade, GroupSnapshotView};
pub use group_type::{GroupSpecs, GroupTypeView};
pub use host::{Cleanup, Clusters, HostUsage, HostView, ResourceFilters, ZoneView};
pub use link::{Link, Links};
pub use manageable::{ManageableSnapshot, ManageableVolume};
pub use members::Members;
pub use message::MessageView;
pub use metadata::{AllMetadata, Entry, MetadataEntry};
pub use pool::{Capabilities, PoolView};
pub use qos::{LinkedQos, QosAssociation, QosKeys, QosView};
pub use quota::{LimitsView, QuotaClass, QuotaUsage, QuotaView};
pub use reader::{AnswerTo, Reader};
pub use service::{
    DisabledService, LogLevels, SCHEDULER_BINARY, ServiceChanged, ServiceState, ServiceView,
    VOLUME_BINARY,
};
pub use snapshot::SnapshotView;
pub use time::{Micros, Time, micros, time};
pub use transfer::TransferView;
pub use types::{DefaultTypeView, ExtraSpecs, TypeAccess, TypeView, USER_VISIBLE};
pub use volume::{VolumeBrief, VolumeSummary, VolumeView};
pub use wrap::{Many, NoItems, One, Page, Plural, Single};
