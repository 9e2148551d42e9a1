//! What a set of volumes held at any time in the past.

use std::collections::BTreeMap;

/// The contents of a volume: one byte for each of a few blocks.
pub type Cells = [u8; 4];

/// The members of a group and what they held, by name.
pub type Moment = BTreeMap<String, Cells>;

/// Every state the group was ever in, with the time since when.
#[derive(Default)]
pub struct History {
    states: Vec<(u64, Moment)>,
}

impl History {
    /// Notes the state after an operation at `now`.
    pub fn note(&mut self, now: u64, moment: Moment) {
        self.states.push((now, moment));
    }

    /// The state a snapshot of this time must hold. Time moves before every
    /// operation, so what was done in the same millisecond came after it.
    pub fn before(&self, time: u64) -> Moment {
        self.states
            .iter()
            .rev()
            .find(|(since, _)| *since < time)
            .map(|(_, moment)| moment.clone())
            .unwrap_or_default()
    }
}
