//! What a host does with the volumes it sees.

use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, VolumeKey};
use super::world::World;

impl World {
    /// The volume, if this host may do I/O on it through this array now.
    /// 404 for an unknown volume, 403 without a connection, 503 when the array
    /// is dark or the pod is not online on it.
    fn io_path(&self, ix: ArrayIx, host: &str, volume: &str) -> Res<VolumeKey> {
        if !self.powered(ix) {
            return Err(ApiError::status(503, "The array is dark."));
        }
        let key = self
            .array(ix)?
            .volumes
            .get(volume)
            .copied()
            .filter(|key| self.volumes.get(key).is_some_and(|v| v.doom.is_none()))
            .ok_or_else(|| ApiError::status(404, format!("Volume {volume} does not exist.")))?;
        let seen = self
            .host_meant(ix, host)
            .is_some_and(|host| self.sees(ix, host, key));
        if !seen {
            return Err(ApiError::status(
                403,
                format!("Host {host} is not connected to volume {volume}."),
            ));
        }
        if !self.serves(ix, self.volume(key)?.home) {
            return Err(ApiError::status(
                503,
                "The pod is not online on this array.",
            ));
        }
        Ok(key)
    }

    /// Writes through an array. A stretched pod has one copy of the bytes, so
    /// the other side has them before this returns.
    pub fn io_write(
        &mut self,
        ix: ArrayIx,
        host: &str,
        volume: &str,
        offset: u64,
        data: &[u8],
    ) -> Res<()> {
        let key = self.io_path(ix, host, volume)?;
        let home = self.volume(key)?.home;
        for holder in self.holders(home) {
            let online = match home {
                Home::Array(_) => true,
                Home::Pod(_) => self.serves(holder, home),
            };
            let array = self.array(holder)?;
            if online && array.ballast >= array.capacity {
                return Err(ApiError::status(507, "The array is full."));
            }
        }
        check_range(self.volume(key)?.size, offset, data.len() as u64)?;
        self.change_volume(key, |volume| volume.image.write(offset, data))?;
        Ok(())
    }

    /// Reads through an array.
    pub fn io_read(
        &self,
        ix: ArrayIx,
        host: &str,
        volume: &str,
        offset: u64,
        length: usize,
    ) -> Res<Vec<u8>> {
        let key = self.io_path(ix, host, volume)?;
        let volume = self.volume(key)?;
        check_range(volume.size, offset, length as u64)?;
        Ok(volume.image.read(offset, length))
    }
}

fn check_range(size: u64, offset: u64, length: u64) -> Res<()> {
    if offset.checked_add(length).is_some_and(|end| end <= size) {
        Ok(())
    } else {
        Err(ApiError::status(
            416,
            format!("Beyond the end of the volume ({size} bytes)."),
        ))
    }
}
