//! Volumes that an array has just made of copies: a copy has the size of its recovery point, and the limits of nobody.

use serde_json::Value;
use springform_sdk::types::{Placement, Volume};

use crate::array::{Array, ArrayError, number, text};
use crate::volume::placed;
use crate::{limits, query};

/// Key under which the host is told how many bytes a volume has where it was promoted.
const SIZE: &str = "springform/size";

/// Volumes of one batch, and what is still to be said to the array about them.
#[derive(Default)]
pub struct Promoted {
    /// Limits, each with the volumes that need them.
    limits: Vec<(Value, Vec<String>)>,
}

impl Promoted {
    /// Where a volume is now. `found`: as the array shows it.
    pub fn placed(
        &mut self,
        on: &Array<'_>,
        name: &str,
        volume: &Volume,
        found: &Value,
    ) -> Placement {
        if let Some(wanted) = limits::missing(found, volume) {
            match self.limits.iter_mut().find(|(known, _)| *known == wanted) {
                Some((_, names)) => names.push(name.to_owned()),
                None => self.limits.push((wanted, vec![name.to_owned()])),
            }
        }
        let serial = text(found, "/serial").map(str::to_owned);
        let mut placement = placed(on, name, serial, None);
        if let Some(size) = number(found, "/provisioned") {
            placement
                .extensions
                .push((SIZE.to_owned(), size.to_string()));
        }
        placement
    }

    /// Gives the volumes the limits of their types. A volume that serves without them is better than one that does not serve,
    /// so a refusal is told to the log alone.
    pub fn limit(self, on: &Array<'_>) {
        for (wanted, names) in self.limits {
            for chunk in query::chunks(&names) {
                match limits::give(on, chunk, &wanted) {
                    Err(ArrayError::Refused { .. }) if chunk.len() > 1 => {
                        for name in chunk {
                            tell(on, limits::give(on, std::slice::from_ref(name), &wanted));
                        }
                    }
                    given => tell(on, given),
                }
            }
        }
    }
}

fn tell(on: &Array<'_>, given: Result<(), ArrayError>) {
    if given.is_err() {
        eprintln!(
            "{} did not take the limits of volumes that it serves now",
            on.name()
        );
    }
}
