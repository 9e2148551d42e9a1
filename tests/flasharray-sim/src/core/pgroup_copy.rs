//! Copying a protection group snapshot into a group: all volumes in one step.

use super::error::{ApiError, Refusals, Res};
use super::key::{ArrayIx, PgKey, PgSnapKey};
use super::name;
use super::volume::NewVolume;
use super::world::World;

impl World {
    /// The snapshot that is meant by the name of a group snapshot, or the
    /// newest complete one of a group.
    fn copy_source(&self, ix: ArrayIx, source: &str) -> Res<PgSnapKey> {
        let key = match self.find_pgsnap(ix, source) {
            Ok(key) => Some(key),
            Err(_) => {
                let group = self.live_pgroup(ix, source)?;
                self.pgsnaps
                    .iter()
                    .filter(|(_, s)| s.group == group && s.complete() && s.doom.is_none())
                    .max_by_key(|(_, snap)| snap.created)
                    .map(|(key, _)| *key)
            }
        };
        let key = key.ok_or_else(|| ApiError::absent("Protection group snapshot", source))?;
        let snap = self.pgsnap(key)?;
        if snap.doom.is_some() {
            return Err(ApiError::destroyed("Protection group snapshot", source));
        }
        if !snap.complete() {
            return Err(ApiError::refuse(
                source,
                "Protection group snapshot is still being transferred.",
            ));
        }
        Ok(key)
    }

    /// Makes a group with volumes from a snapshot, or with `overwrite` restores
    /// the volumes of the same names. Volumes keep the last part of their names.
    pub fn copy_pgroup(
        &mut self,
        ix: ArrayIx,
        source: &str,
        to: &str,
        overwrite: bool,
    ) -> Res<PgKey> {
        let snap = self.copy_source(ix, source)?;
        let pod = name::parts(to).pod;
        let exists = self.array(ix)?.pgroups.contains_key(to);
        if exists {
            self.changeable_pgroup(ix, to)?;
            if !overwrite {
                return Err(ApiError::exists("Protection group", to));
            }
        }
        let mut refusals = Refusals::default();
        let mut copies = Vec::new();
        for part in self.pgsnap(snap)?.parts.clone() {
            let part = self.snap(part)?;
            let full = name::compose(pod, None, &part.suffix);
            let new = NewVolume {
                source: Some(part.name.clone()),
                overwrite,
                ..NewVolume::default()
            };
            refusals.note(self.check_new_volume(ix, &full, &new));
            copies.push((full, new));
        }
        refusals.finish()?;
        let group = if exists {
            self.find_pgroup(ix, to)?
        } else {
            self.create_pgroup(ix, to)?
        };
        for (full, new) in copies {
            let volume = self.create_volume(ix, &full, &new)?;
            self.join_group(group, volume)?;
        }
        Ok(group)
    }
}
