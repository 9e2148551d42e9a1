//! How much one caller may ask for, and how often one may be wrong about a secret.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::StatusCode;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};

use crate::http::ApiError;

/// Wrong tokens an address may send in a second, and at once. Each time the limit is met one more has been looked at, so that
/// a steady guesser has twice the rate.
const WRONG_TOKENS: (u32, u32) = (10, 300);
/// Tries at the key of one transfer that one project has at once; another one comes every ten seconds.
const WRONG_KEYS: u32 = 5;
/// Good tokens remembered at most.
const REMEMBERED: usize = 10_000;
/// Questions between two looks for buckets that are full again.
const TIDY: u32 = 1024;

/// Tokio's clock, which tests turn.
#[derive(Debug, Clone)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

/// One bucket for each key. A bucket that is full again is forgotten, so that only the keys of the last seconds are held.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, Ticks, NoOpMiddleware<Nanos>>,
    clock: Ticks,
    asked: AtomicU32,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(quota: Quota) -> Self {
        let clock = Ticks(Instant::now());
        Self {
            limiter: RateLimiter::dashmap_with_clock(quota, clock.clone()),
            clock,
            asked: AtomicU32::new(1),
        }
    }

    /// Takes one out; else how long to wait for the next.
    fn take(&self, key: &K) -> Result<(), Duration> {
        if self
            .asked
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(TIDY)
        {
            self.limiter.retain_recent();
        }
        let taken = self.limiter.check_key(key);
        taken.map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}

impl<K: Hash + Eq + Clone> std::fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

fn rate(per_second: u32, burst: u32) -> Option<Quota> {
    let per_second = NonZeroU32::new(per_second)?;
    Some(Quota::per_second(per_second).allow_burst(NonZeroU32::new(burst).unwrap_or(per_second)))
}

fn too_many(message: &str, wait: Duration) -> ApiError {
    ApiError {
        retry_after: Some(wait.as_secs_f64().ceil().max(1.0) as u64),
        ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, message)
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// A user in a project, whatever token they show.
    User(String, String),
    /// An address, where everybody may call themselves what they like.
    Address(IpAddr),
}

/// Requests of each client.
#[derive(Debug)]
pub(crate) struct Rates(Option<Buckets<Client>>);

impl Rates {
    /// Buckets that fill at a rate; 0: no limit.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self(rate(per_second, burst).map(Buckets::new))
    }

    /// Counts one request.
    pub fn take(&self, client: &Client) -> Result<(), ApiError> {
        let Some(buckets) = &self.0 else {
            return Ok(());
        };
        buckets.take(client).map_err(|wait| {
            too_many(
                "This was more requests than one client may make in a second.",
                wait,
            )
        })
    }
}

/// Slows down whoever guesses tokens: an address that sent too many wrong ones is not looked at for a moment. A token that was
/// good from the same address is, so that a client which has logged in does not suffer for another one behind the same address.
#[derive(Debug)]
pub(crate) struct TokenBrake {
    wrong: Buckets<IpAddr>,
    held: Mutex<HashMap<IpAddr, Instant>>,
    good: Mutex<HashMap<[u8; 32], Instant>>,
}

fn digest(address: IpAddr, token: &[u8]) -> [u8; 32] {
    let address = address.to_string();
    let digest = Sha256::new().chain_update(address).chain_update([0]);
    digest.chain_update(token).finalize().into()
}

impl TokenBrake {
    pub fn new() -> Self {
        let (per_second, burst) = WRONG_TOKENS;
        let quota = rate(per_second, burst).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        Self {
            wrong: Buckets::new(quota),
            held: Mutex::default(),
            good: Mutex::default(),
        }
    }

    /// Refuses to look at a token of an address that guesses.
    pub fn may_try(&self, address: IpAddr, token: &[u8]) -> Result<(), ApiError> {
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = held.get(&address).copied() else {
            return Ok(());
        };
        if until <= now {
            held.remove(&address);
            return Ok(());
        }
        drop(held);
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.contains_key(&digest(address, token)) {
            return Ok(());
        }
        Err(too_many(
            "Too many wrong tokens came from this address. Wait before the next one is looked at.",
            until - now,
        ))
    }

    /// A token was right.
    pub fn was_right(&self, address: IpAddr, token: &[u8]) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if good.len() >= REMEMBERED {
            // The older half goes; those that are in use come back with their next request.
            let mut times: Vec<Instant> = good.values().copied().collect();
            times.sort_unstable();
            let middle = times.get(times.len() / 2).copied().unwrap_or(now);
            good.retain(|_, at| *at > middle);
        }
        good.insert(digest(address, token), now);
    }

    /// A token was wrong: it is no longer remembered as good, and the address comes closer to its limit.
    pub fn was_wrong(&self, address: IpAddr, token: &[u8]) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.remove(&digest(address, token));
        drop(good);
        if let Err(wait) = self.wrong.take(&address) {
            let now = Instant::now();
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.len() >= REMEMBERED {
                held.retain(|_, until| *until > now);
            }
            held.insert(address, now + wait);
        }
    }
}

/// Slows down whoever guesses the key of a transfer. Counted for each project, so that a guesser does not keep out whoever
/// the key was given to.
#[derive(Debug)]
pub(crate) struct KeyBrake(Buckets<(String, String)>);

impl KeyBrake {
    pub fn new() -> Self {
        let every = Duration::from_secs(10);
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let burst = NonZeroU32::new(WRONG_KEYS).unwrap_or(NonZeroU32::MIN);
        Self(Buckets::new(quota.allow_burst(burst)))
    }

    /// Counts one try, whatever comes of it.
    pub fn may_try(&self, project: &str, transfer: &str) -> Result<(), ApiError> {
        let tried = self.0.take(&(project.to_owned(), transfer.to_owned()));
        tried.map_err(|wait| {
            too_many(
                "The key of this transfer was tried too often. Wait before the next try.",
                wait,
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::advance;

    const ANN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn user(name: &str) -> Client {
        Client::User(name.to_owned(), "p".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_too_often_is_told_to_wait_and_others_are_not() {
        let rates = Rates::new(2, 2);
        assert!(rates.take(&user("a")).is_ok());
        assert!(rates.take(&user("a")).is_ok());
        let refusal = rates.take(&user("a")).unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), refusal.retry_after),
            (429, Some(1))
        );
        assert!(rates.take(&user("b")).is_ok());
        assert!(rates.take(&Client::Address(ANN)).is_ok());
        advance(Duration::from_millis(500)).await;
        assert!(rates.take(&user("a")).is_ok());
        assert!(Rates::new(0, 2).take(&user("a")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn buckets_that_are_full_again_are_forgotten() {
        let rates = Rates::new(1, 5);
        for n in 0..TIDY * 9 {
            let _ = rates.take(&user(&n.to_string()));
            advance(Duration::from_millis(10)).await;
        }
        let held = rates.0.unwrap().limiter.len();
        assert!(held <= 2 * TIDY as usize, "{held}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_tokens_is_held_and_who_was_right_before_is_not() {
        let brake = TokenBrake::new();
        brake.was_right(ANN, b"good");
        let mut looked_at = 0;
        for n in 0..5000_u32 {
            // Five hundred a second.
            advance(Duration::from_millis(2)).await;
            if brake.may_try(ANN, &n.to_be_bytes()).is_ok() {
                looked_at += 1;
                brake.was_wrong(ANN, &n.to_be_bytes());
            }
            assert!(brake.may_try(ANN, b"good").is_ok());
            assert!(brake.may_try(BOB, b"new").is_ok());
        }
        let (per_second, burst) = WRONG_TOKENS;
        assert!(looked_at <= burst + 2 * per_second * 11, "{looked_at}");
        assert!(looked_at >= burst, "{looked_at}");
        let held = brake.may_try(ANN, b"other").unwrap_err();
        assert_eq!((held.status.as_u16(), held.retry_after), (429, Some(1)));
        brake.was_wrong(ANN, b"good");
        assert!(brake.may_try(ANN, b"good").is_err(), "it was taken away");
        advance(Duration::from_secs(60)).await;
        assert!(brake.may_try(ANN, b"other").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_were_good_are_remembered_up_to_a_bound() {
        let brake = TokenBrake::new();
        for n in 0..(REMEMBERED as u32 + 50) {
            brake.was_right(ANN, &n.to_be_bytes());
            advance(Duration::from_millis(1)).await;
        }
        assert!(brake.good.lock().unwrap().len() <= REMEMBERED);
    }

    #[tokio::test(start_paused = true)]
    async fn the_key_of_a_transfer_may_be_tried_a_few_times_by_each_project() {
        let brake = KeyBrake::new();
        for _ in 0..WRONG_KEYS {
            assert!(brake.may_try("p1", "t").is_ok());
        }
        let held = brake.may_try("p1", "t").unwrap_err();
        assert_eq!((held.status.as_u16(), held.retry_after), (429, Some(10)));
        assert!(brake.may_try("p2", "t").is_ok());
        assert!(brake.may_try("p1", "other").is_ok());
        advance(Duration::from_secs(10)).await;
        assert!(brake.may_try("p1", "t").is_ok());
    }
}
