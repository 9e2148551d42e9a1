//! Which statements read more than they give: for tests and for whoever looks for a slow list.

use std::collections::BTreeSet;
use std::sync::Mutex;

use rusqlite::{Connection, params_from_iter};

use crate::error::StoreError;
use crate::query::{FEW_IN_ORDER, Sql};

/// Statements that were found wanting.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    scans: Mutex<BTreeSet<String>>,
}

impl Plans {
    pub(crate) fn list(&self) -> Vec<String> {
        self.scans
            .lock()
            .map(|scans| scans.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Asks the database how it would read, and remembers the statement when that is row by row through a table, or
    /// when the order is made by sorting.
    pub(crate) fn look(&self, connection: &Connection, sql: &Sql) -> Result<(), StoreError> {
        let explain = format!("EXPLAIN QUERY PLAN {}", sql.text);
        let mut statement = connection.prepare(&explain)?;
        let mut rows = statement.query(params_from_iter(&sql.binds))?;
        while let Some(row) = rows.next()? {
            let step: String = row.get("detail")?;
            // A scan of an index in its own order, or of a table in that of its ids, ends at the limit; one of `json_each` is
            // over a list of the request.
            let whole = step.starts_with("SCAN")
                && !step.contains("INDEX")
                && !step.contains("json_each")
                && !sql.text.contains(" ORDER BY id ");
            let sorts = step.contains("TEMP B-TREE") && !sql.text.contains(FEW_IN_ORDER);
            // A list of names has an index; by the backend alone, all of its rows are read for a few.
            let lists = sql.text.contains(" IN (SELECT value FROM json_each(");
            let looks_through = lists && step.contains("(backend=?)");
            if (whole || sorts || looks_through)
                && let Ok(mut scans) = self.scans.lock()
            {
                scans.insert(format!("{}: {step}", sql.text));
            }
        }
        Ok(())
    }
}
