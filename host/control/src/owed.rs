//! What arrays are owed, as it is counted.

use springform_model::replication::obligation::ObligationKind;
use springform_model::time::Timestamp;

/// What one array is owed of one kind.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Owed {
    /// Name of the array.
    pub target: String,
    /// What is to be done there.
    pub kind: ObligationKind,
    /// How many times.
    pub count: u64,
    /// Since when the oldest.
    pub since: Timestamp,
    /// Names of the first of the objects on the array.
    pub objects: Vec<String>,
    /// Why the oldest is owed.
    pub reason: String,
    /// Why the last attempt at the oldest failed; none where there was none.
    pub error: Option<String>,
}
