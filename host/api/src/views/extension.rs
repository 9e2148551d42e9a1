//! Extensions of Cinder's API as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use super::{NoItems, Plural, Single};

/// An extension.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Extension {
    /// By which clients look for it.
    pub alias: &'static str,
    /// What it brings.
    pub description: &'static str,
    /// Always empty.
    pub links: NoItems,
    /// Its name.
    pub name: &'static str,
    /// When it was last changed.
    pub updated: &'static str,
}

impl Single for Extension {
    const KEY: &'static str = "extension";
}

impl Plural for Extension {
    const KEY: &'static str = "extensions";
}
