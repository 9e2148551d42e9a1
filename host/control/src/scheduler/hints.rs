//! Hints of a creation: away from other volumes or beside them, as Cinder's `DifferentBackendFilter` and `SameBackendFilter`
//! take them. They are resolved to backends once, so that another try follows them too.

use serde::{Deserialize, Serialize};
use springform_model::cloud::Volume;
use springform_store::{Query, StoreError};

use crate::Caller;
use crate::context::Context;

/// Volumes named at once; further ones are not asked for.
const NAMED: usize = 1000;

/// What the creator of a volume says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Not on a backend that has one of these volumes.
    pub different_host: Vec<String>,
    /// On a backend that has one of these volumes.
    pub same_host: Vec<String>,
    /// On the machine of this server: a backend here is no machine, so this is ignored, and the creator is told so.
    pub local_to_instance: Option<String>,
}

/// The backends that hints leave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affinity {
    /// Not these.
    #[serde(default)]
    pub apart: Vec<String>,
    /// One of these; none: any.
    #[serde(default)]
    pub beside: Option<Vec<String>>,
}

impl Hints {
    /// The backends of the volumes that the caller may see. As in Cinder, a volume that nobody knows is nowhere: to be apart
    /// from it is easy, and to be beside it impossible.
    pub(crate) async fn resolve(
        &self,
        context: &Context,
        caller: &Caller,
    ) -> Result<Affinity, StoreError> {
        let beside = match self.same_host.is_empty() {
            true => None,
            false => Some(backends(context, caller, &self.same_host).await?),
        };
        Ok(Affinity {
            apart: backends(context, caller, &self.different_host).await?,
            beside,
        })
    }
}

async fn backends(
    context: &Context,
    caller: &Caller,
    volumes: &[String],
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for id in volumes.iter().take(NAMED) {
        let query = caller.scope(Query::new().eq("id", id), true);
        let volume = context.store().first::<Volume>(&query).await?;
        found.extend(volume.and_then(|volume| volume.record.backend));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

impl Affinity {
    /// Whether a backend may be taken; else why not.
    pub(super) fn allows(&self, backend: &str) -> Result<(), String> {
        if self.apart.iter().any(|name| name == backend) {
            return Err(
                "DifferentBackendFilter: it has a volume of the hint different_host".to_owned(),
            );
        }
        match &self.beside {
            Some(beside) if !beside.iter().any(|name| name == backend) => {
                Err("SameBackendFilter: it has no volume of the hint same_host".to_owned())
            }
            _ => Ok(()),
        }
    }
}
