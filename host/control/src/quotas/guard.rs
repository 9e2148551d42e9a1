//! What a commit must not exceed, as guards of the same transaction.

use std::collections::BTreeMap;

use springform_model::cloud::{Snapshot, Volume, VolumeType};
use springform_model::operation::Operation;
use springform_store::{Changes, Measure, Query, Total};

use super::Quotas;
use crate::{ControlError, ErrorKind};

/// What is about to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    /// A volume of so many GiB.
    Volume(u64),
    /// So many GiB for a volume that is there, which then has this size.
    Room(u64),
    /// A snapshot, or several.
    Snapshot,
    /// A type for a volume of so many GiB that is there.
    Type(u64),
}

impl Adds {
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Volume(_) | Self::Type(_) => &["volumes", "gigabytes"],
            Self::Room(_) => &["gigabytes"],
            Self::Snapshot => &["snapshots", "gigabytes"],
        }
    }
}

impl Quotas<'_> {
    /// The limits of a project that hold after something of this kind and type is added.
    ///
    /// # Errors
    /// `OverLimit` for one volume that is larger than any may be; what the store says.
    pub(crate) async fn guards(
        self,
        project: &str,
        adds: Adds,
        kind: Option<&VolumeType>,
    ) -> Result<Changes, ControlError> {
        let limits = self.set_for(project).await?;
        if let Adds::Volume(size) | Adds::Room(size) = adds {
            whole(&limits, size)?;
        }
        let mut changes = Changes::new();
        for word in adds.kinds() {
            if let Some(limit) = most(&limits, word)
                && !matches!(adds, Adds::Type(_))
            {
                changes = changes.within(*word, self.total(word, project, None), limit);
            }
            let Some(kind) = kind else { continue };
            let name = format!("{word}_{}", kind.name);
            if let Some(limit) = most(&limits, &name) {
                let total = self.total(word, project, Some(&kind.id));
                let claimed = self.on_the_way(word, project, kind).await?;
                let more = match (adds, *word) {
                    (Adds::Type(_), "volumes") => 1,
                    (Adds::Type(size), _) => i64::try_from(size).unwrap_or(i64::MAX),
                    _ => 0,
                };
                let claimed = claimed.saturating_add(more);
                let used = self.store.total(&total).await?.saturating_add(claimed);
                if more > 0 && used > limit {
                    return Err(over(&name, limit, used, u64::try_from(more).unwrap_or(0)));
                }
                changes = changes.within(name, total, limit.saturating_sub(claimed));
            }
        }
        Ok(changes)
    }

    /// What volumes claim of a type's quota that are being retyped to it: they have their old type until that is done.
    async fn on_the_way(
        &self,
        word: &str,
        project: &str,
        kind: &VolumeType,
    ) -> Result<i64, ControlError> {
        let open = Query::new()
            .eq("open", true)
            .eq("verb", "retype-volume")
            .entry("input", "type", &kind.id);
        let open = self.store.list::<Operation>(&open).await?;
        let ids: Vec<String> = open.iter().map(|found| found.subject.clone()).collect();
        let volumes = self.store.get_many::<Volume>(&ids).await?;
        let mine = volumes.iter().filter(|volume| {
            let counts = volume.consumes_quota && volume.project_id == project;
            counts && volume.type_id.as_ref() != Some(&kind.id)
        });
        let claims = mine.map(|volume| match word {
            "volumes" => 1,
            "gigabytes" => i64::try_from(volume.size).unwrap_or(i64::MAX),
            _ => 0,
        });
        Ok(claims.fold(0, i64::saturating_add))
    }

    /// What counts against `volumes`, `snapshots` or `gigabytes` of a project, of one type or of all.
    pub(super) fn total(&self, word: &str, project: &str, kind: Option<&str>) -> Total {
        let mut mine = Query::new()
            .eq("project_id", project)
            .eq("consumes_quota", true);
        if let Some(kind) = kind {
            mine = mine.eq("type_id", kind);
        }
        let total = Total::new();
        match word {
            "volumes" => total.and::<Volume>(Measure::Count, mine),
            "snapshots" => total.and::<Snapshot>(Measure::Count, mine),
            _ => {
                let total = total.and::<Volume>(Measure::Sum("claimed"), mine.clone());
                match self.snapshots_count {
                    true => total.and::<Snapshot>(Measure::Sum("size"), mine),
                    false => total,
                }
            }
        }
    }
}

fn most(limits: &BTreeMap<String, i64>, name: &str) -> Option<i64> {
    limits.get(name).copied().filter(|limit| *limit >= 0)
}

fn whole(limits: &BTreeMap<String, i64>, size: u64) -> Result<(), ControlError> {
    match most(limits, "per_volume_gigabytes") {
        Some(limit) if i64::try_from(size).unwrap_or(i64::MAX) > limit => Err(ControlError::new(
            ErrorKind::OverLimit,
            format!(
                "VolumeSizeExceedsLimit: Requested volume size {size}G is larger than the maximum allowed limit {limit}G."
            ),
        )),
        _ => Ok(()),
    }
}

/// A quota that would be exceeded by so many GiB more, in Cinder's words.
pub(crate) fn over(name: &str, limit: i64, used: i64, size: u64) -> ControlError {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let message = if name.starts_with("gigabytes") {
        format!(
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. Requested {size}G, quota is {limit}G and {}G has been consumed.",
            used - size
        )
    } else if name.starts_with("snapshots") {
        format!(
            "SnapshotLimitExceeded: Maximum number of snapshots allowed ({limit}) exceeded for quota '{name}'."
        )
    } else {
        format!(
            "VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota '{name}'."
        )
    };
    ControlError::new(ErrorKind::OverLimit, message)
}
