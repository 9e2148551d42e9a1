//! The life of volumes.

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode, Placement, ReplicationKind, Snapshot, Volume};

use crate::array::{Array, ArrayError, flag, number, text};
use crate::arrays::Arrays;
use crate::layout::{Kind, Layout};
use crate::options::Options;
use crate::query::Query;
use crate::vgroup::{self, Vgroup};
use crate::{connection, host, layout, limits, names, pgroup, pod, snapshot, tags};

/// Works on volumes.
#[derive(Clone, Copy)]
pub struct Volumes<'a> {
    /// Arrays of the call.
    pub arrays: Arrays<'a>,
    /// Options of the call.
    pub options: Options<'a>,
}

/// Name on the array: what was stored, else what Cinder would have called it.
#[must_use]
pub fn array_name(volume: &Volume) -> String {
    volume
        .placement
        .as_ref()
        .map_or_else(|| names::volume(&volume.name), |p| p.array_name.clone())
}

impl<'a> Volumes<'a> {
    /// The array which serves a volume; for one that does not exist yet, the array where new ones land.
    ///
    /// # Errors
    /// When its target is not configured any more.
    pub fn serving(&self, volume: &Volume) -> Result<Array<'a>, Failure> {
        match &volume.placement {
            Some(placement) => self.arrays.named(&placement.target),
            None => self.arrays.landing(),
        }
    }

    /// Creates a volume: empty, or with the content of `source` (a volume or a snapshot on the same array).
    ///
    /// # Errors
    /// See the contract's `volumes.create`.
    pub fn create(
        &self,
        volume: &Volume,
        on: &Array<'a>,
        source: Option<&str>,
    ) -> Result<Placement, Failure> {
        let layout = Layout {
            at_home: self.stretches(on),
            ..self.options.layout()
        };
        layout.supports(layout::wanted(volume))?;
        let group = Vgroup::of(volume)?;
        let name = layout.name(volume);
        let mut body = match source {
            Some(source) => json!({ "source": { "name": source } }),
            None => json!({ "provisioned": volume.size }),
        };
        if let (None, Some(limits)) = (source, limits::wanted(volume)) {
            merge(&mut body, "qos", limits);
        }
        let mut query = Query::new().name(&name);
        if source.is_none() {
            query = query.one(
                "with_default_protection",
                if self.options.safemode() {
                    "true"
                } else {
                    "false"
                },
            );
        }
        let make = || on.send(Method::Post, "/volumes", &query, Some(&body));
        let made = match vgroup::fill(group.as_ref(), on, &name, &make) {
            Ok(items) => items.into_iter().next().unwrap_or(Value::Null),
            Err(trouble) => self.created_before(on, &name, volume, source.is_some(), trouble)?,
        };
        if source.is_some() {
            self.fit(on, &name, volume, &made)?;
        }
        self.join_group(on, volume, &name)?;
        let replication = if names::pod_of(&name).is_some() {
            Some(self.three_sites(on, volume, &name)?)
        } else if layout::wanted(volume).is_some() {
            self.protect(on, &name)?
        } else {
            None
        };
        tags::write(on, &name, volume);
        self.placement(on, &name, text(&made, "/serial"), replication)
    }

    /// Whether new volumes on an array may be stretched.
    pub(crate) fn stretches(&self, on: &Array<'a>) -> bool {
        self.options.layout().kind != Kind::TriSync || self.arrays.hold_pod(on.name())
    }

    /// Sends a new volume in the pod to the third site, too; where that fails nothing is left behind.
    fn three_sites(
        &self,
        on: &Array<'a>,
        volume: &Volume,
        name: &str,
    ) -> Result<ReplicationKind, Failure> {
        let wanted = layout::wanted(volume);
        if wanted != Some(&ReplicationKind::TriSync) {
            return Ok(ReplicationKind::Sync);
        }
        let joined = self.third_leg(on, name, wanted);
        if let Err(failure) = &joined
            && failure.code == FailureCode::FailedPrecondition
        {
            self.erase(on, name, true)?;
        }
        joined
    }

    /// Refused: perhaps because an earlier attempt of this operation made it. What is there decides.
    fn created_before(
        &self,
        on: &Array<'a>,
        name: &str,
        volume: &Volume,
        copied: bool,
        trouble: ArrayError,
    ) -> Result<Value, Failure> {
        let refused = match trouble {
            ArrayError::Failed(failure) => return Err(failure),
            refused @ ArrayError::Refused { .. } => refused,
        };
        match read(on, name)? {
            Some(found) if !flag(&found, "/destroyed") => {
                let size = number(&found, "/provisioned").unwrap_or(0);
                if size == volume.size || (copied && size <= volume.size) {
                    Ok(found)
                } else {
                    let sentence = format!("{name} exists on the array with another size");
                    Err(refused.into_failure(FailureCode::AlreadyExists, &sentence))
                }
            }
            Some(_) => {
                let sentence = format!(
                    "{name} was deleted and waits for its eradication; eradicate or recover it on the array"
                );
                Err(refused.into_failure(FailureCode::AlreadyExists, &sentence))
            }
            None => {
                if let Some(pod) = names::pod_of(name) {
                    pod::online(on, pod)?;
                }
                Err(refused.into_failure(
                    FailureCode::Exhausted,
                    "the array does not create the volume (space, number of volumes, source gone)",
                ))
            }
        }
    }

    /// A copy has its source's size and no limits: grow it, limit it.
    fn fit(
        &self,
        on: &Array<'a>,
        name: &str,
        volume: &Volume,
        made: &Value,
    ) -> Result<(), Failure> {
        let mut body = json!({});
        if number(made, "/provisioned").is_none_or(|size| size < volume.size) {
            merge(&mut body, "provisioned", json!(volume.size));
        }
        if let Some(limits) = limits::wanted(volume) {
            merge(&mut body, "qos", limits);
        }
        if body.as_object().is_some_and(|o| !o.is_empty()) {
            pgroup::must(
                on.send(
                    Method::Patch,
                    "/volumes",
                    &Query::new().name(name),
                    Some(&body),
                ),
                "the copy cannot be given the size and limits of its type",
            )?;
        }
        Ok(())
    }

    /// Puts a new volume into the group; where that fails nothing is left behind.
    fn protect(&self, on: &Array<'a>, name: &str) -> Result<Option<ReplicationKind>, Failure> {
        let joined = self.join_backend(on, name);
        if let Err(failure) = &joined
            && failure.code == FailureCode::FailedPrecondition
        {
            self.erase(on, name, true)?;
        }
        joined
    }

    /// Puts a volume into the group of the backend, where there is another array to replicate to. None: it is reported as
    /// unprotected.
    pub(crate) fn join_backend(
        &self,
        on: &Array<'a>,
        name: &str,
    ) -> Result<Option<ReplicationKind>, Failure> {
        if self.arrays.others(on.name()).next().is_none() {
            return Ok(None);
        }
        match pgroup::join(on, self.options.pgroup(), &[name]) {
            Ok(()) => Ok(Some(ReplicationKind::Async)),
            // While failed over, the array that serves has no group of its own until the operator reprotects.
            Err(failure)
                if failure.code == FailureCode::FailedPrecondition && !on.target().primary =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Deletes a volume and its connections. Gone is success.
    ///
    /// # Errors
    /// See the contract's `volumes.delete`.
    pub fn delete(&self, volume: &Volume) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        if self.delete_named(&on, volume)? {
            return Ok(());
        }
        // None of that name is not gone: something that was cut off may have renamed it.
        match self.renamed(&on, volume)? {
            Some(now) => self.delete_named(&on, &now).map(drop),
            None => Ok(()),
        }
    }

    /// Whether there was one of this name.
    fn delete_named(&self, on: &Array<'a>, volume: &Volume) -> Result<bool, Failure> {
        let name = self.options.layout().name(volume);
        if let Some(other) = self.beyond(on, &name) {
            // Machines reach a stretched volume through both arrays. One that is gone has no say.
            if let Err(failure) = host::release_all(&other, &name)
                && !connection::is_gone(&other, &failure)
            {
                return Err(failure);
            }
        }
        self.forget_at_home(on, volume)?;
        let there = self.erase(on, &name, self.options.eradicate())?;
        if let Some(group) = names::vgroup_of(&name) {
            vgroup::tidy(on, group, self.options.eradicate())?;
        }
        Ok(there)
    }

    /// The other array that holds a volume of this name, where it is stretched.
    #[must_use]
    pub fn beyond(&self, on: &Array<'a>, name: &str) -> Option<Array<'a>> {
        names::pod_of(name).and_then(|_| self.arrays.partner(on.name()))
    }

    /// Whether there was a volume of this name.
    pub(crate) fn erase(
        &self,
        on: &Array<'a>,
        name: &str,
        eradicate: bool,
    ) -> Result<bool, Failure> {
        let mut there = true;
        let query = Query::new().name(name);
        let destroy = json!({ "destroyed": true });
        host::release_all(on, name)?;
        if let Err(trouble) = on.send(Method::Patch, "/volumes", &query, Some(&destroy)) {
            match trouble {
                ArrayError::Failed(failure) => return Err(failure),
                refused @ ArrayError::Refused { .. } => {
                    let found = read(on, name)?;
                    there = found.is_some();
                    if found.is_some_and(|v| !flag(&v, "/destroyed")) {
                        let sentence = format!(
                            "{name} cannot be deleted (a lock, retention, or a connection that somebody else made)"
                        );
                        return Err(
                            refused.into_failure(FailureCode::FailedPrecondition, &sentence)
                        );
                    }
                }
            }
        }
        if eradicate {
            // What cannot be eradicated (SafeMode) goes by its timer.
            match on.send(Method::Delete, "/volumes", &query, None) {
                Ok(_) | Err(ArrayError::Refused { .. }) => {}
                Err(ArrayError::Failed(failure)) => return Err(failure),
            }
        }
        Ok(there)
    }

    /// Grows a volume.
    ///
    /// # Errors
    /// See the contract's `volumes.extend`.
    pub fn extend(&self, volume: &Volume, new_size: u64) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        self.wherever(&on, volume, |now| self.grow(&on, now, new_size))
    }

    fn grow(&self, on: &Array<'_>, volume: &Volume, new_size: u64) -> Result<(), Failure> {
        let name = array_name(volume);
        let mut body = json!({ "provisioned": new_size });
        if let Some(limits) = limits::wanted(volume) {
            merge(&mut body, "qos", limits);
        }
        match on.send(
            Method::Patch,
            "/volumes",
            &Query::new().name(&name),
            Some(&body),
        ) {
            Ok(_) => Ok(()),
            Err(ArrayError::Failed(failure)) => Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => match read(on, &name)? {
                Some(found) if number(&found, "/provisioned") == Some(new_size) => Ok(()),
                Some(found) if number(&found, "/provisioned").is_some_and(|s| s > new_size) => {
                    Err(refused.into_failure(
                        FailureCode::FailedPrecondition,
                        "the volume is larger on the array already; it is never shrunk",
                    ))
                }
                Some(_) => Err(refused
                    .into_failure(FailureCode::Exhausted, "the array does not grow the volume")),
                None => Err(refused.into_failure(
                    FailureCode::NotFound,
                    "the volume does not exist on the array",
                )),
            },
        }
    }

    /// Puts a volume back to a snapshot, in place.
    ///
    /// # Errors
    /// See the contract's `volumes.revert`.
    pub fn revert(&self, volume: &Volume, snapshot: &Snapshot) -> Result<(), Failure> {
        let on = self.serving(volume)?;
        self.wherever(&on, volume, |now| {
            let query = Query::new().name(&array_name(now)).on("overwrite");
            let body = json!({ "source": { "name": snapshot::name_of(now, snapshot) } });
            on.send(Method::Post, "/volumes", &query, Some(&body))
                .map(drop)
                .map_err(|t| {
                    t.into_failure(
                        FailureCode::NotFound,
                        "the snapshot or the volume is gone from the array",
                    )
                })
        })
    }

    /// Where a volume is, for the host to store.
    ///
    /// # Errors
    /// When the array cannot be asked for its name or the volume's serial.
    pub fn placement(
        &self,
        on: &Array<'a>,
        name: &str,
        serial: Option<&str>,
        replication: Option<ReplicationKind>,
    ) -> Result<Placement, Failure> {
        let serial = match serial {
            Some(serial) => Some(serial.to_owned()),
            None => read(on, name)?
                .as_ref()
                .and_then(|v| text(v, "/serial"))
                .map(str::to_owned),
        };
        Ok(placed(on, name, serial, replication))
    }
}

/// A placement, with the metadata that Cinder's driver shows.
#[must_use]
pub fn placed(
    on: &Array<'_>,
    name: &str,
    serial: Option<String>,
    replication: Option<ReplicationKind>,
) -> Placement {
    Placement {
        array_name: name.to_owned(),
        target: on.name().to_owned(),
        serial,
        metadata: vec![
            ("array_volume_name".to_owned(), name.to_owned()),
            (
                "array_name".to_owned(),
                on.known_name().unwrap_or_else(|| on.name().to_owned()),
            ),
        ],
        replication,
        extensions: Vec::new(),
    }
}

/// A volume as it is on an array; none where there is none.
///
/// # Errors
/// When the array cannot be asked.
pub fn read(array: &Array<'_>, name: &str) -> Result<Option<Value>, Failure> {
    let found = array
        .find("/volumes", &Query::new().name(name))
        .map_err(pgroup::unexpected)?;
    Ok(found.into_iter().find(|v| text(v, "/name") == Some(name)))
}

fn merge(body: &mut Value, key: &str, value: Value) {
    if let Some(object) = body.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
