//! Backups as JSON: there are none.

use serde::Serialize;
use utoipa::ToSchema;

use super::NoItems;

/// A list of backups.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backups {
    backups: NoItems,
    /// 0, where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    count: Option<u64>,
}

impl Backups {
    /// With the count, where it is asked for.
    #[must_use]
    pub fn new(counted: bool) -> Self {
        Self {
            backups: NoItems,
            count: counted.then_some(0),
        }
    }
}
