//! For whom an answer is written.

use super::Links;
use super::link::links;
use crate::http::{Call, Version};

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

/// Who reads an answer, and in which shape.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Asked microversion.
    pub version: Version,
    /// Whether the reader is an administrator.
    pub admin: bool,
    base: &'a str,
    project: Option<&'a str>,
}

impl<'a> Reader<'a> {
    /// The caller of this request.
    #[must_use]
    pub fn of(call: &'a Call) -> Self {
        Self {
            version: call.version,
            admin: call.caller.is_admin,
            base: &call.base,
            project: call.project(),
        }
    }

    /// The microversion that counts for an answer.
    #[must_use]
    pub fn version_to(&self, to: AnswerTo) -> Version {
        match to {
            AnswerTo::Manage => Version::MIN,
            _ => self.version,
        }
    }

    /// The links of a record in a collection.
    #[must_use]
    pub fn links(&self, collection: &'static str, id: &'a str) -> Links<'a> {
        links(self.base, self.project, collection, id)
    }
}
