//! Takes what happens where nobody may wait for the database, and where a stranger decides how often it happens: denied requests,
//! wrong tokens. The first of a kind is written at once; the others of some minutes are one entry with their number, and what
//! has too many kinds is counted together, so that no flood fills the disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use springform_model::audit::{Action, Entry, Kind, Occurrence, Sink, Subject, Who};
use springform_model::time::Timestamp;
use tokio::sync::Notify;

/// Kinds of one action that are told apart in a window.
const KINDS: usize = 32;
/// The key of all others.
const OTHERS: &str = "others";

/// Takes occurrences; a task of the control plane writes them.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    window: Mutex<Window>,
    fresh: Notify,
}

#[derive(Debug, Default)]
struct Window {
    kinds: BTreeMap<(Action, String), Counted>,
    /// To be written now.
    fresh: Vec<Entry>,
}

#[derive(Debug)]
struct Counted {
    last: Entry,
    /// How many since the one that was written.
    more: u64,
}

impl Window {
    /// Whether there is something to be written now.
    fn note(&mut self, occurrence: Occurrence) -> bool {
        let Occurrence { key, mut entry } = occurrence;
        let action = entry.action;
        let mut place = (action, key);
        if !self.kinds.contains_key(&place) {
            let kinds = self.kinds.keys().filter(|(of, _)| *of == action).count();
            if kinds >= KINDS {
                place.1 = OTHERS.to_owned();
                entry = of_several(entry);
            }
        }
        match self.kinds.get_mut(&place) {
            Some(counted) => {
                counted.more = counted.more.saturating_add(1);
                counted.last = entry;
                false
            }
            None => {
                self.fresh.push(entry.clone());
                let last = entry;
                self.kinds.insert(place, Counted { last, more: 0 });
                true
            }
        }
    }

    fn fresh(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.fresh)
    }

    /// Ends the window: what was counted, an entry each.
    fn close(&mut self, now: Timestamp) -> Vec<Entry> {
        let mut all = self.fresh();
        let counted = std::mem::take(&mut self.kinds).into_values();
        all.extend(counted.filter(|counted| counted.more > 0).map(|counted| {
            let last = counted.last;
            let at = Entry::new(now, last.who.clone(), last.action, last.outcome).at;
            Entry { at, ..last }.with("times", counted.more.to_string())
        }));
        all
    }
}

/// What is left of an entry that is one of many kinds.
fn of_several(entry: Entry) -> Entry {
    let who = Who::of(match entry.who.kind {
        Kind::User => Kind::Unknown,
        other => other,
    });
    Entry {
        who,
        on: Subject::default(),
        details: BTreeMap::new(),
        ..entry
    }
    .with("of", "several that were counted together")
}

impl Sink for Recorder {
    fn note(&self, occurrence: Occurrence) {
        if self.window().note(occurrence) {
            self.0.fresh.notify_one();
        }
    }
}

impl Recorder {
    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written at once, when there is something.
    pub(super) async fn fresh(&self) -> Vec<Entry> {
        self.0.fresh.notified().await;
        self.window().fresh()
    }

    /// Ends the window: what was counted and not yet written.
    pub(super) fn end_window(&self, now: Timestamp) -> Vec<Entry> {
        self.window().close(now)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use springform_model::audit::Outcome;

    fn guess(address: u32) -> Occurrence {
        let who = Who {
            address: Some(address.to_string()),
            ..Who::of(Kind::Unknown)
        };
        let entry = Entry::new(
            Timestamp(0),
            who,
            Action::AuthenticationFailed,
            Outcome::Denied,
        );
        let key = address.to_string();
        Occurrence { key, entry }
    }

    #[test]
    fn the_first_of_a_kind_is_written_at_once_and_the_others_with_their_number() {
        let mut window = Window::default();
        assert!(window.note(guess(1)));
        for _ in 0..1000 {
            assert!(!window.note(guess(1)));
        }
        assert_eq!(window.fresh().len(), 1);
        let counted = window.close(Timestamp(5_000_000));
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].details["times"], "1000");
        assert_eq!(counted[0].at, Timestamp(5_000_000));
        assert!(window.note(guess(1)), "another window begins");
    }

    #[test]
    fn a_flood_of_many_kinds_makes_no_more_entries_than_there_is_room_for() {
        let mut window = Window::default();
        for round in 0..3 {
            for address in 0..10_000 {
                window.note(guess(address));
            }
            let written = window.close(Timestamp(round));
            assert!(written.len() <= 2 * (KINDS + 1), "{}", written.len());
            let mut others = written
                .iter()
                .filter_map(|entry| entry.details.get("times"));
            assert_eq!(others.next_back().map(String::as_str), Some("9967"));
            assert!(window.kinds.is_empty() && window.fresh.is_empty());
        }
    }
}
