//! What the cloud's API speaks of: volumes, snapshots, types, groups, attachments, services, quotas.
//!
//! The words of states are Cinder's, to the letter (`cinder/objects/fields.py`), because clients compare them.

mod attachment;
mod group;
mod image;
mod quota;
mod service;
mod snapshot;
mod status;
mod types;
mod volume;

pub use attachment::*;
pub use group::*;
pub use image::*;
pub use quota::*;
pub use service::*;
pub use snapshot::*;
pub use status::*;
pub use types::*;
pub use volume::*;

/// Ordered key and value pairs of a user or an operator.
pub type Metadata = std::collections::BTreeMap<String, String>;
