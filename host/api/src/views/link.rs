//! Links of records and of pages.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A link.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link<'a> {
    /// `self`, `bookmark` or `next`.
    rel: &'static str,
    #[schema(value_type = String)]
    href: Href<'a>,
}

impl<'a> Link<'a> {
    /// The link to the next page.
    #[must_use]
    pub fn next(href: &'a str) -> Self {
        Self {
            rel: "next",
            href: Href::Whole(href),
        }
    }
}

/// The two links of a record.
pub type Links<'a> = [Link<'a>; 2];

/// A URL. Of a record it is written out of its pieces, so that no list has to build a string for each.
#[derive(Debug)]
enum Href<'a> {
    Whole(&'a str),
    Record {
        base: &'a str,
        version: &'static str,
        project: Option<&'a str>,
        collection: &'static str,
        id: &'a str,
    },
}

impl Serialize for Href<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(href) => serializer.serialize_str(href),
            Self::Record {
                base,
                version,
                project: Some(project),
                collection,
                id,
            } => {
                serializer.collect_str(&format_args!("{base}{version}/{project}/{collection}/{id}"))
            }
            Self::Record {
                base,
                version,
                project: None,
                collection,
                id,
            } => serializer.collect_str(&format_args!("{base}{version}/{collection}/{id}")),
        }
    }
}

/// The links of a record below `http://host:port`. They have the project where the request's path had it.
pub(super) fn links<'a>(
    base: &'a str,
    project: Option<&'a str>,
    collection: &'static str,
    id: &'a str,
) -> Links<'a> {
    [("self", "/v3"), ("bookmark", "")].map(|(rel, version)| Link {
        rel,
        href: Href::Record {
            base,
            version,
            project,
            collection,
            id,
        },
    })
}
