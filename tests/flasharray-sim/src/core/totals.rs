//! Sums over the volumes of an array or pod, kept up to date so that nobody
//! has to walk over twenty thousand volumes to say how full something is.

use serde::{Deserialize, Serialize};

use super::error::Res;
use super::key::{Home, VolumeKey};
use super::volume::Volume;
use super::world::World;

/// Bytes of several volumes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Provisioned to volumes that are not destroyed.
    pub provisioned: u64,
    /// Written, destroyed volumes included.
    pub written: u64,
}

impl Totals {
    /// What a volume counts for.
    pub fn of(volume: &Volume) -> Self {
        Self {
            provisioned: if volume.doom.is_none() {
                volume.size
            } else {
                0
            },
            written: volume.image.written(),
        }
    }

    fn shift(&mut self, before: Self, after: Self) {
        self.provisioned =
            (self.provisioned + after.provisioned).saturating_sub(before.provisioned);
        self.written = (self.written + after.written).saturating_sub(before.written);
    }

    /// Adds another sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            provisioned: self.provisioned + other.provisioned,
            written: self.written + other.written,
        }
    }
}

impl World {
    /// Replaces what something in `home` counted for.
    pub(super) fn recount(&mut self, home: Home, before: Totals, after: Totals) {
        let totals = match home {
            Home::Array(ix) => self.arrays.get_mut(ix.0).map(|array| &mut array.totals),
            Home::Pod(key) => self.pods.get_mut(&key).map(|pod| &mut pod.totals),
        };
        if let Some(totals) = totals {
            totals.shift(before, after);
        }
    }

    /// Changes the size, the bytes or the fate of a volume.
    pub(super) fn change_volume<R>(
        &mut self,
        key: VolumeKey,
        change: impl FnOnce(&mut Volume) -> R,
    ) -> Res<R> {
        let volume = self.volume_mut(key)?;
        let before = Totals::of(volume);
        let result = change(volume);
        let after = Totals::of(volume);
        let home = volume.home;
        self.recount(home, before, after);
        Ok(result)
    }
}
