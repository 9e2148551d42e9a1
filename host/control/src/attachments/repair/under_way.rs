//! A repair that was begun, as it is written down.

use serde::{Deserialize, Serialize};
use springform_model::time::Timestamp;
use springform_store::{Record, Table, Value};

use crate::compute::Attached;

/// A repair under way: the server is to get the volume back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    pub(super) id: String,
    pub(super) volume_id: String,
    pub(super) server_id: String,
    pub(super) attachment_id: String,
    pub(super) backend: Option<String>,
    pub(super) attached: Attached,
    pub(super) since: Timestamp,
}

impl Record for UnderWay {
    const TABLE: Table = Table::documents("observations");

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("kind", Value::from("repair")),
            ("subject", Value::from(&self.volume_id)),
            ("backend", Value::from(&self.backend)),
            ("created_at", Value::from(self.since)),
        ]
    }
}
