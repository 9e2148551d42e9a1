//! Where an object is when the array has none of the stored name: a switch of protection, a retype or a failover that was
//! cut off has renamed it. Asked only then, so whoever finds everything in its place pays nothing.

use serde_json::Value;
use springform_sdk::types::{Failure, FailureCode, Snapshot, Volume};

use crate::array::{Array, flag, text};
use crate::query::Query;
use crate::volume::{Volumes, array_name, read};
use crate::{names, pgroup};

/// Key under which the host says which array served the volume when a snapshot was taken.
const TAKEN_ON: &str = "springform/target";

impl<'a> Volumes<'a> {
    /// The volume under the name that it has now; none where the array has the stored one, or none at all.
    ///
    /// # Errors
    /// When the array cannot be asked.
    pub fn renamed(&self, on: &Array<'_>, volume: &Volume) -> Result<Option<Volume>, Failure> {
        let Some(placement) = &volume.placement else {
            return Ok(None);
        };
        let stored = placement.array_name.as_str();
        if read(on, stored)?.is_some_and(|found| !flag(&found, "/destroyed")) {
            return Ok(None);
        }
        let base = names::base(stored);
        let ours = base == names::volume(&volume.name);
        let same = |item: &Value| match &placement.serial {
            Some(serial) => text(item, "/serial") == Some(serial),
            // A name that somebody else gave may be in two pods.
            None => ours,
        };
        let found = live(on, "/volumes", base)?;
        let found = found.iter().find(|item| same(item));
        Ok(found.and_then(|item| text(item, "/name")).map(|name| {
            let mut now = volume.clone();
            if let Some(placement) = &mut now.placement {
                name.clone_into(&mut placement.array_name);
            }
            now
        }))
    }

    /// Does work on a volume; where the array has none of its name, on the name that it has now.
    ///
    /// # Errors
    /// Those of the work, or when the array cannot be asked.
    pub fn wherever<T>(
        &self,
        on: &Array<'_>,
        volume: &Volume,
        work: impl Fn(&Volume) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failure = match work(volume) {
            Err(failure) if is_about_the_object(&failure) => failure,
            done => return done,
        };
        match self.renamed(on, volume)? {
            Some(now) => work(&now),
            None => Err(failure),
        }
    }

    /// Where a snapshot is that the serving array does not have under its stored name: there under another name, or on the
    /// array that served the volume when it was taken. None: it is nowhere.
    ///
    /// # Errors
    /// When one of the arrays cannot be asked: then nobody knows.
    pub fn astray(
        &self,
        on: &Array<'a>,
        volume: &Volume,
        snapshot: &Snapshot,
        stored: &str,
    ) -> Result<Option<(Array<'a>, String)>, Failure> {
        let base = names::snapshot(names::base(&array_name(volume)), &snapshot.name);
        let taken_on = snapshot.extensions.iter().find(|(key, _)| key == TAKEN_ON);
        let taken_on = taken_on.map(|(_, target)| target.as_str());
        let elsewhere = taken_on.filter(|target| *target != on.name());
        let elsewhere = elsewhere.and_then(|target| self.arrays.named(target).ok());
        for array in std::iter::once(*on).chain(elsewhere) {
            let found = live(&array, "/volume-snapshots", &base)?;
            if let Some(name) = found.iter().find_map(|item| text(item, "/name")) {
                return Ok(Some((array, name.to_owned())));
            }
            // One that was taken over keeps the name that somebody else gave it.
            if array.name() != on.name() && !live(&array, "/volume-snapshots", stored)?.is_empty() {
                return Ok(Some((array, stored.to_owned())));
            }
        }
        Ok(None)
    }
}

/// The name under which a volume lives on an array, in whatever pod; none where it does not.
///
/// # Errors
/// When the array cannot be asked.
pub fn now_at(on: &Array<'_>, base: &str, serial: Option<&str>) -> Result<Option<String>, Failure> {
    let found = live(on, "/volumes", base)?;
    let same = |item: &&Value| serial.is_none_or(|serial| text(item, "/serial") == Some(serial));
    let found = found.iter().find(same);
    Ok(found
        .and_then(|item| text(item, "/name"))
        .map(str::to_owned))
}

/// Whether it can have failed because there is no such object.
fn is_about_the_object(failure: &Failure) -> bool {
    matches!(
        failure.code,
        FailureCode::NotFound | FailureCode::FailedPrecondition | FailureCode::Exhausted
    )
}

/// What lives under this name, in whatever pod or volume group.
fn live(on: &Array<'_>, path: &str, base: &str) -> Result<Vec<Value>, Failure> {
    let filter = format!("name='*{base}'");
    let found = on
        .list(path, &Query::new().filter(&filter))
        .map_err(pgroup::unexpected)?;
    let named = |item: &Value| {
        text(item, "/name").is_some_and(|name| name == base || names::base(name) == base)
    };
    let live = found.into_iter();
    Ok(live
        .filter(|item| named(item) && !flag(item, "/destroyed"))
        .collect())
}
