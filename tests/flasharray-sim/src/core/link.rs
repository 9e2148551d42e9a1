//! Connections between arrays.

use serde::{Deserialize, Serialize};

use super::error::{ApiError, Res};
use super::key::ArrayIx;
use super::world::World;

/// What a link can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Stretched pods and asynchronous replication.
    Sync,
    /// Asynchronous replication only.
    Async,
}

impl LinkKind {
    /// The word the REST interface uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync-replication",
            Self::Async => "async-replication",
        }
    }
}

/// A connection of two arrays.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// Id of the connection.
    pub id: String,
    /// One end.
    pub a: ArrayIx,
    /// The other end.
    pub b: ArrayIx,
    /// What it can carry.
    pub kind: LinkKind,
    /// False while it is cut.
    pub up: bool,
    /// Bytes per second of asynchronous replication; none for the world's default.
    pub bandwidth: Option<u64>,
}

impl Link {
    /// Whether this link joins the two.
    pub fn joins(&self, a: ArrayIx, b: ArrayIx) -> bool {
        (self.a, self.b) == (a, b) || (self.a, self.b) == (b, a)
    }

    /// The far end as seen from `ix`.
    pub fn other(&self, ix: ArrayIx) -> Option<ArrayIx> {
        if self.a == ix {
            Some(self.b)
        } else if self.b == ix {
            Some(self.a)
        } else {
            None
        }
    }
}

impl World {
    /// The link between two arrays.
    pub fn link(&self, a: ArrayIx, b: ArrayIx) -> Option<&Link> {
        self.links.iter().find(|link| link.joins(a, b))
    }

    /// Whether two arrays can talk to each other now.
    pub fn reaches(&self, a: ArrayIx, b: ArrayIx) -> bool {
        self.powered(a) && self.powered(b) && self.link(a, b).is_some_and(|link| link.up)
    }

    /// Whether an array has power.
    pub fn powered(&self, ix: ArrayIx) -> bool {
        self.arrays.get(ix.0).is_some_and(|array| array.powered)
    }

    /// Cuts or mends the link between two arrays.
    pub fn set_link(&mut self, a: ArrayIx, b: ArrayIx, up: bool) -> Res<()> {
        let link = self
            .links
            .iter_mut()
            .find(|link| link.joins(a, b))
            .ok_or_else(|| ApiError::bad("These arrays are not connected."))?;
        link.up = up;
        self.connectivity_changed();
        Ok(())
    }

    /// Sets the bandwidth of a link, in bytes per second.
    pub fn set_bandwidth(&mut self, a: ArrayIx, b: ArrayIx, rate: Option<u64>) -> Res<()> {
        self.settle_transfers();
        let link = self
            .links
            .iter_mut()
            .find(|link| link.joins(a, b))
            .ok_or_else(|| ApiError::bad("These arrays are not connected."))?;
        link.bandwidth = rate;
        self.settle_transfers();
        Ok(())
    }

    /// Switches an array off (it keeps what it had) or on again.
    pub fn set_power(&mut self, ix: ArrayIx, on: bool) -> Res<()> {
        let array = self.array_mut(ix)?;
        if array.powered == on {
            return Ok(());
        }
        array.powered = on;
        array.sessions.clear();
        self.connectivity_changed();
        Ok(())
    }

    /// Lets pods and transfers react to a change of power, links or the mediator.
    pub(super) fn connectivity_changed(&mut self) {
        self.settle_pods();
        self.settle_transfers();
    }

    /// Removes the connection of two arrays, unless something needs it.
    pub fn disconnect_arrays(&mut self, a: ArrayIx, b: ArrayIx) -> Res<()> {
        let name = self.array(b)?.name.clone();
        let at = self
            .links
            .iter()
            .position(|link| link.joins(a, b))
            .ok_or_else(|| ApiError::absent("Array connection", name.clone()))?;
        let in_pod = self
            .pods
            .values()
            .any(|pod| pod.has_side(a) && pod.has_side(b));
        if in_pod {
            return Err(ApiError::refuse(
                name,
                "Cannot disconnect arrays with stretched pods.",
            ));
        }
        self.links.remove(at);
        self.connectivity_changed();
        Ok(())
    }
}
