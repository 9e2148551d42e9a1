//! What a verb is about. Whatever is outside is not touched.

use serde::{Deserialize, Serialize};

/// A scope, as the admin API writes it: `{"backend": "pure1"}`, `{"volumes": ["…"]}`, `{"group": "…"}`, `{"project": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All volumes of a backend, and the backend itself: new volumes land on the target too.
    Backend(String),
    /// These volumes.
    Volumes(Vec<String>),
    /// The members of a generic group.
    Group(String),
    /// All volumes of a project.
    Project(String),
    /// What arrays are owed, by the ids of the obligations.
    Obligations(Vec<String>),
}

impl Scope {
    /// The kind and the id under which its operations are journalled.
    #[must_use]
    pub fn subject(&self) -> (&'static str, String) {
        match self {
            Self::Backend(name) => ("backend", name.clone()),
            Self::Group(id) => ("group", id.clone()),
            Self::Project(id) => ("project", id.clone()),
            Self::Obligations(ids) => ("obligations", ids.len().to_string()),
            Self::Volumes(ids) => match ids.as_slice() {
                [one] => ("volume", one.clone()),
                many => ("volumes", many.len().to_string()),
            },
        }
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Volumes(ids) if ids.len() != 1 => format!("{} volumes", ids.len()),
            Self::Obligations(ids) => format!("{} obligations", ids.len()),
            other => {
                let (kind, id) = other.subject();
                format!("{kind} {id}")
            }
        }
    }
}
