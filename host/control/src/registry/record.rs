//! A generation as it is kept: what can be gone back to after a restart.

use serde::{Deserialize, Serialize};
use springform_model::time::Timestamp;
use springform_store::{Record, Table, Value};

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GenerationState {
    /// Installed, not serving.
    Deployed,
    /// Serving.
    Running,
    /// Served before.
    Retired,
    /// Refused.
    Failed,
}

impl GenerationState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Running => "running",
            Self::Retired => "retired",
            Self::Failed => "failed",
        }
    }
}

/// One generation of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationRecord {
    /// `<driver>/<number>`.
    pub id: String,
    /// Driver.
    pub driver: String,
    /// Number.
    pub number: u64,
    /// Digest of the component.
    pub digest: String,
    /// Whose signatures of it were verified when it was installed, or served last.
    #[serde(default)]
    pub signers: Vec<String>,
    /// Where the component is.
    pub path: String,
    /// Version the driver states.
    pub version: String,
    /// Digest of the configuration of its backends.
    pub config_digest: String,
    /// Grants.
    pub grants: Vec<String>,
    /// Where it stands.
    pub state: GenerationState,
    /// Why it was refused.
    pub reason: Option<String>,
    /// When it was installed.
    pub created_at: Timestamp,
    /// When it began to serve.
    pub activated_at: Option<Timestamp>,
}

impl GenerationRecord {
    /// Adds what one backend grants; lines that are known already are the same for several backends.
    pub(crate) fn add_grants(&mut self, lines: &[String]) {
        for line in lines {
            if !self.grants.contains(line) {
                self.grants.push(line.clone());
            }
        }
    }
}

impl Record for GenerationRecord {
    const TABLE: Table = Table {
        name: "generations",
        columns: &["driver", "number", "state", "created_at"],
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("driver", Value::from(&self.driver)),
            ("number", Value::from(self.number)),
            ("state", Value::from(self.state.as_str())),
            ("created_at", Value::from(self.created_at)),
        ]
    }
}
