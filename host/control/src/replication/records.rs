//! Plans and observations as records of the store.

use springform_store::{Record, Table, Value};

use super::Plan;
use crate::observer::Watched;

impl Record for Plan {
    const TABLE: Table = Table::documents("plans");

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("backend", Value::from(&self.backend)),
            ("created_at", Value::from(self.created_at)),
            ("due_at", Value::from(self.expires_at)),
        ]
    }
}

impl Record for Watched {
    const TABLE: Table = Table::documents("observations");

    fn id(&self) -> &str {
        &self.backend
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("backend", Value::from(&self.backend)),
            ("created_at", Value::from(self.at.unwrap_or_default())),
        ]
    }
}
