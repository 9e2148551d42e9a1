//! The life of volumes.

use crate::Control;
use crate::engine::Executors;

/// Volumes.
#[derive(Debug, Clone, Copy)]
pub struct Volumes<'a> {
    pub(crate) control: &'a Control,
}

impl Control {
    /// Volumes.
    #[must_use]
    pub fn volumes(&self) -> Volumes<'_> {
        Volumes { control: self }
    }
}

pub(crate) fn register(_executors: &mut Executors) {}
