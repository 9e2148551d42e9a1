//! Offload targets: places outside the array (NFS, S3, Azure).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{ApiError, Res};
use super::key::ArrayIx;
use super::name;
use super::world::World;

/// An offload target of one array.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offload {
    /// `nfs`, `s3`, `azure` or `google-cloud`.
    pub protocol: String,
    /// What was given when it was connected, by protocol, without secrets.
    pub details: Value,
    /// Its id.
    pub id: String,
}

impl World {
    /// Connects an offload target.
    pub fn add_offload(
        &mut self,
        ix: ArrayIx,
        label: &str,
        protocol: &str,
        details: Value,
    ) -> Res<()> {
        name::check("Offload", label)?;
        let id = self.next_id();
        let array = self.array_mut(ix)?;
        if array.offloads.contains_key(label) {
            return Err(ApiError::exists("Offload target", label));
        }
        let offload = Offload {
            protocol: protocol.to_owned(),
            details,
            id,
        };
        array.offloads.insert(label.to_owned(), offload);
        Ok(())
    }

    /// Disconnects an offload target.
    pub fn remove_offload(&mut self, ix: ArrayIx, label: &str) -> Res<()> {
        match self.array_mut(ix)?.offloads.remove(label) {
            Some(_) => Ok(()),
            None => Err(ApiError::absent("Offload target", label)),
        }
    }
}
