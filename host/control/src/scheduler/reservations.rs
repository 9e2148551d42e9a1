//! What was placed on a backend since its statistics were read: so that many creates within one period spread, and
//! stop when the room is used up.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// A volume whose making began but never ended is forgotten after this time: its request was dropped.
const FORGET: Duration = Duration::from_secs(3600);

/// Volumes that the newest statistics may not know of yet.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    placed: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    volumes: BTreeMap<String, Placed>,
    /// Bytes for each pool.
    sums: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Placed {
    pool: String,
    bytes: u64,
    since: Instant,
    /// When it was made on the array.
    made: Option<Instant>,
}

impl Book {
    fn remove(&mut self, volume: &str) {
        let Some(gone) = self.volumes.remove(volume) else {
            return;
        };
        if let Some(sum) = self.sums.get_mut(&gone.pool) {
            *sum = sum.saturating_sub(gone.bytes);
        }
    }
}

impl Reservations {
    fn with<T: Default>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        self.placed
            .lock()
            .map(|mut book| act(&mut book))
            .unwrap_or_default()
    }

    /// Bytes placed in a pool beside what its statistics say.
    pub(crate) fn pending(&self, pool: &str) -> u64 {
        self.with(|book| book.sums.get(pool).copied().unwrap_or(0))
    }

    /// Places a volume in a pool with this much room by its statistics. False: others were faster and it is full.
    pub(crate) fn place(&self, volume: &str, pool: &str, bytes: u64, room: u64) -> bool {
        self.with(|book| {
            book.remove(volume);
            let sum = book.sums.entry(pool.to_owned()).or_default();
            if sum.saturating_add(bytes) > room {
                return false;
            }
            *sum += bytes;
            let placed = Placed {
                pool: pool.to_owned(),
                bytes,
                since: Instant::now(),
                made: None,
            };
            book.volumes.insert(volume.to_owned(), placed);
            true
        })
    }

    /// The volume is on the array: the next statistics count it.
    pub(crate) fn made(&self, volume: &str) {
        self.with(|book| {
            if let Some(placed) = book.volumes.get_mut(volume) {
                placed.made = Some(Instant::now());
            }
        });
    }

    /// The volume is not made after all.
    pub(crate) fn dropped(&self, volume: &str) {
        self.with(|book| book.remove(volume));
    }

    /// Statistics that were asked for at this time have come: what was made before is in them.
    ///
    /// What was being made just then may be in them or not; it is counted until the next ones, because a create that is
    /// refused for a minute can be tried again, and a pool that is overfilled stays so.
    pub(crate) fn counted(&self, asked: Instant) {
        self.with(|book| {
            let known: Vec<String> = book
                .volumes
                .iter()
                .filter(|(_, placed)| match placed.made {
                    Some(made) => made <= asked,
                    None => asked.saturating_duration_since(placed.since) > FORGET,
                })
                .map(|(volume, _)| volume.clone())
                .collect();
            for volume in known {
                book.remove(&volume);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_takes_what_fits_and_counts_each_volume_once() {
        let reservations = Reservations::default();
        assert!(reservations.place("a", "pool", 60, 100));
        assert!(!reservations.place("b", "pool", 60, 100));
        assert!(reservations.place("b", "pool", 40, 100));
        assert_eq!(reservations.pending("pool"), 100);
        reservations.dropped("a");
        reservations.dropped("a");
        assert_eq!(reservations.pending("pool"), 40);
    }

    #[test]
    fn statistics_take_over_only_what_was_made_before_they_were_asked_for() {
        let reservations = Reservations::default();
        let before = Instant::now();
        assert!(reservations.place("made", "pool", 1, 100));
        assert!(reservations.place("making", "pool", 2, 100));
        reservations.made("made");
        reservations.counted(before - Duration::from_millis(1));
        assert_eq!(reservations.pending("pool"), 3);
        reservations.counted(Instant::now());
        assert_eq!(reservations.pending("pool"), 2);
    }
}
