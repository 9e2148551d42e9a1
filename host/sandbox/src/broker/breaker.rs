//! Remembers that a target does not answer, so that calls do not each wait to find out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 3;
/// How long it stays open before one request may try again. Short: a target that came back should be used at once.
const REST: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Record {
    failures: u32,
    retry_at: Option<Instant>,
}

/// The breaker of one target.
#[derive(Default)]
pub struct Breaker(Mutex<Record>);

impl Breaker {
    /// Whether a request may try. While the target rests, one request each [`REST`] may.
    pub fn admits(&self, now: Instant) -> bool {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match record.retry_at {
            Some(at) if now < at => false,
            Some(_) => {
                record.retry_at = Some(now + REST);
                true
            }
            None => true,
        }
    }

    /// Whether the target is believed to answer.
    pub fn is_closed(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retry_at
            .is_none()
    }

    /// The target answered, whatever it said.
    pub fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Record::default();
    }

    /// The target could not be reached or did not answer in time.
    pub fn missed(&self, now: Instant) {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        record.failures = record.failures.saturating_add(1);
        if record.failures >= FAILURES {
            record.retry_at = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_open_it_and_one_answer_closes_it() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES {
            assert!(breaker.admits(now));
            breaker.missed(now);
        }
        assert!(!breaker.is_closed());
        assert!(!breaker.admits(now));
        let later = now + REST;
        assert!(breaker.admits(later), "one may try");
        assert!(!breaker.admits(later), "and only one");
        breaker.answered();
        assert!(breaker.is_closed() && breaker.admits(now));
    }
}
