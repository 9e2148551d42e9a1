//! Where a volume can be moved from array to array: Cinder has no filter for that, it copies through the host.

use springform_model::contract::MIGRATE;

use super::Candidate;

/// What a volume leaves that is to be moved to another backend.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    /// Backend.
    pub backend: String,
    /// Vendor of its driver: another vendor's understands nothing of what it sends.
    pub vendor: String,
    /// Id of the array, where it is known: nothing is sent from an array to itself.
    pub array: Option<String>,
}

impl Leaving {
    /// Whether the volume can be moved to this pool; else why not.
    pub(super) fn may_go_to(&self, candidate: &Candidate) -> Result<(), String> {
        if candidate.backend.name() == self.backend {
            return Err("MigrationFilter: the volume is there".to_owned());
        }
        if !candidate.has(MIGRATE) {
            return Err("MigrationFilter: its driver cannot receive volumes".to_owned());
        }
        if candidate.vendor != self.vendor {
            return Err(format!(
                "MigrationFilter: its driver is of {} and the volume's of {}",
                candidate.vendor, self.vendor
            ));
        }
        let array = self.array.as_ref();
        let landing = candidate.landing().and_then(|health| health.array_id);
        if array.is_some() && landing.as_ref() == array {
            return Err("MigrationFilter: it is on the array that has the volume".to_owned());
        }
        Ok(())
    }
}
