//! The task of one backend: look, write down, tell, wait.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::interval::{PollInterval, PollOutcome};
use super::news;
use super::port::ObserverEnv;
use super::round;
use super::tally::Watched;

/// Whoever wants to know what each look came to.
pub trait Watch: Send + Sync {
    /// A look is over, and this is known now.
    fn seen(&self, watched: &Watched);
}

/// Looks for ever.
pub async fn watch(env: &dyn ObserverEnv, backend: &str, pace: PollInterval, watch: &dyn Watch) {
    loop {
        let began = Instant::now();
        let mood = once(env, backend, watch).await;
        wait(env, backend, began, pace, pace.next(mood)).await;
    }
}

/// How long an operation that began is left alone.
const DEBOUNCE: Duration = Duration::from_secs(2);

/// Waits, but not long once somebody begins or ends an operation: what it did is to be seen soon.
async fn wait(
    env: &dyn ObserverEnv,
    backend: &str,
    began: Instant,
    pace: PollInterval,
    pause: Duration,
) {
    let mut until = Instant::now() + pause;
    loop {
        tokio::select! {
            () = sleep_until(until) => return,
            () = env.operation_changed(backend) => {
                // Arrays and database are the operation's first: a failover is seldom longer than this. What one left that
                // has ended is unknown until it is looked at, so that does not wait for its turn.
                let over = !env.busy(backend).await.unwrap_or(true);
                let breath = pace.quick.min(DEBOUNCE);
                let apart = if over { breath } else { pace.quick };
                until = until.min((Instant::now() + breath).max(began + apart));
            }
        }
    }
}

async fn once(env: &dyn ObserverEnv, backend: &str, watch: &dyn Watch) -> PollOutcome {
    let stored = match env.watched(backend).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::warn!(backend, %error, "what was last observed cannot be read");
            return PollOutcome {
                failures: 1,
                ..PollOutcome::default()
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
    let now = env.now();
    let outcome = round::look(env, backend).await;
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
    if let Err(error) = env.announce(&after, revision, events).await {
        tracing::warn!(backend, %error, "what was observed cannot be written down");
    }
    watch.seen(&after);
    PollOutcome {
        failures: after.failures,
        busy: env.busy(backend).await.unwrap_or(false),
        unsettled: after.tally.is_unsettled(&before.tally),
    }
}
