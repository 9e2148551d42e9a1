//! Records as JSON, in the shape of the microversion that was asked for; written straight to bytes.

mod attachment;
mod connection;
mod group;
mod service;
mod snapshot;
mod time;
mod types;
mod volume;

pub use attachment::{ATTACHMENT, AttachmentView, BriefAttachment};
pub use connection::volume_info;
pub use group::{GROUP, GROUP_SNAPSHOT, GroupSnapshotView, GroupView};
pub use service::{SERVICE, ServiceView, capabilities, pool};
pub use snapshot::{SNAPSHOT, SnapshotView};
pub use time::{Time, time};
pub use types::{GROUP_TYPE, GroupTypeView, QosView, TypeView, USER_VISIBLE, VOLUME_TYPE};
pub use volume::{VOLUME, VolumeView};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// Which request an answer is for: Cinder shows different members of one record, and strict clients refuse one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTo {
    /// A list without detail.
    List,
    /// One record, or a list in detail.
    Show,
    /// What was made, or taken over.
    Create,
    /// What was changed.
    Update,
    /// What was taken over: in the oldest shape, whichever is asked for.
    Manage,
    /// What holds where nothing is named.
    Default,
}

/// `{"rel", "href"}`.
#[derive(Debug, Serialize)]
struct Link<'a> {
    rel: &'a str,
    href: Href<'a>,
}

/// A URL out of its pieces, so that no list has to build a string for each.
#[derive(Debug)]
struct Href<'a> {
    base: &'a str,
    version: &'a str,
    project: Option<&'a str>,
    collection: &'a str,
    id: &'a str,
}

impl Serialize for Href<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            base,
            version,
            project,
            collection,
            id,
        } = self;
        match project {
            Some(project) => {
                serializer.collect_str(&format_args!("{base}{version}/{project}/{collection}/{id}"))
            }
            None => serializer.collect_str(&format_args!("{base}{version}/{collection}/{id}")),
        }
    }
}

/// The two links of a record.
#[derive(Debug)]
pub struct Links<'a> {
    /// `http://host:port`.
    pub base: &'a str,
    /// Project in the path of the request; links have it where the request had it.
    pub project: Option<&'a str>,
    /// `volumes`.
    pub collection: &'a str,
    /// Its id.
    pub id: &'a str,
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(2))?;
        for (rel, version) in [("self", "/v3"), ("bookmark", "")] {
            let href = Href {
                base: self.base,
                version,
                project: self.project,
                collection: self.collection,
                id: self.id,
            };
            list.serialize_element(&Link { rel, href })?;
        }
        list.end()
    }
}

/// `{"id", "name", "links"}`: a record in a list without detail.
#[derive(Debug, Serialize)]
pub struct Brief<'a> {
    /// Id.
    pub id: &'a str,
    /// Display name.
    pub name: Option<&'a str>,
    /// Links.
    pub links: Links<'a>,
}
