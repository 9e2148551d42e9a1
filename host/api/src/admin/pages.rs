//! One page of a list: the rows asked for, which ones, and where the next page begins.

use springform_control::query::Query;

use crate::http::{ApiError, Call};

/// Rows of a page whose size nobody names.
const ROWS: u64 = 50;
/// Rows of a page at most.
const MOST: u32 = 1000;

/// A page as it was asked for.
pub(super) struct Page {
    /// What to read.
    pub(super) query: Query,
    /// Rows of a full page.
    pub(super) rows: u32,
}

impl Page {
    /// Reads `limit`, `marker` and the columns that may be filtered on.
    ///
    /// # Errors
    /// When one of them cannot be understood.
    pub(super) fn read(call: &Call, order: Query, columns: &[&str]) -> Result<Self, ApiError> {
        let asked = call.query.page(&[])?;
        let rows = u32::try_from(asked.limit.unwrap_or(ROWS))
            .unwrap_or(MOST)
            .clamp(1, MOST);
        let mut query = order.limit(rows);
        for column in columns {
            if let Some(text) = call.query.get(column) {
                query = query.eq(column, text);
            }
        }
        if let Some(marker) = asked.marker {
            query = query.marker(marker);
        }
        Ok(Self { query, rows })
    }
}

/// The marker of the next page: the last row of a full one.
pub(super) fn after<T>(rows: u32, found: &[T], id: impl Fn(&T) -> &str) -> Option<String> {
    let full = u32::try_from(found.len()).is_ok_and(|found| found == rows);
    found
        .last()
        .filter(|_| full)
        .map(|last| id(last).to_owned())
}
