//! Snapshots of volumes.

use serde_json::json;
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode, Snapshot, SnapshotPlacement, Volume};

use crate::array::{Array, ArrayError, flag, text};
use crate::query::Query;
use crate::volume::{Volumes, array_name};
use crate::{names, pgroup};

/// Name on the array.
#[must_use]
pub fn name_of(volume: &Volume, snapshot: &Snapshot) -> String {
    let volume = array_name(volume);
    let Some(stored) = &snapshot.array_name else {
        return names::snapshot(&volume, &snapshot.name);
    };
    // A volume that has travelled into or out of a pod or a volume group took its snapshots along.
    match names::base(stored).split_once('.') {
        Some((of, suffix)) if of == names::base(&volume) => names::snapshot(&volume, suffix),
        _ => stored.clone(),
    }
}

impl Volumes<'_> {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// See the contract's `volumes.create-snapshot`.
    pub fn snapshot(
        &self,
        volume: &Volume,
        snapshot: &Snapshot,
    ) -> Result<SnapshotPlacement, Failure> {
        let on = self.serving(volume)?;
        self.wherever(&on, volume, |now| self.snapshot_named(&on, now, snapshot))
    }

    fn snapshot_named(
        &self,
        on: &Array<'_>,
        volume: &Volume,
        snapshot: &Snapshot,
    ) -> Result<SnapshotPlacement, Failure> {
        let name = names::snapshot(&array_name(volume), &snapshot.name);
        let query = Query::new().one("source_names", &array_name(volume));
        match on.send(
            Method::Post,
            "/volume-snapshots",
            &query,
            Some(&json!({ "suffix": snapshot.name })),
        ) {
            Ok(_) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                if !exists(on, &name)? {
                    return Err(refused.into_failure(FailureCode::FailedPrecondition, "the array does not take the snapshot (the volume is gone, or too many snapshots)"));
                }
            }
        }
        let metadata = vec![
            ("array_snapshot_name".to_owned(), name.clone()),
            (
                "array_name".to_owned(),
                on.known_name().unwrap_or_else(|| on.name().to_owned()),
            ),
        ];
        Ok(SnapshotPlacement {
            array_name: name,
            metadata,
            extensions: Vec::new(),
        })
    }

    /// Deletes a snapshot. Gone is success: gone from wherever it can be, not only from where the record says.
    ///
    /// # Errors
    /// See the contract's `volumes.delete-snapshot`.
    pub fn delete_snapshot(&self, volume: &Volume, snapshot: &Snapshot) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        let name = name_of(volume, snapshot);
        if self.delete_snapshot_named(&on, &name)? {
            return Ok(());
        }
        match self.astray(&on, volume, snapshot, &name)? {
            Some((there, name)) => self.delete_snapshot_named(&there, &name).map(drop),
            None => Ok(()),
        }
    }

    /// Whether there was one of this name.
    fn delete_snapshot_named(&self, on: &Array<'_>, name: &str) -> Result<bool, Failure> {
        let query = Query::new().name(name);
        let mut there = true;
        match on.send(
            Method::Patch,
            "/volume-snapshots",
            &query,
            Some(&json!({ "destroyed": true })),
        ) {
            Ok(_) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                let found = on
                    .find("/volume-snapshots", &query)
                    .map_err(pgroup::unexpected)?;
                let found = found.iter().find(|s| text(s, "/name") == Some(name));
                there = found.is_some();
                if found.is_some_and(|s| !flag(s, "/destroyed")) {
                    return Err(refused.into_failure(
                        FailureCode::FailedPrecondition,
                        "the array does not delete the snapshot (a lock or retention)",
                    ));
                }
            }
        }
        if self.options.eradicate() {
            match on.send(Method::Delete, "/volume-snapshots", &query, None) {
                Ok(_) | Err(ArrayError::Refused { .. }) => {}
                Err(ArrayError::Failed(failure)) => return Err(failure),
            }
        }
        Ok(there)
    }
}

fn exists(array: &Array<'_>, name: &str) -> Result<bool, Failure> {
    let found = array
        .find("/volume-snapshots", &Query::new().name(name))
        .map_err(pgroup::unexpected)?;
    Ok(found
        .iter()
        .any(|s| text(s, "/name") == Some(name) && !flag(s, "/destroyed")))
}
