//! What time it is, and what stays right when somebody corrects that.
//!
//! Points in time that others read, or that are held against arrays' clocks, come from the wall clock as it shows now. How long
//! something may take is counted in [`Instant`]s: a correction ends nothing early and lets nothing wait for ever.

use std::sync::Arc;

use springform_model::time::Timestamp;
use tokio::time::Instant;

/// A clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Clock {
    /// The system's, with every correction that it gets while the host runs: the clocks of arrays are compared with that one.
    #[must_use]
    pub fn system() -> Self {
        Self::reading(Timestamp::now)
    }

    /// A clock that shows what `read` gives.
    pub fn reading(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// A moment in the life of this process, to be held against times that the clock gave before and after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    shown: Timestamp,
    then: Instant,
}

impl Moment {
    /// This moment, at which the clock shows `now`.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self {
            shown: now,
            then: Instant::now(),
        }
    }

    /// Where it lies on a clock that shows `now`. Put forward since, the clock does not make it later: what came after it may
    /// carry times from before the correction. Put back, it makes it earlier, or nothing that comes would seem to be later
    /// until the clock shows the same again; what was seen before it is told apart by the next look.
    pub(crate) fn on(&self, now: Timestamp) -> Timestamp {
        let passed = i64::try_from(self.then.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.shown.min(now.plus_micros(-passed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[tokio::test(start_paused = true)]
    async fn the_systems_clock_is_read_each_time_and_not_reckoned_from_the_start() {
        let clock = Clock::system();
        // A day on the host's other clock, and none on the wall.
        advance(Duration::from_secs(86_400)).await;
        let apart = clock.now().0.abs_diff(Timestamp::now().0);
        assert!(apart < HOUR.unsigned_abs(), "{apart} µs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_stays_before_what_came_after_it_whichever_way_the_clock_is_put() {
        let moment = Moment::at(Timestamp(10 * HOUR));
        advance(Duration::from_secs(60)).await;
        let minute = HOUR / 60;
        for put in [-2 * HOUR, 0, 2 * HOUR] {
            let now = Timestamp(10 * HOUR + minute + put);
            assert!(moment.on(now) < now);
            let seen_before_the_correction = Timestamp(10 * HOUR + minute / 2);
            assert!(moment.on(now) <= seen_before_the_correction);
        }
    }
}
