//! The life of snapshots.

use crate::Control;
use crate::engine::Executors;

/// Snapshots.
#[derive(Debug, Clone, Copy)]
pub struct Snapshots<'a> {
    pub(crate) control: &'a Control,
}

impl Control {
    /// Snapshots.
    #[must_use]
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots { control: self }
    }
}

pub(crate) fn register(_executors: &mut Executors) {}
