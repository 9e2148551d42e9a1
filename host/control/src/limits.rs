//! Absolute limits of a project, as `GET /limits` shows them.

use crate::ControlError;
use crate::context::Context;
use crate::quotas::Quotas;

/// Limits and their use.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    quotas: Quotas<'a>,
}

/// Cinder's names and values, in its order.
pub type Absolute = Vec<(&'static str, i64)>;

impl<'a> Limits<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            quotas: Quotas::new(context),
        }
    }

    /// Limits of a project and what it uses of them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn of(&self, project: &str) -> Result<Absolute, ControlError> {
        let usage = self.quotas.usage_of(project).await?;
        let limit = |key: &str| usage.get(key).map_or(-1, |usage| usage.limit);
        let used = |key: &str| usage.get(key).map_or(0, |usage| usage.in_use);
        Ok(vec![
            ("totalSnapshotsUsed", used("snapshots")),
            ("maxTotalBackups", limit("backups")),
            ("maxTotalVolumeGigabytes", limit("gigabytes")),
            ("maxTotalSnapshots", limit("snapshots")),
            ("maxTotalBackupGigabytes", limit("backup_gigabytes")),
            ("totalBackupGigabytesUsed", 0),
            ("maxTotalVolumes", limit("volumes")),
            ("totalVolumesUsed", used("volumes")),
            ("totalBackupsUsed", 0),
            ("totalGigabytesUsed", used("gigabytes")),
        ])
    }
}
