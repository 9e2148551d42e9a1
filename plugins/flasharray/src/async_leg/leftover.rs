//! Volumes that are deleted while an array beyond the pod serves them: their stretched selves go as well, at once or when
//! the pod is back.
//!
//! Where neither array of the pod answers, a mark is left beside the deleted volume: an empty volume named after it. Nobody
//! but this driver makes such a mark, so a set-up or a reconciliation that finds one knows what may go.

use serde_json::json;
use springform_sdk::http::Method;
use springform_sdk::types::{Error, Failure, FailureCode, Volume};

use super::is_beyond;
use crate::array::{Array, ArrayError, is_away, text};
use crate::layout::{wanted, wants_pod};
use crate::query::Query;
use crate::setup::Setup;
use crate::volume::{Volumes, array_name};
use crate::{connection, host, names, pgroup, pod, vgroup};

/// Bytes of a mark: as few as a volume may have.
const MARK: u64 = 1 << 20;

impl<'a> Volumes<'a> {
    /// Destroys the stretched self of a volume that is to be deleted beyond the pod, or marks it for later.
    ///
    /// # Errors
    /// When the array that serves it does not take the mark, or one of the pod keeps the volume.
    pub(crate) fn forget_at_home(&self, on: &Array<'a>, volume: &Volume) -> Result<(), Failure> {
        if !is_beyond(&self.arrays, &self.options, on.name()) || !wants_pod(wanted(volume)) {
            return Ok(());
        }
        let name = array_name(volume);
        let pod = self.options.layout().pod;
        let mut homes = self.arrays.stretched().into_iter();
        let serves = |home: &Array<'_>| home.target().reachable && pod::online(home, pod).is_ok();
        if let Some(home) = homes.find(serves) {
            return self.end_at_home(&home, &names::in_pod(pod, &name));
        }
        let mark = names::mark(&name);
        let query = Query::new()
            .name(&mark)
            .one("with_default_protection", "false");
        let body = json!({ "provisioned": MARK });
        match on.send(Method::Post, "/volumes", &query, Some(&body)) {
            Ok(_) => Ok(()),
            Err(ArrayError::Failed(failure)) => Err(failure),
            Err(ArrayError::Refused { .. }) if vgroup::is_live(on, &mark)? => Ok(()),
            Err(refused) => Err(refused.into_failure(
                FailureCode::Exhausted,
                "neither array of the pod answers, and the array does not take a mark of what is to be deleted there",
            )),
        }
    }

    /// Destroys a volume of the pod, and what connects machines to it on either array.
    pub(crate) fn end_at_home(&self, home: &Array<'a>, name: &str) -> Result<(), Failure> {
        if let Some(far) = self.arrays.partner(home.name())
            && let Err(failure) = host::release_all(&far, name)
            && !connection::is_gone(&far, &failure)
        {
            return Err(failure);
        }
        self.erase(home, name, self.options.eradicate()).map(drop)
    }
}

impl<'a> Setup<'a> {
    /// Removes what was deleted while an array beyond the pod served it.
    ///
    /// # Errors
    /// When a leftover cannot be removed.
    pub(crate) fn leftovers(&mut self, on: &Array<'a>) -> Result<(), Error> {
        let pod = self.options.layout().pod;
        let work = Volumes {
            arrays: self.arrays,
            options: self.options,
        };
        for third in self.arrays.beyond_the_pod() {
            let query = Query::new().filter(&format!(
                "name='{}' and destroyed='false'",
                names::mark("*-cinder")
            ));
            let found = match third.list("/volumes", &query) {
                // One that cannot be asked has been warned of; its marks wait.
                Err(ArrayError::Failed(failure)) if is_away(&failure) => {
                    continue;
                }
                found => found.map_err(pgroup::unexpected)?,
            };
            for mark in found.iter().filter_map(|v| text(v, "/name")) {
                let Some(name) = names::marked(mark) else {
                    continue;
                };
                let inside = names::in_pod(pod, name);
                if let Err(failure) = pod::online(on, pod) {
                    self.warnings.push(format!(
                        "{inside} was deleted while {} served it, and is still there: {}",
                        third.name(),
                        failure.message
                    ));
                    continue;
                }
                if !self.dry {
                    work.end_at_home(on, &inside)?;
                    work.erase(&third, mark, true)?;
                }
                self.did(
                    on,
                    format!(
                        "destroyed {inside}, which was deleted while {} served it",
                        third.name()
                    ),
                );
            }
        }
        Ok(())
    }
}
