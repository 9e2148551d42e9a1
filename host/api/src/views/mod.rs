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
pub use types::{GROUP_TYPE, GroupTypeView, QosView, TypeView, VOLUME_TYPE};
pub use volume::{VOLUME, VolumeView};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// `{"rel", "href"}`.
#[derive(Debug, Serialize)]
struct Link<'a> {
    rel: &'a str,
    href: Href<'a>,
}

/// A URL out of its pieces, so that no list has to build a string for each.
#[derive(Debug)]
struct Href<'a>(&'a str, &'a str, &'a str, &'a str);

impl Serialize for Href<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}{}{}/{}", self.0, self.1, self.2, self.3))
    }
}

/// The two links of a record.
#[derive(Debug)]
pub struct Links<'a> {
    /// `http://host:port`.
    pub base: &'a str,
    /// `volumes`.
    pub collection: &'a str,
    /// Its id.
    pub id: &'a str,
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(2))?;
        list.serialize_element(&Link {
            rel: "self",
            href: Href(self.base, "/v3/", self.collection, self.id),
        })?;
        list.serialize_element(&Link {
            rel: "bookmark",
            href: Href(self.base, "/", self.collection, self.id),
        })?;
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
