//! The model of a stretched pod: who serves it, and what the other one kept.

use std::collections::BTreeMap;

use crate::history::Cells;

pub const BLOCK: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Both sides have everything.
    InSync,
    /// One goes on, the other is out of touch (sides are 0 and 1).
    Alone(usize),
    /// One has everything, the other catches up until a time.
    CatchingUp(usize, u64),
}

/// Contents by name.
pub type Contents = BTreeMap<String, Cells>;

pub struct PodModel {
    pub state: State,
    pub truth: Contents,
    /// What the side that is out of touch kept.
    pub stale: Contents,
    pub resync_ms: u64,
    pub bandwidth: u64,
}

impl PodModel {
    /// Whether a side serves I/O and changes.
    pub fn serves(&self, side: usize) -> bool {
        match self.state {
            State::InSync => true,
            State::Alone(winner) | State::CatchingUp(winner, _) => side == winner,
        }
    }

    /// What a side knows of.
    pub fn known(&self, side: usize) -> &Contents {
        match self.state {
            State::Alone(winner) if winner != side => &self.stale,
            _ => &self.truth,
        }
    }

    /// Time has passed.
    pub fn at(&mut self, now: u64) {
        if let State::CatchingUp(_, until) = self.state
            && until <= now
        {
            self.state = State::InSync;
        }
    }

    /// Power or link have changed.
    pub fn contact(&mut self, now: u64, power: [bool; 2], link: bool) {
        let together = link && power[0] && power[1];
        match (self.state, together) {
            (State::InSync, false) if power != [false, false] => {
                self.state = State::Alone(usize::from(!power[0]));
                self.stale = self.truth.clone();
            }
            (State::CatchingUp(winner, _), false) => {
                self.state = State::Alone(winner);
                self.stale = self.truth.clone();
            }
            (State::Alone(winner), true) => {
                let changed: u64 = self
                    .stale
                    .iter()
                    .filter_map(|(name, old)| Some((self.truth.get(name)?, old)))
                    .map(|(new, old)| new.iter().zip(old).filter(|(n, o)| n != o).count() as u64)
                    .sum();
                let bytes = changed * BLOCK;
                let until = now + self.resync_ms + bytes * 1000 / self.bandwidth;
                self.state = State::CatchingUp(winner, until);
            }
            _ => {}
        }
    }
}
