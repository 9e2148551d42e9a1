//! The task of one backend: look, write down, tell, wait.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::news;
use super::pace::{Mood, Pace};
use super::port::Lookout;
use super::round;
use super::tally::Watched;

/// Whoever wants to know what each look came to.
pub trait Watch: Send + Sync {
    /// A look is over, and this is known now.
    fn seen(&self, watched: &Watched);
}

/// Looks for ever.
pub async fn watch(lookout: &dyn Lookout, backend: &str, pace: Pace, watch: &dyn Watch) {
    loop {
        let began = Instant::now();
        let mood = once(lookout, backend, watch).await;
        wait(lookout, backend, began, pace, pace.next(mood)).await;
    }
}

/// How long an operation that began is left alone.
const BREATH: Duration = Duration::from_secs(2);

/// Waits, but not long once somebody begins or ends an operation: what it did is to be seen soon.
async fn wait(lookout: &dyn Lookout, backend: &str, began: Instant, pace: Pace, pause: Duration) {
    let mut until = Instant::now() + pause;
    loop {
        tokio::select! {
            () = sleep_until(until) => return,
            () = lookout.disturbed(backend) => {
                // Arrays and database are the operation's first: a failover is seldom longer than this. What one left that
                // has ended is unknown until it is looked at, so that does not wait for its turn.
                let over = !lookout.busy(backend).await.unwrap_or(true);
                let breath = pace.quick.min(BREATH);
                let apart = if over { breath } else { pace.quick };
                until = until.min((Instant::now() + breath).max(began + apart));
            }
        }
    }
}

async fn once(lookout: &dyn Lookout, backend: &str, watch: &dyn Watch) -> Mood {
    let stored = match lookout.watched(backend).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::warn!(backend, %error, "what was last observed cannot be read");
            return Mood {
                failures: 1,
                ..Mood::default()
            };
        }
    };
    let (before, revision) = match stored {
        Some((before, revision)) => (before, Some(revision)),
        None => {
            let first = Watched {
                backend: backend.to_owned(),
                ..Watched::default()
            };
            (first, None)
        }
    };
    // What is true at the end of the look was true at its beginning at least for what was asked first.
    let now = lookout.now();
    let outcome = round::look(lookout, backend).await;
    let mut after = before.clone();
    match outcome {
        Ok(tally) => {
            after.at = Some(now);
            after.tally = tally;
            after.failures = 0;
            after.error = None;
        }
        Err(error) => {
            after.failures = after.failures.saturating_add(1);
            after.error = Some(error);
        }
    }
    let events = news::between(&before, &after, now);
    if let Err(error) = lookout.announce(&after, revision, events).await {
        tracing::warn!(backend, %error, "what was observed cannot be written down");
    }
    watch.seen(&after);
    Mood {
        failures: after.failures,
        busy: lookout.busy(backend).await.unwrap_or(false),
        uneasy: after.tally.is_uneasy(&before.tally),
    }
}
