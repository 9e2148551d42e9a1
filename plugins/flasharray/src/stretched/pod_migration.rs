//! Volumes into the stretched pod and out of it again, with every byte and without an interruption.
//!
//! An array moves a volume only between pods that are on the same arrays, so it travels in a pod of its own: into it while
//! both are alike, and that pod is stretched or shrunk around the volume. Where the volume is says what comes next, so an
//! attempt that was cut off is taken up wherever it stopped.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::types::{Context, Error, Failure, FailureCode};

use super::setup::{create, partner, settle, stretch};
use crate::array::{Array, ArrayError, flag, text};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::pod::{self, Pod};
use crate::query::Query;
use crate::setup::identify;
use crate::{names, pgroup};

/// One volume on its way.
pub struct PodMigration<'a> {
    context: &'a Context,
    on: Array<'a>,
    second: Array<'a>,
    options: Options<'a>,
    /// Name outside any pod.
    base: String,
    ghost: String,
}

impl<'a> PodMigration<'a> {
    /// A journey of the volume of this name, from the array which serves it.
    ///
    /// # Errors
    /// When no second array is configured.
    pub fn new(
        context: &'a Context,
        arrays: &Arrays<'a>,
        options: Options<'a>,
        on: Array<'a>,
        name: &str,
        volume_id: &str,
    ) -> Result<Self, Failure> {
        Ok(Self {
            context,
            on,
            second: partner(arrays, &on)?,
            options,
            base: names::without_pod(name).to_owned(),
            ghost: names::ghost_pod(options.ghost_pod(), volume_id),
        })
    }

    /// Brings the volume into the pod of all stretched volumes; gives back its name there.
    ///
    /// # Errors
    /// `pending` while the pod it travels in comes online on the second array.
    pub fn enter(&self) -> Result<String, Error> {
        let pod = self.options.layout().pod;
        let there = names::in_pod(pod, &self.base);
        let travelling = names::in_pod(&self.ghost, &self.base);
        let mut now = self.whereabouts(&there)?;
        if now == self.base {
            pod::online(&self.on, pod)?;
            create(&self.on, &self.ghost)?;
            self.carry(&self.base, &self.ghost)?;
            now = travelling.clone();
        }
        if now == travelling {
            self.widen()?;
            self.carry(&travelling, pod)?;
        }
        self.end()?;
        Ok(there)
    }

    /// Brings the volume out of its pod, onto the array which serves it; gives back its name there.
    ///
    /// # Errors
    /// `pending` while the pod it travels in comes online on the second array.
    pub fn leave(&self, from: &str) -> Result<String, Error> {
        let travelling = names::in_pod(&self.ghost, &self.base);
        let inside = names::in_pod(from, &self.base);
        let mut now = self.whereabouts(&inside)?;
        if now == inside {
            pod::online(&self.on, from)?;
            create(&self.on, &self.ghost)?;
            self.widen()?;
            self.carry(&inside, &self.ghost)?;
            now = travelling.clone();
        }
        if now != travelling {
            self.end()?;
            return Ok(self.base.clone());
        }
        if let Some(seen) = pod::read(&self.on, &self.ghost)? {
            self.narrow(&seen)?;
        }
        self.carry(&travelling, "")?;
        self.discard()?;
        Ok(self.base.clone())
    }

    /// Where the volume is: alone, travelling, or in the pod.
    fn whereabouts(&self, inside: &str) -> Result<String, Failure> {
        let travelling = names::in_pod(&self.ghost, &self.base);
        let filter = format!("name='*{}'", self.base);
        let found = self
            .on
            .list("/volumes", &Query::new().filter(&filter))
            .map_err(pgroup::unexpected)?;
        let live: Vec<_> = found
            .iter()
            .filter(|v| !flag(v, "/destroyed"))
            .filter_map(|v| text(v, "/name"))
            .collect();
        let known = [inside, &travelling, &self.base];
        let at = known.iter().find(|name| live.contains(*name));
        at.map(|name| (*name).to_owned()).ok_or_else(|| {
            failure_on(
                self.on.name(),
                FailureCode::NotFound,
                format!("{} is not on the array, in or out of a pod", self.base),
            )
        })
    }

    /// The travelling pod on both arrays.
    fn widen(&self) -> Result<(), Error> {
        let own_name = pod::own_name(&self.on)?;
        let mut seen = pod::need(&self.on, &self.ghost)?;
        if seen.beyond(&own_name).is_none() {
            let known = self.second.known_name();
            let name = known.map_or_else(|| identify(&self.second), Ok)?;
            stretch(&self.on, &self.ghost, &self.second, &name)?;
            seen = pod::need(&self.on, &self.ghost)?;
        }
        let patience = self.options.stretch_timeout();
        settle(
            self.context,
            &self.ghost,
            &seen,
            &own_name,
            &self.second,
            patience,
        )
    }

    /// The travelling pod on the serving array only.
    fn narrow(&self, seen: &Pod) -> Result<(), Failure> {
        let own_name = pod::own_name(&self.on)?;
        let Some(far) = seen.beyond(&own_name) else {
            return Ok(());
        };
        let query = Query::new()
            .one("group_names", &self.ghost)
            .one("member_names", &far.array);
        match self.on.send(Method::Delete, "/pods/arrays", &query, None) {
            Ok(_) => Ok(()),
            Err(ArrayError::Failed(failure)) => Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                let gone = pod::read(&self.on, &self.ghost)?
                    .is_none_or(|now| now.beyond(&own_name).is_none());
                if gone {
                    return Ok(());
                }
                let sentence = format!("{} cannot be taken out of pod {}", far.array, self.ghost);
                Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence))
            }
        }
    }

    /// Moves the volume; out of all its protection groups, which do not cross the border of a pod. It joins none while it
    /// travels.
    fn carry(&self, from: &str, pod: &str) -> Result<(), Failure> {
        let groups = match names::pod_of(from) {
            Some(pod) if pod == self.ghost => Vec::new(),
            _ => pgroup::groups_of(&self.on, from)?,
        };
        let mut query = Query::new().name(from);
        if !groups.is_empty() {
            query = query.list("remove_from_protection_group_names", &groups);
        }
        let body = json!({ "pod": { "name": pod } });
        match self.on.send(Method::Patch, "/volumes", &query, Some(&body)) {
            Ok(_) => Ok(()),
            Err(ArrayError::Failed(failure)) => Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                let to = match pod {
                    "" => self.base.clone(),
                    pod => names::in_pod(pod, &self.base),
                };
                let there = crate::volume::read(&self.on, &to)?;
                if there
                    .as_ref()
                    .is_some_and(|v: &Value| !flag(v, "/destroyed"))
                {
                    return Ok(());
                }
                let sentence = format!("the array does not move {from} to {to}");
                Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence))
            }
        }
    }

    /// The travelling pod, empty now, goes, if it is still there.
    fn end(&self) -> Result<(), Failure> {
        let Some(seen) = pod::read(&self.on, &self.ghost)? else {
            return Ok(());
        };
        self.narrow(&seen)?;
        self.discard()
    }

    /// Its name must be free for the next journey, so it is eradicated; what cannot be (SafeMode) is recovered by the next
    /// journey.
    fn discard(&self) -> Result<(), Failure> {
        let query = Query::new().name(&self.ghost);
        let body = json!({ "destroyed": true });
        match self.on.send(Method::Patch, "/pods", &query, Some(&body)) {
            Ok(_) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => {
                if pod::read(&self.on, &self.ghost)?.is_some_and(|p| !p.destroyed) {
                    let sentence = format!("pod {} is not empty after the move", self.ghost);
                    return Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence));
                }
            }
        }
        match self.on.send(Method::Delete, "/pods", &query, None) {
            Ok(_) | Err(ArrayError::Refused { .. }) => Ok(()),
            Err(ArrayError::Failed(failure)) => Err(failure),
        }
    }
}
