//! Tags on volumes.

use serde::{Deserialize, Serialize};

use super::error::Res;
use super::key::{ArrayIx, VolumeKey};
use super::world::World;

/// A key and a value in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The namespace.
    pub namespace: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Whether copies of the volume get it too.
    pub copyable: bool,
}

impl World {
    /// Sets tags; those with the same namespace and key are replaced.
    pub fn set_tags(&mut self, ix: ArrayIx, volume: &str, tags: &[Tag]) -> Res<VolumeKey> {
        let key = self.changeable_volume(ix, volume)?;
        let volume = self.volume_mut(key)?;
        for tag in tags {
            volume
                .tags
                .retain(|old| (&old.namespace, &old.key) != (&tag.namespace, &tag.key));
            volume.tags.push(tag.clone());
        }
        volume
            .tags
            .sort_by(|a, b| (&a.namespace, &a.key).cmp(&(&b.namespace, &b.key)));
        Ok(key)
    }

    /// Removes the tags for which `gone` holds.
    pub fn remove_tags(
        &mut self,
        ix: ArrayIx,
        volume: &str,
        gone: impl Fn(&Tag) -> bool,
    ) -> Res<VolumeKey> {
        let key = self.find_volume(ix, volume)?;
        self.volume_mut(key)?.tags.retain(|tag| !gone(tag));
        Ok(key)
    }
}
